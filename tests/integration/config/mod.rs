//! The configuration as an operator sees it: files, environment, credentials, and the report of
//! faults. The environment is always an invented one, never that of the process.

mod encodings;
mod example;
mod refusals;
mod secrets;
mod sources;

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use seatledger::config::{
    self, ClientCredential, Config, ConfigError, LogFormat, Method, RunOnStart, Sources,
};
use secrecy::{ExposeSecret as _, SecretString};
use tempfile::TempDir;

const EXAMPLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.toml"));

/// The smallest configuration that loads.
const MINIMAL: &str = r#"
[auth]
tenant_id = "contoso.onmicrosoft.com"
client_id = "2c0a7a1e-8a3f-4f0e-9f5e-0d6d3f0b7a11"

[customers]
discover = true

[database]
url = "postgres://seatledger@localhost/seatledger"
"#;

/// A folder with a configuration file, and an environment.
struct World {
    folder: TempDir,
    environment: HashMap<String, String>,
}

impl World {
    fn new(toml: &str) -> Self {
        let world = Self {
            folder: tempfile::tempdir().expect("a temporary folder can be made"),
            environment: HashMap::new(),
        };
        world.write("config.toml", toml);
        world
    }

    /// `MINIMAL` with `line` replaced by `instead`.
    fn minimal_but(line: &str, instead: &str) -> Self {
        assert!(MINIMAL.contains(line), "{line} is not in the minimal file");
        Self::new(&MINIMAL.replace(line, instead))
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a file is in a folder"))
            .and_then(|()| std::fs::write(&path, text))
            .expect("the temporary folder can be written to");
        path
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets a variable to the path of a file in the folder.
    fn set_path(self, name: &str, file: &str) -> Self {
        let path = self.folder.path().join(file);
        self.set(name, &path.to_string_lossy())
    }

    fn sources(&self) -> Sources {
        Sources {
            file: Some(self.folder.path().join("config.toml")),
            environment: self.environment.clone(),
            now: "2026-01-01T00:00:00Z".parse().expect("a moment"),
        }
    }

    fn load(&self) -> Result<Config, ConfigError> {
        config::load(&self.sources())
    }

    fn loaded(&self) -> Config {
        self.load().expect("the configuration is right")
    }

    /// The report of faults, with `[folder]` in place of the folder's path.
    fn report(&self) -> String {
        let report = self
            .load()
            .expect_err("the configuration is wrong")
            .to_string();
        report.replace(&*self.folder.path().to_string_lossy(), "[folder]")
    }
}

/// The text with lines broken before column 88. Continuation lines are indented.
fn folded(text: &str) -> String {
    let mut folded = Vec::new();
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let mut rest = line.to_owned();
        while let Some(at) = break_of(&rest) {
            let tail = rest[at + 1..].to_owned();
            rest.truncate(at);
            folded.push(rest);
            rest = format!("{}{tail}", " ".repeat(indent + 4));
        }
        folded.push(rest);
    }
    folded.join("\n")
}

/// Where to break a line that is longer than 88 bytes: at the last blank before column 88.
fn break_of(line: &str) -> Option<usize> {
    let lead = line.len() - line.trim_start().len();
    let head = line.get(..=88)?;
    let at = head.rfind(' ').filter(|at| *at > lead)?;
    (line.len() > 88).then_some(at)
}

fn database_address(config: &Config) -> String {
    config.database.address.to_string()
}

#[test]
fn the_environment_wins_over_the_file() {
    let config = World::new(&format!(
        "{MINIMAL}\n[log]\nformat = \"text\"\n[status]\nlisten = \"[::1]:1\""
    ))
    .set("SEATLEDGER__LOG__FORMAT", "json")
    .set("SEATLEDGER__STATUS__LISTEN", "")
    .set("SEATLEDGER__DATABASE__MAX_CONNECTIONS", "9")
    .set("SEATLEDGER__CUSTOMERS__DISCOVER", "False")
    .set("SEATLEDGER__PARTNER_CENTER__MAX_REQUESTS_PER_SECOND", "0.5")
    .set(
        "SEATLEDGER__CUSTOMERS__IDS",
        " 4D3CF487-70F4-4E1E-9FF1-B2BFCE8D9F04, 6c4ad3a5-3b0d-4a5c-8f5e-5a1d2a0c9b10 ,\
             4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04,",
    )
    .loaded();
    assert_eq!(config.log.format, LogFormat::Json);
    assert_eq!(config.status.listen, None);
    assert_eq!(config.database.max_connections, 9);
    assert!(!config.customers.discover);
    assert_eq!(config.partner_center.max_requests_per_second, Some(0.5));
    let ids: Vec<String> = config
        .customers
        .ids
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        ids,
        [
            "4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04",
            "6c4ad3a5-3b0d-4a5c-8f5e-5a1d2a0c9b10"
        ]
    );
}

