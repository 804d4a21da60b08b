//! Who is shown names of customers, and what a browser is told about each answer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{ACCEPT, HOST, HeaderMap};
use reqwest::{Client, Method};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::answers::{answer, collection, item_with};
use crate::support::{Running, World, computed, spawn, until};

/// What browsers send when a person opens a page.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// Paths that are answered whoever asks: probes, counts as JSON, metrics.
const OPEN: [&str; 5] = ["/healthz", "/readyz", "/health", "/metrics", "/"];

/// What a page must not take for a part of itself.
const MARKUP: &str = "<img src=x onerror=alert(1)>";

/// Turn the direction of what follows them; the second one is ended by `</bdi>`, which then does
/// not end what `<bdi>` began.
const TURNS: [char; 2] = ['\u{202e}', '\u{2067}'];

/// Of a name that is read from the right.
const RIGHT_TO_LEFT: char = '\u{5e9}';

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

fn client() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// The answer to a request that a probe (without `accept`) or a browser makes.
async fn ask(url: &str, accept: Option<&str>) -> Answer {
    ask_by(&client(), url, accept).await
}

async fn ask_by(client: &Client, url: &str, accept: Option<&str>) -> Answer {
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
    let address = daemon.idle_address().await;
    (daemon, address.trim_end_matches('/').to_owned())
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

/// A partner of three customers with hostile names, and with products and workloads of such names.
async fn hostile_world() -> World {
    let mut world = World::with_customers(3).await;
    let text = |text: &str| serde_json::to_string(text).unwrap();
    let long = "\u{1f480}w\u{f6}rd ".repeat(86);
    let names = [
        format!(
            "{MARKUP}\"'&</title><script>alert(2)</script>{}{}{RIGHT_TO_LEFT}gnp.exe",
            TURNS[0], TURNS[1]
        ),
        "=HYPERLINK(\"http://evil.example\",\"a\")".to_owned(),
        long.chars().take(512).collect(),
    ];
    for (id, name) in world.simulator.customers().await.iter().zip(&names) {
        let items: Vec<String> = ["Exchange", name]
            .map(|workload| {
                item_with(&[
                    ("customerName", &text(name)),
                    (
                        "productName",
                        &text(&name.chars().take(255).collect::<String>()),
                    ),
                    (
                        "workloadName",
                        &text(&workload.chars().take(255).collect::<String>()),
                    ),
                    ("processedDateTime", &text("2026-11-20T00:00:00Z")),
                ])
            })
            .into();
        let answers = json!([answer(collection(&items), json!({}))]);
        world.simulator.script_for_ever(id, answers).await;
    }
    world.backfill().await.assert_code(0);
    // So that the runs have something to say about a customer.
    let broken = json!([answer(MARKUP, json!({ "status": 403 }))]);
    let first = &world.simulator.customers().await[0];
    world.simulator.script_for_ever(first, broken).await;
    world.backfill().await.assert_code(3);
    let stored = "select count(*) from customer where customer_name like '%<img%' or \
        customer_name like '=%' or length(customer_name) = 512";
    assert_eq!(world.value::<i64>(stored).await, 3);
    world.set("schedule.run_on_start", "never");
    world
}

/// The addresses that a page links, with what is escaped in them as it was.
fn links(page: &str) -> impl Iterator<Item = String> {
    let attributes = page.split(" href=\"").skip(1);
    attributes.map(|rest| rest.split('"').next().unwrap().replace("&#38;", "&"))
}

/// Every path that is reached from the first page by links, with the answer to a browser.
async fn crawl(origin: &str, prefix: &str) -> BTreeMap<String, Answer> {
    let mut found = BTreeMap::new();
    let mut waiting = VecDeque::from([format!("{prefix}/")]);
    while let Some(path) = waiting.pop_front() {
        if found.contains_key(&path) {
            continue;
        }
        assert!(found.len() < 500, "the links have no end: {path}");
        let answer = ask(&format!("{origin}{path}"), Some(BROWSER)).await;
        if is_page(&answer) {
            for link in links(&answer.body).filter(|link| !link.starts_with('#')) {
                assert!(
                    link.starts_with(&format!("{prefix}/")),
                    "{path} links {link}"
                );
                waiting.push_back(link.split('#').next().unwrap().to_owned());
            }
        }
        found.insert(path, answer);
    }
    found
}

fn is_page(answer: &Answer) -> bool {
    let kind = answer.headers.get("content-type");
    kind.is_some_and(|kind| kind.to_str().unwrap().starts_with("text/html"))
}

/// The only policy of a page: its own style sheet, its own pictures, and a form of its own at most.
fn assert_policy(path: &str, answer: &Answer) {
    let policy = answer.headers["content-security-policy"].to_str().unwrap();
    if !is_page(answer) {
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
        return;
    }
    let styles: Vec<&str> = answer.body.split("<style>").collect();
    assert_eq!(styles.len(), 2, "{path}");
    let style = styles[1].split("</style>").next().unwrap();
    let hash = STANDARD.encode(digest(&SHA256, style.as_bytes()));
    let action = if answer.body.contains("<form") {
        "'self'"
    } else {
        "'none'"
    };
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; style-src 'sha256-{hash}'; img-src 'self'; base-uri 'none'; \
             form-action {action}; frame-ancestors 'none'"
        ),
        "{path}"
    );
}

