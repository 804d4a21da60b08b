//! The front page: what it says, to whom, and under which headers.

use reqwest::Response;
use reqwest::header::ACCEPT;
use serde_json::Value;

use crate::support::{Running, World};

/// What a browser sends.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

async fn start(world: &mut World) -> (Running, String) {
    world.set("status.listen", "127.0.0.1:0");
    let daemon = world.start(&[]);
    daemon.says("Waiting for the next run").await;
    let address = daemon.status_address().await;
    (daemon, address)
}

async fn stop(daemon: Running) {
    daemon.signal("TERM");
    daemon.finish().await.assert_code(0);
}

async fn ask(url: &str, accept: Option<&str>) -> Response {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.get(url);
    if let Some(accept) = accept {
        request = request.header(ACCEPT, accept);
    }
    request.send().await.unwrap()
}

fn header(response: &Response, name: &str) -> String {
    let value = response.headers().get(name);
    value.map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_browser_gets_a_page_and_everybody_else_json() {
    let mut world = World::new().await;
    let (daemon, address) = start(&mut world).await;
    let page = ask(&address, Some(BROWSER)).await;
    assert_eq!(page.status(), 200);
    assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
    assert_eq!(header(&page, "vary"), "accept");
    let html = page.text().await.unwrap();
    assert!(html.starts_with("<!doctype html>"), "{html}");
    for accept in [
        None,
        Some("*/*"),
        Some("application/json"),
        Some("text/html;q=0"),
    ] {
        let answer = ask(&address, accept).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(
            header(&answer, "content-type"),
            "application/json",
            "{accept:?}"
        );
        assert_eq!(header(&answer, "vary"), "accept");
        let form: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(form["version"], 1);
        assert_eq!(form["database"], "available");
    }
    stop(daemon).await;
}

#[tokio::test]
async fn a_page_may_do_nothing_but_show_its_own_style_and_pictures() {
    let mut world = World::new().await;
    let (daemon, address) = start(&mut world).await;
    let page = ask(&address, Some(BROWSER)).await;
    let policy = header(&page, "content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; style-src 'sha256-"),
        "{policy}"
    );
    let rest = "'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    assert!(policy.ends_with(rest), "{policy}");
    assert_eq!(header(&page, "referrer-policy"), "no-referrer");
    assert_eq!(header(&page, "x-content-type-options"), "nosniff");
    assert_eq!(header(&page, "cache-control"), "no-store");
    let html = page.text().await.unwrap();
    assert!(
        !html.contains("<script") && !html.contains(" style="),
        "{html}"
    );
    assert!(!html.contains("http-equiv=\"refresh\""), "{html}");
    let icon = ask(&format!("{address}icon.svg"), Some("image/*")).await;
    assert_eq!(
        (
            icon.status().as_u16(),
            header(&icon, "content-type").as_str()
        ),
        (200, "image/svg+xml")
    );
    stop(daemon).await;
}
