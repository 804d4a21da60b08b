//! Finds the configuration file, reads it and takes its TOML apart. Judges no value.

use std::path::{Path, PathBuf};

use ::config::{ConfigError as Unreadable, File, FileFormat, Map, Source as _, Value};

use super::Sources;
use super::fault::{Fault, Place};
use crate::text;

/// Where the file is looked for when neither the command line nor the environment names it.
const FALLBACKS: [&str; 2] = ["config.toml", "/etc/seatledger/config.toml"];

/// What the faults call the file as a whole.
const WHOLE: &str = "configuration file";

/// The file to read: the one that was named, which need not exist, or the first fallback that does.
pub(super) fn find(sources: &Sources) -> Result<PathBuf, Fault> {
    let named = sources
        .file
        .clone()
        .or_else(|| sources.variable("SEATLEDGER_CONFIG").map(PathBuf::from));
    match named {
        Some(path) => Ok(path),
        None => first_present(&FALLBACKS).ok_or_else(|| {
            Fault::new(
                WHOLE,
                "there is none: SEATLEDGER_CONFIG is not set, and neither ./config.toml nor \
                 /etc/seatledger/config.toml exists; name one with --config FILE",
            )
        }),
    }
}

fn first_present(candidates: &[&str]) -> Option<PathBuf> {
    // One that is there but out of reach is a fault to report, not a reason to take the next.
    candidates
        .iter()
        .map(PathBuf::from)
        .find(|path| !matches!(path.try_exists(), Ok(false)))
}

/// What a configuration file holds.
pub(super) struct Contents {
    /// The file's top level.
    pub(super) top: Map<String, Value>,
    /// The first line that is no Unicode, so that letters beyond ASCII are guesses.
    pub(super) guessed_line: Option<usize>,
}

/// Reads the file, in whatever encoding an editor saved it.
pub(super) fn read(path: &Path) -> Result<Contents, Fault> {
    let fault =
        |problem: String| Fault::new(WHOLE, problem).at(Place::File(path.display().to_string()));
    let text = text::read(path, text::MAX_DOCUMENT_BYTES)
        .and_then(|bytes| Ok(text::decode(&bytes)?))
        .map_err(|error| fault(error.to_string()).passing(error.is_transient()))?;
    let top = File::from_str(text.as_str(), FileFormat::Toml)
        .collect()
        .map_err(|error| fault(describe(&error, text.as_str())))?;
    Ok(Contents {
        top,
        guessed_line: text.guessed_line(),
    })
}

/// Position and message of a syntax error in `text`. The parser's own text quotes the line, which
/// may hold a secret.
fn describe(error: &Unreadable, text: &str) -> String {
    let Unreadable::FileParse { cause, .. } = error else {
        return "is not TOML".to_owned();
    };
    let told = cause.to_string();
    let Some((position, rest)) = told
        .strip_prefix("TOML parse error at ")
        .and_then(|rest| rest.split_once('\n'))
    else {
        // Without a position nothing is quoted: a number beyond 64 bits.
        return format!("holds a value that cannot be kept: {}", told.trim_end());
    };
    // An empty margin, the quoted line, the marker below it; then what is wrong.
    let mut lines = rest.split('\n').skip(2);
    let marked = lines.next().is_some_and(|marker| {
        marker.contains('^') && marker.chars().all(|c| matches!(c, ' ' | '|' | '^'))
    });
    let message: Vec<&str> = lines
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let hint = likely_cause(position, text).unwrap_or_default();
    if marked && !message.is_empty() {
        format!("is not TOML at {position}: {}{hint}", message.join(", "))
    } else {
        format!("is not TOML at {position}{hint}")
    }
}

/// What a person hardly sees in the line that is no TOML, and where it stands.
fn likely_cause(position: &str, text: &str) -> Option<String> {
    if text.trim_start().starts_with('{') {
        return Some(
            "; this is JSON, and config.example.toml shows what TOML looks like".to_owned(),
        );
    }
    let number = position.strip_prefix("line ")?.split(',').next()?;
    let line = text
        .split('\n')
        .nth(number.parse::<usize>().ok()?.checked_sub(1)?)?;
    let column = |wanted: &dyn Fn(char) -> bool| {
        let found = line.chars().enumerate().find(|(_, c)| wanted(*c));
        found.map(|(index, c)| (index + 1, c))
    };
    if let Some((at, _)) = column(&|c| !c.is_ascii() && text::is_quote(c)) {
        return Some(format!(
            "; there is a typographic quote at column {at}, and TOML takes only the plain ones, \
             \" and '"
        ));
    }
    let is_hidden = |c: char| {
        text::is_invisible(c)
            || (c.is_control() && c != '\t')
            || (c.is_whitespace() && !c.is_ascii())
    };
    if let Some((at, c)) = column(&is_hidden) {
        return Some(format!(
            "; there is a character at column {at} that is not seen and does not belong there, \
             U+{:04X}",
            u32::from(c)
        ));
    }
    // As in a path of Windows or in a password.
    (line.contains('\\') && line.contains('"')).then(|| {
        "; in double quotes a backslash is written twice, in single quotes it stands for itself"
            .to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_name_the_first_fallback_that_exists_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = ["first.toml", "second.toml"].map(|name| folder.path().join(name));
        let candidates = [first.to_str().unwrap(), second.to_str().unwrap()];
        assert_eq!(first_present(&candidates), None);
        std::fs::write(&second, "").unwrap();
        assert_eq!(first_present(&candidates), Some(second.clone()));
        std::fs::write(&first, "").unwrap();
        assert_eq!(first_present(&candidates), Some(first.clone()));
    }

    #[test]
    fn the_working_folder_comes_before_the_system_folder() {
        assert_eq!(FALLBACKS, ["config.toml", "/etc/seatledger/config.toml"]);
    }
}
