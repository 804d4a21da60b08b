//! The settings as a support bundle shows them, also those of a faulty configuration: where each
//! comes from, and its value only where it cannot name anybody.

use std::path::Path;

use ::config::{Map, ValueKind};
use secrecy::SecretString;

use super::{Layer, Layers, displayed, from_environment, from_file};
use crate::config::fault::{ConfigError, Origin};
use crate::config::keys::{self, ConfigKey};
use crate::config::sources::{BaseDirs, Sources};
use crate::config::{file, secrets};
use crate::text::{self, secret};

/// Keys that are not secret, and whose values tell whose ledger this is.
const WITHHELD: [&ConfigKey; 8] = [
    keys::TENANT_ID,
    keys::BASE_URL,
    keys::AUTHORITY,
    keys::SCOPE,
    keys::CUSTOMER_IDS,
    keys::CUSTOMER_FILE,
    keys::EXCLUDE,
    keys::STATUS_HOSTS,
];

/// Shorter pieces of secrets are not looked for: they would be found in ordinary words.
const MIN_PIECE_CHARS: usize = 6;

/// One setting as a support bundle shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownSetting {
    /// Section and key.
    pub key: &'static str,
    /// The value, or whether there is one.
    pub value: String,
    /// Where it comes from, with the line of the file.
    pub origin: String,
}

/// What a support bundle says of the configuration.
#[derive(Debug)]
pub struct Described {
    /// Every key.
    pub settings: Vec<ShownSetting>,
    /// What is wrong, without values.
    pub faults: Vec<String>,
    /// All secrets, and the pieces of those that are addresses: nothing may show them.
    pub secrets: Vec<SecretString>,
}

/// Describes the configuration. `error`: what is wrong with it.
#[must_use]
pub fn describe(sources: &Sources, error: Option<&ConfigError>) -> Described {
    let path = file::find(sources).unwrap_or_default();
    let name = path.display().to_string();
    let (environment, _) = from_environment(&sources.environment);
    let top = file::read(&path).map_or_else(|_| Map::new(), |contents| contents.top);
    let (in_file, _) = from_file(top, &Origin::File(name.clone()));
    let secrets = secrets_of(&in_file, &environment, &BaseDirs::new(&path, sources));
    let layers = Layers::new(in_file, environment);
    let lines = text::read(&path, text::MAX_DOCUMENT_BYTES)
        .ok()
        .and_then(|bytes| Some(text::decode(&bytes).ok()?.as_str().to_owned()))
        .unwrap_or_default();
    let faults = error.map(ConfigError::faults).unwrap_or_default();
    let is_faulty = |key: &ConfigKey| faults.iter().any(|fault| fault.key() == key.path);
    let settings = keys::ALL.iter().map(|key| {
        let (value, origin) = match layers.get(key, &name) {
            None => ("not set".to_owned(), String::new()),
            Some((kind, origin)) => (
                shown(key, &kind, &origin, is_faulty(key)),
                say(&origin, key, &lines),
            ),
        };
        ShownSetting {
            key: key.path,
            value,
            origin,
        }
    });
    Described {
        settings: settings.collect(),
        faults: faults
            .iter()
            .map(|fault| {
                let is_withheld = WITHHELD.iter().any(|key| key.path == fault.key());
                fault.without_value(!is_withheld)
            })
            .collect(),
        secrets,
    }
}

fn shown(key: &ConfigKey, kind: &ValueKind, origin: &Origin, is_faulty: bool) -> String {
    let is_default = *origin == Origin::Default;
    match displayed(kind) {
        _ if is_faulty => "wrong, not shown".to_owned(),
        Some(value) if is_default || !(key.hidden || WITHHELD.contains(&key)) => {
            value.trim_matches('"').to_owned()
        }
        _ => match kind {
            ValueKind::Array(entries) if key.hidden || WITHHELD.contains(&key) => {
                format!("{} entries", entries.len())
            }
            ValueKind::Array(entries) => {
                let entries: Vec<String> = entries.iter().map(ToString::to_string).collect();
                entries.join(", ")
            }
            _ => "set".to_owned(),
        },
    }
}

fn say(origin: &Origin, key: &ConfigKey, lines: &str) -> String {
    match (origin, line_of(lines, key)) {
        (Origin::File(_), Some(line)) => format!("file, line {line}"),
        (Origin::File(_), None) => "file".to_owned(),
        (Origin::Variable(name), _) => format!("environment, {name}"),
        (Origin::Default, _) => "default".to_owned(),
    }
}

