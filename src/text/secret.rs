//! Reads secrets: removes what was saved along with one, and recognises texts that cannot be one.
//! No error quotes any of the text.
//!
//! Every secret of the program is ASCII text: a client secret, a token or a database URL. None
//! starts or ends with white space or is in quotes, so both are artefacts of how it was saved.

use std::path::Path;

use secrecy::SecretString;

use super::{FileReadError, MAX_SECRET_BYTES, decode, is_invisible, is_quote, read, trimmed};

/// How the name before a secret ends if a whole line of an `.env` file was saved; only letters are
/// compared.
const NAME_ENDINGS: [&str; 6] = [
    "secret",
    "token",
    "password",
    "databaseurl",
    "connectionstring",
    "value",
];

/// The secret in a file; `None` if the file is blank.
pub(crate) fn load(path: &Path) -> Result<Option<SecretString>, FileReadError> {
    let text = decode(&read(path, MAX_SECRET_BYTES)?)?;
    let secret = strip(text.as_str());
    if secret.is_empty() {
        return Ok(None);
    }
    check(secret).map_err(|problem| FileReadError::Unsuitable(problem.to_owned()))?;
    // A character that could not be decoded became the replacement character.
    if secret.contains(char::REPLACEMENT_CHARACTER)
        || text.guessed_line().is_some() && !secret.is_ascii()
    {
        return Err(FileReadError::Unsuitable(NOT_UNICODE.to_owned()));
    }
    Ok(Some(SecretString::from(secret)))
}

/// Characters beyond ASCII in a code page: which ones they are depends on the code page.
pub(crate) const NOT_UNICODE: &str =
    "holds letters beyond ASCII and is not Unicode, so that they are ambiguous; save it as UTF-8";

/// `text` without artefacts of saving it: white space, line ends and byte order marks at its ends,
/// and quotes around it.
pub(crate) fn strip(text: &str) -> &str {
    let text = trimmed(text);
    let inner = text.strip_prefix(is_quote);
    match inner.and_then(|inner| inner.strip_suffix(is_quote)) {
        Some(inner) => trimmed(inner),
        None => text,
    }
}

/// Fails with the reason if a stripped text cannot be a secret of any kind.
pub(crate) fn check(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("is empty");
    }
    if text.starts_with("-----BEGIN ") {
        return Err("holds a certificate or a key in PEM, and not a secret");
    }
    if text.starts_with('<') && text.ends_with('>') && text.contains("</") {
        return Err("holds a web page, and not a secret");
    }
    if text.starts_with('{') && text.ends_with('}') && text.contains('"') {
        return Err("holds JSON; it must hold the secret alone");
    }
    if is_named(text) {
        return Err(
            "holds a name before the secret, as lines of .env files do; \
             it must hold the secret alone",
        );
    }
    if text.contains([
        '\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}',
    ]) {
        return Err("holds a line break; it must hold the secret alone, in one line");
    }
    if text.chars().any(is_invisible) {
        return Err("holds an invisible character, as text copied from a page may; copy it again");
    }
    if text.chars().any(char::is_control) {
        return Err("holds a control character");
    }
    Ok(())
}

/// Fails if a text contains white space, which some secrets cannot contain.
pub(crate) fn check_no_white_space(text: &str) -> Result<(), String> {
    if text.contains(char::is_whitespace) {
        return Err("holds white space; it must hold the secret alone".to_owned());
    }
    Ok(())
}

/// Whether the text is `name=secret`, `export NAME=secret` or `name: secret`.
fn is_named(text: &str) -> bool {
    let Some((name, rest)) = text.split_once(['=', ':']) else {
        return false;
    };
    let name = name.trim().to_ascii_lowercase();
    let name = name.strip_prefix("export ").unwrap_or(&name);
    let name = name.strip_prefix('$').unwrap_or(name);
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    // A token may contain an equals sign, but what precedes it is then longer than a name.
    !rest.trim().is_empty()
        && name.len() <= 64
        && NAME_ENDINGS.iter().any(|ending| letters.ends_with(ending))
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ' | '"' | ':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn artefacts_of_saving_a_secret_are_removed() {
        for saved in [
            "abc~D.e_f",
            "abc~D.e_f\r\n\r\n",
            "\u{feff}abc~D.e_f \t",
            "\u{a0}abc~D.e_f\u{200b}\n",
            "\"abc~D.e_f\"\n",
            "'abc~D.e_f'",
            "\u{201c}abc~D.e_f\u{201d}",
            "\" abc~D.e_f \"",
            "abc~D.e_f\0\x1a",
        ] {
            assert_eq!(strip(saved), "abc~D.e_f", "{saved:?}");
            assert_eq!(check(strip(saved)), Ok(()), "{saved:?}");
        }
        assert_eq!(strip("\"\""), "");
        assert_eq!(strip("\""), "\"");
        assert_eq!(strip("\"abc"), "\"abc");
    }

    #[test]
    fn what_is_not_a_secret_is_named_without_being_quoted() {
        for (text, told) in [
            ("", "is empty"),
            ("abc\ndef", "line break"),
            ("abc\u{2028}def", "line break"),
            ("abc\u{feff}def", "invisible"),
            ("abc\u{7}def", "control"),
            ("abc\0def", "control"),
            ("CLIENT_SECRET=abc", "a name before"),
            (
                "export SEATLEDGER__AUTH__CLIENT_SECRET = abc",
                "a name before",
            ),
            ("client_secret: abc", "a name before"),
            ("DATABASE_URL=postgres://x:hunter2@db/y", "a name before"),
            ("{ \"refresh_token\": \"abc\" }", "JSON"),
            ("<html><body>abc</body></html>", "web page"),
            ("-----BEGIN CERTIFICATE-----\nabc", "PEM"),
        ] {
            let problem = check(text).unwrap_err();
            assert!(problem.contains(told), "{text:?}: {problem}");
            assert!(!problem.contains("abc") && !problem.contains("hunter2"));
        }
        for real in [
            "0.AXoAb=c",
            "abc+/def==",
            "Ab3~x.y-z_:=",
            "postgres://a:b@db/x?password=y",
            "token=",
        ] {
            assert_eq!(check(real), Ok(()), "{real}");
        }
        assert!(check_no_white_space("a b").is_err());
        assert!(check_no_white_space("a\u{a0}b").is_err());
    }
}
