//! Where settings come from: defaults, a TOML file, the environment; the later wins. The only
//! reader of the environment. Opens no connection. Files are read by `crate::text`, in whatever
//! encoding they were saved.
//!
//! [`load`] goes through these doors: `file` finds and reads the TOML, `layers` sorts known keys
//! (`keys`) from unknown ones and merges, `settings` hands out typed values, `check`, `database`,
//! `sign_in` and `secrets` judge them (`placeholder` knows what was never filled in, `exposure` who
//! may read a secret), `valid` is what comes out. All faults are gathered in one [`ConfigError`];
//! no secret is in it.

mod check;
mod database;
mod desktop;
mod exposure;
mod fault;
mod file;
mod keys;
mod layers;
mod network;
mod placeholder;
mod secrets;
mod settings;
mod sign_in;
mod valid;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use fault::Place;
use layers::Layers;
use settings::{Read, Settings};

pub use database::{
    Address, Database, FileFault, Host, Identity, IdentityPem, Roots, SslMode, Target, Tls,
};
pub use fault::{ConfigError, Fault};
pub use valid::{
    App, Auth, ClientCredential, Cloud, Config, Customers, Log, LogFormat, Method, PartnerCenter,
    RunOnStart, ScheduleSettings, Status,
};

/// All that a configuration is made of. Deliberately without `Debug`: the environment holds
/// secrets.
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
    /// The environment of this process. What is not UTF-8 in it becomes U+FFFD, which [`load`]
    /// refuses.
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

    /// The text of a variable that is set and not empty.
    fn variable(&self, name: &str) -> Option<&str> {
        self.environment
            .get(name)
            .map(String::as_str)
            .filter(|text| !text.is_empty())
    }
}

/// The folders that paths and secrets depend on.
struct Surroundings {
    /// Of the configuration file, whole, so that a message names a place and not a name.
    folder: PathBuf,
    /// Where systemd puts credentials.
    credentials: Option<PathBuf>,
    /// Where systemd lets the program keep files.
    state: Option<PathBuf>,
    /// Of the user who runs the program.
    home: Option<PathBuf>,
    /// Where libpq's users say that passwords of databases are.
    passfile: Option<PathBuf>,
}

impl Surroundings {
    fn new(file: &Path, sources: &Sources) -> Self {
        let state = sources.variable("STATE_DIRECTORY");
        Self {
            folder: std::path::absolute(file)
                .ok()
                .and_then(|file| file.parent().map(Path::to_path_buf))
                .unwrap_or_default(),
            credentials: sources.variable("CREDENTIALS_DIRECTORY").map(PathBuf::from),
            // A unit may have several; they come joined by colons.
            state: state
                .and_then(|all| all.split(':').find(|folder| !folder.is_empty()))
                .map(PathBuf::from),
            home: sources.variable("HOME").map(PathBuf::from),
            passfile: sources.variable("PGPASSFILE").map(PathBuf::from),
        }
    }

    /// A relative path starts at the configuration file's folder.
    fn resolve(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }
}

/// Reads and checks everything.
///
/// # Errors
/// When there is no file, or anything in it or in the environment is wrong: then with all faults at
/// once.
pub fn load(sources: &Sources) -> Result<Config, ConfigError> {
    let path = file::find(sources)?;
    let name = path.display().to_string();
    let (environment, mut faults) = layers::from_environment(&sources.environment);
    let contents = match file::read(&path) {
        Ok(contents) => contents,
        // What is missing cannot be told when the file is not understood.
        Err(fault) => {
            faults.insert(0, fault);
            return Err(ConfigError::new(faults));
        }
    };
    let (file, unknown) = layers::from_file(contents.top, &Place::File(name.clone()));
    faults.splice(0..0, unknown);
    let mut settings = Settings::new(Layers::new(file, environment), name, faults);
    if let Some(line) = contents.guessed_line {
        settings.mark_guessed(line);
    }
    let config = check(&mut settings, path, sources);
    settings.finish(config)
}

fn check(settings: &mut Settings, path: PathBuf, sources: &Sources) -> Read<Config> {
    let surroundings = Surroundings::new(&path, sources);
    let partner_center = check::partner_center(settings);
    let auth = sign_in::auth(
        settings,
        &surroundings,
        partner_center.as_ref().map_err(|reported| *reported),
    );
    let customers = check::customers(settings, &surroundings);
    let schedule = check::schedule(settings, sources.now);
    let retry = check::retry(settings);
    let database = check::database(settings, &surroundings, sources);
    let status = check::status(settings);
    let log = check::log(settings);
    exposure::warn_of_configuration(settings, &path);
    let origins = match (&partner_center, &auth) {
        (Ok(partner_center), Ok(auth)) => network::origins(partner_center, auth),
        _ => Vec::new(),
    };
    network::check(settings, sources, &origins);
    Ok(Config {
        path,
        partner_center: partner_center?,
        auth: auth?,
        customers: customers?,
        schedule: schedule?,
        retry: retry?,
        database: database?,
        status: status?,
        log: log?,
        journal_stream: sources.variable("JOURNAL_STREAM").map(str::to_owned),
        browser_environment: desktop::for_a_browser(&sources.environment),
        warnings: settings.take_warnings(),
    })
}
