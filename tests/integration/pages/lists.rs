//! The pages of customers and products show the rows of their queries, whatever names and
//! searches hold, and a slow database keeps nobody waiting.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Response;
use reqwest::header::ACCEPT;
use serde_json::Value;
use sqlx::Row as _;

use crate::support::{Link, Lost, Running, World, computed, get, until};

/// Customers of every state, two services, renamed products, failures and rejected items.
pub(super) const LEDGER: &str = include_str!("../ledger/views/customers/ledger.sql");

/// What browsers send when a person opens a page.
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// A daemon that waits, and its status address without the slash at the end.
pub(super) async fn start(world: &mut World) -> (Running, String) {
    world.set("status.listen", "127.0.0.1:0");
    world.set("schedule.run_on_start", "never");
    let daemon = world.start(&[]);
    let address = daemon.idle_address().await;
    (daemon, address.trim_end_matches('/').to_owned())
}

pub(super) async fn stop(daemon: Running) {
    daemon.signal("TERM");
    daemon.finish().await.assert_code(0);
}

/// The answer to a browser.
pub(super) async fn browse(url: &str) -> Response {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.get(url).header(ACCEPT, BROWSER);
    request.send().await.unwrap()
}

/// A page of status 200.
pub(super) async fn page(url: &str) -> String {
    let answer = browse(url).await;
    let status = answer.status();
    let html = answer.text().await.unwrap();
    assert_eq!(status, 200, "{url}: {html}");
    html
}

/// The text of a template, as a browser reads it.
pub(super) fn unescaped(html: &str) -> String {
    let mut parts = html.split("&#");
    let mut text = parts.next().unwrap().to_owned();
    for part in parts {
        let (code, rest) = part.split_once(';').unwrap();
        let character = code.parse().ok().and_then(char::from_u32).unwrap();
        text.push(character);
        text.push_str(rest);
    }
    text
}

/// The customers of a page, in its order.
pub(super) fn customers(html: &str) -> Vec<String> {
    let links = html.split("<a href=\"/customers/").skip(1);
    links.map(|link| link[..36].to_owned()).collect()
}

pub(super) async fn add_customer(world: &World, name: &str, domain: Option<&str>) -> String {
    let insert = "insert into customer (customer_id, customer_name, domain, first_seen_at, \
        last_seen_at) values (gen_random_uuid(), $1, $2, now(), now()) returning customer_id::text";
    let row = sqlx::query(insert).bind(name).bind(domain);
    row.fetch_one(&world.pool).await.unwrap().get(0)
}

/// The customers that a search finds.
async fn found(address: &str, search: &str) -> Vec<String> {
    let mut url = url::Url::parse(&format!("{address}/customers")).unwrap();
    url.query_pairs_mut().append_pair("q", search);
    customers(&page(url.as_str()).await)
}

