//! Reads each secret from one of its sources: the setting itself, a file that a setting names, or a
//! systemd credential. No fault holds any part of a secret, or of a text that may be one.

pub(super) mod exposure;
pub(super) mod notify;
pub(super) mod placeholder;

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use super::fault::{ConfigFault, Origin, quoted};
use super::keys::{self, ConfigKey};
use super::reader::{Checked, Reported, SettingsReader};
use super::sources::BaseDirs;
use crate::text::{self, FileReadError, secret};

/// All systemd credentials that are read.
const CREDENTIALS: [&str; 8] = [
    "access_token",
    CLIENT_CERTIFICATE,
    "client_secret",
    "database_url",
    "ping_url",
    "refresh_token",
    "webhook_secret",
    "webhook_url",
];

/// The systemd credential that holds the client certificate.
const CLIENT_CERTIFICATE: &str = "client_certificate";

/// The sources of one secret, and the check of its text.
pub(super) struct Secret {
    pub(super) direct: &'static ConfigKey,
    /// The key that names a file; none if the key of that name means something else.
    pub(super) file: Option<&'static ConfigKey>,
    pub(super) credential: &'static str,
    /// Says what is wrong with the text, without repeating it.
    pub(super) check: fn(&str) -> Result<(), String>,
}

pub(super) const CLIENT_SECRET: Secret = Secret {
    direct: keys::CLIENT_SECRET,
    file: Some(keys::CLIENT_SECRET_FILE),
    credential: "client_secret",
    check: check_unbroken,
};

/// The refresh token before its first renewal. It has no file of its own: `auth.refresh_token_file`
/// is the file of renewed tokens.
pub(super) const REFRESH_TOKEN: Secret = Secret {
    direct: keys::REFRESH_TOKEN,
    file: None,
    credential: "refresh_token",
    check: check_unbroken,
};

pub(super) const ACCESS_TOKEN: Secret = Secret {
    direct: keys::ACCESS_TOKEN,
    file: Some(keys::ACCESS_TOKEN_FILE),
    credential: "access_token",
    check: check_bearer,
};

fn check_unbroken(text: &str) -> Result<(), String> {
    check_filled_in(text)?;
    secret::check_no_white_space(text)
}

fn check_bearer(text: &str) -> Result<(), String> {
    check_filled_in(text)?;
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err("must be the token alone, without \"Bearer\" or blanks".to_owned())
    }
}

fn check_filled_in(text: &str) -> Result<(), String> {
    if placeholder::is_placeholder(text) {
        return Err(placeholder::PROBLEM.to_owned());
    }
    Ok(())
}

impl Secret {
    /// The secret, or none if it has no source.
    pub(super) fn optional(
        &self,
        reader: &mut SettingsReader,
        dirs: &BaseDirs,
    ) -> Checked<Option<SecretString>> {
        let direct = reader.origin(self.direct);
        let file = self.file.and_then(|key| Some((key, reader.origin(key)?)));
        let credential = credential(dirs, self.credential);
        let given = direct.as_ref().map(|_| self.direct);
        if let (Some(key), Some(_)) = (given.or(file.as_ref().map(|(key, _)| *key)), &credential) {
            let name = self.credential;
            let problem =
                format!("is given together with the systemd credential {name}; keep one of them");
            return Err(reader.refuse(key, problem));
        }
        match (direct, file) {
            (Some(Origin::Variable(_)), Some((key, Origin::Variable(_))))
            | (Some(Origin::File(_)), Some((key, Origin::File(_)))) => {
                let problem = format!("is given together with {}; keep one of them", key.path);
                Err(reader.refuse(self.direct, problem))
            }
            // One is set in the file, the other in the environment: the environment takes
            // precedence, with a warning.
            (None | Some(Origin::File(_) | Origin::Default), Some((key, origin))) => {
                if given.is_some() {
                    warn_of_override(reader, &origin, self.direct);
                }
                self.read_file(reader, dirs, key).map(Some)
            }
            (Some(origin), overridden) => {
                if let Some((key, _)) = overridden {
                    warn_of_override(reader, &origin, key);
                }
                let is_guessed = reader.is_guessed(&origin);
                reader.optional(self.direct, |raw| self.checked(raw.text()?, is_guessed))
            }
            (None, None) => self.read_credential(reader, credential),
        }
    }

    /// Like [`Secret::optional`], but a secret without a source is a fault.
    pub(super) fn required(
        &self,
        reader: &mut SettingsReader,
        dirs: &BaseDirs,
    ) -> Checked<SecretString> {
        let secret = self.optional(reader, dirs)?;
        secret.ok_or_else(|| self.report_missing(reader, ""))
    }

