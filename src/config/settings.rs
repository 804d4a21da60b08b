//! The configuration as the other rooms see it. Every value has been checked.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::database::Database;
use super::fault::SettingOrigins;
use crate::ledger::{CustomerId, Dataset, Source};
use crate::retry::RetryPolicy;
use crate::schedule::Schedule;

/// The whole configuration. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Config {
    /// The configuration file.
    pub path: PathBuf,
    /// Where the settings come from.
    pub origins: SettingOrigins,
    /// How to call the API.
    pub partner_center: PartnerCenter,
    /// How to sign in.
    pub auth: Auth,
    /// The customers whose usage is stored.
    pub customers: Customers,
    /// When runs are due.
    pub schedule: ScheduleSettings,
    /// How long to retry.
    pub retry: RetryPolicy,
    /// Where the ledger is.
    pub database: Database,
    /// The status address.
    pub status: StatusSettings,
    /// Who is told of runs.
    pub notify: NotifySettings,
    /// What is logged, and how.
    pub log: Log,
    /// Where traces are sent; none if they are not.
    #[cfg(feature = "otel")]
    pub(crate) traces: Option<super::foreign::traces::TraceSettings>,
    /// The environment of a browser that the program opens; none if the terminal has no display.
    pub browser_environment: Option<BTreeMap<String, String>>,
    /// Warnings, to be logged once logging is set up.
    pub warnings: Vec<String>,
}

/// One of Microsoft's clouds. Each has its own addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloud {
    /// The public cloud.
    Worldwide,
    /// The United States government's: the worldwide API with its own sign-in service.
    UsGov,
    /// Run by 21Vianet.
    China,
}

impl Cloud {
    /// The address of Partner Center.
    #[must_use]
    pub fn base_url(self) -> &'static str {
        match self {
            Self::Worldwide | Self::UsGov => "https://api.partnercenter.microsoft.com",
            Self::China => "https://partner.partnercenterapi.microsoftonline.cn",
        }
    }

    /// The address of the sign-in service.
    #[must_use]
    pub fn authority(self) -> &'static str {
        match self {
            Self::Worldwide => "https://login.microsoftonline.com",
            Self::UsGov => "https://login.microsoftonline.us",
            Self::China => "https://login.partner.microsoftonline.cn",
        }
    }
}

/// How to call the API.
#[derive(Debug, Clone)]
pub struct PartnerCenter {
    /// The cloud whose addresses are the default.
    pub cloud: Cloud,
    /// May have a path, which does not end with a slash.
    pub base_url: Url,
    /// Which of the API's two collections is fetched.
    pub source: Source,
    /// The datasets to fetch, each once. Never empty.
    pub datasets: Vec<Dataset>,
    /// Letters, digits and hyphens only, so it can be a header's value.
    pub locale: String,
    /// Whether a ledger in another locale may be continued in this one.
    pub allow_locale_change: bool,
    /// Requests in flight, at most. Never zero.
    pub max_concurrency: usize,
    /// More than zero; none: no limit.
    pub max_requests_per_second: Option<f64>,
    /// The time limit of one attempt, including the body. Never zero.
    pub request_timeout: Duration,
    /// The time limit for establishing a connection. Never zero.
    pub connect_timeout: Duration,
    /// The maximum size of a response body in bytes, counted after decompression.
    pub max_response_bytes: u64,
}

/// How to sign in.
#[derive(Debug, Clone)]
pub struct Auth {
    /// May have a path, which does not end with a slash; [`Auth::endpoint`] appends to it.
    pub authority: Url,
    /// The grant to use.
    pub method: Method,
}

impl Auth {
    /// The address of `path`, which starts with a slash and has no query.
    #[must_use]
    pub fn endpoint(&self, path: &str) -> Url {
        let mut url = self.authority.clone();
        let prefix = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{prefix}{path}"));
        url
    }
}