#[tokio::test]
async fn customers_are_listed_worst_first_in_pages_of_a_hundred() {
    let mut world = World::new().await;
    world.execute(LEDGER).await;
    world
        .execute(
            "insert into customer (customer_id, customer_name, first_seen_at, last_seen_at,
                last_failure_at, last_failure_reason)
            select gen_random_uuid(), 'Customer ' || n, now(), now(), now(), 'forbidden'
            from generate_series(1, 230) as n",
        )
        .await;
    let (daemon, address) = start(&mut world).await;
    let total: i64 = world.value("select count(*) from customer_freshness").await;
    let mut listed = Vec::new();
    for number in 1.. {
        let answer = browse(&format!("{address}/customers?page={number}")).await;
        let status = answer.status();
        let html = answer.text().await.unwrap();
        if status == 404 {
            assert!(html.contains("The list ends before this page."), "{html}");
            break;
        }
        let rows = customers(&html);
        assert!(rows.len() == 100 || !html.contains("rel=\"next\""));
        let last = listed.len() + rows.len();
        let summary = format!("{} to {last} of {total}", listed.len() + 1);
        assert!(html.contains(&summary), "{summary}: {html}");
        listed.extend(rows);
    }
    let expected = world.lines(
        "select customer_id from customer_freshness order by array_position(array['failing', \
            'stale', 'ended', 'never_had_usage', 'active', 'gone'], state::text), \
            last_processed_date nulls first, customer_name, customer_id",
    );
    assert_eq!(listed, expected.await);

    let html = page(&format!("{address}/customers")).await;
    for line in world
        .lines("select state, count(*) from customer_freshness group by state")
        .await
    {
        let (state, count) = line.split_once('|').unwrap();
        let choice = format!("state={state}\">{} <span", state.replace('_', " "));
        let (_, rest) = html.split_once(&choice).expect(&choice);
        let shown = rest.split(['>', '<']).nth(1).unwrap();
        assert_eq!(shown, count, "{state}");
        let of_state =
            format!("select customer_id from customer_freshness where state = '{state}'");
        let mut of_state = world.lines(&of_state).await;
        let url = format!("{address}/customers?state={state}");
        let mut listed = customers(&page(&url).await);
        listed.sort();
        of_state.sort();
        of_state.truncate(100);
        assert_eq!(listed.len(), of_state.len(), "{state}");
    }
    let unknown = browse(&format!("{address}/customers?state=lost")).await;
    assert_eq!(unknown.status(), 404);
    assert!(unknown.text().await.unwrap().contains("never_had_usage"));
    stop(daemon).await;
}

