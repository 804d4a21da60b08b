//! Who is shown names of customers, and what a browser is told about each answer.

use reqwest::header::{ACCEPT, HeaderMap};

use crate::support::{Running, World, until};

/// What browsers send when a person opens a page.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// Paths that are answered whoever asks: probes, counts as JSON, metrics.
const OPEN: [&str; 5] = ["/healthz", "/readyz", "/health", "/metrics", "/"];

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

/// The answer to a request that a probe (without `accept`) or a browser makes.
async fn ask(url: &str, accept: Option<&str>) -> Answer {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.get(url);
    if let Some(accept) = accept {
        request = request.header(ACCEPT, accept);
    }
    let answer = request.send().await.unwrap();
    Answer {
        status: answer.status().as_u16(),
        headers: answer.headers().clone(),
        body: answer.text().await.unwrap(),
    }
}

/// An idle daemon that listens at `listen`, and the base of its address.
async fn start(world: &mut World, listen: &str) -> (Running, String) {
    world.set("status.listen", listen);
    let daemon = world.start(&[]);
    daemon.says("Waiting for the next run").await;
    let address = daemon.status_address().await;
    let base = address
        .trim_end_matches('/')
        .replace("0.0.0.0", "127.0.0.1");
    (daemon, base)
}

async fn stop(daemon: Running) {
    daemon.signal("TERM");
    daemon.finish().await.assert_code(0);
}

#[tokio::test]
async fn an_open_address_shows_no_page_until_that_is_configured_and_a_reload_suffices() {
    let mut world = World::new().await;
    let (daemon, base) = start(&mut world, "0.0.0.0:0").await;
    for path in OPEN {
        assert_eq!(
            ask(&format!("{base}{path}"), None).await.status,
            200,
            "{path}"
        );
    }
    let refused = ask(&format!("{base}/"), Some(BROWSER)).await;
    assert_eq!(refused.status, 403);
    assert!(
        refused.body.contains("status.pages = true"),
        "{}",
        refused.body
    );
    for path in [
        "/customers",
        "/customers.csv",
        "/data/waste.json",
        "/runs/1",
        "/report",
    ] {
        for accept in [None, Some(BROWSER)] {
            let refused = ask(&format!("{base}{path}"), accept).await;
            assert_eq!(refused.status, 403, "{path}");
        }
    }
    let file = "[status]\npages = true\npath_prefix = \"/ledger\"\n";
    world.write("config.toml", file);
    daemon.signal("HUP");
    until("pages are served below the prefix", async || {
        let page = ask(&format!("{base}/ledger/"), Some(BROWSER)).await;
        (page.status == 200).then_some(())
    })
    .await;
    stop(daemon).await;
}

#[tokio::test]
async fn pages_can_be_switched_off_on_loopback_too() {
    let mut world = World::new().await;
    world.set("status.pages", "false");
    let (daemon, base) = start(&mut world, "127.0.0.1:0").await;
    assert_eq!(ask(&format!("{base}/"), None).await.status, 200);
    assert_eq!(ask(&format!("{base}/"), Some(BROWSER)).await.status, 403);
    stop(daemon).await;
}

#[tokio::test]
async fn every_path_is_answered_below_the_prefix_whether_the_proxy_passes_it_on_or_not() {
    let mut world = World::new().await;
    world.set("status.path_prefix", "/tools/seat-ledger");
    let (daemon, base) = start(&mut world, "127.0.0.1:0").await;
    for path in OPEN {
        for prefix in ["", "/tools/seat-ledger"] {
            let answer = ask(&format!("{base}{prefix}{path}"), None).await;
            assert_eq!(answer.status, 200, "{prefix}{path}");
        }
    }
    for root in ["/tools/seat-ledger", "/tools/seat-ledger?a=b"] {
        assert_eq!(
            ask(&format!("{base}{root}"), None).await.status,
            200,
            "{root}"
        );
    }
    for path in [
        "/tools",
        "/tools/seat-ledgers/metrics",
        "/tools/seat-ledger//metrics",
        "/tools/seat-ledger/tools/seat-ledger/metrics",
        "/Tools/Seat-Ledger/metrics",
        "/tools/seat-ledger/%2e%2e/metrics",
    ] {
        assert_eq!(
            ask(&format!("{base}{path}"), None).await.status,
            404,
            "{path}"
        );
    }
    stop(daemon).await;
}

#[tokio::test]
async fn every_answer_tells_browsers_to_keep_guess_and_embed_nothing() {
    let mut world = World::new().await;
    let (daemon, base) = start(&mut world, "127.0.0.1:0").await;
    for path in OPEN.into_iter().chain(["/nowhere"]) {
        let answer = ask(&format!("{base}{path}"), None).await;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            (
                "content-security-policy",
                "default-src 'none'; frame-ancestors 'none'",
            ),
        ] {
            assert_eq!(answer.headers[name], value, "{path}");
        }
        assert!(!answer.headers.contains_key("set-cookie"), "{path}");
    }
    stop(daemon).await;
}