/// Asserts that `page` is markup of ours with text of others in it, and never the other way round.
fn assert_escaped(path: &str, page: &str) {
    for forbidden in [
        MARKUP,
        "<script",
        " style=\"",
        "javascript:",
        "onerror=alert(1)>",
    ] {
        assert!(!page.contains(forbidden), "{path} has {forbidden}");
    }
    for turn in TURNS {
        assert!(!page.contains(turn), "{path} has {turn:?}");
    }
    // Each name is in an element that keeps its direction to itself, or in an attribute or a title,
    // where there is nothing beside it.
    for (at, _) in page.match_indices(RIGHT_TO_LEFT) {
        let before = &page[..at];
        let opened = |tag: &str| before.rfind(tag).map_or(0, |at| at + 1);
        let is_isolated = opened("<bdi") > opened("</bdi>");
        let is_alone = opened("<title>") > opened("</title>") || opened("=\"") > opened(">");
        let shown = before.chars().rev().take(80).collect::<Vec<_>>();
        let shown: String = shown.into_iter().rev().collect();
        assert!(
            is_isolated || is_alone,
            "{path} has a name without <bdi> after {shown:?}"
        );
    }
}

/// What a page could change, if it could change anything.
async fn state(world: &World) -> Vec<String> {
    let mut state = world.ledger().await;
    for table in [
        "customer",
        "sync_run",
        "product_alias",
        "product_note",
        "rejected_row",
    ] {
        let sql =
            format!("select md5(string_agg(t::text, ',' order by t::text)) from {table} as t");
        state.extend(world.lines(&sql).await);
    }
    state
}

#[tokio::test]
async fn every_page_and_file_is_safe_whatever_customers_and_products_are_called() {
    let mut world = hostile_world().await;
    world.set("status.path_prefix", "/seat/ledger");
    let before = state(&world).await;
    let (daemon, origin) = start(&mut world, "127.0.0.1:0").await;
    computed(&origin).await;
    let found = crawl(&origin, "/seat/ledger").await;
    let mut pages = 0;
    for (path, answer) in &found {
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(answer.headers[name], value, "{path}");
        }
        assert!(!answer.headers.contains_key("set-cookie"), "{path}");
        assert_policy(path, answer);
        let kind = answer.headers["content-type"].to_str().unwrap();
        if is_page(answer) {
            pages += 1;
            assert_escaped(path, &answer.body);
        } else if kind.starts_with("image/svg") {
            assert!(
                !answer.body.contains(MARKUP) && !answer.body.contains("<script"),
                "{path}"
            );
        } else if kind.starts_with("text/csv") {
            let mut cells = answer.body.split(['\n', ',']);
            let is_formula = |cell: &str| cell.trim_start_matches('"').starts_with(['=', '@']);
            assert!(
                !cells.any(is_formula),
                "{path} has a formula: {}",
                answer.body
            );
        } else {
            // A browser does not take these for a page, and does not guess.
            assert!(
                kind.starts_with("application/json") || kind.starts_with("text/plain"),
                "{path} is {kind}"
            );
        }
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let refused = client().request(method, format!("{origin}{path}"));
            assert_eq!(refused.send().await.unwrap().status(), 405, "{path}");
        }
        let foreign = client()
            .get(format!("{origin}{path}"))
            .header(HOST, "evil.example");
        assert_eq!(foreign.send().await.unwrap().status(), 421, "{path}");
    }
    assert!(pages > 1, "{:?}", found.keys());
    assert_eq!(state(&world).await, before);
    stop(daemon).await;

    // The same addresses on an address that others reach.
    world.unset("status.path_prefix");
    let (daemon, base) = start(&mut world, "0.0.0.0:0").await;
    for path in found.keys() {
        let path = path.trim_start_matches("/seat/ledger");
        let is_open = path == "/icon.svg" || path.starts_with("/badge/");
        let expected = if is_open { 200 } else { 403 };
        let answer = ask(&format!("{base}{path}"), Some(BROWSER)).await;
        assert_eq!(answer.status, expected, "{path}");
        if path != "/" {
            let answer = ask(&format!("{base}{path}"), None).await;
            assert_eq!(answer.status, expected, "{path}");
        }
        assert!(!answer.body.contains("HYPERLINK"), "{path}");
    }
    stop(daemon).await;
}

