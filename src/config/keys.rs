//! The table of all keys and their defaults.

/// A key of the configuration.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ConfigKey {
    /// Section and name, such as `retry.max_interval`.
    pub(super) path: &'static str,
    /// In the form of an environment variable.
    pub(super) default: Option<&'static str>,
    /// Whether a fault must not show the value.
    pub(super) hidden: bool,
}

impl ConfigKey {
    const fn new(path: &'static str, default: Option<&'static str>) -> Self {
        Self {
            path,
            default,
            hidden: false,
        }
    }

    /// A key whose value is not shown: a secret, or a setting in which people put one by mistake.
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
        $(pub(super) const $name: &ConfigKey = &$key;)*
        /// Every key, in the order of the example file.
        pub(super) const ALL: &[&ConfigKey] = &[$($name),*];
    };
}

keys! {
    CLOUD = ConfigKey::new("partner_center.cloud", Some("worldwide"));
    BASE_URL = ConfigKey::new(
        "partner_center.base_url",
        Some("https://api.partnercenter.microsoft.com"),
    );
    SOURCE = ConfigKey::new("partner_center.source", Some("customer"));
    DATASETS = ConfigKey::new("partner_center.datasets", None);
    LOCALE = ConfigKey::new("partner_center.locale", Some("en-US"));
    ALLOW_LOCALE_CHANGE = ConfigKey::new("partner_center.allow_locale_change", Some("false"));
    MAX_CONCURRENCY = ConfigKey::new("partner_center.max_concurrency", Some("8"));
    MAX_REQUESTS_PER_SECOND = ConfigKey::new("partner_center.max_requests_per_second", None);
    REQUEST_TIMEOUT = ConfigKey::new("partner_center.request_timeout", Some("60s"));
    CONNECT_TIMEOUT = ConfigKey::new("partner_center.connect_timeout", Some("10s"));
    MAX_RESPONSE_BYTES = ConfigKey::new("partner_center.max_response_bytes", Some("67108864"));
    METHOD = ConfigKey::new("auth.method", Some("refresh_token"));
    AUTHORITY = ConfigKey::new("auth.authority", Some("https://login.microsoftonline.com"));
    TENANT_ID = ConfigKey::new("auth.tenant_id", None);
    CLIENT_ID = ConfigKey::hidden("auth.client_id");
    CLIENT_SECRET = ConfigKey::hidden("auth.client_secret");
    CLIENT_SECRET_FILE = ConfigKey::hidden("auth.client_secret_file");
    CLIENT_CERTIFICATE_FILE = ConfigKey::hidden("auth.client_certificate_file");
    SCOPE = ConfigKey::new("auth.scope", None);
    REFRESH_TOKEN = ConfigKey::hidden("auth.refresh_token");
    REFRESH_TOKEN_FILE = ConfigKey::hidden("auth.refresh_token_file");
    ACCESS_TOKEN = ConfigKey::hidden("auth.access_token");
    ACCESS_TOKEN_FILE = ConfigKey::hidden("auth.access_token_file");
    CUSTOMER_IDS = ConfigKey::new("customers.ids", Some(""));
    CUSTOMER_FILE = ConfigKey::new("customers.file", None);
    DISCOVER = ConfigKey::new("customers.discover", Some("false"));
    EXCLUDE = ConfigKey::new("customers.exclude", Some(""));
    CRON = ConfigKey::new("schedule.cron", Some("0 0 6 * * *"));
    TIMEZONE = ConfigKey::new("schedule.timezone", Some("UTC"));
    RUN_ON_START = ConfigKey::new("schedule.run_on_start", Some("if_missed"));
    INITIAL_INTERVAL = ConfigKey::new("retry.initial_interval", Some("1s"));
    MAX_INTERVAL = ConfigKey::new("retry.max_interval", Some("60s"));
    MAX_ELAPSED_TIME = ConfigKey::new("retry.max_elapsed_time", Some("15m"));
    DATABASE_URL = ConfigKey::hidden("database.url");
    DATABASE_URL_FILE = ConfigKey::hidden("database.url_file");
    MAX_CONNECTIONS = ConfigKey::new("database.max_connections", Some("4"));
    LISTEN = ConfigKey::new("status.listen", Some("127.0.0.1:9464"));
    PATH_PREFIX = ConfigKey::new("status.path_prefix", Some(""));
    STATUS_PAGES = ConfigKey::new("status.pages", None);
    STATUS_HOSTS = ConfigKey::new("status.hosts", Some(""));
    PING_URL = ConfigKey::hidden("notify.ping_url");
    PING_URL_FILE = ConfigKey::hidden("notify.ping_url_file");
    WEBHOOK_URL = ConfigKey::hidden("notify.webhook_url");
    WEBHOOK_URL_FILE = ConfigKey::hidden("notify.webhook_url_file");
    WEBHOOK_SECRET = ConfigKey::hidden("notify.webhook_secret");
    WEBHOOK_SECRET_FILE = ConfigKey::hidden("notify.webhook_secret_file");
    LOG_FILTER = ConfigKey::new("log.filter", Some("info"));
    LOG_FORMAT = ConfigKey::new("log.format", Some("auto"));
}