/// A grant and what it needs.
#[derive(Debug, Clone)]
pub enum Method {
    /// On behalf of a user who signed in once.
    RefreshToken {
        /// The registered application. A public client has no credential.
        app: App,
        /// The scope of the requested token.
        scope: String,
        /// The token of the setting or the credential. The one in
        /// [`Method::RefreshToken::file`] takes precedence.
        initial: Option<SecretString>,
        /// The file for renewed tokens. It need not exist yet.
        file: PathBuf,
    },
    /// On behalf of the application itself, which has a credential.
    ClientCredentials {
        /// The registered application.
        app: App,
        /// The scope of the requested token.
        scope: String,
    },
    /// A token that was obtained elsewhere. It is not renewed.
    AccessToken(SecretString),
}

/// The application registered with the authority.
#[derive(Debug, Clone)]
pub struct App {
    /// GUID or domain name, valid as one segment of a path.
    pub tenant_id: String,
    /// Letters, digits, dots and hyphens.
    pub client_id: String,
    /// Always present for client credentials. A public client has none.
    pub credential: Option<ClientCredential>,
    /// Where the secret or the certificate is configured, in words that complete "put it into";
    /// none if there is neither.
    pub credential_place: Option<String>,
}

/// The credential by which the application authenticates itself.
#[derive(Debug, Clone)]
pub enum ClientCredential {
    /// A shared secret.
    Secret(SecretString),
    /// A file with a certificate and its private key. It is read for each use, so that it can be
    /// renewed while the program runs.
    CertificateFile(PathBuf),
}

/// The customers whose usage is stored: the union of `ids`, `file` and, with `discover`, all of the
/// partner's customers, without those in `exclude`.
#[derive(Debug, Clone)]
pub struct Customers {
    /// In the order of the setting, each once.
    pub ids: Vec<CustomerId>,
    /// Read for each run.
    pub file: Option<PathBuf>,
    /// Whether to add all customers of the partner, from the API.
    pub discover: bool,
    /// The customers to leave out.
    pub exclude: HashSet<CustomerId>,
}

/// When runs are due.
#[derive(Debug, Clone)]
pub struct ScheduleSettings {
    /// Has at least one tick in the future.
    pub schedule: Schedule,
    /// Whether the start of the program begins a run.
    pub run_on_start: RunOnStart,
}

/// Whether the start of the program begins a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunOnStart {
    /// If a tick was missed since the last finished run.
    IfMissed,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The status address.
#[derive(Debug, Clone)]
pub struct StatusSettings {
    /// None: off.
    pub listen: Option<SocketAddr>,
    /// What stands before every path behind a reverse proxy: empty, or with a slash at its
    /// beginning and none at its end.
    pub path_prefix: String,
    /// Whether pages and data with names of customers are served.
    pub has_pages: bool,
    /// `Host` names that are accepted besides the loopback ones, in lower case.
    pub hosts: Vec<String>,
}

/// Who is told of runs.
#[derive(Debug, Clone, Default)]
pub struct NotifySettings {
    /// A check in the manner of Healthchecks, a dead man's switch.
    pub ping: Option<NotifyUrl>,
    /// A receiver of signed messages.
    pub webhook: Option<Webhook>,
}

/// A receiver of signed messages.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Where messages are posted.
    pub url: NotifyUrl,
    /// Signs them.
    pub secret: SecretString,
}

/// An address that is a secret: whoever knows it can send messages in the program's name.
#[derive(Clone)]
pub struct NotifyUrl(Url);

impl NotifyUrl {
    pub(super) fn new(url: Url) -> Self {
        Self(url)
    }

    /// The address. It must be in no log.
    #[must_use]
    pub fn expose(&self) -> &Url {
        &self.0
    }
}

/// Scheme and host.
impl fmt::Display for NotifyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.origin().ascii_serialization())
    }
}

impl fmt::Debug for NotifyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Directives for `tracing_subscriber::EnvFilter`.
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
