//! The front page: what it says, to whom, and under which headers.

use reqwest::Response;
use reqwest::header::ACCEPT;
use serde_json::Value;

use super::lists::unescaped;
use crate::support::{Running, Server, World, until};

/// A ledger with customers that fail, free and trial products, renamed ones, and days that were
/// missed.
const LEDGER: &str = include_str!("../ledger/views/customers/ledger.sql");

/// What a browser sends.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

async fn start(world: &mut World) -> (Running, String) {
    world.set("status.listen", "127.0.0.1:0");
    let daemon = world.start(&[]);
    let address = daemon.idle_address().await;
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

/// The page, once it is as wanted.
async fn page_with(address: &str, is_wanted: impl Fn(u16, &str) -> bool) -> String {
    until("the page shows it", async || {
        let page = ask(address, Some(BROWSER)).await;
        let status = page.status().as_u16();
        let html = page.text().await.unwrap();
        is_wanted(status, &html).then_some(html)
    })
    .await
}

/// An idle daemon on a ledger that is there already, and its page with figures.
async fn page_of_ledger(world: &mut World) -> (Running, String) {
    world.set("schedule.run_on_start", "never");
    let (daemon, address) = start(world).await;
    let html = page_with(&address, |_, html| html.contains("id=\"waste\"")).await;
    (daemon, html)
}

/// The texts of all elements, one a line.
fn text(html: &str) -> String {
    let body = html.split_once("<body>").unwrap().1;
    let texts = body.split('<').filter_map(|part| part.split_once('>'));
    let texts = texts
        .map(|(_, text)| text.trim())
        .filter(|text| !text.is_empty());
    let text = texts.collect::<Vec<_>>().join("\n");
    text.replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#38;", "&")
        .replace(',', "")
}

#[tokio::test]
async fn the_figures_of_the_page_are_those_of_the_views() {
    let mut world = World::new().await;
    world.execute(LEDGER).await;
    let (daemon, html) = page_of_ledger(&mut world).await;
    let text = text(&html);
    let now = "select sum(licenses_active), sum(licenses_unused) filter (where licenses_unused > 0)
               from license_product where product_kind = 'paid'";
    let now = &world.lines(now).await[0];
    for figure in now.split('|') {
        assert!(
            text.lines().any(|line| line == figure),
            "{figure} in {text}"
        );
    }
    let waste = "select licenses_active || ' of ' || coalesce(licenses_sold, licenses_qualified)
                 from license_waste
                 order by licenses_unused desc, customer_id, product_name limit 5";
    let waste = world.lines(waste).await;
    assert!(!waste.is_empty());
    for line in waste {
        assert!(text.lines().any(|text| text == line), "{line} in {text}");
    }
    let complete =
        "select service, count(*) filter (where state = 'complete') || ' of ' || count(*)
                    from data_completeness
                    where date > (select max(date) from data_completeness) - 91 group by service";
    let complete = world.lines(complete).await;
    assert!(!complete.is_empty());
    for line in complete {
        let (service, count) = line.split_once('|').unwrap();
        assert!(
            text.lines().any(|text| text == service),
            "{service} in {text}"
        );
        assert!(text.lines().any(|text| text == count), "{count} in {text}");
    }
    let workloads = "select workload_name from license_usage_current group by workload_name
                     order by sum(licenses_active) desc, workload_name limit 3";
    for workload in world.lines(workloads).await {
        assert!(
            text.lines().any(|text| text == workload),
            "{workload} in {text}"
        );
    }
    let failing = "select customer_id from customer_freshness where state = 'failing' limit 1";
    let failing = &world.lines(failing).await[0];
    assert!(
        html.contains(&format!("href=\"/customers/{failing}\"")),
        "{text}"
    );
    // What is drawn is described, and so is each table.
    for figure in ["<svg", "<table"] {
        let descriptions = if figure == "<svg" {
            "<desc>"
        } else {
            "<caption"
        };
        assert!(html.contains(figure), "{html}");
        assert_eq!(
            html.matches(figure).count(),
            html.matches(descriptions).count()
        );
    }
    stop(daemon).await;
}

#[tokio::test]
async fn a_new_ledger_says_what_is_not_there_yet() {
    let mut world = World::new().await;
    let (daemon, html) = page_of_ledger(&mut world).await;
    let text = text(&html);
    for said in [
        "No run has ended yet.",
        "none has ended yet",
        "There are none yet: no customer's newest figures have a paid product.",
        "Before the first run",
        "No customer has figures of a paid product yet.",
        "No service has figures yet.",
        "No paid product has seats that nobody uses.",
        "No product was renamed began or ended.",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(!html.contains("<svg") && !html.contains("<table"), "{html}");
    stop(daemon).await;
}

#[tokio::test]
async fn a_suspected_renaming_is_shown_with_the_statement_that_confirms_it() {
    let mut world = World::new().await;
    world.execute(LEDGER).await;
    world
        .execute(
            "update license_usage set product_name = 'Premium <i>\''s</i>'
            where product_name = 'Business Premium'",
        )
        .await;
    world.reread_if_distributed().await;
    let suspects = "select alias_statement from product_rename_suspect order by customers desc, 1";
    let statements = world.lines(suspects).await;
    let hostile = statements
        .iter()
        .any(|it| it.contains("'Premium <i>''s</i>'"));
    assert!(hostile, "{statements:?}");
    let (daemon, html) = page_of_ledger(&mut world).await;
    let shown = html.split("<code class=\"copy\">").skip(1);
    let shown: Vec<String> = shown
        .map(|rest| rest.split_once("</code>").unwrap().0)
        .map(unescaped)
        .collect();
    assert_eq!(shown.len(), statements.len(), "{shown:?}");
    for statement in shown {
        assert!(statements.contains(&statement), "{statement}");
        world.execute(&statement).await;
    }
    assert_eq!(world.lines(suspects).await, Vec::<String>::new());
    stop(daemon).await;
}

#[tokio::test]
async fn of_many_customers_that_need_a_person_the_worst_are_named_and_all_are_counted() {
    let mut world = World::new().await;
    world
        .execute(
            "insert into customer (customer_id, customer_name, first_seen_at, last_seen_at,
                last_failure_at, last_failure_reason)
            select gen_random_uuid(), 'Customer ' || n, now() - n * interval '1 day', now(), now(),
                'forbidden'
            from generate_series(1, 200) as n;
            insert into sync_run (kind, whole_list, started_at, finished_at, outcome, detail)
            values ('schedule', true, now(), now(), 'failed', 'no token')",
        )
        .await;
    let (daemon, html) = page_of_ledger(&mut world).await;
    let text = text(&html);
    for said in [
        "Last run failed",
        "The last run stored nothing.",
        "200 need you.",
        "Customer 200",
        "Customer 193",
        "and 192 more customers",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(!text.contains("Customer 192"), "{text}");
    let place = |said: &str| text.find(said).unwrap();
    assert!(
        place("stored nothing") < place("Customer 200"),
        "the cause first: {text}"
    );
    assert!(!text.contains("Nothing: runs succeed"), "{text}");
    assert!(
        html.contains("<a href=\"/customers\">and 192 more"),
        "{html}"
    );
    stop(daemon).await;
}

#[tokio::test]
async fn names_cannot_add_markup_or_reorder_the_page() {
    let mut world = World::with_customers(2).await;
    world.backfill().await.assert_code(0);
    world
        .execute(
            "update license_usage set customer_name = name,
                 product_name = left(name, 60) || product_name,
                 workload_name = left(name, 60) || workload_name
             from (select '<script>alert(1)</script>\"&''\u{202e}\u{1f680}' || repeat('x', 400))
                 as hostile (name);
             update customer set customer_name = '<b>R&D</b>\u{202e}';
             select reread_license_usage()",
        )
        .await;
    let (daemon, html) = page_of_ledger(&mut world).await;
    assert!(
        html.contains("&#60;script&#62;alert(1)&#60;/script&#62;"),
        "{html}"
    );
    assert!(
        !html.contains("<script") && !html.contains("<b>R"),
        "{html}"
    );
    // Each name is in an element of its own order, in which a mark has no effect beyond its end.
    let marks = html.match_indices('\u{202e}');
    for (place, _) in marks {
        let before = &html[..place];
        let is_isolated = before.rfind("<bdi>") > before.rfind("</bdi>");
        let is_described = before.rfind("<title>").max(before.rfind("<desc>"))
            > before.rfind("</title>").max(before.rfind("</desc>"));
        assert!(
            is_isolated || is_described,
            "{}",
            &html[place.saturating_sub(200)..]
        );
    }
    stop(daemon).await;
}

#[tokio::test]
async fn while_the_database_is_away_the_page_shows_what_was_known_and_since_when_it_is_away() {
    let server = Server::start();
    let mut world = World::on_server(&server, 2).await;
    let (daemon, address) = start(&mut world).await;
    page_with(&address, |status, html| {
        status == 200 && html.contains("id=\"waste\"")
    })
    .await;
    server.stop();
    let html = page_with(&address, |status, _| status == 503).await;
    let text = text(&html);
    assert!(text.contains("The ledger's database is away."), "{text}");
    assert!(text.contains("It has not answered since "), "{text}");
    for said in ["Database away", "The ledger's database does not answer."] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(text.contains("succeeded"), "the last run: {text}");
    assert!(html.contains("id=\"waste\""), "{html}");
    server.start_again();
    page_with(&address, |status, html| {
        status == 200 && !html.contains("is away")
    })
    .await;
    stop(daemon).await;
}

#[tokio::test]
async fn a_run_under_way_has_a_bar_and_the_page_asks_again_by_itself() {
    let mut world = World::with_customers(3).await;
    world.set("status.listen", "127.0.0.1:0");
    let hold = world.hold_after(0).await;
    let daemon = world.start(&[]);
    let address = daemon.status_address().await;
    world.held().await;
    let html = page_with(&address, |_, html| html.contains("<progress max=\"3\"")).await;
    assert!(
        html.contains("<meta http-equiv=\"refresh\" content=\"5\">"),
        "{html}"
    );
    assert!(text(&html).contains("of 3 customers"), "{html}");
    hold.release().await;
    daemon.says("Waiting for the next run").await;
    let html = page_with(&address, |_, html| {
        !html.contains("<progress") && !html.contains("http-equiv")
    })
    .await;
    assert!(text(&html).contains("Run 1"), "{html}");
    stop(daemon).await;
}
