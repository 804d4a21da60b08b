//! The configuration as an operator meets it: files, environment, credentials, and the report of what is wrong.
//! The environment is always an invented one, never that of the process.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use seatledger::config::{self, Config, ConfigError, LogFormat, Method, RunOnStart, Sources};
use secrecy::{ExposeSecret as _, SecretString};
use tempfile::TempDir;

const EXAMPLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.toml"));

/// The least that loads.
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

    /// `MINIMAL` with one line put in the place of another.
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

    /// The report, without the folder's own name.
    fn report(&self) -> String {
        let report = self
            .load()
            .expect_err("the configuration is wrong")
            .to_string();
        report.replace(&*self.folder.path().to_string_lossy(), "[folder]")
    }
}

fn database_url(config: &Config) -> &str {
    config.database.url.expose_secret()
}

fn client_secret(config: &Config) -> Option<&str> {
    match &config.auth.method {
        Method::RefreshToken { app, .. } | Method::ClientCredentials { app, .. } => {
            app.client_secret.as_ref().map(SecretString::expose_secret)
        }
        Method::AccessToken(_) => None,
    }
}

fn refresh_token(config: &Config) -> (Option<&str>, PathBuf) {
    match &config.auth.method {
        Method::RefreshToken { initial, file, .. } => (
            initial.as_ref().map(SecretString::expose_secret),
            file.clone(),
        ),
        other => panic!("another method was chosen: {other:?}"),
    }
}

/// Section and key of each setting in the example, and its line without the comment sign.
fn settings_of_the_example() -> Vec<(String, String, bool)> {
    let mut section = "";
    let mut settings = Vec::new();
    for line in EXAMPLE.lines() {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            section = name;
        }
        let commented = line.starts_with("# ");
        let bare = line.trim_start_matches("# ");
        if let Some((key, _)) = bare.split_once(" = ") {
            settings.push((format!("{section}.{key}"), bare.to_owned(), commented));
        }
    }
    settings
}

#[test]
fn the_example_loads_as_it_is() {
    World::new(EXAMPLE).loaded();
}

#[test]
fn the_example_shows_every_key_of_the_documentation_and_no_other() {
    let documented = [
        "partner_center.base_url",
        "partner_center.source",
        "partner_center.locale",
        "partner_center.max_concurrency",
        "partner_center.max_requests_per_second",
        "partner_center.request_timeout",
        "partner_center.connect_timeout",
        "partner_center.max_response_bytes",
        "auth.method",
        "auth.authority",
        "auth.tenant_id",
        "auth.client_id",
        "auth.client_secret",
        "auth.client_secret_file",
        "auth.scope",
        "auth.refresh_token",
        "auth.refresh_token_file",
        "auth.access_token",
        "auth.access_token_file",
        "customers.ids",
        "customers.file",
        "customers.discover",
        "customers.exclude",
        "schedule.cron",
        "schedule.timezone",
        "schedule.run_on_start",
        "retry.initial_interval",
        "retry.max_interval",
        "retry.max_elapsed_time",
        "database.url",
        "database.url_file",
        "database.max_connections",
        "status.listen",
        "log.filter",
        "log.format",
    ];
    let shown: BTreeSet<String> = settings_of_the_example()
        .into_iter()
        .map(|(key, _, _)| key)
        .collect();
    assert_eq!(shown, documented.map(str::to_owned).into());
}

#[test]
fn each_commented_line_of_the_example_can_be_put_to_use() {
    for (key, line, commented) in settings_of_the_example() {
        // What names a file of the operator's, and what would be a second place of one secret, cannot stand here.
        if !commented || ["customers.file", "database.url_file"].contains(&key.as_str()) {
            continue;
        }
        let world = World::new(&EXAMPLE.replacen(&format!("# {line}\n"), &format!("{line}\n"), 1));
        match world.load() {
            Ok(_) => {}
            Err(error) if key.ends_with("_file") => {
                let report = error.to_string();
                assert!(report.contains("there is no such file"), "{line}: {report}");
            }
            Err(error) => panic!("{line}: {error}"),
        }
    }
}

