//! Parses the values of parameters that are more than text.

use super::address::{SslMode, Target};

const MODES: [(&str, SslMode); 6] = [
    ("disable", SslMode::Disable),
    // libpq starts without TLS here; starting with TLS is at least as safe.
    ("allow", SslMode::Prefer),
    ("prefer", SslMode::Prefer),
    ("require", SslMode::Require),
    ("verify-ca", SslMode::VerifyCa),
    ("verify-full", SslMode::VerifyFull),
];

pub(super) fn ssl_mode(value: &str) -> Result<SslMode, String> {
    if let Some((_, mode)) = MODES.iter().find(|(name, _)| *name == value) {
        return Ok(*mode);
    }
    let plain = value
        .to_ascii_lowercase()
        .replace(['_', ' '], "-")
        .replace("verifyfull", "verify-full")
        .replace("verifyca", "verify-ca");
    let meant = match plain.as_str() {
        "true" | "on" | "yes" | "1" | "enabled" | "enable" | "strict" | "verify" => {
            Some("verify-full")
        }
        "false" | "off" | "no" | "0" | "disabled" | "none" => Some("disable"),
        "verify-identity" => Some("verify-full"),
        "preferred" => Some("prefer"),
        "required" => Some("require"),
        plain => MODES
            .iter()
            .map(|(name, _)| (strsim::levenshtein(name, plain), *name))
            .min()
            .filter(|(distance, _)| *distance <= 2)
            .map(|(_, name)| name),
    };
    let meant = meant.map_or_else(String::new, |meant| format!("; is {meant} meant?"));
    let names = MODES.map(|(name, _)| name).join(", ");
    Err(format!("must be one of {names}{meant}"))
}

pub(super) fn target(value: &str) -> Result<Target, String> {
    match value {
        "any" => Ok(Target::Any),
        "read-write" => Ok(Target::ReadWrite),
        "primary" => Ok(Target::Primary),
        "read-only" | "standby" | "prefer-standby" => Err(
            "asks for a read-only server, and the ledger is written to; write read-write"
                .to_owned(),
        ),
        _ => Err("must be one of any, read-write, primary".to_owned()),
    }
}

/// Settings of the session: `-c name=value`, `-cname=value` or `--name=value`. A backslash escapes
/// a blank. `name=value` alone is accepted too: some hosted servers ask for that form.
pub(super) fn options(value: &str) -> Result<Vec<(String, String)>, String> {
    let mut words = vec![String::new()];
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match (c, words.last_mut()) {
            ('\\', Some(word)) => word.extend(chars.next()),
            (c, _) if c.is_whitespace() => words.push(String::new()),
            (c, Some(word)) => word.push(c),
            (_, None) => {}
        }
    }
    let form = || {
        "must be settings in the form -c name=value, with each blank as %20 and each = as %3D: \
         options=-c%20search_path%3Dledger"
            .to_owned()
    };
    let mut settings = Vec::new();
    for word in words
        .iter()
        .map(String::as_str)
        .filter(|word| !word.is_empty() && *word != "-c")
    {
        let setting = word
            .strip_prefix("--")
            .or_else(|| word.strip_prefix("-c"))
            .unwrap_or(word);
        let (name, value) = setting.split_once('=').ok_or_else(form)?;
        if !is_name(name) {
            return Err(form());
        }
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

/// Whether the text looks like the name of a parameter, so that a message may show it.
pub(super) fn is_name(text: &str) -> bool {
    text.len() <= 40
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}
