//! The table of known keys and their defaults. A key that is not here does not exist.

/// A name in the configuration.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// Section and name, such as `retry.max_interval`.
    pub(super) path: &'static str,
    /// As it would be written in an environment variable.
    pub(super) default: Option<&'static str>,
    /// Whether a fault must not show the value.
    pub(super) hidden: bool,
}

impl Key {
    const fn new(path: &'static str, default: Option<&'static str>) -> Self {
        Self {
            path,
            default,
            hidden: false,
        }
    }

    /// A key whose value is not shown: a secret, or a place where one is easily put by mistake.
    const fn hidden(path: &'static str) -> Self {
        Self {
            path,
            default: None,
            hidden: true,
        }
    }

    pub(super) fn section(&self) -> &'static str {
        self.path.split_once('.').map_or("", |(section, _)| section)
    }

    pub(super) fn name(&self) -> &'static str {
        self.path.split_once('.').map_or("", |(_, name)| name)
    }

    /// The environment variable that sets it.
    pub(super) fn variable(&self) -> String {
        format!("SEATLEDGER__{}__{}", self.section(), self.name()).to_ascii_uppercase()
    }
}

macro_rules! keys {
    ($($name:ident = $key:expr;)*) => {
        $(pub(super) const $name: &Key = &$key;)*
        /// Every key, in the order of the documentation.
        pub(super) const ALL: &[&Key] = &[$($name),*];
    };
}

keys! {
    CLOUD = Key::new("partner_center.cloud", Some("worldwide"));
    BASE_URL = Key::new("partner_center.base_url", Some("https://api.partnercenter.microsoft.com"));
    SOURCE = Key::new("partner_center.source", Some("customer"));
    DATASETS = Key::new("partner_center.datasets", None);
    LOCALE = Key::new("partner_center.locale", Some("en-US"));
    ALLOW_LOCALE_CHANGE = Key::new("partner_center.allow_locale_change", Some("false"));
    MAX_CONCURRENCY = Key::new("partner_center.max_concurrency", Some("8"));
    MAX_REQUESTS_PER_SECOND = Key::new("partner_center.max_requests_per_second", None);
    REQUEST_TIMEOUT = Key::new("partner_center.request_timeout", Some("60s"));
    CONNECT_TIMEOUT = Key::new("partner_center.connect_timeout", Some("10s"));
    MAX_RESPONSE_BYTES = Key::new("partner_center.max_response_bytes", Some("67108864"));
    METHOD = Key::new("auth.method", Some("refresh_token"));
    AUTHORITY = Key::new("auth.authority", Some("https://login.microsoftonline.com"));
    TENANT_ID = Key::new("auth.tenant_id", None);
    CLIENT_ID = Key::hidden("auth.client_id");
    CLIENT_SECRET = Key::hidden("auth.client_secret");
    CLIENT_SECRET_FILE = Key::hidden("auth.client_secret_file");
    CLIENT_CERTIFICATE_FILE = Key::hidden("auth.client_certificate_file");
    SCOPE = Key::new("auth.scope", None);
    REFRESH_TOKEN = Key::hidden("auth.refresh_token");
    REFRESH_TOKEN_FILE = Key::hidden("auth.refresh_token_file");
    ACCESS_TOKEN = Key::hidden("auth.access_token");
    ACCESS_TOKEN_FILE = Key::hidden("auth.access_token_file");
    CUSTOMER_IDS = Key::new("customers.ids", Some(""));
    CUSTOMER_FILE = Key::new("customers.file", None);
    DISCOVER = Key::new("customers.discover", Some("false"));
    EXCLUDE = Key::new("customers.exclude", Some(""));
    CRON = Key::new("schedule.cron", Some("0 0 6 * * *"));
    TIMEZONE = Key::new("schedule.timezone", Some("UTC"));
    RUN_ON_START = Key::new("schedule.run_on_start", Some("if_missed"));
    INITIAL_INTERVAL = Key::new("retry.initial_interval", Some("1s"));
    MAX_INTERVAL = Key::new("retry.max_interval", Some("60s"));
    MAX_ELAPSED_TIME = Key::new("retry.max_elapsed_time", Some("15m"));
    DATABASE_URL = Key::hidden("database.url");
    DATABASE_URL_FILE = Key::hidden("database.url_file");
    MAX_CONNECTIONS = Key::new("database.max_connections", Some("4"));
    LISTEN = Key::new("status.listen", Some("127.0.0.1:9464"));
    STATUS_HOSTS = Key::new("status.hosts", Some(""));
    LOG_FILTER = Key::new("log.filter", Some("info"));
    LOG_FORMAT = Key::new("log.format", Some("auto"));
}

