//! What a configuration is read from: the environment and the file that the command line names, and
//! the folders that follow from these.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

/// Everything that a configuration is read from. Deliberately without `Debug`: the environment
/// holds secrets.
#[derive(Clone)]
pub struct Sources {
    /// The file that the command line names.
    pub file: Option<PathBuf>,
    /// Every environment variable of the process.
    pub environment: HashMap<String, String>,
    /// The present moment: a schedule must have a tick after it.
    pub now: DateTime<Utc>,
}

impl Sources {
    /// The environment of this process. Bytes in it that are not UTF-8 become U+FFFD, which
    /// [`super::load`] refuses.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the environment"
    )]
    pub fn from_process(file: Option<PathBuf>, now: DateTime<Utc>) -> Self {
        let lossy = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let environment = std::env::vars_os()
            .map(|(name, value)| (lossy(name), lossy(value)))
            .collect();
        Self {
            file,
            environment,
            now,
        }
    }

    /// The value of a variable that is set and not empty.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.environment
            .get(name)
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    }
}

/// The text of `$JOURNAL_STREAM`, which systemd sets when a stream of the program goes to the
/// journal. It is needed before the configuration is read, for what is wrong with that.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the environment"
)]
pub fn journal_stream() -> Option<String> {
    std::env::var("JOURNAL_STREAM").ok()
}

/// The folders in which paths start and secrets are looked for.
pub(super) struct BaseDirs {
    /// The configuration file's folder, absolute, so that a message names the whole path.
    pub(super) config: PathBuf,
    /// The folder of systemd's credentials.
    pub(super) credentials: Option<PathBuf>,
    /// The service's state folder under systemd.
    pub(super) state: Option<PathBuf>,
    /// The home folder of the user who runs the program.
    pub(super) home: Option<PathBuf>,
    /// The file that libpq's `$PGPASSFILE` names.
    pub(super) passfile: Option<PathBuf>,
}

impl BaseDirs {
    pub(super) fn new(file: &Path, sources: &Sources) -> Self {
        let state = sources.variable("STATE_DIRECTORY");
        Self {
            config: std::path::absolute(file)
                .ok()
                .and_then(|file| file.parent().map(Path::to_path_buf))
                .unwrap_or_default(),
            credentials: sources.variable("CREDENTIALS_DIRECTORY").map(PathBuf::from),
            // A unit may have several, separated by colons.
            state: state
                .and_then(|all| all.split(':').find(|folder| !folder.is_empty()))
                .map(PathBuf::from),
            home: sources.variable("HOME").map(PathBuf::from),
            passfile: sources.variable("PGPASSFILE").map(PathBuf::from),
        }
    }

    /// A relative path starts at the configuration file's folder.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.config.join(path)
    }
}
