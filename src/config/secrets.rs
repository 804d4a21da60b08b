//! Reads each secret from where it was put: the setting, a file that the setting names, or a
//! systemd credential. Nothing of a secret, nor of what may be one, gets into a fault.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use super::Surroundings;
use super::fault::{Fault, Place, quoted};
use super::keys::{self, Key};
use super::settings::{Read, Reported, Settings};
use super::{exposure, placeholder};
use crate::text::{self, FileReadError, secret};

/// The systemd credential that stands in for the client secret.
const CLIENT_CERTIFICATE: &str = "client_certificate";

/// Says what is wrong with the text of a secret, without repeating it.
type Check = fn(&str) -> Result<(), String>;

/// The three places of one secret, and what it must look like.
pub(super) struct Secret {
    direct: &'static Key,
    /// None where the key of that name means something else.
    file: Option<&'static Key>,
    credential: &'static str,
    check: Option<Check>,
}

pub(super) const CLIENT_SECRET: Secret = Secret {
    direct: keys::CLIENT_SECRET,
    file: Some(keys::CLIENT_SECRET_FILE),
    credential: "client_secret",
    check: Some(secret::check_no_white_space),
};

/// The token to begin with. `auth.refresh_token_file` is where renewed ones are kept, not one of
/// its places.
pub(super) const REFRESH_TOKEN: Secret = Secret {
    direct: keys::REFRESH_TOKEN,
    file: None,
    credential: "refresh_token",
    check: Some(secret::check_no_white_space),
};

pub(super) const ACCESS_TOKEN: Secret = Secret {
    direct: keys::ACCESS_TOKEN,
    file: Some(keys::ACCESS_TOKEN_FILE),
    credential: "access_token",
    check: Some(bearer),
};

pub(super) const DATABASE_URL: Secret = Secret {
    direct: keys::DATABASE_URL,
    file: Some(keys::DATABASE_URL_FILE),
    credential: "database_url",
    check: Some(|text| super::database::judge(text).map(drop)),
};

impl Secret {
    /// The secret, if any of its places has one.
    pub(super) fn optional(
        &self,
        settings: &mut Settings,
        surroundings: &Surroundings,
    ) -> Read<Option<SecretString>> {
        let direct = settings.given_at(self.direct);
        let file = self
            .file
            .and_then(|key| Some((key, settings.given_at(key)?)));
        let credential = credential(surroundings, self.credential);
        let given = direct.as_ref().map(|_| self.direct);
        if let (Some(key), Some(_)) = (given.or(file.as_ref().map(|(key, _)| *key)), &credential) {
            let name = self.credential;
            let problem =
                format!("is given together with the systemd credential {name}; keep one of them");
            return Err(settings.refuse(key, problem));
        }
        match (direct, file) {
            (Some(Place::Variable(_)), Some((key, Place::Variable(_))))
            | (Some(Place::File(_)), Some((key, Place::File(_)))) => {
                let problem = format!("is given together with {}; keep one of them", key.path);
                Err(settings.refuse(self.direct, problem))
            }
            // In different layers the environment wins, which is said.
            (None | Some(Place::File(_) | Place::Default), Some((key, place))) => {
                if given.is_some() {
                    prevail(settings, &place, self.direct);
                }
                self.read_file(settings, surroundings, key).map(Some)
            }
            (Some(place), overruled) => {
                if let Some((key, _)) = overruled {
                    prevail(settings, &place, key);
                }
                let is_guessed = settings.is_guessed(&place);
                settings.optional(self.direct, |given| self.judged(given.text()?, is_guessed))
            }
            (None, None) => self.read_credential(settings, credential),
        }
    }

    /// As [`Secret::optional`], but one place must have it.
    pub(super) fn required(
        &self,
        settings: &mut Settings,
        surroundings: &Surroundings,
    ) -> Read<SecretString> {
        let secret = self.optional(settings, surroundings)?;
        secret.ok_or_else(|| self.missing(settings, ""))
    }

