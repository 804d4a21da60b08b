//! `login` in a browser; the test plays the browser. Also the checks of the token, which both ways
//! of signing in share.

use serde_json::{Value, json};
use url::Url;

use crate::support::{Finished, Running, World};

fn browser() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// The address that `login` asks the person to open.
async fn page(login: &Running) -> Url {
    login.prints("http").await.parse().unwrap()
}

fn query(page: &Url, name: &str) -> String {
    let mut pairs = page.query_pairs();
    let found = pairs.find(|(key, _)| key == name);
    found
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// Opens the page as a person would. Returns the status and text of the page that the browser shows
/// in the end.
async fn open(login: &Running) -> (u16, String) {
    get(page(login).await.as_str()).await
}

async fn get(url: &str) -> (u16, String) {
    let answer = browser().get(url).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn sign_in(world: &World) -> Finished {
    let login = world.start(&["login"]);
    open(&login).await;
    login.finish().await
}

fn assert_nothing_kept(world: &World) {
    let names: Vec<_> = world.folder.path().read_dir().unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

async fn world() -> World {
    let mut world = World::new().await;
    world.unset("auth.refresh_token");
    world
}

#[tokio::test]
async fn a_sign_in_in_the_browser_gives_a_token_that_runs_live_on() {
    let world = world().await;
    world
        .simulator
        .patch(json!({ "single_use_refresh_tokens": true, "require_client_secret": true }))
        .await;
    let login = world.start(&["login"]);
    let asked = page(&login).await;
    for (name, value) in [
        ("client_id", "sim-client"),
        ("response_type", "code"),
        ("code_challenge_method", "S256"),
        (
            "scope",
            &format!("{}/.default offline_access", world.simulator.base_url),
        ),
    ] {
        assert_eq!(query(&asked, name), value);
    }
    // Exactly the registered address, except for the port.
    let redirect_uri = query(&asked, "redirect_uri");
    let port = redirect_uri.strip_prefix("http://localhost:").unwrap();
    assert!(port.parse::<u16>().is_ok(), "{redirect_uri}");
    assert!(query(&asked, "state").len() >= 43);
    let (status, shown) = get(asked.as_str()).await;
    assert_eq!((status, shown.contains("terminal")), (200, true), "{shown}");
    let finished = login.finish().await;
    finished.assert_code(0);
    assert!(
        finished
            .stdout
            .contains("multi-factor authentication was used")
    );
    let kept = std::fs::read_to_string(world.refresh_token_path()).unwrap();
    assert_eq!(kept, "sim-refresh-1");
    let said = format!("{}{}", finished.stdout, finished.stderr);
    let form = &world.simulator.requests("token").await[0]["form"];
    assert_eq!(form["grant_type"], "authorization_code");
    for secret in [
        &kept,
        "sim-secret",
        form["code"].as_str().unwrap(),
        form["code_verifier"].as_str().unwrap(),
    ] {
        assert!(!said.contains(secret), "{secret}: {said}");
    }
    for _ in 0..2 {
        world.backfill().await.assert_code(0);
    }
}

#[tokio::test]
async fn a_sign_in_that_is_declined_in_the_browser_says_so() {
    let world = world().await;
    for (error, said) in [
        ("access_denied", "declined"),
        ("consent_required", "AADSTS65004"),
        ("\u{1b}[2J<script>", "unknown error"),
    ] {
        world
            .simulator
            .patch(json!({ "authorize_error": error }))
            .await;
        let login = world.start(&["login"]);
        let (_, shown) = open(&login).await;
        assert!(shown.contains("refused"), "{shown}");
        let finished = login.finish().await;
        finished.assert_code(4);
        assert!(finished.stderr.contains(said), "{}", finished.stderr);
        assert!(!finished.stderr.contains('\u{1b}'));
    }
    assert!(world.simulator.requests("token").await.is_empty());
    assert_nothing_kept(&world);
}

#[tokio::test]
async fn other_requests_to_the_waiting_address_change_nothing() {
    let world = world().await;
    let login = world.start(&["login"]);
    let asked = page(&login).await;
    let (back, state) = (query(&asked, "redirect_uri"), query(&asked, "state"));
    // A browser that opens a connection in advance and sends nothing on it.
    let address = back.strip_prefix("http://").unwrap();
    let silent = std::net::TcpStream::connect(address.replace("localhost", "127.0.0.1")).unwrap();
    for (stray, status) in [
        ("/favicon.ico".to_owned(), 404),
        ("/".to_owned(), 404),
        ("/?state=x".to_owned(), 404),
        (format!("/?state={state}"), 404),
        (format!("/?state={state}&code="), 404),
        (format!("/elsewhere?code=x&state={state}"), 404),
        ("/?code=sim-code&state=guessed".to_owned(), 400),
        ("/?code=sim-code".to_owned(), 400),
        ("/?code=sim-code&state=".to_owned(), 400),
        ("/?error=access_denied&state=guessed".to_owned(), 400),
        ("/?error=server_error".to_owned(), 400),
    ] {
        assert_eq!(get(&format!("{back}{stray}")).await.0, status, "{stray}");
    }
    let good = format!("{back}/?code=sim-code&state={state}");
    for (method, status) in [
        (reqwest::Method::HEAD, 200),
        (reqwest::Method::POST, 405),
        (reqwest::Method::OPTIONS, 405),
    ] {
        let answer = browser().request(method.clone(), &good).send().await;
        let answer = answer.unwrap();
        assert_eq!(answer.status(), status, "{method}");
        assert_eq!(answer.headers().contains_key("allow"), status == 405);
    }
    assert!(world.simulator.requests("token").await.is_empty());
    assert_nothing_kept(&world);
    // The person completes the sign-in.
    let (status, shown) = get(asked.as_str()).await;
    assert_eq!((status, shown.contains("terminal")), (200, true), "{shown}");
    login.finish().await.assert_code(0);
    drop(silent);
    assert_eq!(world.simulator.requests("token").await.len(), 1);
}

#[tokio::test]
async fn the_first_of_two_answers_counts() {
    let world = world().await;
    let login = world.start(&["login"]);
    let asked = page(&login).await;
    let (back, state) = (query(&asked, "redirect_uri"), query(&asked, "state"));
    let refused = format!("{back}/?error=access_denied&state={state}");
    let late = format!("{back}/?code=sim-code&state={state}");
    assert_eq!(get(&refused).await.0, 200);
    // The second request may find the port closed already.
    if let Ok(answer) = browser().get(&late).send().await {
        assert_eq!(answer.status(), 200);
    }
    assert_eq!(login.finish().await.code(), 4);
    assert_nothing_kept(&world);
}

#[tokio::test]
async fn a_code_of_another_sign_in_is_refused() {
    let world = world().await;
    let mine = world.start(&["login"]);
    let state = query(&page(&mine).await, "state");
    let back = query(&page(&mine).await, "redirect_uri");
    // A code for the same address that another sign-in requested, with another PKCE challenge.
    let mut theirs = page(&mine).await;
    let pairs: Vec<(String, String)> = theirs.query_pairs().into_owned().collect();
    theirs
        .query_pairs_mut()
        .clear()
        .extend_pairs(pairs.iter().map(|(name, value)| match name.as_str() {
            "code_challenge" => (name.as_str(), "0123456789012345678901234567890123456789012"),
            _ => (name.as_str(), value.as_str()),
        }));
    let no_redirects = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let answer = no_redirects.get(theirs).send().await.unwrap();
    let location: Url = answer.headers()["location"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    let code = query(&location, "code");
    get(&format!("{back}/?code={code}&state={state}")).await;
    let finished = mine.finish().await;
    finished.assert_code(4);
    assert!(
        finished.stderr.contains("AADSTS501481"),
        "{}",
        finished.stderr
    );
    assert_nothing_kept(&world);
}

#[tokio::test]
async fn a_sign_in_in_the_browser_can_be_stopped_while_it_waits() {
    let world = world().await;
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let login = world.start(&["login"]);
        page(&login).await;
        login.signal(signal);
        login.finish().await.assert_code(code);
    }
    assert_nothing_kept(&world);
}

#[tokio::test]
async fn an_exchange_that_fails_on_the_way_is_tried_again() {
    let world = world().await;
    world
        .simulator
        .script("token", json!([{ "status": 503 }]))
        .await;
    sign_in(&world).await.assert_code(0);
    assert_eq!(world.simulator.requests("token").await.len(), 2);
}

#[tokio::test]
async fn a_token_without_multi_factor_authentication_is_not_stored() {
    let world = world().await;
    world
        .simulator
        .patch(json!({ "mfa": false, "device_code_polls": 0 }))
        .await;
    for finished in [
        sign_in(&world).await,
        world.run(&["login", "--device-code"]).await,
    ] {
        finished.assert_code(4);
        assert!(
            finished.stderr.contains("multi-factor"),
            "{}",
            finished.stderr
        );
        assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
    }
    assert_nothing_kept(&world);
}

#[tokio::test]
async fn a_token_that_does_not_name_the_sign_in_method_is_stored_with_a_note() {
    let world = world().await;
    world.simulator.patch(json!({ "amr": false })).await;
    let finished = sign_in(&world).await;
    finished.assert_code(0);
    assert!(
        finished.stdout.contains("cannot be seen"),
        "{}",
        finished.stdout
    );
    let opaque = json!({ "json": { "access_token": "opaque", "refresh_token": "kept" } });
    world.simulator.script("token", json!([opaque])).await;
    let finished = sign_in(&world).await;
    finished.assert_code(0);
    assert!(
        finished.stdout.contains("cannot be seen"),
        "{}",
        finished.stdout
    );
    assert_eq!(
        std::fs::read_to_string(world.refresh_token_path()).unwrap(),
        "kept"
    );
}

#[tokio::test]
async fn a_token_of_another_person_is_not_stored() {
    let world = world().await;
    for audience in [
        "https://graph.windows.net",
        "00000003-0000-0000-c000-000000000000",
    ] {
        world.simulator.patch(json!({ "audience": audience })).await;
        let finished = sign_in(&world).await;
        finished.assert_code(4);
        assert!(finished.stderr.contains(audience), "{}", finished.stderr);
        assert!(
            finished.stderr.contains("auth.scope"),
            "{}",
            finished.stderr
        );
    }
    assert_nothing_kept(&world);
    let partner_center = "fa3d9a0c-3fb0-42cc-9193-47c7ecd2edbd";
    world
        .simulator
        .patch(json!({ "audience": partner_center }))
        .await;
    sign_in(&world).await.assert_code(0);
}

#[tokio::test]
async fn a_check_looks_into_the_token() {
    let mut world = World::new().await;
    let sign_in_line = async |world: &World, settings: Value| {
        world.simulator.patch(settings).await;
        let finished = world.run(&["check"]).await;
        let mut lines = finished
            .stdout
            .lines()
            .filter(|line| line.contains("sign-in"));
        lines.next().unwrap().to_owned()
    };
    let line = sign_in_line(&world, json!({})).await;
    assert!(
        line.starts_with("ok") && line.contains("multi-factor authentication was used"),
        "{line}"
    );
    let line = sign_in_line(&world, json!({ "amr": false })).await;
    assert!(
        line.starts_with("ok") && line.contains("cannot be seen"),
        "{line}"
    );
    let line = sign_in_line(&world, json!({ "amr": true, "mfa": false })).await;
    assert!(
        line.starts_with("mend") && line.contains("multi-factor"),
        "{line}"
    );
    let graph = json!({ "mfa": true, "audience": "https://graph.windows.net" });
    let line = sign_in_line(&world, graph).await;
    assert!(
        line.starts_with("mend") && line.contains("graph.windows.net"),
        "{line}"
    );
    world.set("auth.method", "client_credentials");
    let line = sign_in_line(&world, json!({ "audience": null })).await;
    assert!(
        line.starts_with("ok") && !line.contains("multi-factor"),
        "{line}"
    );
}

#[tokio::test]
async fn device_code_is_an_option_of_login_alone() {
    let world = world().await;
    for arguments in [
        &["check", "--device-code"][..],
        &["--device-code"],
        &["--backfill", "--device-code"],
        &["login", "--json"],
        &["--backfill", "login", "--device-code"],
        &["login", "--device-code", "--device-code"],
    ] {
        let finished = world.run(arguments).await;
        assert_eq!(finished.code(), 2, "{arguments:?}: {}", finished.stderr);
    }
}
