//! What is cut from the text of a secret, and why a text cannot be one. No fault repeats any of it.
//!
//! Every secret of the program is text: a client secret, a token or an address, all within ASCII.
//! None has blanks at its ends, and none is in quotes, so that both are the traces of how it was
//! saved.

use std::path::Path;

use secrecy::SecretString;

use super::{ReadFault, SECRET, decode, is_invisible, is_quote, read, trimmed};

/// What the name before a secret ends with where a whole line of an `.env` file was saved, letters
/// only.
const NAMES: [&str; 6] = [
    "secret",
    "token",
    "password",
    "databaseurl",
    "connectionstring",
    "value",
];

/// The secret in a file; `None` where there is nothing but blanks.
pub(crate) fn load(path: &Path) -> Result<Option<SecretString>, ReadFault> {
    let text = decode(&read(path, SECRET)?)?;
    let secret = bare(text.as_str());
    if secret.is_empty() {
        return Ok(None);
    }
    judge(secret).map_err(|problem| ReadFault::Unfit(problem.to_owned()))?;
    // A character that could not be read is shown as this one.
    if secret.contains(char::REPLACEMENT_CHARACTER)
        || text.guessed_line().is_some() && !secret.is_ascii()
    {
        return Err(ReadFault::Unfit(NOT_UNICODE.to_owned()));
    }
    Ok(Some(SecretString::from(secret)))
}

/// Letters that are another one in each code page cannot be sent for certain.
pub(crate) const NOT_UNICODE: &str = "holds letters beyond ASCII and is not in Unicode, so that it is not certain which they are; save it as UTF-8";

/// `text` without what came with saving it: blanks, line ends and marks at its ends, and quotes
/// around it.
pub(crate) fn bare(text: &str) -> &str {
    let text = trimmed(text);
    let inner = text.strip_prefix(is_quote);
    match inner.and_then(|inner| inner.strip_suffix(is_quote)) {
        Some(inner) => trimmed(inner),
        None => text,
    }
}

/// Says why a bare text is no secret at all, of whichever kind.
pub(crate) fn judge(text: &str) -> Result<(), &'static str> {
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
            "holds a name before the secret, as lines of .env files do; it must hold the secret alone",
        );
    }
    if text.contains([
        '\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}',
    ]) {
        return Err("holds a line break; it must hold the secret alone, in one line");
    }
    if text.chars().any(is_invisible) {
        return Err("holds an invisible character, as text copied from a page may; copy it anew");
    }
    if text.chars().any(char::is_control) {
        return Err("holds a control character");
    }
    Ok(())
}

/// As [`judge`], for a secret that has no blank within.
pub(crate) fn unbroken(text: &str) -> Result<(), String> {
    if text.contains(char::is_whitespace) {
        return Err("holds a blank within; it must hold the secret alone".to_owned());
    }
    Ok(())
}

/// Whether it is `name=secret`, `export NAME=secret` or `name: secret`.
fn is_named(text: &str) -> bool {
    let Some((name, rest)) = text.split_once(['=', ':']) else {
        return false;
    };
    let name = name.trim().to_ascii_lowercase();
    let name = name.strip_prefix("export ").unwrap_or(&name);
    let name = name.strip_prefix('$').unwrap_or(name);
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    // A token may hold an equals sign, but what is before it is then far longer than a name.
    !rest.trim().is_empty()
        && name.len() <= 64
        && NAMES.iter().any(|end| letters.ends_with(end))
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ' | '"' | ':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_with_saving_a_secret_is_cut() {
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
            assert_eq!(bare(saved), "abc~D.e_f", "{saved:?}");
            assert_eq!(judge(bare(saved)), Ok(()), "{saved:?}");
        }
        assert_eq!(bare("\"\""), "");
        assert_eq!(bare("\""), "\"");
        assert_eq!(bare("\"abc"), "\"abc");
    }

    #[test]
    fn what_is_no_secret_is_told_without_repeating_it() {
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
            let problem = judge(text).unwrap_err();
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
            assert_eq!(judge(real), Ok(()), "{real}");
        }
        assert!(unbroken("a b").is_err());
        assert!(unbroken("a\u{a0}b").is_err());
    }
}