    /// Notes that no place has it. What would do in its stead goes at the end.
    pub(super) fn missing(&self, settings: &mut Settings, alternative: &str) -> Reported {
        let file = self.file.map_or("", |key| key.path);
        let problem = format!(
            "is missing; set it or {file} (a path) in {}, or {}, or give the systemd credential \
             {}{alternative}",
            settings.file(),
            self.direct.variable(),
            self.credential
        );
        settings.note(Fault::new(self.direct.path, problem))
    }

    /// The key by which it was given, and the file that it is in, if it is in one.
    pub(super) fn origin(
        &self,
        settings: &mut Settings,
        surroundings: &Surroundings,
    ) -> (&'static Key, Option<PathBuf>) {
        let direct = settings.given_at(self.direct);
        let file = self.file.filter(|key| settings.given_at(key).is_some());
        match (direct, file) {
            (None | Some(Place::File(_)), Some(key)) => {
                let path = settings.optional(key, |given| given.text().map(str::to_owned));
                let path = path.ok().flatten().map(|path| surroundings.resolve(&path));
                (key, path)
            }
            (Some(_), _) => (self.direct, None),
            (None, None) => (self.direct, credential(surroundings, self.credential)),
        }
    }

    /// Where it is, so that a person finds it who has to renew it: goes on from "put it into".
    pub(super) fn place_in_words(
        &self,
        settings: &mut Settings,
        surroundings: &Surroundings,
    ) -> String {
        let place = settings.given_at(self.direct);
        let (key, path) = self.origin(settings, surroundings);
        match (place, path) {
            (_, Some(path)) if key.path != self.direct.path => {
                format!("the file {} ({})", path.display(), key.path)
            }
            (Some(Place::Variable(name)), _) => {
                format!("the environment variable {name} ({})", self.direct.path)
            }
            (Some(Place::File(_) | Place::Default), _) => {
                format!("{} in {}", self.direct.path, settings.file())
            }
            (None, _) => credential_in_words(self.credential),
        }
    }

    fn read_file(
        &self,
        settings: &mut Settings,
        surroundings: &Surroundings,
        key: &'static Key,
    ) -> Read<SecretString> {
        let path = settings.required(key, |given| given.text().map(str::to_owned))?;
        let full = surroundings.resolve(&path);
        exposure::warn(settings, surroundings, self.direct.path, &full);
        self.read(&full)
            .map_err(|fault| wrong_path(settings, key, &path, &full, &fault))
    }

    fn read_credential(
        &self,
        settings: &mut Settings,
        path: Option<PathBuf>,
    ) -> Read<Option<SecretString>> {
        let Some(path) = path else {
            return Ok(None);
        };
        self.read(&path).map(Some).map_err(|wrong| {
            let fault = Fault::new(self.direct.path, format!("the systemd credential {wrong}"));
            let place = Place::File(path.display().to_string());
            settings.note(fault.at(place).passing(wrong.is_transient()))
        })
    }

    fn read(&self, path: &Path) -> Result<SecretString, FileReadError> {
        let kept = secret::load(path)?;
        let text = kept.as_ref().map_or("", |kept| kept.expose_secret());
        self.judged(text, false).map_err(FileReadError::Unsuitable)
    }

    /// The secret in `text`, whose letters beyond ASCII may be guesses.
    fn judged(&self, text: &str, is_guessed: bool) -> Result<SecretString, String> {
        let text = secret::strip(text);
        secret::check(text)?;
        if is_guessed && !text.is_ascii() {
            return Err(secret::NOT_UNICODE.to_owned());
        }
        if placeholder::is_masked(text) {
            return Err(
                "is masked with asterisks, as consoles show a secret later on; make a new one and \
                 copy it at once"
                    .to_owned(),
            );
        }
        if self.direct == keys::DATABASE_URL {
            if placeholder::is_placeholder_address(text) {
                return Err("has a part that is still a placeholder, such as <password>".to_owned());
            }
        } else if placeholder::is_placeholder(text) {
            return Err(placeholder::PROBLEM.to_owned());
        }
        if let Some(check) = self.check {
            check(text)?;
        }
        Ok(SecretString::from(text))
    }
}

