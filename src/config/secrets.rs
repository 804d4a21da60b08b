//! Reads each secret from where it was put: the setting, a file that the setting names, or a systemd credential.
//! Nothing of a secret, nor of what may be one, gets into a fault.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::Surroundings;
use super::fault::{Fault, Place, quoted};
use super::keys::{self, Key};
use super::settings::{Read, Reported, Settings};

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
    check: None,
};

/// The token to begin with. `auth.refresh_token_file` is where renewed ones are kept, not one of its places.
pub(super) const REFRESH_TOKEN: Secret = Secret {
    direct: keys::REFRESH_TOKEN,
    file: None,
    credential: "refresh_token",
    check: None,
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
        match (direct, file) {
            (Some(Place::Variable(_)), Some((key, Place::Variable(_))))
            | (Some(Place::File(_)), Some((key, Place::File(_)))) => {
                let problem = format!("is given together with {}; keep one of them", key.path);
                Err(settings.refuse(self.direct, problem))
            }
            // In different layers: the environment wins.
            (None | Some(Place::File(_)), Some((key, _))) => {
                self.read_file(settings, surroundings, key).map(Some)
            }
            (Some(_), _) => settings.optional(self.direct, |given| {
                let text = given.text()?;
                self.checked(text)
            }),
            (None, None) => self.read_credential(settings, surroundings),
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
            "is missing; set it or {file} (a path) in {}, or {}, or give the systemd credential {}{alternative}",
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
            (None, None) => {
                let folder = surroundings.credentials.as_ref();
                (
                    self.direct,
                    folder.map(|folder| folder.join(self.credential)),
                )
            }
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
        self.read(&full)
            .map_err(|problem| wrong_path(settings, key, &path, &full, problem))
    }

    fn read_credential(
        &self,
        settings: &mut Settings,
        surroundings: &Surroundings,
    ) -> Read<Option<SecretString>> {
        let Some(folder) = &surroundings.credentials else {
            return Ok(None);
        };
        let path = folder.join(self.credential);
        if matches!(path.try_exists(), Ok(false)) {
            return Ok(None);
        }
        self.read(&path).map(Some).map_err(|problem| {
            let fault = Fault::new(
                self.direct.path,
                format!("the systemd credential {problem}"),
            );
            settings.note(fault.at(Place::File(path.display().to_string())))
        })
    }

    fn read(&self, path: &Path) -> Result<SecretString, String> {
        let bytes = std::fs::read(path).map_err(|error| unreadable(&error))?;
        let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8 text")?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        self.checked(text.trim_end_matches(['\r', '\n']))
    }

    fn checked(&self, text: &str) -> Result<SecretString, String> {
        if text.trim().is_empty() {
            return Err("is empty".to_owned());
        }
        if text.chars().any(char::is_control) {
            return Err("holds a line break or another control character".to_owned());
        }
        if let Some(check) = self.check {
            check(text)?;
        }
        Ok(SecretString::from(text))
    }
}

fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        ErrorKind::PermissionDenied => "may not be read by this user".to_owned(),
        kind => format!("cannot be read: {kind}"),
    }
}

fn wrong_path(
    settings: &mut Settings,
    key: &Key,
    path: &str,
    full: &Path,
    problem: String,
) -> Reported {
    // Somebody may have put the secret itself where its path belongs.
    if path.starts_with(['/', '.']) || full.exists() {
        let fault = settings.fault(key, problem).showing(quoted(path));
        settings.note(fault)
    } else {
        settings.refuse(key, format!("must be the path of a file: {problem}"))
    }
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
    DATABASE_URL.read(path)
}

/// Where the certificate is that stands in for the client secret. Only a path: it is read anew at each use.
pub(super) fn client_certificate_file(
    settings: &mut Settings,
    surroundings: &Surroundings,
) -> Read<Option<PathBuf>> {
    let key = keys::CLIENT_CERTIFICATE_FILE;
    let Some(path) = settings.optional(key, |given| given.text().map(str::to_owned))? else {
        let credential = surroundings
            .credentials
            .as_ref()
            .map(|folder| folder.join("client_certificate"));
        return Ok(credential.filter(|path| !matches!(path.try_exists(), Ok(false))));
    };
    let full = surroundings.resolve(&path);
    match openable(&full) {
        Ok(()) => Ok(Some(full)),
        Err(problem) => Err(wrong_path(settings, key, &path, &full, problem)),
    }
}

fn openable(path: &Path) -> Result<(), String> {
    let metadata = File::open(path).and_then(|file| file.metadata());
    if metadata.map_err(|error| unreadable(&error))?.is_dir() {
        return Err("must be a file, but is a folder".to_owned());
    }
    Ok(())
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
    Ok(path)
}

fn is_a_folder(settings: &mut Settings, path: &Path) -> Reported {
    let problem = format!(
        "must be a file, but {} is a folder",
        quoted(&path.to_string_lossy())
    );
    settings.note(Fault::new(keys::REFRESH_TOKEN_FILE.path, problem))
}