/// The key with exactly this path.
pub(super) fn find(path: &str) -> Option<&'static ConfigKey> {
    ALL.iter().copied().find(|key| key.path == path)
}

/// The key of a variable that is not separated by double underscores: `DATABASE_URL` after the
/// prefix.
pub(super) fn find_run_together(rest: &str) -> Option<&'static ConfigKey> {
    let intended = rest.trim_start_matches('_').replace("__", "_");
    ALL.iter()
        .copied()
        .find(|key| key.path.replace('.', "_").eq_ignore_ascii_case(&intended))
}

/// The keys of one section.
pub(super) fn of_section(section: &str) -> impl Iterator<Item = &'static ConfigKey> {
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

/// The key that an unknown path probably means: misspelt by a few letters, or in the wrong section.
pub(super) fn nearest(path: &str) -> Option<&'static ConfigKey> {
    let name = path.rsplit_once('.').map_or(path, |(_, name)| name);
    ALL.iter()
        .copied()
        .map(|key| (distance(path, key.path), key))
        .filter(|(distance, _)| *distance <= 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, key)| key)
        .or_else(|| ALL.iter().copied().find(|key| key.name() == name))
}

/// The section that `name` probably means.
pub(super) fn nearest_section(name: &str) -> Option<&'static str> {
    sections()
        .into_iter()
        .map(|section| (distance(name, section), section))
        .filter(|(distance, section)| *distance <= 2 && *distance < section.len() / 2 + 1)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, section)| section)
}

/// The edit distance, ignoring letter case.
fn distance(left: &str, right: &str) -> usize {
    strsim::damerau_levenshtein(&left.to_ascii_lowercase(), right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_finds_the_right_one() {
        for (misspelt, right) in [
            ("auth.client_secert", "auth.client_secret"),
            (
                "partner_center.max_concurency",
                "partner_center.max_concurrency",
            ),
            ("databse.url", "database.url"),
            ("Schedule.Cron", "schedule.cron"),
            ("partner_center.client_secret", "auth.client_secret"),
        ] {
            assert_eq!(
                nearest(misspelt).map(|key| key.path),
                Some(right),
                "{misspelt}"
            );
        }
        assert_eq!(nearest("colour.of_the_sky"), None);
    }

    #[test]
    fn a_misspelt_section_finds_the_right_one() {
        assert_eq!(nearest_section("databse"), Some("database"));
        assert_eq!(nearest_section("logs"), Some("log"));
        assert_eq!(nearest_section("kitchen"), None);
    }

    #[test]
    fn single_underscores_are_recognised_and_other_variables_ignored() {
        let found = |rest| find_run_together(rest).map(ConfigKey::variable);
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
    fn the_example_shows_every_default() {
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
                // The example names a customer, because without one it would not load.
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