#[tokio::test]
async fn a_search_takes_each_character_for_itself() {
    let mut world = World::new().await;
    let percent = add_customer(&world, "50% off", None).await;
    let underline = add_customer(&world, "snake_case", None).await;
    let quotes = add_customer(&world, r#"O'Neil \ "Sons" \'"#, None).await;
    let domain = add_customer(&world, "Contoso", Some("Fabrikam.example")).await;
    let bang = add_customer(&world, "Yahoo!", None).await;
    let signs = add_customer(&world, "^(A|B)+? {1,2}* = [.c] $", None).await;
    let (daemon, address) = start(&mut world).await;
    for (search, expected) in [
        ("%", &percent),
        ("0% O", &percent),
        ("_", &underline),
        ("'", &quotes),
        (r"\", &quotes),
        (r"\'", &quotes),
        (r#" "sons" "#, &quotes),
        ("fabrikam.EXAMPLE", &domain),
        ("!", &bang),
        ("^(a|b)+? {1,2}* = [.C] $", &signs),
        ("{1,2}", &signs),
        ("[.", &signs),
        (&bang[..13].to_uppercase(), &bang),
    ] {
        assert_eq!(
            found(&address, search).await,
            [expected.as_str()],
            "{search}"
        );
    }
    for nothing in [
        "'; drop table customer; --",
        "\0\u{1}",
        "[a-z]",
        "cont.so",
        "^C",
        "***=contoso",
        &"\u{fc}\u{3b1}\u{434}".repeat(170),
        &"x".repeat(3_000),
    ] {
        // U+0000 is left out, so that nothing may be left to search for.
        let found = found(&address, nothing).await;
        assert!(found.is_empty(), "{nothing}: {found:?}");
    }
    assert_eq!(found(&address, "  ").await.len(), 6);
    let html = page(&format!("{address}/customers?q=%22%3E%3Cb%3E")).await;
    assert!(!html.contains("\"><b>"), "{html}");
    stop(daemon).await;
}

#[tokio::test]
async fn a_search_takes_any_letter_case_also_where_the_locale_knows_ascii_only() {
    let base = World::before_migrations().await;
    let database = format!("c_{}", uuid::Uuid::new_v4().simple());
    let create =
        format!("create database {database} template template0 encoding 'UTF8' locale 'C'");
    base.execute(&create).await;
    let mut url = url::Url::parse(base.database_url()).unwrap();
    url.set_path(&database);
    let pool = sqlx::PgPool::connect(url.as_str()).await.unwrap();
    let mut world = World::at(pool, url.as_str(), 1).await;
    world.run(&["migrate"]).await.assert_code(0);
    let name = "\u{d6}zg\u{fc}r & M\u{dc}LLER \u{394}\u{3b5}\u{3bb}\u{3c4}\u{3b1} INC";
    let customer = add_customer(&world, name, None).await;
    let (daemon, address) = start(&mut world).await;
    for search in [name.to_uppercase(), name.to_lowercase(), name.to_owned()] {
        assert_eq!(
            found(&address, &search).await,
            [customer.as_str()],
            "{search}"
        );
    }
    assert!(found(&address, "muller").await.is_empty());
    stop(daemon).await;
    world.pool.close().await;
    let drop = format!("drop database {database} with (force)");
    base.execute(&drop).await;
}

#[tokio::test]
async fn a_name_is_text_wherever_it_is_shown() {
    let mut world = World::new().await;
    let long = "long ".repeat(102) + "xx";
    let names = [
        "<script>alert(1)</script>",
        "\u{202e}txt.exe",
        "\u{1f980} & \"Sons\"",
        "=cmd|'/c calc'!A0",
        "{{ 7 * 7 }}",
        &long,
    ];
    for name in names {
        add_customer(&world, name, Some("<i>.example")).await;
    }
    let (daemon, address) = start(&mut world).await;
    let html = page(&format!("{address}/customers")).await;
    assert!(!html.contains("<script") && !html.contains("<i>"), "{html}");
    let text = unescaped(&html);
    for name in names {
        // What turns the direction of text is left out on pages, and is in the files.
        let shown = name.replace('\u{202e}', "");
        assert!(text.contains(&format!("<bdi>{shown}</bdi>")), "{name}");
    }
    let (status, json) = get(&format!("{address}/customers.json")).await;
    assert_eq!(status, 200);
    let document: Value = serde_json::from_str(&json).unwrap();
    let rows = document["rows"].as_array().unwrap();
    for name in names {
        assert!(
            rows.iter().any(|row| row["customer_name"] == name),
            "{name}"
        );
    }
    let (_, csv) = get(&format!("{address}/customers.csv")).await;
    assert!(csv.contains("\r\n'=cmd|'/c calc'!A0,"), "{csv}");
    assert!(csv.contains("\r\n\"\u{1f980} & \"\"Sons\"\"\","), "{csv}");
    stop(daemon).await;
}

#[tokio::test]
async fn products_have_their_seats_their_dates_and_their_old_names() {
    let mut world = World::new().await;
    world.execute(LEDGER).await;
    let (daemon, address) = start(&mut world).await;
    let json = computed(&address).await;
    let document: Value = serde_json::from_str(&json).unwrap();
    let text = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let columns = [
        "product_name",
        "product_kind",
        "customers",
        "seats",
        "active",
        "unused",
        "first_date",
        "last_date",
    ];
    let rows = document["rows"].as_array().unwrap().iter();
    let mut rows: Vec<String> = rows
        .map(|row| columns.map(|column| text(&row[column])).join("|"))
        .collect();
    rows.sort();
    let mut expected = world
        .lines(
            "select h.product_name, max(h.product_kind) as kind, count(p.customer_id) as customers,
                sum(coalesce(p.licenses_sold, p.licenses_qualified)) as seats,
                sum(p.licenses_active) as active, sum(p.licenses_unused) as unused,
                min(h.first_date) as first_date, max(h.last_date) as last_date
            from license_holding as h
            left join license_product as p
                on p.customer_id = h.customer_id and p.product_name = h.product_name
            group by h.product_name",
        )
        .await;
    // What only deployment names has no usage.
    expected.extend(
        world
            .lines(
                "select product_name, max(product_kind), count(*) as customers,
                    sum(coalesce(licenses_sold, licenses_qualified)) as seats,
                    sum(licenses_active) as active, sum(licenses_unused) as unused,
                    null as first_date, null as last_date
                from license_product
                where product_name not in (select product_name from license_holding)
                group by product_name",
            )
            .await,
    );
    expected.sort();
    assert_eq!(rows, expected);

    let html = unescaped(&page(&format!("{address}/products")).await);
    assert!(html.contains("renamed from <bdi>Visio Old</bdi>"), "{html}");
    assert!(
        html.contains("renamed from <bdi>Project Old</bdi>"),
        "{html}"
    );
    assert!(html.contains("<span class=\"tag\">trial</span>"), "{html}");
    stop(daemon).await;
}

#[tokio::test]
async fn a_slow_database_gets_one_page_at_a_time_and_the_others_are_told() {
    let mut world = World::new().await;
    add_customer(&world, "Contoso", None).await;
    let (daemon, address) = start(&mut world).await;
    let url = format!("{address}/customers");
    page(&url).await;
    let mut lock = world.pool.begin().await.unwrap();
    sqlx::query("lock table customer in access exclusive mode")
        .execute(&mut *lock)
        .await
        .unwrap();
    let asked = Instant::now();
    let waiting = "select count(*) from pg_stat_activity where datname = current_database() and \
        application_name = 'seatledger' and wait_event_type = 'Lock' and \
        query like 'with found as materialized (select customer_name, %'";
    let answers = async { join_all((0..6).map(|_| browse(&url))).await };
    let (answers, ()) = tokio::join!(answers, async {
        until("a page waits", async || {
            (world.value::<i64>(waiting).await == 1).then_some(())
        })
        .await;
    });
    for answer in answers {
        assert_eq!(answer.status(), 503);
        let html = answer.text().await.unwrap();
        assert!(html.contains("database"), "{html}");
    }
    // A few seconds in the queue and for the statement; a busy machine adds some.
    assert!(asked.elapsed() < Duration::from_secs(30));
    // Browsers that leave let no queries pile up.
    for _ in 0..5 {
        let leaving = tokio::time::timeout(Duration::from_millis(50), browse(&url));
        let _left = leaving.await;
        assert!(world.value::<i64>(waiting).await <= 1);
    }
    lock.rollback().await.unwrap();
    until("the page is back", async || {
        (browse(&url).await.status() == 200).then_some(())
    })
    .await;
    stop(daemon).await;
}

#[tokio::test]
async fn badges_have_no_names_and_are_right_while_the_database_is_away() {
    let mut world = World::new().await;
    let link = Link::to(world.database_url()).await;
    world.execute(LEDGER).await;
    world.set("database.url", link.url());
    world.set("status.pages", "false");
    let (daemon, address) = start(&mut world).await;
    let badge = async |name: &str| {
        let answer = browse(&format!("{address}/badge/{name}.svg")).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "image/svg+xml");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        answer.text().await.unwrap()
    };
    let counts = "select count(*) filter (where state = 'active') || ' of ' || count(*) filter \
        (where state in ('active', 'stale', 'failing')) || ' customers' from customer_freshness";
    let counts: String = world.value(counts).await;
    let title = format!("<title>fresh figures: {counts}</title>");
    until("the customers are counted", async || {
        badge("freshness").await.contains(&title).then_some(())
    })
    .await;
    let badge_of_run = badge("last-run").await;
    assert!(badge_of_run.contains("<title>last run: "), "{badge_of_run}");
    assert!(!badge_of_run.contains("not known"), "{badge_of_run}");
    assert_eq!(browse(&format!("{address}/customers")).await.status(), 403);
    link.lose(Lost::BOTH);
    for name in ["freshness", "last-run"] {
        until("the badge says that the database is away", async || {
            let svg = badge(name).await;
            svg.contains(": database away since ").then_some(())
        })
        .await;
    }
    link.mend();
    stop(daemon).await;
}
