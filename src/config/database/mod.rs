//! The database's address, checked as a whole before anything connects. The driver never gets the
//! text: it would log unknown parameters with their values, and take whatever the text leaves out
//! from the environment.
//!
//! `parts` splits the text, `parse` checks each part with `hosts`, `values` and the table of
//! `parameters`, and makes an `address` of them. `files` reads certificates, and `passfile` looks
//! up the password in libpq's password file. No error holds any part of the text except the names
//! of parameters: everything else may be a piece of a password.

mod address;
mod files;
mod hosts;
mod parameters;
mod parse;
mod parts;
mod passfile;
#[cfg(test)]
mod tests;
mod values;

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

pub use address::{DatabaseAddress, Identity, Roots, SslMode, Target, Tls};
pub use files::{FileFault, IdentityPem};
pub use hosts::Host;

use super::keys;
use super::secrets::Secret;
use super::secrets::placeholder::is_placeholder_address;
use super::sources::BaseDirs;

/// The setting `database.url`.
pub(super) const URL: Secret = Secret {
    direct: keys::DATABASE_URL,
    file: Some(keys::DATABASE_URL_FILE),
    credential: "database_url",
    check: check_url,
};

fn check_url(text: &str) -> Result<(), String> {
    if is_placeholder_address(text) {
        return Err("has a part that is still a placeholder, such as <password>".to_owned());
    }
    parse::parse(text).map(drop)
}

/// Where the ledger is, and how to connect to it.
#[derive(Debug, Clone)]
pub struct Database {
    url: SecretString,
    /// The parsed URL.
    pub address: DatabaseAddress,
    /// The file that the URL was read from. It may be rewritten while the program runs.
    file: Option<PathBuf>,
    /// Never zero.
    pub max_connections: u32,
    defaults: AddressDefaults,
}

impl Database {
    /// A database whose URL is in no file. Relative paths in the URL start at `folder`.
    ///
    /// # Errors
    /// When the URL cannot be used; the error says why and shows nothing of it.
    pub fn try_new(url: &str, folder: &Path, max_connections: u32) -> Result<Self, String> {
        let defaults = AddressDefaults {
            folder: folder.to_path_buf(),
            passfile: None,
        };
        Self::new(url.into(), None, defaults, max_connections)
    }

    pub(super) fn new(
        url: SecretString,
        file: Option<PathBuf>,
        defaults: AddressDefaults,
        max_connections: u32,
    ) -> Result<Self, String> {
        let address = defaults.complete(parse::parse(url.expose_secret())?);
        address
            .tls
            .check_files()
            .map_err(|fault| fault.to_string())?;
        Ok(Self {
            url,
            address,
            file,
            max_connections,
            defaults,
        })
    }

    /// The database of the URL that the file holds now, if it differs from this one and is usable.
    #[must_use]
    pub fn read_again(&self) -> Option<Self> {
        let file = self.file.clone()?;
        let url = URL.read(&file).ok()?;
        if url.expose_secret() == self.url.expose_secret() {
            return None;
        }
        Self::new(url, Some(file), self.defaults.clone(), self.max_connections).ok()
    }
}

/// What an address takes from this machine.
#[derive(Debug, Clone)]
pub(super) struct AddressDefaults {
    /// Where relative paths start.
    folder: PathBuf,
    /// The password file, for an address that names none.
    passfile: Option<PathBuf>,
}

impl AddressDefaults {
    pub(super) fn new(dirs: &BaseDirs) -> Self {
        let home = dirs.home.as_ref();
        Self {
            folder: dirs.config.clone(),
            passfile: dirs
                .passfile
                .clone()
                .or_else(|| home.map(|home| home.join(".pgpass"))),
        }
    }

    fn complete(&self, mut address: DatabaseAddress) -> DatabaseAddress {
        let resolve = |path: &mut PathBuf| *path = self.folder.join(&*path);
        if let Some(Roots::File(path)) = &mut address.tls.roots {
            resolve(path);
        }
        if let Some(Identity { certificate, key }) = &mut address.tls.identity {
            resolve(certificate);
            resolve(key);
        }
        match &mut address.passfile {
            Some(path) => resolve(path),
            None => address.passfile.clone_from(&self.passfile),
        }
        address
    }
}
