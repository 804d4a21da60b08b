//! Finds the configuration file, reads it and takes its TOML apart. Judges no value.

use std::path::{Path, PathBuf};

use ::config::{ConfigError as Unreadable, File, FileFormat, Map, Source as _, Value};

use super::Sources;
use super::fault::{Fault, Place};

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

/// The file's top level.
pub(super) fn read(path: &Path) -> Result<Map<String, Value>, Fault> {
    let fault =
        |problem: String| Fault::new(WHOLE, problem).at(Place::File(path.display().to_string()));
    let bytes = std::fs::read(path).map_err(|error| fault(format!("cannot be read: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.split(|byte| *byte == b'\n').count();
        fault(format!(
            "is not UTF-8 text, first seen in line {line}; save it as UTF-8"
        ))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    File::from_str(text, FileFormat::Toml)
        .collect()
        .map_err(|error| fault(describe(&error)))
}

/// Position and message of a syntax error. The parser's own text quotes the line, which may hold a secret.
fn describe(error: &Unreadable) -> String {
    let Unreadable::FileParse { cause, .. } = error else {
        return "is not TOML".to_owned();
    };
    let text = cause.to_string();
    let Some((position, rest)) = text
        .strip_prefix("TOML parse error at ")
        .and_then(|rest| rest.split_once('\n'))
    else {
        // Without a position nothing is quoted: a number beyond 64 bits.
        return format!("holds a value that cannot be kept: {}", text.trim_end());
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
    if marked && !message.is_empty() {
        format!("is not TOML at {position}: {}", message.join(", "))
    } else {
        format!("is not TOML at {position}")
    }
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
