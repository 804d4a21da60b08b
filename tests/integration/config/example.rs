//! The example that is shipped: it loads, and shows every key and no other.

use super::*;

/// The example with its placeholders filled in.
fn filled_in() -> String {
    let [tenant, client, customer] = [
        "contoso.onmicrosoft.com",
        "2c0a7a1e-8a3f-4f0e-9f5e-0d6d3f0b7a11",
        "4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04",
    ];
    let nobody = "00000000-0000-0000-0000-000000000000";
    [tenant, client, customer]
        .iter()
        .fold(EXAMPLE.to_owned(), |text, value| {
            text.replacen(nobody, value, 1)
        })
}

/// For each setting in the example: section and key, its line without the comment sign, and whether
/// it is commented out.
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
fn the_placeholders_of_the_example_are_refused_by_name_and_nothing_else_is_wrong_with_it() {
    insta::assert_snapshot!(folded(&World::new(EXAMPLE).report()), @r#"
    the configuration has 3 faults:
      auth.tenant_id = "00000000-0000-0000-0000-000000000000": is still a placeholder; it
          must be the partner's tenant, its GUID or a domain name such as
          contoso.onmicrosoft.com (in [folder]/config.toml)
      auth.client_id = (not shown): is still a placeholder; it must be the application's ID,
          a GUID (in [folder]/config.toml)
      customers.ids: entry 1, "00000000-0000-0000-0000-000000000000", is a placeholder and
          not a customer's id (in [folder]/config.toml)
    "#);
    World::new(&filled_in()).loaded();
}

#[test]
fn the_example_shows_every_key_of_the_documentation_and_no_other() {
    let documented = [
        "partner_center.cloud",
        "partner_center.base_url",
        "partner_center.source",
        "partner_center.datasets",
        "partner_center.locale",
        "partner_center.allow_locale_change",
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
        "auth.client_certificate_file",
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
        "status.path_prefix",
        "status.pages",
        "status.hosts",
        "notify.ping_url",
        "notify.ping_url_file",
        "notify.webhook_url",
        "notify.webhook_url_file",
        "notify.webhook_secret",
        "notify.webhook_secret_file",
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
fn each_commented_line_of_the_example_can_be_uncommented() {
    for (key, line, commented) in settings_of_the_example() {
        // These two cannot be tried here: one names a file that does not exist, the other would be
        // a second source of the same secret.
        if !commented || ["customers.file", "database.url_file"].contains(&key.as_str()) {
            continue;
        }
        let filled_in = filled_in().replacen(&format!("# {line}\n"), &format!("{line}\n"), 1);
        match World::new(&filled_in).load() {
            Ok(_) => {}
            Err(error) if line.contains("PLACEHOLDER") => {
                let report = error.to_string();
                let refused = format!("{key} = (not shown): is still a placeholder");
                assert!(report.contains(&refused), "{line}: {report}");
            }
            Err(error) if key.ends_with("_file") => {
                let report = error.to_string();
                assert!(report.contains("there is no such file"), "{line}: {report}");
            }
            Err(error) => panic!("{line}: {error}"),
        }
    }
}

#[test]
fn the_smallest_configuration_gets_the_documented_defaults() {
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
    assert_eq!(config.status.path_prefix, "");
    assert!(config.status.has_pages);
    assert_eq!(
        (config.log.filter.as_str(), config.log.format),
        ("info", LogFormat::Auto)
    );
    assert_eq!(config.path, world.folder.path().join("config.toml"));
    let Method::RefreshToken { scope, app, .. } = config.auth.method else {
        panic!("refresh_token is the default method");
    };
    assert_eq!(
        scope,
        "https://api.partnercenter.microsoft.com/.default offline_access"
    );
    assert!(app.credential.is_none());
}