/// The line in which a key is set, if it is set in the usual form.
fn line_of(text: &str, key: &ConfigKey) -> Option<usize> {
    let mut section = "";
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            section = name.trim();
        }
        let is_key = line.split('=').next().map(str::trim) == Some(key.name());
        if is_key && section == key.section() {
            return Some(number + 1);
        }
    }
    None
}

/// Every secret that the configuration holds or points to.
fn secrets_of(file: &Layer, environment: &Layer, dirs: &BaseDirs) -> Vec<SecretString> {
    let mut found = Vec::new();
    let mut paths = Vec::new();
    for (key, value) in file.0.iter().chain(&environment.0) {
        let Some(key) = keys::find(key).filter(|key| key.hidden) else {
            continue;
        };
        if let ValueKind::String(text) = &value.kind {
            if key.name().ends_with("_file") {
                paths.push(dirs.resolve(text));
            }
            found.push(text.clone());
        }
    }
    paths.push(secrets::default_token_file(dirs));
    let credentials = dirs.credentials.as_ref();
    let entries = credentials.and_then(|folder| folder.read_dir().ok());
    paths.extend(
        entries
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path()),
    );
    found.extend(paths.iter().filter_map(|path| in_file(path)));
    let mut all: Vec<String> = found.iter().flat_map(|text| pieces(text)).collect();
    // A longer secret before one that is a part of it.
    all.sort_by_key(|piece| std::cmp::Reverse(piece.len()));
    all.dedup();
    all.into_iter().map(SecretString::from).collect()
}

fn in_file(path: &Path) -> Option<String> {
    use secrecy::ExposeSecret as _;
    let text = secret::load(path).ok().flatten()?;
    Some(secret::strip(text.expose_secret()).to_owned())
}

/// A secret, and of an address the parts that are secret alone: the password, and what comes after
/// the host of a notification's address.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = vec![text.to_owned()];
    pieces.extend(text.lines().map(str::to_owned));
    if let Some((scheme, rest)) = text.split_once("://") {
        let (user, place) = rest.rsplit_once('@').unwrap_or(("", rest));
        pieces.extend(
            user.split_once(':')
                .map(|(_, password)| password.to_owned()),
        );
        let after_host = place.split(['/', '?', '&', '=']).skip(1);
        if scheme.starts_with("http") {
            pieces.extend(after_host.map(str::to_owned));
        } else {
            let passwords = rest.split(['?', '&']);
            let passwords = passwords.filter_map(|pair| pair.strip_prefix("password="));
            pieces.extend(passwords.map(str::to_owned));
        }
    }
    let decoded: Vec<String> = pieces.iter().map(|piece| decode(piece)).collect();
    pieces.extend(decoded);
    pieces.retain(|piece| piece.chars().count() >= MIN_PIECE_CHARS);
    pieces
}

/// Without percent-encoding.
fn decode(text: &str) -> String {
    // In a form a plus sign would be a blank.
    let form = text.replace('+', "%2B").replace('&', "%26");
    url::form_urlencoded::parse(form.as_bytes())
        .map(|(name, value)| {
            if value.is_empty() {
                name.into_owned()
            } else {
                format!("{name}={value}")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_key_is_that_in_its_section() {
        let text = "# url = 1\n[auth]\nclient_id = \"x\"\n\n[database]\n  url = \"y\"\n";
        assert_eq!(line_of(text, keys::DATABASE_URL), Some(6));
        assert_eq!(line_of(text, keys::CLIENT_ID), Some(3));
        assert_eq!(line_of(text, keys::PING_URL), None);
    }

    #[test]
    fn an_address_is_secret_in_its_parts() {
        for (address, parts) in [
            (
                "postgres://ledger:p%40ss+word@a.example:5432,b.example/ledger_of_us?x=y",
                &["p%40ss+word", "p@ss+word"][..],
            ),
            ("postgres://a/b?password=hunter2%21&x=y", &["hunter2!"]),
            (
                "https://hc.example/ping/abcdef-01?key=secret-key",
                &["abcdef-01", "secret-key"],
            ),
        ] {
            let found = pieces(address);
            for part in parts {
                assert!(found.iter().any(|piece| piece == part), "{part}: {found:?}");
            }
            for harmless in ["ledger_of_us", "ledger", "postgres", "hc.example"] {
                assert!(!found.iter().any(|piece| piece == harmless), "{found:?}");
            }
        }
    }
}