/// Where the certificate at `path` is to be renewed: goes on from "put it into".
pub(super) fn certificate_in_words(settings: &mut Settings, path: &Path) -> String {
    match settings.given_at(keys::CLIENT_CERTIFICATE_FILE) {
        Some(_) => format!("the file {}", path.display()),
        None => credential_in_words(CLIENT_CERTIFICATE),
    }
}

/// What the program sees of a credential goes with the service; a person needs what it is made
/// from.
fn credential_in_words(name: &str) -> String {
    format!(
        "the systemd credential {name}: that is the file which LoadCredential= or \
         LoadCredentialEncrypted= of the service's unit names (systemctl cat seatledger)"
    )
}

/// The file of a systemd credential, if there is one.
fn credential(surroundings: &Surroundings, name: &str) -> Option<PathBuf> {
    let path = surroundings.credentials.as_ref()?.join(name);
    (!matches!(path.try_exists(), Ok(false))).then_some(path)
}

/// Says that what was given at `place` counts and `overruled` does not.
fn prevail(settings: &mut Settings, place: &Place, overruled: &Key) {
    settings.warn(format!(
        "{} in {} does not count, since another source of it comes {place}; keep one of them",
        overruled.path,
        settings.file()
    ));
}

fn wrong_path(
    settings: &mut Settings,
    key: &Key,
    path: &str,
    full: &Path,
    wrong: &FileReadError,
) -> Reported {
    // Somebody may have put the secret itself where its path belongs.
    let fault = if path.starts_with(['/', '.']) || full.exists() {
        settings.fault(key, wrong.to_string()).showing(quoted(path))
    } else {
        settings.fault(key, format!("must be the path of a file: {wrong}"))
    };
    settings.note(fault.passing(wrong.is_transient()))
}

fn bearer(text: &str) -> Result<(), String> {
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err("must be the token alone, without \"Bearer\" or blanks".to_owned())
    }
}

/// What is in the file by now; it may have been written again.
pub(super) fn read_database_url(path: &Path) -> Result<SecretString, String> {
    DATABASE_URL.read(path).map_err(|fault| fault.to_string())
}

/// Where the certificate is that stands in for the client secret. Only a path: it is read anew at
/// each use.
pub(super) fn client_certificate_file(
    settings: &mut Settings,
    surroundings: &Surroundings,
) -> Read<Option<PathBuf>> {
    let key = keys::CLIENT_CERTIFICATE_FILE;
    let credential = credential(surroundings, CLIENT_CERTIFICATE);
    let Some(path) = settings.optional(key, |given| given.text().map(str::to_owned))? else {
        return Ok(credential);
    };
    if credential.is_some() {
        let problem = format!(
            "is given together with the systemd credential {CLIENT_CERTIFICATE}; keep one of them"
        );
        return Err(settings.refuse(key, problem));
    }
    let full = surroundings.resolve(&path);
    exposure::warn(settings, surroundings, "the client's private key", &full);
    match text::probe(&full) {
        Ok(()) => Ok(Some(full)),
        Err(fault) => Err(wrong_path(settings, key, &path, &full, &fault)),
    }
}

/// Where renewed refresh tokens are kept.
pub(super) fn refresh_token_file(
    settings: &mut Settings,
    surroundings: &Surroundings,
) -> Read<PathBuf> {
    let given = settings.optional(keys::REFRESH_TOKEN_FILE, |given| {
        given.text().map(|path| surroundings.resolve(path))
    })?;
    let path = given.unwrap_or_else(|| {
        let folder = surroundings.state.as_ref().unwrap_or(&surroundings.folder);
        folder.join("refresh_token")
    });
    // Container platforms make a folder of a file that is to be mounted but is not there.
    if path.is_dir() {
        return Err(is_a_folder(settings, &path));
    }
    exposure::warn(settings, surroundings, "the refresh token", &path);
    Ok(path)
}

fn is_a_folder(settings: &mut Settings, path: &Path) -> Reported {
    let problem = format!(
        "must be a file, but {} is a folder",
        quoted(&path.to_string_lossy())
    );
    settings.note(Fault::new(keys::REFRESH_TOKEN_FILE.path, problem))
}
