//! One report of all faults: what is wrong, where, and what to write instead.

use super::*;

/// Nearly every kind of fault that a file can have.
const FAULTY: &str = r#"
base_url = "https://example.com"

[partner_center]
base_url = "http://example.com"
source = "partner"
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
"#;

#[test]
fn everything_that_is_wrong_is_reported_at_once() {
    let world = World::new(FAULTY)
        .set(
            "SEATLEDGER_DATABASE_URL",
            "postgres://root:hunter2@localhost/x",
        )
        .set("SEATLEDGER__DATABASE__MAX_CONNECTIONS", "many")
        .set("SEATLEDGER__STATUS__LISTN", "")
        .set("SEATLEDGER_PORT_9464_TCP", "tcp://10.0.0.1:9464");
    insta::assert_snapshot!(folded(&world.report()), @r#"
    the configuration has 27 faults:
      auth.client_secert = (not shown): unknown key; did you mean auth.client_secret? (in
          [folder]/config.toml)
      base_url = (not shown): unknown key; did you mean partner_center.base_url, in the
          section [partner_center]? (in [folder]/config.toml)
      log.level = (not shown): unknown key; [log] has filter, format (in
          [folder]/config.toml)
      metrics: unknown section; the sections are partner_center, auth, customers, schedule,
          retry, database, status, notify, log (in [folder]/config.toml)
      partner_center.max_concurency = 4: unknown key; did you mean
          partner_center.max_concurrency? (in [folder]/config.toml)
      SEATLEDGER_DATABASE_URL = (not shown): is not read; write it
          SEATLEDGER__DATABASE__URL, with two underscores before the section and before the
          key
      SEATLEDGER__STATUS__LISTN = (not shown): sets no known key; did you mean
          SEATLEDGER__STATUS__LISTEN?
      partner_center.base_url = "http://example.com": must begin with https:// (plain http
          is refused except to this machine: localhost, 127.0.0.0/8, ::1) (in
          [folder]/config.toml)
      partner_center.source = "partner": must be one of "customer", "commercial" (in
          [folder]/config.toml)
      partner_center.locale = "en US": must be a locale such as "en-US" (in
          [folder]/config.toml)
      partner_center.max_concurrency = 0: must be a whole number from 1 to 1000 (in
          [folder]/config.toml)
      partner_center.max_requests_per_second = -1: must be a number from 0.001 to 10000 (in
          [folder]/config.toml)
      partner_center.request_timeout = 30: has no unit; write "30s" if seconds are meant (in
          [folder]/config.toml)
      partner_center.max_response_bytes = "64 MiB": must be a whole number from 1 to
          4294967296, not text in quotes (in [folder]/config.toml)
      auth.authority = (not shown): must not contain a user name or a password (in
          [folder]/config.toml)
      auth.method = "password": must be one of "refresh_token", "client_credentials",
          "access_token" (in [folder]/config.toml)
      customers.ids: entry 2, "contoso", is not a GUID such as
          4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04; entry 3 must be text in quotes, not a whole
          number (in [folder]/config.toml)
      customers.discover = "yes": must be true or false, not text in quotes (in
          [folder]/config.toml)
      schedule.timezone = "Berlin": must be an IANA time zone such as "UTC" or
          "Europe/Berlin" (in [folder]/config.toml)
      schedule.cron = "0 6 * * *": has five fields; it takes six, seconds first: "0 0 6 * *
          *" (in [folder]/config.toml)
      retry.max_elapsed_time = "a while": must be a duration such as "30s", "15m" or "1h
          30m" (in [folder]/config.toml)
      retry.initial_interval = "5m": must not be longer than retry.max_interval, which is 1m
          (in [folder]/config.toml)
      database.url = (not shown): must start with postgres:// or postgresql://, as in
          postgres://user:password@host:5432/database (in [folder]/config.toml)
      database.max_connections = "many": must be a whole number from 1 to 100 (from the
          environment, SEATLEDGER__DATABASE__MAX_CONNECTIONS)
      status.listen = "localhost:9464": must be an IP address with a port, such as
          "127.0.0.1:9464" or "[::]:9464", or empty to switch it off (in
          [folder]/config.toml)
      log.filter = "info,x=loud": must be levels such as "info" or "warn,seatledger=debug":
          error parsing level filter: expected one of "off", "error", "warn", "info",
          "debug", "trace", or a number 0-5 (in [folder]/config.toml)
      log.format = "xml": must be one of "auto", "text", "json" (in [folder]/config.toml)
    "#);
}

