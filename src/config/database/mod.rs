//! The database's address, judged whole before anything is connected. The driver is never given the
//! text: it logs parameters that it does not know with their values, and takes from the environment
//! what the text leaves out.
//!
//! `text` takes the address apart and recognises what is none, `parameters` knows every name that
//! may follow the question mark, `startup` with `hosts` and `values` judges each part, `files`
//! reads certificates, `passfile` looks a password up where libpq's users keep it.
//! No part of an address but the names of parameters gets into a fault: any other may be a piece of
//! a password.

mod files;
mod hosts;
mod parameters;
mod passfile;
mod startup;
mod text;
mod values;

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

pub use files::{FileFault, Identity, IdentityPem};

use super::Surroundings;

/// As libpq has it.
const DEFAULT_PORT: u16 = 5432;

/// Where the ledger is, and how to get there.
#[derive(Debug, Clone)]
pub struct Database {
    /// The address as it was given.
    pub url: SecretString,
    /// The same, read.
    pub address: Address,
    /// The file that [`Database::url`] was read from. It may be written again while the program
    /// runs.
    pub file: Option<PathBuf>,
    /// Never zero.
    pub max_connections: u32,
    /// What an address does not say.
    local: Local,
}

impl Database {
    /// An address that is in no file. Relative paths in it start at `folder`.
    ///
    /// # Errors
    /// When it cannot be used; says why, and shows nothing of it.
    pub fn try_new(url: &str, folder: &Path, max_connections: u32) -> Result<Self, String> {
        let local = Local {
            folder: folder.to_path_buf(),
            passfile: None,
        };
        let address = local.address(url)?;
        Ok(Self {
            url: url.into(),
            address,
            file: None,
            max_connections,
            local,
        })
    }

    pub(super) fn read(
        url: SecretString,
        file: Option<PathBuf>,
        local: Local,
        max_connections: u32,
    ) -> Result<Self, String> {
        let address = local.address(url.expose_secret())?;
        Ok(Self {
            url,
            address,
            file,
            max_connections,
            local,
        })
    }

    /// What the file holds by now, if that is another address than before and one that can be used.
    #[must_use]
    pub fn read_again(&self) -> Option<Self> {
        let file = self.file.clone()?;
        let url = super::secrets::read_database_url(&file).ok()?;
        if url.expose_secret() == self.url.expose_secret() {
            return None;
        }
        Self::read(url, Some(file), self.local.clone(), self.max_connections).ok()
    }
}

/// What of this machine an address depends on.
#[derive(Debug, Clone)]
pub(super) struct Local {
    folder: PathBuf,
    /// The file of passwords that is looked into where the address has none.
    passfile: Option<PathBuf>,
}

impl Local {
    pub(super) fn new(surroundings: &Surroundings) -> Self {
        let home = surroundings.home.as_ref();
        Self {
            folder: surroundings.folder.clone(),
            passfile: surroundings
                .passfile
                .clone()
                .or_else(|| home.map(|home| home.join(".pgpass"))),
        }
    }

    fn address(&self, url: &str) -> Result<Address, String> {
        let mut address = judge(url)?;
        address.complete(self);
        address
            .tls
            .check_files()
            .map_err(|fault| fault.to_string())?;
        Ok(address)
    }
}

/// One way to the database, or more, and as whom.
#[derive(Debug, Clone)]
pub struct Address {
    /// To be tried in this order. Never empty.
    pub hosts: Vec<Host>,
    /// The role.
    pub user: String,
    /// None: looked up in [`Address::passfile`].
    password: Option<SecretString>,
    passfile: Option<PathBuf>,
    /// The name of the database.
    pub database: String,
    /// What of a server is asked for.
    pub target: Target,
    /// How the way there is guarded.
    pub tls: Tls,
    /// Settings of the session.
    pub options: Vec<(String, String)>,
    /// What the server is told about who connects.
    pub application_name: Option<String>,
    /// For each host, at most.
    pub connect_timeout: Option<Duration>,
    /// Prepared statements that are kept.
    pub statement_cache: Option<usize>,
}

