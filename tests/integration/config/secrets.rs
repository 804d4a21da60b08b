//! The sources of secrets. No secret appears in any output.

use super::*;

fn client_secret(config: &Config) -> Option<&str> {
    match &config.auth.method {
        Method::RefreshToken { app, .. } | Method::ClientCredentials { app, .. } => {
            match app.credential.as_ref()? {
                ClientCredential::Secret(secret) => Some(secret.expose_secret()),
                ClientCredential::CertificateFile(_) => None,
            }
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
        "[notify]\nping_url = \"http://monitor.example/hunter2\"",
        "[notify]\nping_url = \"https://x:hunter2@monitor.example/\"",
        "[notify]\nwebhook_url = \"https://monitor.example/hunter2\"",
        "[notify]\nwebhook_secret = \"hunter2\"",
        "[notify]\nwebhook_secert = \"hunter2\"",
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
fn a_secret_may_come_from_a_file_beside_the_configuration() {
    let url = "url = \"postgres://seatledger@localhost/seatledger\"";
    let world = World::minimal_but(url, "url_file = \"secrets/url\"");
    insta::assert_snapshot!(folded(&world.report()), @"
    the configuration has a fault:
      database.url_file = (not shown): must be the path of a file: there is no such file (in
          [folder]/config.toml)
    ");
    world.write("secrets/url", "postgres://a:b@db/ledger\r\n");
    assert_eq!(
        database_address(&world.loaded()),
        "db:5432, database \"ledger\""
    );
    world.write("secrets/url", "\n");
    insta::assert_snapshot!(world.report(), @r#"
    the configuration has a fault:
      database.url_file = "secrets/url": is empty (in [folder]/config.toml)
    "#);
    world.write("secrets/url", [0xff, 0xfe, b'p', 0]);
    insta::assert_snapshot!(folded(&world.report()), @r#"
    the configuration has a fault:
      database.url_file = "secrets/url": must start with postgres:// or postgresql://, as in
          postgres://user:password@host:5432/database (in [folder]/config.toml)
    "#);
    world.write("secrets/url", "postgres://a:hunter2#@db/ledger");
    insta::assert_snapshot!(folded(&world.report()), @r#"
    the configuration has a fault:
      database.url_file = "secrets/url": contains a #; it seems to have a password or user
          with unescaped characters; percent-encode them: @ as %40, : as %3A, / as %2F, ? as
          %3F, # as %23, % as %25, a blank as %20 (in [folder]/config.toml)
    "#);
}

#[test]
fn a_systemd_credential_is_used_when_nothing_else_is_given() {
    let url = "url = \"postgres://seatledger@localhost/seatledger\"";
    let world = World::minimal_but(url, "").set_path("CREDENTIALS_DIRECTORY", "credentials");
    world.write("credentials/database_url", "postgres://from-credential/x\n");
    world.write("credentials/client_secret", "from-credential");
    world.write("credentials/refresh_token", "first\n");
    let config = world.loaded();
    assert_eq!(
        database_address(&config),
        "from-credential:5432, database \"x\""
    );
    assert_eq!(client_secret(&config), Some("from-credential"));
    assert_eq!(refresh_token(&config).0, Some("first"));
    world.write("credentials/client_secret", "");
    insta::assert_snapshot!(folded(&world.report()), @"
    the configuration has a fault:
      auth.client_secret: the systemd credential is empty (in
          [folder]/credentials/client_secret)
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
    assert_eq!(
        database_address(&world.loaded()),
        "from-file:5432, database \"x\""
    );

    let url = "url = \"postgres://seatledger@localhost/seatledger\"";
    let world = World::minimal_but(url, "url_file = \"absent\"")
        .set("SEATLEDGER__DATABASE__URL", "postgres://from-variable/x");
    assert_eq!(
        database_address(&world.loaded()),
        "from-variable:5432, database \"x\""
    );
}

#[test]
fn a_secret_and_its_file_in_one_place_contradict_each_other() {
    let in_file = World::new(&format!("{MINIMAL}url_file = \"url\""));
    insta::assert_snapshot!(folded(&in_file.report()), @"
    the configuration has a fault:
      database.url = (not shown): is given together with database.url_file; keep one of them
          (in [folder]/config.toml)
    ");
    let in_environment = World::new(MINIMAL)
        .set("SEATLEDGER__AUTH__CLIENT_SECRET", "x")
        .set("SEATLEDGER__AUTH__CLIENT_SECRET_FILE", "y");
    insta::assert_snapshot!(folded(&in_environment.report()), @"
    the configuration has a fault:
      auth.client_secret = (not shown): is given together with auth.client_secret_file; keep
          one of them (from the environment, SEATLEDGER__AUTH__CLIENT_SECRET)
    ");
}

#[test]
fn the_refresh_token_is_stored_in_the_state_folder_or_beside_the_configuration() {
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

    // Both may be given: the token is the first one, and the file is where renewed ones are stored.
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
fn a_certificate_may_stand_in_for_the_client_secret() {
    let path = |config: &Config| match &config.auth.method {
        Method::RefreshToken { app, .. } | Method::ClientCredentials { app, .. } => {
            match &app.credential {
                Some(ClientCredential::CertificateFile(path)) => Some(path.clone()),
                _ => None,
            }
        }
        Method::AccessToken(_) => None,
    };
    for method in ["refresh_token", "client_credentials"] {
        let world = World::new(MINIMAL)
            .set("SEATLEDGER__AUTH__METHOD", method)
            .set("SEATLEDGER__AUTH__CLIENT_CERTIFICATE_FILE", "app.pem");
        let file = world.write("app.pem", "judged when it is used");
        assert_eq!(path(&world.loaded()), Some(file));
    }
    let world = World::new(MINIMAL).set_path("CREDENTIALS_DIRECTORY", "credentials");
    let file = world.write("credentials/client_certificate", "x");
    assert_eq!(path(&world.loaded()), Some(file));
    world.write("credentials/client_secret", "hunter2");
    insta::assert_snapshot!(folded(&world.report()), @"
    the configuration has a fault:
      auth.client_secret: is given together with auth.client_certificate_file; keep one of
          them
    ");
}

#[test]
fn a_certificate_that_is_not_there_or_given_with_a_secret_is_a_fault() {
    let world = World::minimal_but(
        "[auth]",
        "[auth]\nclient_certificate_file = \"/nowhere/app.pem\"",
    );
    insta::assert_snapshot!(folded(&world.report()), @r#"
    the configuration has a fault:
      auth.client_certificate_file = "/nowhere/app.pem": there is no such file (in
          [folder]/config.toml)
    "#);
    let world = World::minimal_but("[auth]", "[auth]\nclient_certificate_file = \"hunter2\"");
    insta::assert_snapshot!(folded(&world.report()), @"
    the configuration has a fault:
      auth.client_certificate_file = (not shown): must be the path of a file: there is no
          such file (in [folder]/config.toml)
    ");
    let world = World::minimal_but(
        "[auth]",
        "[auth]\nclient_secret = \"hunter2\"\nclient_certificate_file = \"app.pem\"",
    );
    world.write("app.pem", "x");
    insta::assert_snapshot!(folded(&world.report()), @"
    the configuration has a fault:
      auth.client_secret = (not shown): is given together with auth.client_certificate_file;
          keep one of them (in [folder]/config.toml)
    ");
}

#[test]
fn a_webhook_has_an_address_and_a_secret_and_neither_is_shown() {
    const URL: &str = "https://monitor.example/hooks/hunter2?key=hunter2";
    let world = World::new(MINIMAL).set("SEATLEDGER__NOTIFY__WEBHOOK_URL", URL);
    insta::assert_snapshot!(folded(&world.report()), @"
    the configuration has a fault:
      notify.webhook_secret: is missing; set it or notify.webhook_secret_file (a path) in
          [folder]/config.toml, or SEATLEDGER__NOTIFY__WEBHOOK_SECRET, or give the systemd
          credential webhook_secret; the webhook's receiver checks by it who sent the
          message
    ");
    let world = world.set("SEATLEDGER__NOTIFY__WEBHOOK_SECRET", "hunter2");
    let config = world.loaded();
    let webhook = config.notify.webhook.as_ref().unwrap();
    assert_eq!(webhook.url.expose().as_str(), URL);
    assert_eq!(webhook.url.to_string(), "https://monitor.example");
    assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
    let alone = World::new(MINIMAL).set("SEATLEDGER__NOTIFY__WEBHOOK_SECRET", "hunter2");
    insta::assert_snapshot!(folded(&alone.report()), @"
    the configuration has a fault:
      notify.webhook_url: is missing, and notify.webhook_secret is of no use without it
    ");
    let unsafe_ping = World::new(&format!(
        "{MINIMAL}\n[notify]\nping_url = \"http://monitor.example/hunter2\""
    ));
    insta::assert_snapshot!(folded(&unsafe_ping.report()), @"
    the configuration has a fault:
      notify.ping_url = (not shown): must begin with https:// (plain http is refused except
          to this machine: localhost, 127.0.0.0/8, ::1) (in [folder]/config.toml)
    ");
}

#[test]
fn an_address_of_a_notification_may_come_from_a_credential() {
    let world = World::new(MINIMAL).set_path("CREDENTIALS_DIRECTORY", "credentials");
    world.write("credentials/ping_url", "https://monitor.example/ping/x\n");
    let config = world.loaded();
    let ping = config.notify.ping.as_ref().unwrap();
    assert_eq!(ping.expose().as_str(), "https://monitor.example/ping/x");
}
