//! More than one source of a secret, placeholders that were not filled in, and files that every
//! user of the machine may read.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

const URL: &str = "url = \"postgres://seatledger@localhost/seatledger\"";

fn with_mode(path: &std::path::Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// The warnings, with `[folder]` in place of the folder's path.
fn warnings(world: &World) -> String {
    let warnings = world.loaded().warnings.join("\n");
    warnings.replace(&*world.folder.path().to_string_lossy(), "[folder]")
}

/// The minimal file, which only its owner may read, and a folder of credentials.
fn world(toml: &str) -> World {
    let world = World::new(toml).set_path("CREDENTIALS_DIRECTORY", "credentials");
    with_mode(&world.folder.path().join("config.toml"), 0o600);
    world
}

#[test]
fn a_credential_has_the_name_of_its_key_with_or_without_the_programs_before_it() {
    let minimal = MINIMAL.replace(URL, "");
    for name in ["database_url", "seatledger.database_url"] {
        let world = world(&minimal);
        assert!(folded(&world.report()).contains("database.url"));
        world.write(&format!("credentials/{name}"), "postgres://x/y");
        world.loaded();
    }
}

#[test]
fn a_credential_with_the_programs_name_that_no_setting_reads_is_warned_of() {
    let world = world(MINIMAL);
    assert_eq!(warnings(&world), "");
    world.write("credentials/seatledger.client_sekret", "abc");
    world.write("credentials/of_another_program", "abc");
    let found = warnings(&world);
    assert!(found.contains("\"seatledger.client_sekret\""), "{found}");
    assert!(!found.contains("of_another_program"), "{found}");
}

#[test]
fn a_credential_beside_another_source_of_the_same_secret_is_a_fault() {
    let in_file = world(MINIMAL);
    in_file.write("credentials/database_url", "postgres://x/y");
    insta::assert_snapshot!(folded(&in_file.report()), @"
    the configuration has a fault:
      database.url = (not shown): is given together with the systemd credential
          database_url; keep one of them (in [folder]/config.toml)
    ");

    let minimal = MINIMAL.replace(URL, "url_file = \"url\"");
    let by_path = world(&minimal);
    by_path.write("url", "postgres://x/y");
    by_path.loaded();
    by_path.write("credentials/database_url", "postgres://x/y");
    insta::assert_snapshot!(folded(&by_path.report()), @"
    the configuration has a fault:
      database.url_file = (not shown): is given together with the systemd credential
          database_url; keep one of them (in [folder]/config.toml)
    ");

    let in_environment = world(MINIMAL)
        .set("SEATLEDGER__AUTH__CLIENT_SECRET", "abc")
        .set("SEATLEDGER__AUTH__REFRESH_TOKEN", "abc");
    in_environment.write("credentials/client_secret", "abc");
    in_environment.write("credentials/refresh_token", "abc");
    insta::assert_snapshot!(folded(&in_environment.report()), @"
    the configuration has 2 faults:
      auth.client_secret = (not shown): is given together with the systemd credential
          client_secret; keep one of them (from the environment,
          SEATLEDGER__AUTH__CLIENT_SECRET)
      auth.refresh_token = (not shown): is given together with the systemd credential
          refresh_token; keep one of them (from the environment,
          SEATLEDGER__AUTH__REFRESH_TOKEN)
    ");

    let certificate = world(&MINIMAL.replace(
        "[customers]",
        "client_certificate_file = \"app.pem\"\n[customers]",
    ));
    certificate.write("app.pem", "x");
    certificate.loaded();
    certificate.write("credentials/client_certificate", "x");
    insta::assert_snapshot!(folded(&certificate.report()), @"
    the configuration has a fault:
      auth.client_certificate_file = (not shown): is given together with the systemd
          credential client_certificate; keep one of them (in [folder]/config.toml)
    ");

    let token = world(&MINIMAL.replace(
        "[auth]",
        "[auth]\nmethod = \"access_token\"\naccess_token = \"abc\"",
    ));
    token.write("credentials/access_token", "abc");
    insta::assert_snapshot!(folded(&token.report()), @"
    the configuration has a fault:
      auth.access_token = (not shown): is given together with the systemd credential
          access_token; keep one of them (in [folder]/config.toml)
    ");
}

#[test]
fn a_source_in_the_environment_counts_and_the_one_that_does_not_is_named() {
    let world = world(MINIMAL).set("SEATLEDGER__DATABASE__URL_FILE", "url");
    with_mode(&world.write("url", "postgres://from-file/x"), 0o600);
    assert_eq!(
        database_address(&world.loaded()),
        "from-file:5432, database \"x\""
    );
    insta::assert_snapshot!(folded(&warnings(&world)), @"
    database.url in [folder]/config.toml is ignored, because another source of it comes from
        the environment, SEATLEDGER__DATABASE__URL_FILE; keep one of them
    ");
}

#[test]
fn placeholders_that_were_left_are_refused_by_name() {
    let left = World::new(
        r#"
        [auth]
        tenant_id = "<your tenant>"
        client_id = "11111111-2222-3333-4444-555555555555"
        client_secret = "${CLIENT_SECRET}"
        refresh_token = "PLACEHOLDER"

        [customers]
        ids = ["4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04", "00000000-0000-0000-0000-000000000000"]

        [database]
        url = "postgres://seatledger:[YOUR-PASSWORD]@localhost/seatledger"
        "#,
    );
    insta::assert_snapshot!(folded(&left.report()), @r#"
    the configuration has 6 faults:
      auth.tenant_id = "<your tenant>": is still a placeholder; it must be the partner's
          tenant, its GUID or a domain name such as contoso.onmicrosoft.com (in
          [folder]/config.toml)
      auth.client_id = (not shown): is still a placeholder; it must be the application's ID,
          a GUID (in [folder]/config.toml)
      auth.client_secret = (not shown): is still a placeholder (in [folder]/config.toml)
      auth.refresh_token = (not shown): is still a placeholder (in [folder]/config.toml)
      customers.ids: entry 2, "00000000-0000-0000-0000-000000000000", is a placeholder and
          not a customer's id (in [folder]/config.toml)
      database.url = (not shown): has a part that is still a placeholder, such as <password>
          (in [folder]/config.toml)
    "#);
    let masked = World::new(MINIMAL).set("SEATLEDGER__AUTH__CLIENT_SECRET", "3hB*************");
    insta::assert_snapshot!(folded(&masked.report()), @"
    the configuration has a fault:
      auth.client_secret = (not shown): is masked with asterisks, as consoles show a secret
          after its creation; create a new one and copy it at once (from the environment,
          SEATLEDGER__AUTH__CLIENT_SECRET)
    ");
}

#[test]
fn a_world_readable_secret_is_warned_of() {
    let minimal = MINIMAL.replace(
        "[customers]",
        "client_secret = \"abc\"\nrefresh_token_file = \"token\"\n[customers]",
    );
    let minimal = minimal.replace(URL, "url_file = \"url\"");
    let world = world(&minimal);
    let files = [
        world.folder.path().join("config.toml"),
        world.write("url", "postgres://a:b@c/d"),
        world.write("token", "abc"),
    ];
    for mode in [0o600, 0o400, 0o640, 0o660] {
        for file in &files {
            with_mode(file, mode);
        }
        assert_eq!(warnings(&world), "", "{mode:o}");
    }
    for file in &files {
        with_mode(file, 0o644);
    }
    insta::assert_snapshot!(folded(&warnings(&world)), @"
    every user of this machine may read the refresh token in [folder]/token (mode 0644);
        restrict it: chmod o-rwx [folder]/token
    every user of this machine may read database.url in [folder]/url (mode 0644); restrict
        it: chmod o-rwx [folder]/url
    every user of this machine may read auth.client_secret in [folder]/config.toml (mode
        0644); restrict it: chmod o-rwx [folder]/config.toml
    ");
    for file in &files {
        with_mode(file, 0o602);
    }
    assert_eq!(warnings(&world).matches("may write").count(), 3);
}

#[test]
fn a_world_readable_certificate_is_warned_of_and_a_credential_is_not() {
    let world = world(&MINIMAL.replace(
        "[customers]",
        "client_certificate_file = \"app.pem\"\n[customers]",
    ));
    with_mode(&world.write("app.pem", "x"), 0o666);
    insta::assert_snapshot!(folded(&warnings(&world)), @"
    every user of this machine may read and write the client's private key in
        [folder]/app.pem (mode 0666); restrict it: chmod o-rwx [folder]/app.pem
    ");

    let world = self::world(&MINIMAL.replace(URL, ""));
    with_mode(
        &world.write("credentials/database_url", "postgres://a:b@c/d"),
        0o644,
    );
    with_mode(&world.write("credentials/client_certificate", "x"), 0o644);
    assert_eq!(warnings(&world), "");
}

#[test]
fn the_files_of_the_databases_address_are_read_and_warned_of_like_the_others() {
    let identity = crate::support::Identity::new();
    let marked = format!("\u{feff}{}", identity.certificate.replace('\n', "\r\n"));
    let wide: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let address =
        "postgres://seatledger@db.example.com/x?sslrootcert=ca.pem&sslcert=c.pem&sslkey=k.pem";
    let world = world(&MINIMAL.replace("postgres://seatledger@localhost/seatledger", address));
    world.write("ca.pem", &wide);
    world.write("c.pem", &wide);
    with_mode(
        &world.write("k.pem", format!("\u{feff}{}", identity.key)),
        0o644,
    );
    insta::assert_snapshot!(folded(&warnings(&world)), @"
    every user of this machine may read the private key of the client certificate for the
        database in [folder]/k.pem (mode 0644); restrict it: chmod o-rwx [folder]/k.pem
    ");
    let ca = world.folder.path().join("ca.pem");
    std::fs::remove_file(&ca).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&ca).status();
    assert!(made.unwrap().success());
    let report = world.report();
    assert!(report.contains("it is a pipe or a device"), "{report}");
}

#[test]
fn a_configuration_without_a_secret_may_be_world_readable() {
    let world = World::new(MINIMAL);
    with_mode(&world.folder.path().join("config.toml"), 0o644);
    assert_eq!(warnings(&world), "");
    let with_password = MINIMAL.replace("seatledger@", "seatledger:abc@");
    let world = World::new(&with_password);
    with_mode(&world.folder.path().join("config.toml"), 0o644);
    assert!(warnings(&world).starts_with("every user of this machine may read database.url in"));
}