#[test]
fn what_is_missing_is_reported_with_the_ways_to_give_it() {
    insta::assert_snapshot!(folded(&World::new("").report()), @"
    the configuration has 4 faults:
      auth.tenant_id: is missing; set it in [folder]/config.toml or as
          SEATLEDGER__AUTH__TENANT_ID
      auth.client_id: is missing; set it in [folder]/config.toml or as
          SEATLEDGER__AUTH__CLIENT_ID
      customers: no customer is named; set customers.ids, customers.file or
          customers.discover = true
      database.url: is missing; set it or database.url_file (a path) in
          [folder]/config.toml, or SEATLEDGER__DATABASE__URL, or give the systemd credential
          database_url
    ");
    let machine = World::new("").set("SEATLEDGER__AUTH__METHOD", "client_credentials");
    insta::assert_snapshot!(folded(&machine.report()), @"
    the configuration has 5 faults:
      auth.tenant_id: is missing; set it in [folder]/config.toml or as
          SEATLEDGER__AUTH__TENANT_ID
      auth.client_id: is missing; set it in [folder]/config.toml or as
          SEATLEDGER__AUTH__CLIENT_ID
      auth.client_secret: is missing; set it or auth.client_secret_file (a path) in
          [folder]/config.toml, or SEATLEDGER__AUTH__CLIENT_SECRET, or give the systemd
          credential client_secret; or set auth.client_certificate_file
      customers: no customer is named; set customers.ids, customers.file or
          customers.discover = true
      database.url: is missing; set it or database.url_file (a path) in
          [folder]/config.toml, or SEATLEDGER__DATABASE__URL, or give the systemd credential
          database_url
    ");
    let token = World::minimal_but("[auth]", "[auth]\nmethod = \"access_token\"");
    insta::assert_snapshot!(folded(&token.report()), @"
    the configuration has a fault:
      auth.access_token: is missing; set it or auth.access_token_file (a path) in
          [folder]/config.toml, or SEATLEDGER__AUTH__ACCESS_TOKEN, or give the systemd
          credential access_token
    ");
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
fn a_number_in_quotes_in_the_file_is_refused() {
    let world = World::new(&format!("{MINIMAL}max_connections = \"4\""));
    insta::assert_snapshot!(folded(&world.report()), @r#"
    the configuration has a fault:
      database.max_connections = "4": must be a whole number from 1 to 100, not text in
          quotes (in [folder]/config.toml)
    "#);
}

#[test]
fn a_duration_without_a_unit_is_refused_with_the_right_form() {
    let world = World::new(&format!("{MINIMAL}[retry]\nmax_interval = 90"))
        .set("SEATLEDGER__PARTNER_CENTER__CONNECT_TIMEOUT", "10")
        .set("SEATLEDGER__PARTNER_CENTER__REQUEST_TIMEOUT", "0s");
    insta::assert_snapshot!(folded(&world.report()), @r#"
    the configuration has 3 faults:
      partner_center.request_timeout = "0s": must be from 1ms to 1h (from the environment,
          SEATLEDGER__PARTNER_CENTER__REQUEST_TIMEOUT)
      partner_center.connect_timeout = "10": has no unit; write "10s" if seconds are meant
          (from the environment, SEATLEDGER__PARTNER_CENTER__CONNECT_TIMEOUT)
      retry.max_interval = 90: has no unit; write "90s" if seconds are meant (in
          [folder]/config.toml)
    "#);
}

#[test]
fn retries_can_be_switched_off_but_not_made_a_busy_loop() {
    let world = World::new(&format!("{MINIMAL}[retry]\nmax_elapsed_time = \"0s\""));
    world.loaded();
    let world = world.set("SEATLEDGER__RETRY__INITIAL_INTERVAL", "0s");
    insta::assert_snapshot!(folded(&world.report()), @r#"
    the configuration has a fault:
      retry.initial_interval = "0s": must be from 1ms to 1day (from the environment,
          SEATLEDGER__RETRY__INITIAL_INTERVAL)
    "#);
    let world = world
        .set("SEATLEDGER__RETRY__INITIAL_INTERVAL", "2s")
        .set("SEATLEDGER__RETRY__MAX_INTERVAL", "1s");
    insta::assert_snapshot!(folded(&world.report()), @r#"
    the configuration has a fault:
      retry.max_interval = "1s": must not be shorter than retry.initial_interval, which is
          2s (from the environment, SEATLEDGER__RETRY__MAX_INTERVAL)
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
        let keys: Vec<_> = faults
            .faults()
            .iter()
            .map(config::ConfigFault::key)
            .collect();
        assert_eq!(
            keys,
            ["partner_center.base_url", "auth.authority"],
            "{address}"
        );
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
    insta::assert_snapshot!(folded(&report("0 0 0 30 2 *", "UTC")), @r#"
    the configuration has a fault:
      schedule.cron = "0 0 0 30 2 *": never fires: no future date matches it (day of month
          and day of week must both match) (from the environment,
          SEATLEDGER__SCHEDULE__CRON)
    "#);
    insta::assert_snapshot!(folded(&report("0 0 6 * * *", "Mars/Olympus")), @r#"
    the configuration has a fault:
      schedule.timezone = "Mars/Olympus": must be an IANA time zone such as "UTC" or
          "Europe/Berlin" (from the environment, SEATLEDGER__SCHEDULE__TIMEZONE)
    "#);
    insta::assert_snapshot!(folded(&report("often", "Mars/Olympus")), @r#"
    the configuration has 2 faults:
      schedule.timezone = "Mars/Olympus": must be an IANA time zone such as "UTC" or
          "Europe/Berlin" (from the environment, SEATLEDGER__SCHEDULE__TIMEZONE)
      schedule.cron = "often": must be six fields, second, minute, hour, day of month,
          month, day of week, such as "0 0 6 * * *": Invalid pattern: Pattern must have 6 or
          7 fields when seconds are required and years are optional (from the environment,
          SEATLEDGER__SCHEDULE__CRON)
    "#);
}

#[test]
fn a_configuration_without_customers_is_refused() {
    let nobody = World::minimal_but("discover = true", "exclude = []");
    insta::assert_snapshot!(folded(&nobody.report()), @"
    the configuration has a fault:
      customers: no customer is named; set customers.ids, customers.file or
          customers.discover = true
    ");
    let absent = World::minimal_but("discover = true", "file = \"customers.csv\"");
    insta::assert_snapshot!(folded(&absent.report()), @r#"
    the configuration has a fault:
      customers.file = "customers.csv": there is no such file; a relative path starts at the
          configuration file's folder (in [folder]/config.toml)
    "#);
    let path = absent.write("customers.csv", "");
    assert_eq!(absent.loaded().customers.file, Some(path));
}

#[test]
fn a_syntax_error_is_reported_with_its_position_and_without_the_line() {
    let world =
        World::new("[database]\nmax_connections = 4\nurl = postgres://x:hunter2@localhost\n");
    insta::assert_snapshot!(folded(&world.report()), @"
    the configuration has a fault:
      configuration file: is not TOML at line 3, column 7: string values must be quoted,
          expected literal string (in [folder]/config.toml)
    ");
    let twice = World::new("[log]\nformat = \"text\"\nformat = \"json\"\n");
    insta::assert_snapshot!(folded(&twice.report()), @"
    the configuration has a fault:
      configuration file: is not TOML at line 3, column 1: duplicate key (in
          [folder]/config.toml)
    ");
    let beyond = World::new("[database]\nmax_connections = 99999999999999999999\n");
    insta::assert_snapshot!(folded(&beyond.report()), @"
    the configuration has a fault:
      configuration file: holds a value that cannot be read: number too large to fit in
          target type (in [folder]/config.toml)
    ");
}

#[test]
fn a_file_that_is_not_text_or_does_not_exist_is_reported() {
    let world = World::new("");
    world.write("config.toml", b"PK\x03\x04\x14\0");
    insta::assert_snapshot!(folded(&world.report()), @"
    the configuration has a fault:
      configuration file: is not a text file but a ZIP archive, as Excel workbooks (.xlsx)
          and Word documents are (in [folder]/config.toml)
    ");
    world.write("config.toml", [0; 100]);
    insta::assert_snapshot!(folded(&world.report()), @"
    the configuration has a fault:
      configuration file: holds only zero bytes, as a file does that was being written when
          the power failed (in [folder]/config.toml)
    ");
    world.write("config.toml", vec![b'#'; 2 << 20]);
    insta::assert_snapshot!(folded(&world.report()), @"
    the configuration has a fault:
      configuration file: is larger than 1024 KiB, the limit for such a file (in
          [folder]/config.toml)
    ");
    std::fs::remove_file(world.folder.path().join("config.toml")).unwrap();
    insta::assert_snapshot!(world.report(), @"
    the configuration has a fault:
      configuration file: there is no such file (in [folder]/config.toml)
    ");
}

#[test]
fn a_variable_that_was_not_utf_8_is_refused() {
    let world = World::new(MINIMAL).set("SEATLEDGER__AUTH__CLIENT_SECRET", "hunter\u{fffd}2");
    insta::assert_snapshot!(world.report(), @"
    the configuration has a fault:
      SEATLEDGER__AUTH__CLIENT_SECRET = (not shown): is not UTF-8 text
    ");
}

#[test]
fn a_path_prefix_is_empty_or_a_plain_path() {
    let prefix = |prefix: &str| World::new(MINIMAL).set("SEATLEDGER__STATUS__PATH_PREFIX", prefix);
    for plain in ["", "/seatledger", "/a/b-c_d.e~f/1"] {
        assert_eq!(prefix(plain).loaded().status.path_prefix, plain);
    }
    for wrong in [
        "/",
        "seatledger",
        "/seatledger/",
        "//evil.example",
        "/a//b",
        "/a/../b",
        "/a b",
        "/a?b",
        "/\u{e4}",
        "/a\"><b",
        "https://a.example/b",
    ] {
        let report = prefix(wrong).report();
        assert!(
            report.contains("status.path_prefix = "),
            "{wrong}: {report}"
        );
        assert!(
            report.contains("such as \"/seatledger\""),
            "{wrong}: {report}"
        );
    }
}

#[test]
fn pages_are_for_this_machine_unless_configured() {
    for (listen, has_pages) in [
        ("127.0.0.1:9464", true),
        ("[::1]:9464", true),
        ("[::ffff:127.0.0.1]:9464", true),
        ("0.0.0.0:9464", false),
        ("[::]:9464", false),
        ("10.0.0.7:9464", false),
    ] {
        let world = || World::new(MINIMAL).set("SEATLEDGER__STATUS__LISTEN", listen);
        assert_eq!(world().loaded().status.has_pages, has_pages, "{listen}");
        for switch in [true, false] {
            let world = world().set("SEATLEDGER__STATUS__PAGES", &switch.to_string());
            assert_eq!(world.loaded().status.has_pages, switch, "{listen}");
        }
    }
}
