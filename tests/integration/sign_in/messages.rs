//! The message of a failed sign-in says that the fault passes by itself, or names what was refused
//! and where in this installation to replace it. Only the operator sees it: a browser that `login`
//! opens inherits no secret.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::{Child, Command};
use url::Url;

use crate::support::{Identity, World, until};

fn kept(world: &World) -> Option<String> {
    std::fs::read_to_string(world.refresh_token_path()).ok()
}

fn refusal(error: &str, code: u32) -> Value {
    json!({ "status": 400, "json": { "error": error, "error_codes": [code] } })
}

/// Starts the program from a shell that first executes `before`, with the variables of `more`
/// besides the settings.
fn started(world: &World, more: &[(&str, &str)], before: &str, arguments: &str) -> Child {
    let script = format!(r#"{before} exec "$PROGRAM" --config "$CONFIG" {arguments}"#);
    Command::new("sh")
        .args(["-c", &script])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("PROGRAM", env!("CARGO_BIN_EXE_seatledger"))
        .env("CONFIG", world.config_path())
        .envs(world.environment())
        .envs(more.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Waits for the end. Returns the exit code and the whole output.
async fn ended(child: Child) -> (i32, String) {
    let output = child.wait_with_output().await.unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap());
    (output.status.code().unwrap(), format!("{out}{err}"))
}

#[tokio::test]
async fn a_passing_fault_is_never_called_a_dead_token() {
    let world = World::with_customers(2).await;
    std::fs::write(world.refresh_token_path(), "sim-refresh-0").unwrap();
    for answer in [
        refusal("invalid_grant", 90_033),
        refusal("invalid_grant", 50_196),
        refusal("invalid_client", 90_055),
        refusal("invalid_grant", 50_053),
        json!({ "status": 400, "json": { "error": "server_error" } }),
        json!({ "status": 401, "json": { "error": "temporarily_unavailable" } }),
        json!({ "status": 400, "json": {
            "error": "invalid_grant",
            "error_description": "AADSTS7777777: A transient error has occurred. Please try again.",
        } }),
        json!({ "status": 400, "headers": [["Retry-After", "120"]],
            "json": { "error": "throttled" } }),
        json!({ "status": 425 }),
        json!({ "status": 599, "text": "<html>" }),
    ] {
        world
            .simulator
            .script_for_ever("token", json!([answer]))
            .await;
        let finished = world.backfill().await;
        finished.assert_code(1);
        let last = finished.stderr.lines().last().unwrap();
        assert!(!last.contains("login"), "{answer}: {last}");
        assert!(!last.contains("refused"), "{answer}: {last}");
        assert_eq!(kept(&world).as_deref(), Some("sim-refresh-0"), "{answer}");
    }
    world.simulator.unscript().await;
    world.backfill().await.assert_code(0);
}

#[tokio::test]
async fn a_page_in_place_of_an_answer_is_shown_as_what_it_was() {
    let world = World::with_customers(2).await;
    let html = json!([["Content-Type", "text/html; charset=utf-8"]]);
    for (answer, said) in [
        (
            json!({ "status": 200, "headers": html, "text": "<html>" }),
            "status 200, text/html",
        ),
        (
            json!({ "status": 403, "headers": html, "text": "<html>" }),
            "status 403, text/html",
        ),
        (json!({ "status": 404, "text": "" }), "status 404"),
        (
            json!({ "status": 302, "headers": [["Location", "https://portal.example/login?x=1"]] }),
            "on to https://portal.example",
        ),
    ] {
        world
            .simulator
            .script_for_ever("token", json!([answer]))
            .await;
        let finished = world.backfill().await;
        finished.assert_code(1);
        let last = finished.stderr.lines().last().unwrap();
        assert!(last.contains(said), "{answer}: {last}");
        assert!(!last.contains("x=1"), "{last}");
    }
}

#[tokio::test]
async fn the_message_about_an_expired_secret_names_where_it_is_configured() {
    let mut world = World::with_customers(2).await;
    let folder = world.folder.path().to_str().unwrap().to_owned();
    let file = world.write("app-secret", "sim-secret\n");
    std::fs::create_dir(format!("{folder}/credentials")).unwrap();
    world.write("credentials/client_secret", "sim-secret");
    let settings = json!({ "grant_error": 7_000_222 });
    world.simulator.patch(settings).await;
    let asked = async |world: &World, more: &[(&str, &str)]| {
        let (code, said) = ended(started(world, more, "", "--backfill")).await;
        assert_eq!(code, 4, "{said}");
        assert!(said.contains("the client secret has expired"), "{said}");
        said.lines().last().unwrap().to_owned()
    };
    let said = asked(&world, &[]).await;
    assert!(
        said.contains("variable SEATLEDGER__AUTH__CLIENT_SECRET"),
        "{said}"
    );

    world.unset("auth.client_secret");
    world.set("auth.client_secret_file", &file);
    let said = asked(&world, &[]).await;
    assert!(said.contains(&format!("the file {file}")), "{said}");

    world.unset("auth.client_secret_file");
    let credentials = format!("{folder}/credentials");
    let said = asked(&world, &[("CREDENTIALS_DIRECTORY", &credentials)]).await;
    assert!(said.contains("systemd credential client_secret"), "{said}");
    assert!(!said.contains("auth.client_secret"), "{said}");

    world.write("config.toml", "[auth]\nclient_secret = \"sim-secret\"\n");
    let said = asked(&world, &[]).await;
    let place = format!("auth.client_secret in {folder}/config.toml");
    assert!(said.contains(&place), "{said}");
}

#[tokio::test]
async fn the_message_about_an_expired_certificate_names_where_it_is_configured() {
    let mut world = World::with_customers(2).await;
    world.unset("auth.client_secret");
    let folder = world.folder.path().to_str().unwrap().to_owned();
    let expired = Identity::valid(2020, 2021).pem();
    let file = world.write("app.pem", &expired);
    std::fs::create_dir(format!("{folder}/credentials")).unwrap();
    world.write("credentials/client_certificate", &expired);
    let credentials = format!("{folder}/credentials");
    let more = [("CREDENTIALS_DIRECTORY", credentials.as_str())];
    let (code, said) = ended(started(&world, &more, "", "--backfill")).await;
    assert_eq!(code, 4, "{said}");
    let place = "put it into the systemd credential client_certificate";
    assert!(
        said.contains("expired on 2021-01-01") && said.contains(place),
        "{said}"
    );

    world.set("auth.client_certificate_file", &file);
    let (code, said) = ended(started(&world, &[], "", "--backfill")).await;
    assert_eq!(code, 4, "{said}");
    assert!(
        said.contains(&format!("put it into the file {file}")),
        "{said}"
    );
    assert!(world.simulator.requests("token").await.is_empty());
}

#[tokio::test]
async fn a_refused_code_is_not_reported_as_a_dead_refresh_token() {
    let mut world = World::new().await;
    world.unset("auth.refresh_token");
    for code in [70_008, 70_000, 54_005, 9_002_313] {
        world
            .simulator
            .script("token", json!([refusal("invalid_grant", code)]))
            .await;
        let login = world.start(&["login"]);
        let page = login.prints("http").await;
        let browser = reqwest::Client::builder().no_proxy().build().unwrap();
        browser.get(page).send().await.unwrap();
        let finished = login.finish().await;
        finished.assert_code(4);
        let said = &finished.stderr;
        assert!(
            said.contains("authorization code") && said.contains("begin again"),
            "{said}"
        );
        assert!(!said.contains("refresh token"), "{said}");

        let polled = json!([refusal("invalid_grant", code)]);
        world.simulator.script("token", polled).await;
        let finished = world.run(&["login", "--device-code"]).await;
        finished.assert_code(4);
        let said = &finished.stderr;
        assert!(
            said.contains("device code") && said.contains("begin again"),
            "{said}"
        );
        assert!(!said.contains("refresh token"), "{said}");
    }
    let fault = json!({ "authorize_error": "server_error" });
    world.simulator.patch(fault).await;
    let login = world.start(&["login"]);
    let page = login.prints("http").await;
    let browser = reqwest::Client::builder().no_proxy().build().unwrap();
    browser.get(page).send().await.unwrap();
    login.finish().await.assert_code(1);
    assert_eq!(kept(&world), None);
}

#[tokio::test]
async fn a_token_of_another_type_than_bearer_is_refused() {
    let mut world = World::with_customers(2).await;
    let token = world.simulator.post("access-token", String::new()).await;
    let answer = |kind: &str| {
        json!([{ "json": {
            "token_type": kind, "access_token": token, "refresh_token": "next" } }])
    };
    world
        .simulator
        .script_for_ever("token", answer("pop"))
        .await;
    let finished = world.backfill().await;
    finished.assert_code(4);
    assert!(finished.stderr.contains("type pop"), "{}", finished.stderr);
    assert!(world.simulator.requests("usage").await.is_empty());
    // The new refresh token is stored although the access token is unusable: the old one may be
    // spent.
    assert_eq!(kept(&world).as_deref(), Some("next"));
    std::fs::remove_file(world.refresh_token_path()).unwrap();
    world.unset("auth.refresh_token");
    let finished = world.run(&["login", "--device-code"]).await;
    finished.assert_code(4);
    assert_eq!(kept(&world), None);
    world
        .simulator
        .script_for_ever("token", answer("BEARER"))
        .await;
    world.run(&["login", "--device-code"]).await.assert_code(0);
    world.backfill().await.assert_code(0);
}

#[tokio::test]
async fn a_device_code_is_polled_for_once_a_second_at_the_most() {
    let world = World::new().await;
    let token = world.simulator.post("access-token", String::new()).await;
    let code = json!([{ "json": {
        "device_code": "d", "user_code": "U", "verification_uri": "http://localhost/",
        "interval": 0.001,
    } }]);
    world.simulator.script("devicecode", code).await;
    let pending = json!({ "status": 400, "json": { "error": "authorization_pending" } });
    let granted = json!({ "json": { "access_token": token, "refresh_token": "kept" } });
    world
        .simulator
        .script("token", json!([pending, pending, granted]))
        .await;
    world.run(&["login", "--device-code"]).await.assert_code(0);
    let polls = world.simulator.requests("token").await;
    let at: Vec<_> = polls
        .iter()
        .map(|poll| poll["at_ms"].as_u64().unwrap())
        .collect();
    assert_eq!(at.len(), 3);
    // 999, because the simulator's log rounds times down.
    assert!(at.windows(2).all(|pair| pair[1] - pair[0] >= 999), "{at:?}");
    assert_eq!(kept(&world).as_deref(), Some("kept"));
}

#[tokio::test]
async fn the_browser_that_is_opened_inherits_no_secret() {
    let world = World::new().await;
    let folder = world.folder.path().to_str().unwrap().to_owned();
    let secret = world.write("a-secret-file", "hush");
    std::fs::create_dir(format!("{folder}/bin")).unwrap();
    let script = world.write(
        "bin/xdg-open",
        "#!/bin/sh\n{ env; echo \"page=$1\"; ls -l /proc/$$/fd; } >\"$HOME/opening\"\nmv \
            \"$HOME/opening\" \"$HOME/opened\"\n",
    );
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{folder}/bin:/usr/bin:/bin");
    let more = [
        ("DISPLAY", ":7"),
        ("HOME", folder.as_str()),
        ("PATH", path.as_str()),
        ("XDG_SESSION_TYPE", "x11"),
        ("CREDENTIALS_DIRECTORY", "/nowhere/credentials"),
        ("PGPASSWORD", "hush-database"),
        ("HTTPS_PROXY", "http://u:hush-proxy@proxy.example:3128"),
        ("http_proxy", "http://open-proxy.example:3128"),
    ];
    let before = format!("exec 3<'{secret}' 9<'{secret}';");
    let login = started(&world, &more, &before, "login");
    let opened = until("the browser is opened", async || {
        std::fs::read_to_string(format!("{folder}/opened")).ok()
    })
    .await;
    for kept_back in [
        "SEATLEDGER__",
        "sim-secret",
        "sim-refresh",
        "credentials",
        "hush",
        "a-secret-file",
    ] {
        assert!(!opened.contains(kept_back), "{kept_back}: {opened}");
    }
    for let_through in ["DISPLAY=:7", "XDG_SESSION_TYPE=x11", "open-proxy.example"] {
        assert!(opened.contains(let_through), "{let_through}: {opened}");
    }
    let page = opened.lines().find_map(|line| line.strip_prefix("page="));
    let page: Url = page.unwrap().parse().unwrap();
    let browser = reqwest::Client::builder().no_proxy().build().unwrap();
    browser.get(page).send().await.unwrap();
    let (code, said) = ended(login).await;
    assert_eq!(code, 0, "{said}");
}

#[tokio::test]
async fn root_is_warned_that_a_service_may_not_read_what_a_sign_in_wrote() {
    let mut world = World::new().await;
    let settings = json!({ "device_code_polls": 0 });
    world.simulator.patch(settings).await;
    let root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    let finished = world.run(&["login", "--device-code"]).await;
    finished.assert_code(0);
    let said = &finished.stdout;
    assert!(
        said.contains(world.refresh_token_path().to_str().unwrap()),
        "{said}"
    );
    for part in ["You are root", "will not read", "STATE_DIRECTORY"] {
        assert_eq!(said.contains(part), root, "{part}: {said}");
    }
    // In a folder that a service owns, the file is given to that service's user.
    let state = world.folder.path().join("state");
    std::fs::create_dir(&state).unwrap();
    let nobody = if root {
        65_534
    } else {
        std::fs::metadata(&state).unwrap().uid()
    };
    chown(&state, Some(nobody), None).unwrap();
    let token = state.join("token");
    world.set("auth.refresh_token_file", token.to_str().unwrap());
    for _ in 0..2 {
        let finished = world.run(&["login", "--device-code"]).await;
        finished.assert_code(0);
        let said = &finished.stdout;
        assert_eq!(said.contains("uid 65534"), root, "{said}");
        assert!(!said.contains("STATE_DIRECTORY"), "{said}");
        let file = std::fs::metadata(&token).unwrap();
        assert_eq!((file.uid(), file.mode() & 0o777), (nobody, 0o600));
    }
}