#[test]
fn the_least_that_is_given_gets_the_documented_defaults() {
    let world = World::new(MINIMAL);
    let config = world.loaded();
    let api = &config.partner_center;
    assert_eq!(
        api.base_url.as_str(),
        "https://api.partnercenter.microsoft.com/"
    );
    assert_eq!(
        (api.max_concurrency, api.max_requests_per_second),
        (8, None)
    );
    assert_eq!(api.request_timeout, Duration::from_mins(1));
    assert_eq!(api.connect_timeout, Duration::from_secs(10));
    assert_eq!(
        (api.locale.as_str(), api.max_response_bytes),
        ("en-US", 64 << 20)
    );
    assert_eq!(config.schedule.run_on_start, RunOnStart::IfMissed);
    assert_eq!(config.database.max_connections, 4);
    assert_eq!(config.status.listen, "127.0.0.1:9464".parse().ok());
    assert_eq!(
        (config.log.filter.as_str(), config.log.format),
        ("info", LogFormat::Auto)
    );
    assert_eq!(config.path, world.folder.path().join("config.toml"));
    assert_eq!(config.journal_stream, None);
    let Method::RefreshToken { scope, app, .. } = config.auth.method else {
        panic!("refresh_token is the default method");
    };
    assert_eq!(
        scope,
        "https://api.partnercenter.microsoft.com/.default offline_access"
    );
    assert!(app.client_secret.is_none());
}

