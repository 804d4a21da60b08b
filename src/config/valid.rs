//! What the rest of the program sees of the configuration. Every value has been checked.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::Database;
use crate::ledger::{CustomerId, Dataset, Source};
use crate::retry::RetryPolicy;
use crate::schedule::Schedule;

/// The whole configuration. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file that was read.
    pub path: PathBuf,
    /// How to speak to the API.
    pub partner_center: PartnerCenter,
    /// How to sign in.
    pub auth: Auth,
    /// Whose usage is kept.
    pub customers: Customers,
    /// When runs are due.
    pub schedule: ScheduleSettings,
    /// How long to try again.
    pub retry: RetryPolicy,
    /// Where the ledger is.
    pub database: Database,
    /// The status address.
    pub status: Status,
    /// What is logged, and how.
    pub log: Log,
    /// The text of `$JOURNAL_STREAM`, which systemd sets when a stream of the program goes to the
    /// journal.
    pub journal_stream: Option<String>,
    /// All that a browser gets of the environment; none where the person at the terminal has no
    /// screen for one.
    pub browser_environment: Option<BTreeMap<String, String>>,
    /// What is not wrong, but should be known: to be logged once logging is set up.
    pub warnings: Vec<String>,
}

/// Which of Microsoft's clouds. Each has addresses of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloud {
    /// The one for nearly everybody.
    Worldwide,
    /// Of the United States' government: the worldwide API with a sign-in of its own.
    UsGov,
    /// Run by 21Vianet.
    China,
}

impl Cloud {
    /// Where its Partner Center is.
    #[must_use]
    pub fn base_url(self) -> &'static str {
        match self {
            Self::Worldwide | Self::UsGov => "https://api.partnercenter.microsoft.com",
            Self::China => "https://partner.partnercenterapi.microsoftonline.cn",
        }
    }

    /// Where people and applications sign in.
    #[must_use]
    pub fn authority(self) -> &'static str {
        match self {
            Self::Worldwide => "https://login.microsoftonline.com",
            Self::UsGov => "https://login.microsoftonline.us",
            Self::China => "https://login.partner.microsoftonline.cn",
        }
    }
}

/// How to speak to the API.
#[derive(Debug, Clone)]
pub struct PartnerCenter {
    /// Whose addresses are the default.
    pub cloud: Cloud,
    /// May hold a path, whose last character is then no slash.
    pub base_url: Url,
    /// Which of the API's two families is asked.
    pub source: Source,
    /// What is fetched, each once. Never empty.
    pub datasets: Vec<Dataset>,
    /// Letters, digits and hyphens, so fit for a header.
    pub locale: String,
    /// Whether the ledger may go on in another locale.
    pub allow_locale_change: bool,
    /// Requests in flight, at most. Never zero.
    pub max_concurrency: usize,
    /// More than zero.
    pub max_requests_per_second: Option<f64>,
    /// For one attempt, body included. Never zero.
    pub request_timeout: Duration,
    /// Never zero.
    pub connect_timeout: Duration,
    /// Counted after decompression.
    pub max_response_bytes: u64,
}

/// How to sign in.
#[derive(Debug, Clone)]
pub struct Auth {
    /// May hold a path, whose last character is then no slash; [`Auth::endpoint`] adds to it.
    pub authority: Url,
    /// By which grant.
    pub method: Method,
}

impl Auth {
    /// The address of `path`, which starts with a slash and holds no query.
    #[must_use]
    pub fn endpoint(&self, path: &str) -> Url {
        below(&self.authority, path)
    }
}

fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    let prefix = base.path().trim_end_matches('/');
    url.set_path(&format!("{prefix}/{}", path.trim_start_matches('/')));
    url
}

/// A grant and what it needs.
#[derive(Debug, Clone)]
pub enum Method {
    /// On behalf of a user who signed in once.
    RefreshToken {
        /// The registered application. A public client has no credential.
        app: App,
        /// What the token is asked for.
        scope: String,
        /// The token of the setting or the credential. [`Method::RefreshToken::file`] wins over
        /// it.
        initial: Option<SecretString>,
        /// Where the renewed token is kept. It need not exist yet.
        file: PathBuf,
    },
    /// On behalf of the application itself, which has a credential.
    ClientCredentials {
        /// The registered application.
        app: App,
        /// What the token is asked for.
        scope: String,
    },
    /// A token that somebody else obtained. It is not renewed.
    AccessToken(SecretString),
}

/// The application registered with the authority.
#[derive(Debug, Clone)]
pub struct App {
    /// GUID or domain name: fit to be one segment of a path.
    pub tenant_id: String,
    /// Letters, digits, dots and hyphens.
    pub client_id: String,
    /// Always there for client credentials. A public client has none.
    pub credential: Option<ClientCredential>,
    /// Where the secret or the certificate is, in words that go on from "put it into"; none where
    /// there is neither.
    pub credential_place: Option<String>,
}

/// By what the application proves that it is itself.
#[derive(Debug, Clone)]
pub enum ClientCredential {
    /// A secret that both sides know.
    Secret(SecretString),
    /// A file with a certificate and its private key, read anew at each use, so that it can be
    /// renewed meanwhile.
    CertificateFile(PathBuf),
}

/// Whose usage is kept: the union of all but `exclude`.
#[derive(Debug, Clone)]
pub struct Customers {
    /// As listed, each once.
    pub ids: Vec<CustomerId>,
    /// To be read anew at each run.
    pub file: Option<PathBuf>,
    /// Whether to ask the API for all customers.
    pub discover: bool,
    /// To be left out, whatever named them.
    pub exclude: HashSet<CustomerId>,
}

/// When runs are due.
#[derive(Debug, Clone)]
pub struct ScheduleSettings {
    /// At least one tick is to come.
    pub schedule: Schedule,
    /// Whether the start of the program asks for a run as well.
    pub run_on_start: RunOnStart,
}

/// Whether the start of the program asks for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunOnStart {
    /// If a tick passed since the last finished run.
    IfMissed,
    /// Each time.
    Always,
    /// Not at all.
    Never,
}

/// The status address.
#[derive(Debug, Clone)]
pub struct Status {
    /// None: off.
    pub listen: Option<SocketAddr>,
    /// `Host` names that are answered to besides those of this machine, in lower case.
    pub hosts: Vec<String>,
}

/// What is logged, and how.
#[derive(Debug, Clone)]
pub struct Log {
    /// Directives that `tracing_subscriber::EnvFilter` accepts.
    pub filter: String,
    /// How an event is written.
    pub format: LogFormat,
}

/// How an event is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, the journal under systemd, else JSON.
    Auto,
    /// For people.
    Text,
    /// One object a line.
    Json,
}
