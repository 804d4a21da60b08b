//! A certificate in place of the client secret: what is sent and what is refused. The key appears
//! in no output.

use serde_json::{Value, json};

use crate::support::{Identity, World, until};

async fn world() -> World {
    let mut world = World::new().await;
    world.unset("auth.client_secret");
    world
        .simulator
        .patch(json!({ "require_client_secret": true }))
        .await;
    world
}

/// Registers the certificate of `identity` for the application, and configures the program to use
/// the file contents `pem`.
async fn use_certificate(world: &mut World, identity: &Identity, pem: &str) {
    let path = world.write("app.pem", pem);
    world.set("auth.client_certificate_file", &path);
    let registered = json!({ "client_certificate": identity.certificate });
    world.simulator.patch(registered).await;
}

async fn forms(world: &World) -> Vec<Value> {
    let requests = world.simulator.requests("token").await;
    requests
        .iter()
        .map(|request| request["form"].clone())
        .collect()
}

#[tokio::test]
async fn every_grant_can_be_asked_for_with_a_certificate() {
    let mut world = world().await;
    let identity = Identity::new();
    use_certificate(&mut world, &identity, &identity.pem()).await;
    world.backfill().await.assert_code(0);
    world
        .simulator
        .patch(json!({ "device_code_polls": 0 }))
        .await;
    world.run(&["login", "--device-code"]).await.assert_code(0);
    let login = world.start(&["login"]);
    let page = login.prints("http").await;
    let browser = reqwest::Client::builder().no_proxy().build().unwrap();
    browser.get(page).send().await.unwrap();
    login.finish().await.assert_code(0);
    world.set("auth.method", "client_credentials");
    world.backfill().await.assert_code(3);
    let forms = forms(&world).await;
    let grants: Vec<_> = forms
        .iter()
        .map(|form| form["grant_type"].as_str().unwrap())
        .collect();
    assert_eq!(
        grants,
        [
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:device_code",
            "authorization_code",
            "client_credentials"
        ]
    );
    let mut statements: Vec<_> = forms
        .iter()
        .map(|form| form["client_assertion"].as_str())
        .collect();
    statements.dedup();
    assert_eq!(statements.len(), 4, "a statement is made for each request");
    assert!(forms.iter().all(|form| form.get("client_secret").is_none()));
}

#[tokio::test]
async fn a_certificate_is_read_in_each_form_and_again_at_each_use() {
    let mut world = world().await;
    let [one, other] = [Identity::new(), Identity::new()];
    let Identity {
        certificate,
        key,
        pkcs1_key,
    } = &one;
    for pem in [
        format!("{key}{certificate}"),
        format!(
            "Bag Attributes\r\n{}",
            format!("{certificate}{pkcs1_key}").replace('\n', "\r\n")
        ),
        // With an issuer's certificate before its own.
        format!("{}{certificate}{key}", other.certificate),
    ] {
        use_certificate(&mut world, &one, &pem).await;
        world.backfill().await.assert_code(0);
    }
    // A certificate is replaced while the daemon runs. In the meantime both are registered, as in
    // practice.
    let both = format!("{}{}", one.certificate, other.certificate);
    let registered = json!({ "client_certificate": both, "access_token_ttl_secs": 1 });
    world.simulator.patch(registered).await;
    world.simulator.forget_requests().await;
    world.set("schedule.cron", "* * * * * *");
    let daemon = world.start(&[]);
    world.simulator.received("token", 1).await;
    let renewed = world.write("renewed.pem", &other.pem());
    std::fs::rename(renewed, world.folder.path().join("app.pem")).unwrap();
    until("a statement is signed with the renewed one", async || {
        let forms = forms(&world).await;
        let header = |form: &Value| {
            let statement = form["client_assertion"].as_str().unwrap();
            statement.split('.').next().unwrap().to_owned()
        };
        (header(&forms[0]) != header(forms.last().unwrap())).then_some(())
    })
    .await;
    daemon.signal("TERM");
    daemon.finish().await.assert_code(0);
}

#[tokio::test]
async fn an_unusable_certificate_is_named_once_before_any_request() {
    let mut world = world().await;
    let [good, other] = [Identity::new(), Identity::new()];
    let expired = Identity::valid(2020, 2021);
    let early = Identity::valid(2089, 2090);
    let encrypted = good.key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    for (pem, said) in [
        (expired.pem(), "expired on 2021-01-01"),
        (early.pem(), "valid from 2089-01-01"),
        (good.certificate.clone(), "no private key"),
        (format!("{}{encrypted}", good.certificate), "is encrypted"),
        (good.key.clone(), "no certificate"),
        (
            format!("{}{}", good.certificate, other.key),
            "does not belong",
        ),
        (String::new(), "is empty"),
        (good.pem().replace("MII", "!!!"), "private key"),
    ] {
        use_certificate(&mut world, &good, &pem).await;
        let finished = world.backfill().await;
        finished.assert_code(4);
        let last = finished.stderr.lines().last().unwrap();
        assert!(
            last.contains(said) && last.contains("app.pem"),
            "{said}: {last}"
        );
        let check = world.run(&["check"]).await;
        check.assert_code(4);
        assert!(check.stdout.contains("mend  sign-in"), "{}", check.stdout);
    }
    assert!(forms(&world).await.is_empty());
    std::fs::remove_file(world.folder.path().join("app.pem")).unwrap();
    let finished = world.backfill().await;
    finished.assert_code(78);
    assert!(
        finished.stderr.contains("auth.client_certificate_file"),
        "{}",
        finished.stderr
    );

    use_certificate(&mut world, &other, &good.pem()).await;
    let finished = world.backfill().await;
    finished.assert_code(4);
    assert!(
        finished.stderr.contains("AADSTS700027"),
        "{}",
        finished.stderr
    );
}

#[tokio::test]
async fn the_private_key_is_shown_nowhere() {
    let mut world = world().await;
    let identity = Identity::new();
    use_certificate(&mut world, &identity, &identity.pem()).await;
    world.set("log.filter", "trace");
    let good = world.backfill().await;
    good.assert_code(0);
    let sent = forms(&world).await[0]["client_assertion"]
        .as_str()
        .unwrap()
        .to_owned();
    let echo =
        json!({ "status": 401, "json": { "error": "invalid_client", "error_description": sent } });
    world
        .simulator
        .script_for_ever("token", json!([echo]))
        .await;
    let bad = world.backfill().await;
    bad.assert_code(4);
    let said = [good.stdout, good.stderr, bad.stdout, bad.stderr].concat();
    let key_lines = identity.key.lines().filter(|line| !line.starts_with('-'));
    for secret in key_lines.chain([sent.as_str()]) {
        assert!(!said.contains(secret), "{secret}");
    }
}