#[test]
fn everything_that_is_wrong_is_reported_at_once() {
    let world = World::new(
        r#"
        base_url = "https://example.com"

        [partner_center]
        base_url = "http://example.com"
        source = "commercial"
        locale = "en US"
        max_concurency = 4
        max_concurrency = 0
        max_requests_per_second = -1
        request_timeout = 30
        max_response_bytes = "64 MiB"

        [auth]
        method = "password"
        authority = "https://me:hunter2@login.example.com"
        client_secert = "hunter2"

        [customers]
        ids = ["4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04", "contoso", 5]
        discover = "yes"

        [schedule]
        cron = "0 6 * * *"
        timezone = "Berlin"

        [retry]
        initial_interval = "5m"
        max_elapsed_time = "a while"

        [database]
        url = "mysql://root:hunter2@localhost/x"

        [status]
        listen = "localhost:9464"

        [log]
        filter = "info,x=loud"
        format = "xml"
        level = "debug"

        [metrics]
        on = true
        "#,
    )
    .set(
        "SEATLEDGER_DATABASE_URL",
        "postgres://root:hunter2@localhost/x",
    )
    .set("SEATLEDGER__DATABASE__MAX_CONNECTIONS", "many")
    .set("SEATLEDGER__STATUS__LISTN", "")
    .set("SEATLEDGER_PORT_9464_TCP", "tcp://10.0.0.1:9464");
    insta::assert_snapshot!(world.report(), @r#"
    the configuration has 27 faults:
      auth.client_secert = (not shown): unknown key; did you mean auth.client_secret? (in [folder]/config.toml)
      base_url = (not shown): unknown key; did you mean partner_center.base_url, in the section [partner_center]? (in [folder]/config.toml)
      log.level = (not shown): unknown key; [log] has filter, format (in [folder]/config.toml)
      metrics: unknown section; the sections are partner_center, auth, customers, schedule, retry, database, status, log (in [folder]/config.toml)
      partner_center.max_concurency = 4: unknown key; did you mean partner_center.max_concurrency? (in [folder]/config.toml)
      SEATLEDGER_DATABASE_URL = (not shown): is not read; write it SEATLEDGER__DATABASE__URL, with two underscores before the section and before the key
      SEATLEDGER__STATUS__LISTN = (not shown): sets no known key; did you mean SEATLEDGER__STATUS__LISTEN?
      partner_center.base_url = "http://example.com": must begin with https:// (plain http is refused except to this machine: localhost, 127.0.0.0/8, ::1) (in [folder]/config.toml)
      partner_center.source = "commercial": this version fetches the source "customer" only (in [folder]/config.toml)
      partner_center.locale = "en US": must be a locale such as "en-US" (in [folder]/config.toml)
      partner_center.max_concurrency = 0: must be a whole number from 1 to 1000 (in [folder]/config.toml)
      partner_center.max_requests_per_second = -1: must be a number from 0.001 to 10000 (in [folder]/config.toml)
      partner_center.request_timeout = 30: has no unit; write "30s" if seconds are meant (in [folder]/config.toml)
      partner_center.max_response_bytes = "64 MiB": must be a whole number from 1 to 4294967296, not text in quotes (in [folder]/config.toml)
      auth.authority = (not shown): must not hold a user name or a password (in [folder]/config.toml)
      auth.method = "password": must be one of "refresh_token", "client_credentials", "access_token" (in [folder]/config.toml)
      customers.ids: entry 2, "contoso", is not a GUID such as 4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04; entry 3 must be text in quotes, not a whole number (in [folder]/config.toml)
      customers.discover = "yes": must be true or false, not text in quotes (in [folder]/config.toml)
      schedule.timezone = "Berlin": must be an IANA time zone such as "UTC" or "Europe/Berlin" (in [folder]/config.toml)
      schedule.cron = "0 6 * * *": has five fields; it takes six, seconds first: "0 0 6 * * *" (in [folder]/config.toml)
      retry.max_elapsed_time = "a while": must be a duration such as "30s", "15m" or "1h 30m" (in [folder]/config.toml)
      retry.initial_interval = "5m": must not be longer than retry.max_interval, which is 1m (in [folder]/config.toml)
      database.url = (not shown): must start with postgres:// or postgresql:// (in [folder]/config.toml)
      database.max_connections = "many": must be a whole number from 1 to 100 (from the environment, SEATLEDGER__DATABASE__MAX_CONNECTIONS)
      status.listen = "localhost:9464": must be an IP address with a port, such as "127.0.0.1:9464" or "[::]:9464", or empty to switch it off (in [folder]/config.toml)
      log.filter = "info,x=loud": must be levels such as "info" or "warn,seatledger=debug": error parsing level filter: expected one of "off", "error", "warn", "info", "debug", "trace", or a number 0-5 (in [folder]/config.toml)
      log.format = "xml": must be one of "auto", "text", "json" (in [folder]/config.toml)
    "#);
}

#[test]
fn what_is_missing_is_reported_with_the_ways_to_give_it() {
    insta::assert_snapshot!(World::new("").report(), @"
    the configuration has 4 faults:
      auth.tenant_id: is missing; set it in [folder]/config.toml or as SEATLEDGER__AUTH__TENANT_ID
      auth.client_id: is missing; set it in [folder]/config.toml or as SEATLEDGER__AUTH__CLIENT_ID
      customers: nobody is named; set customers.ids, customers.file or customers.discover = true
      database.url: is missing; set it or database.url_file (a path) in [folder]/config.toml, or SEATLEDGER__DATABASE__URL, or give the systemd credential database_url
    ");
    let machine = World::new("").set("SEATLEDGER__AUTH__METHOD", "client_credentials");
    insta::assert_snapshot!(machine.report(), @"
    the configuration has 5 faults:
      auth.tenant_id: is missing; set it in [folder]/config.toml or as SEATLEDGER__AUTH__TENANT_ID
      auth.client_id: is missing; set it in [folder]/config.toml or as SEATLEDGER__AUTH__CLIENT_ID
      auth.client_secret: is missing; set it or auth.client_secret_file (a path) in [folder]/config.toml, or SEATLEDGER__AUTH__CLIENT_SECRET, or give the systemd credential client_secret
      customers: nobody is named; set customers.ids, customers.file or customers.discover = true
      database.url: is missing; set it or database.url_file (a path) in [folder]/config.toml, or SEATLEDGER__DATABASE__URL, or give the systemd credential database_url
    ");
    let token = World::minimal_but("[auth]", "[auth]\nmethod = \"access_token\"");
    insta::assert_snapshot!(token.report(), @"
    the configuration has a fault:
      auth.access_token: is missing; set it or auth.access_token_file (a path) in [folder]/config.toml, or SEATLEDGER__AUTH__ACCESS_TOKEN, or give the systemd credential access_token
    ");
}

#[test]
fn no_secret_is_in_a_report_or_in_debug_output() {
    const SECRET: &str = "hunter2";
    let wrong = [
        "[auth]\nclient_secert = \"hunter2\"",
        "[auth]\nclient_id = \"hunter2~x\"",
        "[auth]\nclient_secret = [\"hunter2\"]",
        "[auth]\nclient_secret = { value = \"hunter2\" }",
        "[auth]\nclient_secret_file = \"hunter2\"",
        "[auth]\nclient_secret = \"hunter2\\n\"",
        "[auth]\nrefresh_token = [\"hunter2\"]",
        "[auth]\nmethod = \"access_token\"\naccess_token = \"Bearer hunter2\"",
        "[auth]\nclient_secret = \"hunter2\"\nclient_secret_file = \"hunter2\"",
        "[auth.client_secret]\nhunter2 = true",
        "[oauth]\nclient_secret = \"hunter2\"",
        "client_secret = \"hunter2\"",
        "auth = \"hunter2\"",
        "[database]\nurl = \"mysql://x:hunter2@localhost\"",
        "[database]\nurl = \"postgres://x:hunter2#@localhost\"",
        "[database]\npassword = \"hunter2\"",
        "[database]\nurl_file = \"postgres://x:hunter2@localhost\"",
        "[databse]\nurl = \"postgres://x:hunter2@localhost\"",
        "[partner_center]\nclient_secret = \"hunter2\"",
        "[partner_center]\nbase_url = \"https://x:hunter2@localhost\"",
        "[auth]\nauthority = \"https://x:hunter2@local host\"",
        "[auth]\nclient_secret = \"hunter2",
        "[auth]\nclient_secret = hunter2",
        "[auth]\nclient_secret: \"hunter2\"",
        "[auth]\nclient_secret = \"\"\"hunter2",
        "[auth]\nclient_secret = \"a\\hunter2\"",
    ];
    for toml in wrong {
        let error = World::new(toml).load().unwrap_err();
        assert!(!error.to_string().contains(SECRET), "{toml}: {error}");
        assert!(!format!("{error:?}").contains(SECRET), "{toml}: {error:?}");
    }
    for name in [
        "SEATLEDGER_AUTH_CLIENT_SECRET",
        "SEATLEDGER__AUTH__CLIENT_SECERT",
        "SEATLEDGER__AUTH_CLIENT_SECRET",
        "SEATLEDGER__DATABASE__URL",
        "SEATLEDGER__DATABASE",
    ] {
        let error = World::new(MINIMAL).set(name, SECRET).load().unwrap_err();
        assert!(
            !format!("{error} {error:?}").contains(SECRET),
            "{name}: {error}"
        );
        assert!(error.to_string().contains("SEATLEDGER"), "{name}: {error}");
    }
    for method in ["refresh_token", "client_credentials", "access_token"] {
        let config = World::new(MINIMAL)
            .set("SEATLEDGER__AUTH__METHOD", method)
            .set(
                "SEATLEDGER__DATABASE__URL",
                "postgres://x:hunter2@localhost",
            )
            .set("SEATLEDGER__AUTH__ACCESS_TOKEN", SECRET)
            .set("SEATLEDGER__AUTH__REFRESH_TOKEN", SECRET)
            .set("SEATLEDGER__AUTH__CLIENT_SECRET", SECRET)
            .loaded();
        assert!(!format!("{config:?}").contains(SECRET), "{method}");
    }
}

#[test]
fn a_setting_under_a_misspelt_harmless_key_is_shown_with_the_right_key() {
    let world = World::new(&format!("{MINIMAL}\n[log]\nfromat = \"json\""));
    insta::assert_snapshot!(world.report(), @r#"
    the configuration has a fault:
      log.fromat = "json": unknown key; did you mean log.format? (in [folder]/config.toml)
    "#);
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
    .set("JOURNAL_STREAM", "8:12345")
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
    assert_eq!(config.journal_stream.as_deref(), Some("8:12345"));
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
fn text_in_the_file_is_no_number() {
    let world = World::new(&format!("{MINIMAL}max_connections = \"4\""));
    insta::assert_snapshot!(world.report(), @r#"
    the configuration has a fault:
      database.max_connections = "4": must be a whole number from 1 to 100, not text in quotes (in [folder]/config.toml)
    "#);
}

#[test]
fn a_secret_may_come_from_a_file_beside_the_configuration() {
    let url = "url = \"postgres://seatledger@localhost/seatledger\"";
    let world = World::minimal_but(url, "url_file = \"secrets/url\"");
    insta::assert_snapshot!(world.report(), @"
    the configuration has a fault:
      database.url_file = (not shown): must be the path of a file: there is no such file (in [folder]/config.toml)
    ");
    world.write("secrets/url", "postgres://a:b@db/ledger\r\n");
    assert_eq!(database_url(&world.loaded()), "postgres://a:b@db/ledger");
    world.write("secrets/url", "\n");
    insta::assert_snapshot!(world.report(), @r#"
    the configuration has a fault:
      database.url_file = "secrets/url": is empty (in [folder]/config.toml)
    "#);
    world.write("secrets/url", [0xff, 0xfe, b'p', 0]);
    insta::assert_snapshot!(world.report(), @r#"
    the configuration has a fault:
      database.url_file = "secrets/url": is not UTF-8 text (in [folder]/config.toml)
    "#);
    world.write("secrets/url", "postgres://a:hunter2#@db/ledger");
    insta::assert_snapshot!(world.report(), @r#"
    the configuration has a fault:
      database.url_file = "secrets/url": cannot be read as postgres://user:password@host:port/database; characters such as # / ? @ : in a password must be percent-encoded, and parameters such as sslmode must be known (in [folder]/config.toml)
    "#);
}

#[test]
fn a_systemd_credential_is_used_when_nothing_else_is_given() {
    let url = "url = \"postgres://seatledger@localhost/seatledger\"";
    let world = World::minimal_but(url, "").set_path("CREDENTIALS_DIRECTORY", "credentials");
    world.write("credentials/database_url", "postgres://from-credential/x\n");
    world.write("credentials/client_secret", "from credential");
    world.write("credentials/refresh_token", "first\n");
    let config = world.loaded();
    assert_eq!(database_url(&config), "postgres://from-credential/x");
    assert_eq!(client_secret(&config), Some("from credential"));
    assert_eq!(refresh_token(&config).0, Some("first"));
    world.write("other", "postgres://from-file/x");
    let world = world.set("SEATLEDGER__DATABASE__URL_FILE", "other");
    assert_eq!(database_url(&world.loaded()), "postgres://from-file/x");
    world.write("credentials/client_secret", "");
    insta::assert_snapshot!(world.report(), @"
    the configuration has a fault:
      auth.client_secret: the systemd credential is empty (in [folder]/credentials/client_secret)
    ");
}

#[test]
fn an_access_token_may_be_a_credential() {
    let world = World::minimal_but("[auth]", "[auth]\nmethod = \"access_token\"")
        .set_path("CREDENTIALS_DIRECTORY", "credentials");
    world.write("credentials/access_token", "eyJ0.e30.x\n");
    let Method::AccessToken(token) = world.loaded().auth.method else {
        panic!("the method is access_token");
    };
    assert_eq!(token.expose_secret(), "eyJ0.e30.x");
}

#[test]
fn of_a_secret_and_its_file_the_one_in_the_environment_wins() {
    let world = World::new(MINIMAL).set("SEATLEDGER__DATABASE__URL_FILE", "url");
    world.write("url", "postgres://from-file/x");
    assert_eq!(database_url(&world.loaded()), "postgres://from-file/x");

    let url = "url = \"postgres://seatledger@localhost/seatledger\"";
    let world = World::minimal_but(url, "url_file = \"absent\"")
        .set("SEATLEDGER__DATABASE__URL", "postgres://from-variable/x");
    assert_eq!(database_url(&world.loaded()), "postgres://from-variable/x");
}

#[test]
fn a_secret_and_its_file_in_one_place_contradict_each_other() {
    let in_file = World::new(&format!("{MINIMAL}url_file = \"url\""));
    insta::assert_snapshot!(in_file.report(), @"
    the configuration has a fault:
      database.url = (not shown): is given together with database.url_file; keep one of them (in [folder]/config.toml)
    ");
    let in_environment = World::new(MINIMAL)
        .set("SEATLEDGER__AUTH__CLIENT_SECRET", "x")
        .set("SEATLEDGER__AUTH__CLIENT_SECRET_FILE", "y");
    insta::assert_snapshot!(in_environment.report(), @"
    the configuration has a fault:
      auth.client_secret = (not shown): is given together with auth.client_secret_file; keep one of them (from the environment, SEATLEDGER__AUTH__CLIENT_SECRET)
    ");
}

#[test]
fn the_refresh_token_is_kept_in_the_state_folder_or_beside_the_configuration() {
    let world = World::new(MINIMAL);
    let folder = world.folder.path().to_path_buf();
    assert_eq!(
        refresh_token(&world.loaded()),
        (None, folder.join("refresh_token"))
    );

    let world = world.set("STATE_DIRECTORY", "/var/lib/one:/var/lib/two");
    assert_eq!(
        refresh_token(&world.loaded()).1,
        PathBuf::from("/var/lib/one/refresh_token")
    );

    // Both are given here, and do not contradict each other: the one is where the other is kept once renewed.
    let world = world
        .set("SEATLEDGER__AUTH__REFRESH_TOKEN_FILE", "tokens/kept")
        .set("SEATLEDGER__AUTH__REFRESH_TOKEN", "first");
    assert_eq!(
        refresh_token(&world.loaded()),
        (Some("first"), folder.join("tokens/kept"))
    );

    world.write("tokens/kept/by_mistake", "");
    insta::assert_snapshot!(world.report(), @r#"
    the configuration has a fault:
      auth.refresh_token_file: must be a file, but "[folder]/tokens/kept" is a folder
    "#);
}

#[test]
fn what_another_method_would_need_is_ignored() {
    let world = World::minimal_but(
        "[auth]",
        "[auth]\nmethod = \"access_token\"\naccess_token = \"x\"\nclient_secret_file = \"absent\"",
    );
    assert!(matches!(world.loaded().auth.method, Method::AccessToken(_)));
}

#[test]
fn a_duration_without_a_unit_is_refused_with_the_right_form() {
    let world = World::new(&format!("{MINIMAL}[retry]\nmax_interval = 90"))
        .set("SEATLEDGER__PARTNER_CENTER__CONNECT_TIMEOUT", "10")
        .set("SEATLEDGER__PARTNER_CENTER__REQUEST_TIMEOUT", "0s");
    insta::assert_snapshot!(world.report(), @r#"
    the configuration has 3 faults:
      partner_center.request_timeout = "0s": must be from 1ms to 1h (from the environment, SEATLEDGER__PARTNER_CENTER__REQUEST_TIMEOUT)
      partner_center.connect_timeout = "10": has no unit; write "10s" if seconds are meant (from the environment, SEATLEDGER__PARTNER_CENTER__CONNECT_TIMEOUT)
      retry.max_interval = 90: has no unit; write "90s" if seconds are meant (in [folder]/config.toml)
    "#);
}

#[test]
fn retries_can_be_switched_off_but_not_made_a_busy_loop() {
    let world = World::new(&format!("{MINIMAL}[retry]\nmax_elapsed_time = \"0s\""));
    world.loaded();
    let world = world.set("SEATLEDGER__RETRY__INITIAL_INTERVAL", "0s");
    insta::assert_snapshot!(world.report(), @r#"
    the configuration has a fault:
      retry.initial_interval = "0s": must be from 1ms to 1day (from the environment, SEATLEDGER__RETRY__INITIAL_INTERVAL)
    "#);
    let world = world
        .set("SEATLEDGER__RETRY__INITIAL_INTERVAL", "2s")
        .set("SEATLEDGER__RETRY__MAX_INTERVAL", "1s");
    insta::assert_snapshot!(world.report(), @r#"
    the configuration has a fault:
      retry.max_interval = "1s": must not be shorter than retry.initial_interval, which is 2s (from the environment, SEATLEDGER__RETRY__MAX_INTERVAL)
    "#);
}

#[test]
fn plain_http_is_refused_except_to_this_machine() {
    let load = |address: &str| {
        World::new(MINIMAL)
            .set("SEATLEDGER__PARTNER_CENTER__BASE_URL", address)
            .set("SEATLEDGER__AUTH__AUTHORITY", address)
            .load()
    };
    for address in [
        "https://api.example.com",
        "http://localhost:8080",
        "http://127.0.0.1",
        "http://127.8.9.10:1/",
        "http://[::1]:8080/prefix/",
    ] {
        assert!(load(address).is_ok(), "{address} was refused");
    }
    for address in [
        "http://api.example.com",
        "http://localhost.example.com",
        "http://128.0.0.1",
        "http://[::2]",
        "ftp://localhost",
        "https://user@example.com",
        "https://example.com/?x=1",
        "https://example.com/#x",
        "api.example.com",
        "",
    ] {
        let faults = load(address).unwrap_err();
        let keys: Vec<_> = faults.faults().iter().map(config::Fault::key).collect();
        assert_eq!(
            keys,
            ["partner_center.base_url", "auth.authority"],
            "{address}"
        );
    }
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
fn a_tenant_that_would_break_out_of_the_path_is_refused() {
    for tenant in ["..", "a/b", "a b", "", "é"] {
        let world = World::new(MINIMAL).set("SEATLEDGER__AUTH__TENANT_ID", tenant);
        let error = world.load().unwrap_err();
        assert_eq!(error.faults()[0].key(), "auth.tenant_id", "{tenant}");
    }
}

#[test]
fn a_schedule_that_cannot_be_kept_is_refused_under_the_right_key() {
    let report = |cron: &str, zone: &str| {
        World::new(MINIMAL)
            .set("SEATLEDGER__SCHEDULE__CRON", cron)
            .set("SEATLEDGER__SCHEDULE__TIMEZONE", zone)
            .report()
    };
    insta::assert_snapshot!(report("0 0 0 30 2 *", "UTC"), @r#"
    the configuration has a fault:
      schedule.cron = "0 0 0 30 2 *": never fires: no moment to come fits it (day of month and day of week must both fit) (from the environment, SEATLEDGER__SCHEDULE__CRON)
    "#);
    insta::assert_snapshot!(report("0 0 6 * * *", "Mars/Olympus"), @r#"
    the configuration has a fault:
      schedule.timezone = "Mars/Olympus": must be an IANA time zone such as "UTC" or "Europe/Berlin" (from the environment, SEATLEDGER__SCHEDULE__TIMEZONE)
    "#);
    insta::assert_snapshot!(report("often", "Mars/Olympus"), @r#"
    the configuration has 2 faults:
      schedule.timezone = "Mars/Olympus": must be an IANA time zone such as "UTC" or "Europe/Berlin" (from the environment, SEATLEDGER__SCHEDULE__TIMEZONE)
      schedule.cron = "often": must be six fields, second, minute, hour, day of month, month, day of week, such as "0 0 6 * * *": Invalid pattern: Pattern must have 6 or 7 fields when seconds are required and years are optional (from the environment, SEATLEDGER__SCHEDULE__CRON)
    "#);
}

#[test]
fn a_run_needs_somebody_to_ask_about() {
    let nobody = World::minimal_but("discover = true", "exclude = []");
    insta::assert_snapshot!(nobody.report(), @"
    the configuration has a fault:
      customers: nobody is named; set customers.ids, customers.file or customers.discover = true
    ");
    let absent = World::minimal_but("discover = true", "file = \"customers.csv\"");
    insta::assert_snapshot!(absent.report(), @r#"
    the configuration has a fault:
      customers.file = "customers.csv": cannot be read: No such file or directory (os error 2); a relative path starts at the configuration file's folder (in [folder]/config.toml)
    "#);
    let path = absent.write("customers.csv", "");
    assert_eq!(absent.loaded().customers.file, Some(path));
}

#[test]
fn a_syntax_error_is_reported_with_its_position_and_without_the_line() {
    let world =
        World::new("[database]\nmax_connections = 4\nurl = postgres://x:hunter2@localhost\n");
    insta::assert_snapshot!(world.report(), @"
    the configuration has a fault:
      configuration file: is not TOML at line 3, column 7: string values must be quoted, expected literal string (in [folder]/config.toml)
    ");
    let twice = World::new("[log]\nformat = \"text\"\nformat = \"json\"\n");
    insta::assert_snapshot!(twice.report(), @"
    the configuration has a fault:
      configuration file: is not TOML at line 3, column 1: duplicate key (in [folder]/config.toml)
    ");
    let beyond = World::new("[database]\nmax_connections = 99999999999999999999\n");
    insta::assert_snapshot!(beyond.report(), @"
    the configuration has a fault:
      configuration file: holds a value that cannot be kept: number too large to fit in target type (in [folder]/config.toml)
    ");
}

#[test]
fn a_file_that_is_no_text_or_is_not_there_is_reported() {
    let world = World::new("");
    world.write("config.toml", b"[log]\nformat = \"t\xffxt\"\n");
    insta::assert_snapshot!(world.report(), @"
    the configuration has a fault:
      configuration file: is not UTF-8 text, first seen in line 2; save it as UTF-8 (in [folder]/config.toml)
    ");
    std::fs::remove_file(world.folder.path().join("config.toml")).unwrap();
    insta::assert_snapshot!(world.report(), @"
    the configuration has a fault:
      configuration file: cannot be read: No such file or directory (os error 2) (in [folder]/config.toml)
    ");
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
    // A file that was named and is not there is a fault: no other is taken in its place.
    std::fs::remove_file(&other).unwrap();
    let report = config::load(&sources).unwrap_err().to_string();
    assert!(report.contains("other.toml"), "{report}");
}

#[test]
fn a_variable_of_ours_is_understood_in_any_letter_case_but_only_once() {
    let world = World::new(MINIMAL).set("seatledger__log__format", "json");
    assert_eq!(world.loaded().log.format, LogFormat::Json);
    let world = world.set("SEATLEDGER__LOG__FORMAT", "text");
    insta::assert_snapshot!(world.report(), @"
    the configuration has a fault:
      seatledger__log__format = (not shown): is set twice, in different letter case; keep one
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

#[test]
fn a_variable_that_was_not_utf_8_is_refused() {
    let world = World::new(MINIMAL).set("SEATLEDGER__AUTH__CLIENT_SECRET", "hunter\u{fffd}2");
    insta::assert_snapshot!(world.report(), @"
    the configuration has a fault:
      SEATLEDGER__AUTH__CLIENT_SECRET = (not shown): is not UTF-8 text
    ");
}