    /// Reports that the secret has no source. `alternative` is appended to the message.
    pub(super) fn report_missing(
        &self,
        reader: &mut SettingsReader,
        alternative: &str,
    ) -> Reported {
        let file = self.file.map_or("", |key| key.path);
        let problem = format!(
            "is missing; set it or {file} (a path) in {}, or {}, or give the systemd credential \
             {}{alternative}",
            reader.file(),
            self.direct.variable(),
            self.credential
        );
        reader.report(ConfigFault::new(self.direct.path, problem))
    }

    /// The key that the secret came from, and the path of its file if it is in one.
    pub(super) fn source(
        &self,
        reader: &mut SettingsReader,
        dirs: &BaseDirs,
    ) -> (&'static ConfigKey, Option<PathBuf>) {
        let direct = reader.origin(self.direct);
        let file = self.file.filter(|key| reader.origin(key).is_some());
        match (direct, file) {
            (None | Some(Origin::File(_)), Some(key)) => {
                let path = reader.optional(key, |raw| raw.text().map(str::to_owned));
                let path = path.ok().flatten().map(|path| dirs.resolve(&path));
                (key, path)
            }
            (Some(_), _) => (self.direct, None),
            (None, None) => (self.direct, credential(dirs, self.credential)),
        }
    }

    /// Where an operator replaces the secret, in words that complete "put it into".
    pub(super) fn place_to_edit(&self, reader: &mut SettingsReader, dirs: &BaseDirs) -> String {
        let origin = reader.origin(self.direct);
        let (key, path) = self.source(reader, dirs);
        match (origin, path) {
            (_, Some(path)) if key.path != self.direct.path => {
                format!("the file {} ({})", path.display(), key.path)
            }
            (Some(Origin::Variable(name)), _) => {
                format!("the environment variable {name} ({})", self.direct.path)
            }
            (Some(Origin::File(_) | Origin::Default), _) => {
                format!("{} in {}", self.direct.path, reader.file())
            }
            (None, _) => credential_place(self.credential),
        }
    }

    fn read_file(
        &self,
        reader: &mut SettingsReader,
        dirs: &BaseDirs,
        key: &'static ConfigKey,
    ) -> Checked<SecretString> {
        let path = reader.required(key, |raw| raw.text().map(str::to_owned))?;
        let full = dirs.resolve(&path);
        exposure::warn(reader, dirs, self.direct.path, &full);
        self.read(&full)
            .map_err(|fault| report_path(reader, key, &path, &full, &fault))
    }

    fn read_credential(
        &self,
        reader: &mut SettingsReader,
        path: Option<PathBuf>,
    ) -> Checked<Option<SecretString>> {
        let Some(path) = path else {
            return Ok(None);
        };
        self.read(&path).map(Some).map_err(|error| {
            let problem = format!("the systemd credential {error}");
            let fault = ConfigFault::new(self.direct.path, problem);
            let origin = Origin::File(path.display().to_string());
            reader.report(fault.at(origin).transient(error.is_transient()))
        })
    }

    /// The secret in the file at `path`.
    pub(super) fn read(&self, path: &Path) -> Result<SecretString, FileReadError> {
        let text = secret::load(path)?;
        let text = text.as_ref().map_or("", |text| text.expose_secret());
        self.checked(text, false).map_err(FileReadError::Unsuitable)
    }

    /// The secret in `text`. `is_guessed`: the encoding was guessed, so letters beyond ASCII may be
    /// wrong.
    fn checked(&self, text: &str, is_guessed: bool) -> Result<SecretString, String> {
        let text = secret::strip(text);
        secret::check(text)?;
        if is_guessed && !text.is_ascii() {
            return Err(secret::NOT_UNICODE.to_owned());
        }
        if placeholder::is_masked(text) {
            return Err(
                "is masked with asterisks, as consoles show a secret after its creation; create a \
                 new one and copy it at once"
                    .to_owned(),
            );
        }
        (self.check)(text)?;
        Ok(SecretString::from(text))
    }
}

/// Where an operator replaces the certificate at `path`, in words that complete "put it into".
pub(super) fn certificate_place(reader: &mut SettingsReader, path: &Path) -> String {
    match reader.origin(keys::CLIENT_CERTIFICATE_FILE) {
        Some(_) => format!("the file {}", path.display()),
        None => credential_place(CLIENT_CERTIFICATE),
    }
}

/// Names the file that systemd copies the credential from. The copy that the program reads is
/// deleted when the service stops, so editing that one would not help.
fn credential_place(name: &str) -> String {
    format!(
        "the systemd credential {name}, that is, the file which LoadCredential= or \
         LoadCredentialEncrypted= of the service's unit names (systemctl cat seatledger)"
    )
}

