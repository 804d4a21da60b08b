//! Finds the configuration file and parses its TOML. Checks no value.

use std::path::{Path, PathBuf};

use ::config::{ConfigError as ParseError, File, FileFormat, Map, Source as _, Value};

use super::fault::{ConfigFault, Origin, WHOLE_FILE};
use super::sources::Sources;
use crate::text;

/// The files to try if neither the command line nor the environment names one.
const FALLBACKS: [&str; 2] = ["config.toml", "/etc/seatledger/config.toml"];

/// The file to read: the one that is named, which need not exist, or the first fallback that
/// exists.
pub(super) fn find(sources: &Sources) -> Result<PathBuf, ConfigFault> {
    let named = sources
        .file
        .clone()
        .or_else(|| sources.variable("SEATLEDGER_CONFIG").map(PathBuf::from));
    match named {
        Some(path) => Ok(path),
        None => first_present(&FALLBACKS).ok_or_else(|| {
            ConfigFault::new(
                WHOLE_FILE,
                "there is none: SEATLEDGER_CONFIG is not set, and neither ./config.toml nor \
                 /etc/seatledger/config.toml exists; name one with --config FILE",
            )
        }),
    }
}

fn first_present(candidates: &[&str]) -> Option<PathBuf> {
    // A file that exists but cannot be accessed is a fault to report, not a reason to try the next.
    candidates
        .iter()
        .map(PathBuf::from)
        .find(|path| !matches!(path.try_exists(), Ok(false)))
}

/// The contents of a configuration file.
pub(super) struct Contents {
    /// The file's top level.
    pub(super) top: Map<String, Value>,
    /// The first line that is not UTF-8. Letters beyond ASCII are guesses from there on.
    pub(super) guessed_line: Option<usize>,
}

/// Reads the file in any encoding that editors use.
pub(super) fn read(path: &Path) -> Result<Contents, ConfigFault> {
    let fault = |problem: String| {
        ConfigFault::new(WHOLE_FILE, problem).at(Origin::File(path.display().to_string()))
    };
    let text = text::read(path, text::MAX_DOCUMENT_BYTES)
        .and_then(|bytes| Ok(text::decode(&bytes)?))
        .map_err(|error| fault(error.to_string()).transient(error.is_transient()))?;
    let top = File::from_str(text.as_str(), FileFormat::Toml)
        .collect()
        .map_err(|error| fault(describe(&error, text.as_str())))?;
    Ok(Contents {
        top,
        guessed_line: text.guessed_line(),
    })
}

/// Position and message of a syntax error in `text`. The parser's own report would quote the line,
/// which may hold a secret.
fn describe(error: &ParseError, text: &str) -> String {
    let ParseError::FileParse { cause, .. } = error else {
        return "is not TOML".to_owned();
    };
    let Some(syntax) = cause.downcast_ref::<toml::de::Error>() else {
        // Valid TOML, but with a number beyond 64 bits.
        return format!("holds a value that cannot be read: {cause}");
    };
    let message: Vec<&str> = syntax.message().lines().collect();
    let message = message.join(", ");
    let Some(before) = syntax.span().and_then(|span| text.get(..span.start)) else {
        return format!("is not TOML: {message}");
    };
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    let column = before[line_start..].chars().count() + 1;
    let hint = likely_cause(text, line_start).unwrap_or_default();
    format!("is not TOML at line {line}, column {column}: {message}{hint}")
}

/// A cause that is easily overlooked in the faulty line, which begins at `line_start`.
fn likely_cause(text: &str, line_start: usize) -> Option<String> {
    if text.trim_start().starts_with('{') {
        return Some(
            "; this is JSON, and config.example.toml shows what TOML looks like".to_owned(),
        );
    }
    let line = text[line_start..].split('\n').next()?;
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
            "; there is an invisible character at column {at} that does not belong there, U+{:04X}",
            u32::from(c)
        ));
    }
    // A backslash is common in Windows paths and in passwords.
    (line.contains('\\') && line.contains('"')).then(|| {
        "; in double quotes a backslash is written twice, in single quotes once".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_fallback_that_exists_is_used() {
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