impl Address {
    /// The password for one of the hosts.
    #[must_use]
    pub fn password(&self, host: &Host) -> Option<SecretString> {
        self.password.clone().or_else(|| {
            let file = self.passfile.as_deref()?;
            passfile::look_up(file, host, &self.database, &self.user)
        })
    }

    /// What an address that is read without this machine leaves open.
    fn complete(&mut self, local: &Local) {
        let resolve = |path: &mut PathBuf| *path = local.folder.join(&*path);
        if let Some(Roots::File(path)) = &mut self.tls.roots {
            resolve(path);
        }
        if let Some(Identity { certificate, key }) = &mut self.tls.identity {
            resolve(certificate);
            resolve(key);
        }
        match &mut self.passfile {
            Some(path) => resolve(path),
            None => self.passfile.clone_from(&local.passfile),
        }
    }
}

/// Where, for a person: nothing of it is secret.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, host) in self.hosts.iter().enumerate() {
            if position > 0 {
                f.write_str(", ")?;
            }
            host.fmt(f)?;
        }
        write!(f, ", database {:?}", self.database)
    }
}

/// A place where a server may listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A name or an IP address, without brackets, and a port.
    Tcp(String, u16),
    /// The folder of a socket, and the port that is part of the socket's name.
    Socket(PathBuf, u16),
}

impl Host {
    /// Whether the way there stays on this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Socket(..) => true,
            Self::Tcp(name, _) => name.parse::<IpAddr>().map_or_else(
                |_| {
                    let name = name.trim_end_matches('.').to_ascii_lowercase();
                    name == "localhost" || name.ends_with(".localhost")
                },
                |address| address.to_canonical().is_loopback(),
            ),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(name, port) if name.contains(':') => write!(f, "[{name}]:{port}"),
            Self::Tcp(name, port) => write!(f, "{name}:{port}"),
            Self::Socket(folder, port) => {
                write!(f, "the socket {}/.s.PGSQL.{port}", folder.display())
            }
        }
    }
}

/// Which of several servers will do. The ledger is written to, so one that only reads never does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The first that lets us in.
    Any,
    /// One whose sessions may write.
    ReadWrite,
    /// One that is no standby.
    Primary,
}

/// How the way to a server is guarded.
#[derive(Debug, Clone)]
pub struct Tls {
    /// None: `verify-full` for a server elsewhere, `prefer` for one on this machine.
    pub mode: Option<SslMode>,
    /// Whose certificates are trusted; none: the system's.
    pub roots: Option<Roots>,
    /// By what we prove who we are.
    pub identity: Option<Identity>,
}

impl Tls {
    /// What holds for a host, with what else the address says taken into account.
    #[must_use]
    pub fn mode_for(&self, host: &Host) -> SslMode {
        match (self.mode, &self.roots) {
            // As libpq has it: whoever names an authority wants it asked.
            (Some(SslMode::Require), Some(Roots::File(_))) => SslMode::VerifyCa,
            (Some(mode), _) => mode,
            (None, Some(Roots::System)) => SslMode::VerifyFull,
            (None, _) if host.is_local() => SslMode::Prefer,
            (None, _) => SslMode::VerifyFull,
        }
    }
}

/// Whose certificates are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Roots {
    /// Those of the system, or of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    System,
    /// Those in a file.
    File(PathBuf),
}

/// Names and meanings are libpq's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslMode {
    /// In clear.
    Disable,
    /// Encrypted if the server has it; whoever it is.
    Prefer,
    /// Encrypted, whoever it is.
    Require,
    /// Encrypted, with a certificate of a trusted authority.
    VerifyCa,
    /// And the certificate is the server's own.
    VerifyFull,
}

/// Reads an address as far as that goes without a look at this machine's files.
///
/// # Errors
/// Says what is wrong, and what would be right. Holds nothing of the text but names of parameters.
pub(super) fn judge(url: &str) -> Result<Address, String> {
    let parts = text::take_apart(url)?;
    startup::address(parts)
}

#[cfg(test)]
mod tests;