/// The key with this very path.
pub(super) fn find(path: &str) -> Option<&'static Key> {
    ALL.iter().copied().find(|key| key.path == path)
}

/// The key that a variable means whose parts are joined in a wrong way: `DATABASE_URL` after the
/// program's name.
pub(super) fn find_run_together(rest: &str) -> Option<&'static Key> {
    let meant = rest.trim_start_matches('_').replace("__", "_");
    ALL.iter()
        .copied()
        .find(|key| key.path.replace('.', "_").eq_ignore_ascii_case(&meant))
}

/// The keys of one section.
pub(super) fn of_section(section: &str) -> impl Iterator<Item = &'static Key> {
    ALL.iter()
        .copied()
        .filter(move |key| key.section() == section)
}

/// The names of the sections, each once.
pub(super) fn sections() -> Vec<&'static str> {
    let mut sections: Vec<_> = ALL.iter().map(|key| key.section()).collect();
    sections.dedup();
    sections
}

/// What an unknown path was probably meant to be: a few letters off, or in the wrong section.
pub(super) fn nearest(path: &str) -> Option<&'static Key> {
    let name = path.rsplit_once('.').map_or(path, |(_, name)| name);
    ALL.iter()
        .copied()
        .map(|key| (distance(path, key.path), key))
        .filter(|(distance, _)| *distance <= 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, key)| key)
        .or_else(|| ALL.iter().copied().find(|key| key.name() == name))
}

/// The section that `name` was probably meant to be.
pub(super) fn nearest_section(name: &str) -> Option<&'static str> {
    sections()
        .into_iter()
        .map(|section| (distance(name, section), section))
        .filter(|(distance, section)| *distance <= 2 && *distance < section.len() / 2 + 1)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, section)| section)
}

/// How many letters must be changed, letter case apart.
fn distance(left: &str, right: &str) -> usize {
    strsim::damerau_levenshtein(&left.to_ascii_lowercase(), right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_key_that_was_meant() {
        for (slip, meant) in [
            ("auth.client_secert", "auth.client_secret"),
            (
                "partner_center.max_concurency",
                "partner_center.max_concurrency",
            ),
            ("databse.url", "database.url"),
            ("Schedule.Cron", "schedule.cron"),
            ("partner_center.client_secret", "auth.client_secret"),
        ] {
            assert_eq!(nearest(slip).map(|key| key.path), Some(meant), "{slip}");
        }
        assert_eq!(nearest("colour.of_the_sky"), None);
    }

    #[test]
    fn a_slip_finds_the_section_that_was_meant() {
        assert_eq!(nearest_section("databse"), Some("database"));
        assert_eq!(nearest_section("logs"), Some("log"));
        assert_eq!(nearest_section("kitchen"), None);
    }

    #[test]
    fn single_underscores_are_recognised_but_other_variables_are_not_ours() {
        let found = |rest| find_run_together(rest).map(Key::variable);
        assert_eq!(
            found("DATABASE_URL").as_deref(),
            Some("SEATLEDGER__DATABASE__URL")
        );
        assert_eq!(
            found("_AUTH_CLIENT_SECRET").as_deref(),
            Some("SEATLEDGER__AUTH__CLIENT_SECRET")
        );
        assert_eq!(found("PORT_9464_TCP"), None);
    }

    #[test]
    fn the_example_shows_each_default_as_it_is() {
        let mut section = String::new();
        let mut shown = Vec::new();
        for line in include_str!("../../config.example.toml").lines() {
            if let Some(name) = line
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
            {
                name.clone_into(&mut section);
            }
            let bare = line.strip_prefix("# ").unwrap_or(line);
            if let Some((name, value)) = bare.split_once(" = ") {
                shown.push((format!("{section}.{name}"), value.to_owned()));
            }
        }
        for key in ALL {
            let Some((_, value)) = shown.iter().find(|(path, _)| path == key.path) else {
                panic!("the example does not show {}", key.path);
            };
            if let Some(default) = key.default {
                let plain = value.trim_matches(['"', '[', ']']);
                // Without a customer the example would not load.
                assert!(
                    plain == default || *key == CUSTOMER_IDS,
                    "{} is {default} by default, but the example shows {value}",
                    key.path
                );
            }
        }
        assert_eq!(shown.len(), ALL.len(), "the example shows a key twice");
    }
}