#[tokio::test]
async fn nothing_that_a_client_writes_into_an_address_is_a_fault_or_a_change() {
    let mut world = hostile_world().await;
    let before = state(&world).await;
    let (daemon, base) = start(&mut world, "127.0.0.1:0").await;
    computed(&base).await;
    let long = "a".repeat(8_000);
    let customer = &world.simulator.customers().await[0];
    let mut statuses = BTreeSet::new();
    for path in [
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/customers/..%2f..%2fetc%2fpasswd",
        "/customers/%00",
        "/customers/not-a-guid",
        "/customers/00000000-0000-0000-0000-000000000000",
        "/runs/0",
        "/runs/-1",
        "/runs/99999999999999999999999",
        "/runs/1%20or%201=1",
        "/customers?page=0",
        "/customers?page=-1",
        "/customers?page=99999999999999999999",
        "/customers?page=18446744073709551615&page=2",
        "/customers?state=%27%3bdrop%20table%20customer%3b--",
        "/customers?q=%25_%5c%27%22%3Cscript%3E",
        "/customers?q=%00",
        "/customers?q=%ff%fe",
        "/customers?%zz",
        "/customers.csv?state=nonsense",
        "/data/nonsense.csv",
        "/data/..%2fcustomers.csv",
        "/badge/nonsense.svg",
        "//evil.example/",
        "/;/customers",
        "/customers/",
        &format!("/customers?q={long}"),
        &format!("/{long}"),
        &format!("/customers/{customer}?days={long}"),
    ] {
        for accept in [
            None,
            Some(BROWSER),
            Some("application/json"),
            Some("a/b;q=x,,\u{7f}"),
        ] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n");
            let accept = accept.map(|accept| format!("Accept: {accept}\r\n"));
            let answer = raw(&base, &(request + &accept.unwrap_or_default() + "\r\n")).await;
            let status: u16 = answer[9..12].parse().unwrap();
            assert!([200, 400, 404].contains(&status), "{path}: {answer}");
            let is_page = answer.contains("\r\ncontent-type: text/html");
            assert!(!is_page || !answer.contains("<script"), "{path}: {answer}");
            assert!(!answer.contains("root:"), "{path}: {answer}");
            statuses.insert(status);
        }
    }
    assert_eq!(statuses.first().zip(statuses.last()), Some((&200, &404)));
    assert_eq!(state(&world).await, before);
    let said = daemon.stderr();
    assert!(
        !said.contains("panicked") && !said.contains("\"ERROR\""),
        "{said}"
    );
    stop(daemon).await;
}

/// The answer to exactly these bytes.
async fn raw(base: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(base.trim_start_matches("http://"))
        .await
        .unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn as_many_readers_as_are_answered_at_a_time_have_their_answer_and_so_has_a_probe() {
    let mut world = hostile_world().await;
    let (daemon, base) = start(&mut world, "127.0.0.1:0").await;
    computed(&base).await;
    let mut readers = Vec::new();
    // Made once: on a busy machine 33 take longer than the daemon waits for a request.
    let client = client();
    for number in 0..32 {
        let path = ["/", "/customers", "/runs", "/customers.csv"][number % 4];
        let url = format!("{base}{path}");
        let client = client.clone();
        readers.push(spawn(async move {
            ask_by(&client, &url, Some(BROWSER)).await.status
        }));
    }
    let probe = ask_by(&client, &format!("{base}/healthz"), None).await;
    assert_eq!(probe.status, 200);
    for reader in readers {
        assert_eq!(reader.await.unwrap(), 200);
    }
    let connections = "select count(*) from pg_stat_activity where datname = current_database() \
        and application_name = 'seatledger'";
    let connections: i64 = world.value(connections).await;
    assert!(
        connections < 10,
        "{connections} connections to the database"
    );
    stop(daemon).await;
}
