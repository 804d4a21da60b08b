//! A parsed database address: servers, role, database and TLS.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::hosts::Host;
use super::passfile;

/// Where to connect, and as whom.
#[derive(Debug, Clone)]
pub struct DatabaseAddress {
    /// Tried in this order. Never empty.
    pub hosts: Vec<Host>,
    /// The role.
    pub user: String,
    /// None: looked up in [`DatabaseAddress::passfile`].
    pub(super) password: Option<SecretString>,
    pub(super) passfile: Option<PathBuf>,
    /// The name of the database.
    pub database: String,
    /// Which of several servers may be used.
    pub target: Target,
    /// How the connection is protected.
    pub tls: Tls,
    /// Settings of the session, by name.
    pub options: Vec<(String, String)>,
    /// The name that the server shows for the session.
    pub application_name: Option<String>,
    /// The longest time that a connection to one host may take.
    pub connect_timeout: Option<Duration>,
    /// How many prepared statements a connection caches.
    pub statement_cache: Option<usize>,
}

impl DatabaseAddress {
    /// The password for one of the hosts.
    #[must_use]
    pub fn password(&self, host: &Host) -> Option<SecretString> {
        self.password.clone().or_else(|| {
            let file = self.passfile.as_deref()?;
            passfile::look_up(file, host, &self.database, &self.user)
        })
    }
}

/// Hosts and database, none of which is secret.
impl fmt::Display for DatabaseAddress {
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

/// Which of several servers may be used. The ledger is written to, so a read-only one never may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The first that accepts the connection.
    Any,
    /// One whose sessions may write.
    ReadWrite,
    /// One that is not a standby.
    Primary,
}

/// How the connection to a server is protected.
#[derive(Debug, Clone)]
pub struct Tls {
    /// None: `verify-full` for a remote server, `prefer` for one on this machine.
    pub mode: Option<SslMode>,
    /// The trusted certificate authorities; none: the system's.
    pub roots: Option<Roots>,
    /// The client certificate.
    pub identity: Option<Identity>,
}

impl Tls {
    /// The mode for one of the hosts.
    #[must_use]
    pub fn mode_for(&self, host: &Host) -> SslMode {
        match (self.mode, &self.roots) {
            // Like libpq: a root certificate implies that it is to be checked.
            (Some(SslMode::Require), Some(Roots::File(_))) => SslMode::VerifyCa,
            (Some(mode), _) => mode,
            (None, Some(Roots::System)) => SslMode::VerifyFull,
            (None, _) if host.is_local() => SslMode::Prefer,
            (None, _) => SslMode::VerifyFull,
        }
    }
}

/// The trusted certificate authorities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Roots {
    /// Those of the system, or of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    System,
    /// Those in a file.
    File(PathBuf),
}

/// A client certificate and its private key, each in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, followed by the intermediate ones.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Names and meanings are libpq's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslMode {
    /// Without TLS.
    Disable,
    /// With TLS if the server offers it; the server is not verified.
    Prefer,
    /// With TLS; the server is not verified.
    Require,
    /// With TLS, and the server's certificate is signed by a trusted authority.
    VerifyCa,
    /// Like [`SslMode::VerifyCa`], and the certificate names the host.
    VerifyFull,
}