/// The file of a systemd credential, if there is one: under the name that it has in the machine's
/// credential stores, which all services share, or under the key's own.
fn credential(dirs: &BaseDirs, name: &str) -> Option<PathBuf> {
    let folder = dirs.credentials.as_ref()?;
    [format!("seatledger.{name}"), name.to_owned()]
        .into_iter()
        .map(|name| folder.join(name))
        .find(|path| !matches!(path.try_exists(), Ok(false)))
}

/// How many secrets come as systemd credentials.
pub(super) fn count_credentials(dirs: &BaseDirs) -> usize {
    let names = CREDENTIALS.iter();
    names
        .filter(|name| credential(dirs, name).is_some())
        .count()
}

/// Warns of credentials with the program's name before theirs that no setting reads: a misspelt
/// name would look like a secret that is missing.
pub(super) fn warn_of_unknown_credentials(reader: &mut SettingsReader, dirs: &BaseDirs) {
    let folder = dirs.credentials.as_ref();
    let entries = folder.and_then(|folder| folder.read_dir().ok());
    let names = entries.into_iter().flatten().flatten();
    let mut unknown: Vec<String> = names
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| {
            let key = name.strip_prefix("seatledger.");
            key.is_some_and(|key| !CREDENTIALS.contains(&key))
        })
        .collect();
    unknown.sort();
    for name in unknown {
        reader.warn(format!(
            "no setting reads the systemd credential {}; those that are read: {}",
            quoted(&name),
            CREDENTIALS.join(", ")
        ));
    }
}

/// Warns that the value from `origin` overrides that of `overridden`.
fn warn_of_override(reader: &mut SettingsReader, origin: &Origin, overridden: &ConfigKey) {
    reader.warn(format!(
        "{} in {} is ignored, because another source of it comes {origin}; keep one of them",
        overridden.path,
        reader.file()
    ));
}

fn report_path(
    reader: &mut SettingsReader,
    key: &ConfigKey,
    path: &str,
    full: &Path,
    error: &FileReadError,
) -> Reported {
    // The text is shown only if it is a path: it may be the secret itself, put here by mistake.
    let fault = if path.starts_with(['/', '.']) || full.exists() {
        reader.fault(key, error.to_string()).showing(quoted(path))
    } else {
        reader.fault(key, format!("must be the path of a file: {error}"))
    };
    reader.report(fault.transient(error.is_transient()))
}

/// The file of the client certificate. Only the path is returned: the file is read for each use.
pub(super) fn client_certificate_file(
    reader: &mut SettingsReader,
    dirs: &BaseDirs,
) -> Checked<Option<PathBuf>> {
    let key = keys::CLIENT_CERTIFICATE_FILE;
    let credential = credential(dirs, CLIENT_CERTIFICATE);
    let Some(path) = reader.optional(key, |raw| raw.text().map(str::to_owned))? else {
        return Ok(credential);
    };
    if credential.is_some() {
        let problem = format!(
            "is given together with the systemd credential {CLIENT_CERTIFICATE}; keep one of them"
        );
        return Err(reader.refuse(key, problem));
    }
    let full = dirs.resolve(&path);
    exposure::warn(reader, dirs, "the client's private key", &full);
    match text::probe(&full) {
        Ok(()) => Ok(Some(full)),
        Err(error) => Err(report_path(reader, key, &path, &full, &error)),
    }
}

/// The file of renewed refresh tokens, unless the configuration names one.
pub(super) fn default_token_file(dirs: &BaseDirs) -> PathBuf {
    let folder = dirs.state.as_ref().unwrap_or(&dirs.config);
    folder.join("refresh_token")
}

/// The file of renewed refresh tokens.
pub(super) fn refresh_token_file(reader: &mut SettingsReader, dirs: &BaseDirs) -> Checked<PathBuf> {
    let given = reader.optional(keys::REFRESH_TOKEN_FILE, |raw| {
        raw.text().map(|path| dirs.resolve(path))
    })?;
    let path = given.unwrap_or_else(|| default_token_file(dirs));
    // Container platforms create a folder if the file to be mounted does not exist.
    if path.is_dir() {
        let problem = format!(
            "must be a file, but {} is a folder",
            quoted(&path.to_string_lossy())
        );
        let fault = ConfigFault::new(keys::REFRESH_TOKEN_FILE.path, problem);
        return Err(reader.report(fault));
    }
    exposure::warn(reader, dirs, "the refresh token", &path);
    Ok(path)
}