#[test]
fn each_cloud_has_its_own_addresses_unless_they_are_given() {
    let worldwide = "https://api.partnercenter.microsoft.com";
    let china = "https://partner.partnercenterapi.microsoftonline.cn";
    for (cloud, base_url, authority) in [
        ("worldwide", worldwide, "https://login.microsoftonline.com"),
        ("us_gov", worldwide, "https://login.microsoftonline.us"),
        ("china", china, "https://login.partner.microsoftonline.cn"),
    ] {
        let world = World::new(MINIMAL).set("SEATLEDGER__PARTNER_CENTER__CLOUD", cloud);
        let config = world.loaded();
        assert_eq!(
            config.partner_center.base_url.as_str(),
            format!("{base_url}/")
        );
        assert_eq!(config.auth.authority.as_str(), format!("{authority}/"));
        let Method::RefreshToken { scope, .. } = config.auth.method else {
            panic!("refresh_token is the default method");
        };
        assert_eq!(scope, format!("{base_url}/.default offline_access"));
        let config = world
            .set("SEATLEDGER__AUTH__AUTHORITY", "https://login.example.com")
            .loaded();
        assert_eq!(config.auth.authority.as_str(), "https://login.example.com/");
    }
    let world = World::new(MINIMAL).set("SEATLEDGER__PARTNER_CENTER__CLOUD", "germany");
    insta::assert_snapshot!(folded(&world.report()), @r#"
    the configuration has a fault:
      partner_center.cloud = "germany": must be one of "worldwide", "us_gov", "china" (from
          the environment, SEATLEDGER__PARTNER_CENTER__CLOUD)
    "#);
}

#[test]
fn a_list_in_the_environment_may_be_written_as_in_the_file() {
    let world = World::minimal_but("discover = true", "discover = true").set(
        "SEATLEDGER__CUSTOMERS__IDS",
        "[\"4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04\", '6c4ad3a5-3b0d-4a5c-8f5e-5a1d2a0c9b10']",
    );
    assert_eq!(world.loaded().customers.ids.len(), 2);
}

#[test]
fn an_empty_list_in_the_environment_replaces_that_of_the_file() {
    let world = World::minimal_but(
        "discover = true",
        "discover = true\nids = [\"4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04\"]",
    );
    assert_eq!(world.loaded().customers.ids.len(), 1);
    let world = world.set("SEATLEDGER__CUSTOMERS__IDS", "");
    assert!(world.loaded().customers.ids.is_empty());
}

#[test]
fn endpoints_are_joined_to_addresses_with_and_without_a_path() {
    for (base, endpoint) in [
        (
            "https://api.example.com",
            "https://api.example.com/v1/customers",
        ),
        (
            "https://api.example.com/",
            "https://api.example.com/v1/customers",
        ),
        (
            "https://example.com/a/b/",
            "https://example.com/a/b/v1/customers",
        ),
    ] {
        let config = World::new(MINIMAL)
            .set("SEATLEDGER__PARTNER_CENTER__BASE_URL", base)
            .set("SEATLEDGER__AUTH__AUTHORITY", base)
            .loaded();
        assert_eq!(config.auth.endpoint("/v1/customers").as_str(), endpoint);
    }
}

#[test]
fn a_byte_order_mark_and_carriage_returns_do_no_harm() {
    World::new(&format!("\u{feff}{}", MINIMAL.replace('\n', "\r\n"))).loaded();
}

#[test]
fn the_command_line_names_the_file_before_the_environment_does() {
    let world = World::new(MINIMAL).set_path("SEATLEDGER_CONFIG", "other.toml");
    let other = world.write("other.toml", format!("{MINIMAL}max_connections = 7"));
    assert_eq!(world.loaded().database.max_connections, 4);
    let mut sources = world.sources();
    sources.file = None;
    let config = config::load(&sources).unwrap();
    assert_eq!(
        (config.path, config.database.max_connections),
        (other.clone(), 7)
    );
    // A named file that does not exist is a fault: no other file is used instead.
    std::fs::remove_file(&other).unwrap();
    let report = config::load(&sources).unwrap_err().to_string();
    assert!(report.contains("other.toml"), "{report}");
}

#[test]
fn a_variable_of_ours_is_understood_in_any_letter_case_but_only_once() {
    let world = World::new(MINIMAL).set("seatledger__log__format", "json");
    assert_eq!(world.loaded().log.format, LogFormat::Json);
    let world = world.set("SEATLEDGER__LOG__FORMAT", "text");
    insta::assert_snapshot!(folded(&world.report()), @"
    the configuration has a fault:
      seatledger__log__format = (not shown): is set twice, in different letter case; keep
          one
    ");
}

#[test]
fn variables_that_a_container_platform_sets_are_left_alone() {
    World::new(MINIMAL)
        .set("SEATLEDGER_SERVICE_HOST", "10.0.0.1")
        .set("SEATLEDGER_PORT", "tcp://10.0.0.1:9464")
        .set("SEATLEDGER_CONFIG", "elsewhere.toml")
        .set("SEATLEDGERS__LOG__FORMAT", "x")
        .loaded();
}
