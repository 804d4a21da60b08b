//! Files in the encodings and formats that editors and spreadsheets save: customer lists, tokens,
//! secrets, certificates.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::support::{Finished, Identity, World, until};

/// As Notepad, Excel and PowerShell write it.
fn utf_16(text: &str) -> Vec<u8> {
    let marked = format!("\u{feff}{}", text.replace('\n', "\r\n"));
    marked.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// As Windows programs without Unicode write it.
fn ansi(text: &str) -> Vec<u8> {
    let chars = text.chars();
    chars.map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}

/// A world whose customers come from a file.
async fn listed() -> World {
    let mut world = World::new().await;
    world.unset("customers.ids");
    let path = world.write("customers.csv", "");
    world.set("customers.file", &path);
    world
}

fn save(world: &World, name: &str, bytes: impl AsRef<[u8]>) {
    std::fs::write(world.folder.path().join(name), bytes).unwrap();
}

/// The customers of the last run.
async fn fetched(world: &World) -> BTreeSet<String> {
    let ids =
        "select customer_id from sync_customer where run_id = (select max(run_id) from sync_run)";
    world.lines(ids).await.into_iter().collect()
}

/// The last line of standard error.
fn last(finished: &Finished) -> &str {
    finished.stderr.lines().last().unwrap_or_default()
}

#[tokio::test]
async fn an_export_of_partner_center_is_a_list_also_as_saved_by_a_spreadsheet() {
    let world = listed().await;
    let ids = world.simulator.customers().await;
    let export = format!(
        "Microsoft ID,Company name,Primary domain name,Relationship,Tags\n{},\"M\u{fc}ller, \
            S\u{f6}hne\",m.example,Reseller,\n{},x,,,\n",
        ids[0], ids[1]
    );
    let wanted: BTreeSet<String> = ids[..2].iter().cloned().collect();
    for bytes in [
        ansi(&export),
        utf_16(&export.replace(',', "\t").replace("r\t", "r,")),
    ] {
        save(&world, "customers.csv", bytes);
        world.backfill().await.assert_code(0);
        assert_eq!(fetched(&world).await, wanted);
        world.execute("delete from sync_customer").await;
    }
}

#[tokio::test]
async fn a_list_without_a_known_column_says_what_is_wanted_and_what_was_found() {
    let world = listed().await;
    let id = &world.simulator.customers().await[0];
    for (bytes, told) in [
        (
            format!("Firma,Subscription ID\nx,{id}\n").into_bytes(),
            &[
                "customer_id",
                "its columns are \\\"Firma\\\", \\\"Subscription ID\\\"",
            ][..],
        ),
        (Vec::new(), &["names no customer"]),
    ] {
        save(&world, "customers.csv", bytes);
        let finished = world.backfill().await;
        finished.assert_code(78);
        let message = finished.summary()["error"].to_string() + &finished.stderr;
        for told in told {
            let plain = told.replace("\\\"", "\"");
            assert!(
                message.contains(told) || message.contains(&plain),
                "{told}: {message}"
            );
        }
        assert!(message.contains("customers.csv"), "{message}");
        let check = world.run(&["check"]).await;
        check.assert_code(78);
        assert!(check.stdout.contains("mend  customers"), "{}", check.stdout);
    }
    assert_eq!(world.simulator.requests("usage").await, [Value::Null; 0]);
}

#[tokio::test]
async fn a_bad_line_of_any_kind_costs_the_daemon_only_that_line() {
    let mut world = listed().await;
    let ids = world.simulator.customers().await;
    let other = "22222222-70f4-4e1e-9ff1-b2bfce8d9f04";
    let bad: [&[u8]; 7] = [
        b"Contoso,none",
        b"Contoso",
        b"\"Contoso,x",
        b"\"Con\"toso,x",
        b"Contoso, Inc.,x,y",
        b"\xe4\xff\0\x01,\xe4",
        format!("Contoso, Inc.,x,{other}").leak().as_bytes(),
    ];
    let mut text = format!("Name,customer_id\nx,{}\n", ids[0]).into_bytes();
    for (line, id) in bad.iter().zip(ids[1..].iter().cycle()) {
        text.extend_from_slice(line);
        text.extend_from_slice(format!("\n\"x\",{id}\n").as_bytes());
    }
    save(&world, "customers.csv", &text);
    world.set("schedule.run_on_start", "always");
    let daemon = world.start(&[]);
    let succeeded = "select count(*) from sync_run where outcome = 'succeeded'";
    until("a run has succeeded", async || {
        (world.value::<i64>(succeeded).await > 0).then_some(())
    })
    .await;
    daemon.signal("TERM");
    let finished = daemon.finish().await;
    finished.assert_code(0);
    assert_eq!(fetched(&world).await, ids.iter().cloned().collect());
    for line in (3..).step_by(2).take(bad.len()) {
        let told = format!("line {line}: ");
        assert!(
            finished.stderr.contains(&told),
            "{told}: {}",
            finished.stderr
        );
    }
    // A backfill names all bad lines before anything is fetched.
    world.simulator.forget_requests().await;
    let finished = world.backfill().await;
    finished.assert_code(78);
    assert!(last(&finished).contains("line 3: ") || finished.stderr.contains("line 3: "));
    assert_eq!(world.simulator.requests("usage").await, [Value::Null; 0]);
}

#[tokio::test]
async fn a_list_without_a_good_line_ends_the_daemon_with_what_is_wrong() {
    let mut world = listed().await;
    save(&world, "customers.csv", "Contoso\nFabrikam\n");
    world.set("schedule.run_on_start", "always");
    let finished = world.run(&[]).await;
    finished.assert_code(78);
    assert!(finished.stderr.contains("line 1: "), "{}", finished.stderr);
}

#[tokio::test]
async fn a_list_that_is_a_pipe_without_a_writer_hangs_nothing() {
    let world = listed().await;
    let path = world.folder.path().join("customers.csv");
    std::fs::remove_file(&path).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    let finished = world.backfill().await;
    finished.assert_code(78);
    assert!(
        finished.stderr.contains("is a pipe or a device"),
        "{}",
        finished.stderr
    );
}

#[tokio::test]
async fn a_refresh_token_is_sent_without_characters_that_saving_added() {
    let mut world = World::new().await;
    world.unset("auth.refresh_token");
    for bytes in [
        b"\xef\xbb\xbfsim-refresh-0\r\n".to_vec(),
        utf_16("sim-refresh-0\n"),
        b"\"sim-refresh-0\" \n".to_vec(),
        b"\xa0sim-refresh-0\0".to_vec(),
    ] {
        world.simulator.forget_requests().await;
        save(&world, "refresh_token", bytes);
        world.run(&["check"]).await;
        let requests = world.simulator.requests("token").await;
        assert_eq!(requests[0]["form"]["refresh_token"], "sim-refresh-0");
    }
}

#[tokio::test]
async fn text_that_cannot_be_a_refresh_token_is_not_sent_and_not_called_expired() {
    let mut world = World::new().await;
    world.unset("auth.refresh_token");
    for (bytes, told) in [
        (&b"sim-refresh\n-0"[..], "line break"),
        (b"sim refresh 0", "blank"),
        (b"{\"refresh_token\": \"sim-refresh-0\"}", "JSON"),
        (b"REFRESH_TOKEN=sim-refresh-0", "a name before"),
        (b"sim-refresh-\xe4", "ASCII"),
        (b"\0\0\0\0\0\0\0\0", "zero bytes"),
        ("x".repeat(100_000).as_bytes(), "larger than 64 KiB"),
    ] {
        save(&world, "refresh_token", bytes);
        let finished = world.backfill().await;
        finished.assert_code(4);
        let message = last(&finished);
        assert!(
            message.contains(told) && message.contains("refresh_token"),
            "{told}: {message}"
        );
        assert!(!message.contains("expired") && !message.contains("sim-refresh"));
    }
    assert_eq!(world.simulator.requests("token").await, [Value::Null; 0]);
}

#[tokio::test]
async fn a_certificate_is_read_in_each_common_form_and_other_forms_are_named() {
    let mut world = World::new().await;
    world.unset("auth.client_secret");
    let identity = Identity::new();
    let path = world.write("app.pem", "");
    world.set("auth.client_certificate_file", &path);
    let registered = json!({ "client_certificate": identity.certificate });
    world.simulator.patch(registered).await;
    let Identity {
        certificate, key, ..
    } = &identity;
    let pem = identity.pem();
    for bytes in [
        format!("\u{feff}{}", pem.replace('\n', "\r\n")).into_bytes(),
        utf_16(&pem),
        format!("Bag Attributes\n    localKeyID: 01\n{key}{certificate}").into_bytes(),
        format!("{}{pem}", Identity::new().certificate).into_bytes(),
        pem.replace('\n', "\n  ").into_bytes(),
        pem.replace('\n', "\\n").into_bytes(),
    ] {
        save(&world, "app.pem", bytes);
        world.backfill().await.assert_code(0);
    }
    let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    for (bytes, told) in [
        (
            b"\x30\x82\x0a\x01\x02\x01\x03\x30\x82".to_vec(),
            "openssl pkcs12",
        ),
        (b"\x30\x82\x03\x01\x30\x82\x01\x01".to_vec(), "openssl x509"),
        (
            format!("{certificate}{encrypted}").into_bytes(),
            "is encrypted",
        ),
        (b"MIIKcQIBAzCC\n".to_vec(), "Base64"),
        (Vec::new(), "is empty"),
    ] {
        save(&world, "app.pem", bytes);
        let finished = world.backfill().await;
        finished.assert_code(4);
        let message = last(&finished);
        assert!(
            message.contains(told) && message.contains("app.pem"),
            "{told}: {message}"
        );
    }
}

#[tokio::test]
async fn world_readable_secrets_are_warned_of_at_the_start() {
    let mut world = World::new().await;
    world.unset("auth.client_secret");
    let path = world.write("secret", "sim-secret\r\n");
    world.set("auth.client_secret_file", "secret");
    for (mode, warned) in [(0o644, true), (0o640, false)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let finished = world.backfill().await;
        finished.assert_code(0);
        let told: Vec<Value> = finished
            .stderr
            .lines()
            .filter(|line| line.contains("every user of this machine may read"))
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(told.len(), usize::from(warned), "{}", finished.stderr);
        assert!(told.iter().all(|line| line["level"] == "WARN"));
        assert!(!finished.stderr.contains("sim-secret"));
    }
}

#[tokio::test]
async fn the_example_is_refused_by_check_until_its_placeholders_are_filled_in() {
    let mut world = World::new().await;
    for key in ["auth.tenant_id", "auth.client_id", "customers.ids"] {
        world.unset(key);
    }
    let example = std::fs::read_to_string(crate::support::root().join("config.example.toml"));
    save(&world, "config.toml", utf_16(&example.unwrap()));
    let check = world.run(&["check"]).await;
    check.assert_code(78);
    for key in ["auth.tenant_id", "auth.client_id", "customers.ids"] {
        let named = check
            .stderr
            .lines()
            .any(|line| line.contains(key) && line.contains("placeholder"));
        assert!(named, "{key}: {}", check.stderr);
    }
}
