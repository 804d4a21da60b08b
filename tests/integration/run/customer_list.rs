//! The customers of a run: those of the configuration, the partner's own list, and the selection on
//! the command line.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Simulator, World};

/// A world whose customers are found by `customers.discover` alone.
async fn discovering(customers: usize) -> World {
    let mut world = World::with_customers(customers).await;
    world.unset("customers.ids");
    world.set("customers.discover", "true");
    world
}

/// The customers of the last run.
async fn fetched(world: &World) -> BTreeSet<String> {
    let ids =
        "select customer_id from sync_customer where run_id = (select max(run_id) from sync_run)";
    world.lines(ids).await.into_iter().collect()
}

fn set_of(ids: &[&String]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).clone()).collect()
}

fn write(world: &mut World, name: &str, text: &str) {
    let path = world.folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    world.set("customers.file", &path.to_string_lossy());
}

#[tokio::test]
async fn a_run_is_over_the_union_of_ids_and_file_less_the_excluded_each_once() {
    let mut world = World::new().await;
    let ids = world.simulator.customers().await;
    let [a, b, c, d, _] = &ids[..] else {
        panic!("{ids:?}")
    };
    world.set(
        "customers.ids",
        &[a, &a.to_uppercase(), b].map(String::as_str).join(","),
    );
    world.set("customers.exclude", &b.to_uppercase());
    let file = format!(
        "\u{feff}Name;Customer_ID\r\n\"Fabrikam; Inc.\";{}\r\nContoso;{b}\r\nx;{c}\r\n",
        a.to_uppercase()
    );
    write(&mut world, "customers.csv", &file);
    world.backfill().await.assert_code(0);
    assert_eq!(fetched(&world).await, set_of(&[a, c]));
    assert_eq!(world.simulator.requests("usage").await.len(), 2);

    write(
        &mut world,
        "customers.txt",
        &format!("# ours\n\n  {d}\n{}\n{d}", d.to_uppercase()),
    );
    world.backfill().await.assert_code(0);
    assert_eq!(fetched(&world).await, set_of(&[a, d]));

    world.set("customers.discover", "true");
    world.backfill().await.assert_code(0);
    assert_eq!(
        fetched(&world).await,
        ids.iter().filter(|id| *id != b).cloned().collect()
    );
}

#[tokio::test]
async fn an_empty_union_is_an_error_that_says_so() {
    let mut world = World::new().await;
    let ids = world.simulator.customers().await;
    world.set("customers.exclude", &ids.join(","));
    let finished = world.backfill().await;
    finished.assert_code(78);
    assert!(
        finished.stderr.contains("there is no customer to fetch"),
        "{}",
        finished.stderr
    );
    assert_eq!(finished.summary()["outcome"], "failed");
    assert_eq!(
        world
            .lines("select outcome, detail like 'there is no customer to fetch%' from sync_run")
            .await,
        ["failed|true"]
    );
    write(&mut world, "empty.txt", "# nobody yet\n");
    world.unset("customers.ids");
    world.backfill().await.assert_code(78);
}

#[tokio::test]
async fn a_bad_line_of_the_file_is_reported_with_its_number_before_anything_is_fetched() {
    let mut world = World::new().await;
    let id = &world.simulator.customers().await[0];
    for (text, told) in [
        (
            format!("{id}\n\nContoso\n"),
            "line 3: \"Contoso\" is not a GUID",
        ),
        (
            format!("name,customer_id\n\"two\nlines\",{id}\ny,none\n"),
            "line 4: \"none\" is not a GUID",
        ),
    ] {
        write(&mut world, "customers", &text);
        let finished = world.backfill().await;
        finished.assert_code(78);
        assert!(
            finished.stderr.contains(told),
            "{told}, but: {}",
            finished.stderr
        );
    }
    assert_eq!(world.simulator.requests("usage").await, [Value::Null; 0]);

    write(&mut world, "customers", "Con\u{0}to\u{1b}[2Jso\n");
    let finished = world.backfill().await;
    finished.assert_code(78);
    assert!(
        !finished.stderr.contains(['\u{0}', '\u{1b}']),
        "{:?}",
        finished.stderr
    );
    let ended =
        "select distinct outcome, detail like '%line %', finished_at is not null from sync_run";
    assert_eq!(world.lines(ended).await, ["failed|true|true"]);
}

#[tokio::test]
async fn discovery_pages_through_the_list_in_every_form_of_its_next_link() {
    let world = discovering(520).await;
    for form in ["without_v1", "with_v1", "no_slash", "absolute"] {
        world.simulator.forget_requests().await;
        world.simulator.patch(json!({ "next_link": form })).await;
        let finished = world.run(&["--backfill", "--dry-run", "--json"]).await;
        finished.assert_code(0);
        assert_eq!(
            finished.summary()["customers"],
            json!({ "total": 520, "succeeded": 520, "failed": 0 }),
            "{form}"
        );
        let pages = world.simulator.requests("customers").await;
        let told: Vec<_> = pages
            .iter()
            .map(|page| (&page["path"], &page["query"]))
            .collect();
        assert_eq!(
            json!(told),
            json!([
                ["/v1/customers", "size=500"],
                ["/v1/customers", "size=500&seekOperation=Next"]
            ]),
            "{form}"
        );
        assert!(pages[0]["headers"]["ms-continuationtoken"].is_null());
        assert!(pages[1]["headers"]["ms-continuationtoken"].is_string());
        assert_ne!(
            pages[0]["headers"]["ms-requestid"],
            pages[1]["headers"]["ms-requestid"]
        );
    }
}

#[tokio::test]
async fn discovered_customers_are_stored_with_name_and_domain() {
    let world = discovering(7).await;
    world.simulator.patch(json!({ "max_page_size": 3 })).await;
    let failing = &world.simulator.customers().await[4];
    world
        .simulator
        .script_for_ever(failing, json!([{ "status": 404 }]))
        .await;
    world.backfill().await.assert_code(3);
    let kept = "select count(*) from customer where customer_name <> '' and domain like '%.%' and \
        first_seen_at <= last_seen_at";
    assert_eq!(world.value::<i64>(kept).await, 7);
    // A collection's own name for the customer does not displace the list's.
    assert_eq!(
        world
            .value::<i64>(
                "select count(*) from customer where customer_id in (select customer_id \
            from license_usage)"
            )
            .await,
        world
            .value::<i64>(
                "select count(distinct customer_id) from license_usage join customer \
            using (customer_id, customer_name)"
            )
            .await
    );
    let seen = "select customer_id, first_seen_at from customer order by 1";
    let before = world.lines(seen).await;
    let last_seen: String = world
        .value("select max(last_seen_at)::text from customer")
        .await;
    world
        .run(&["--backfill", "--customer", failing])
        .await
        .assert_code(3);
    assert_eq!(world.lines(seen).await, before);
    assert_eq!(
        world
            .lines(&format!(
                "select customer_id from customer where last_seen_at > '{last_seen}' \
            and domain is not null"
            ))
            .await,
        std::slice::from_ref(failing)
    );
}

#[tokio::test]
async fn a_next_link_to_another_host_ends_the_run_and_is_not_given_the_token() {
    let world = discovering(10).await;
    let elsewhere = Simulator::start(&["--customers", "10"]).await;
    let foreign =
        json!({ "next_link": "foreign", "next_link_host": elsewhere.base_url, "max_page_size": 4 });
    world.simulator.patch(foreign).await;
    let finished = world.backfill().await;
    finished.assert_code(1);
    assert!(
        finished.stderr.contains("goes on at another host"),
        "{}",
        finished.stderr
    );
    assert_eq!(elsewhere.get("requests").await, json!([]));
    assert_eq!(
        world
            .lines("select outcome, customers_total from sync_run")
            .await,
        ["failed|0"]
    );
    assert_eq!(
        world
            .value::<i64>("select count(*) from sync_customer")
            .await,
        0
    );
}

#[tokio::test]
async fn an_incomplete_list_of_customers_ends_the_run() {
    // Customers are also configured by id, so a run could go on without the list. It must not.
    let mut world = World::new().await;
    world.set("customers.discover", "true");
    world
        .simulator
        .patch(json!({ "next_link": "repeat", "max_page_size": 2 }))
        .await;
    let finished = world.backfill().await;
    finished.assert_code(1);
    assert!(
        finished.stderr.contains("repeats a page"),
        "{}",
        finished.stderr
    );
    assert_eq!(world.simulator.requests("customers").await.len(), 2);

    for answer in [
        json!({ "status": 403, "json": { "code": "900309", "description": "blocked" } }),
        json!({ "status": 500 }),
        json!({ "text": "<html>Sign in</html>" }),
        json!({ "json": { "code": "2032", "description": "The role is too small" } }),
        json!({ "json": { "statusCode": 429, "message": "Rate limit is exceeded." } }),
        json!({ "text": "{\"items\":[" }),
        json!({ "text": "[]" }),
        json!({ "json": { "items": {} } }),
        json!({}),
    ] {
        world
            .simulator
            .script_for_ever("customers", json!([answer]))
            .await;
        let finished = world.backfill().await;
        // Only the first answer gives a reason that does not pass by itself.
        let code = if answer["status"] == 403 { 4 } else { 1 };
        assert_eq!(finished.code(), code, "{answer}: {}", finished.stdout);
        assert!(
            finished.stderr.contains("customers.discover"),
            "{answer}: {}",
            finished.stderr
        );
    }
    assert_eq!(world.simulator.requests("usage").await, [Value::Null; 0]);
}

#[tokio::test]
async fn a_next_links_headers_are_sent_along_and_cannot_displace_ours() {
    let world = discovering(3).await;
    let ids = world.simulator.customers().await;
    let header = |key: &str, value: &str| json!({ "key": key, "value": value });
    let headers = [
        header("MS-ContinuationToken", "Y3VzdG9tZXJzOjE="),
        header("MS-Own", "kept"),
        header("Authorization", "Bearer stolen"),
        header("Host", "elsewhere.example"),
        header("Accept", "text/html"),
        header("X-Locale", "xx"),
        header("MS-RequestId", "none"),
        header("not a header", "\r\nX: y"),
    ];
    let links = json!({ "next": { "uri": "/customers?size=500", "headers": headers } });
    let page = json!({ "items": [{ "id": ids[0] }], "links": links });
    world
        .simulator
        .script("customers", json!([{ "json": page }]))
        .await;
    world.backfill().await.assert_code(0);
    assert_eq!(fetched(&world).await, ids.into_iter().collect());
    let pages = world.simulator.requests("customers").await;
    let [first, second] = [&pages[0]["headers"], &pages[1]["headers"]];
    for ours in ["authorization", "host", "accept", "x-locale"] {
        assert_eq!(first[ours], second[ours], "{ours}");
    }
    assert_eq!(second["ms-own"], "kept");
    assert_ne!(second["ms-requestid"], "none");
}

#[tokio::test]
async fn a_run_for_some_customers_asks_for_no_other() {
    let mut world = World::new().await;
    let ids = world.simulator.customers().await;
    world.set("customers.discover", "true");
    let upper = ids[1].to_uppercase();
    let chosen = [
        "--backfill",
        "--customer",
        &ids[0],
        "--customer",
        &upper,
        "--customer",
        &ids[1],
    ];
    world.run(&chosen).await.assert_code(0);
    assert_eq!(fetched(&world).await, set_of(&[&ids[0], &ids[1]]));
    assert_eq!(
        world.simulator.requests("customers").await,
        [Value::Null; 0]
    );

    let unknown = "11111111-70f4-4e1e-9ff1-b2bfce8d9f04";
    let finished = world
        .run(&["--backfill", "--json", "--customer", unknown])
        .await;
    finished.assert_code(3);
    let failure = &finished.summary()["failures"][0];
    assert_eq!(
        (&failure["customer_id"], &failure["reason"]),
        (&json!(unknown), &json!("not_found"))
    );
}

#[tokio::test]
async fn a_dry_run_fetches_and_judges_and_writes_nothing() {
    let mut world = World::new().await;
    let ids = world.simulator.customers().await;
    world
        .simulator
        .script_for_ever(&ids[0], json!([{ "items": [{}] }]))
        .await;
    world
        .simulator
        .script_for_ever(&ids[1], json!([{ "status": 403 }]))
        .await;
    world.execute("create schema untouched").await;
    let reachable = format!("{}&options=-csearch_path%3Duntouched", world.database_url());
    let reachable = if reachable.contains('?') {
        reachable
    } else {
        reachable.replacen('&', "?", 1)
    };
    for url in [reachable.as_str(), "postgres://nobody@127.0.0.1:1/nothing"] {
        world.set("database.url", url);
        let finished = world.run(&["--backfill", "--dry-run", "--json"]).await;
        finished.assert_code(3);
        let summary = finished.summary();
        assert_eq!(summary["run_id"], Value::Null);
        assert_eq!(
            summary["customers"],
            json!({ "total": 5, "succeeded": 3, "failed": 2 })
        );
        let rows = &summary["rows"];
        assert!(rows["received"].as_u64().unwrap() > 1);
        assert_eq!([&rows["inserted"], &rows["rejected"]], [0, 1]);
    }
    let made = "select count(*) from pg_class where relnamespace = 'untouched'::regnamespace";
    assert_eq!(world.value::<i64>(made).await, 0);
}

#[tokio::test]
async fn the_json_summary_is_alone_on_standard_output() {
    let mut world = World::new().await;
    world.set("log.filter", "trace");
    for format in ["text", "json"] {
        world.set("log.format", format);
        let finished = world.backfill().await;
        finished.assert_code(0);
        assert!(
            finished.stdout.ends_with("}\n") && finished.stdout.lines().count() == 1,
            "{}",
            finished.stdout
        );
        let summary = finished.summary();
        let members: Vec<&str> = summary
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let documented = [
            "customers",
            "failures",
            "finished_at",
            "http",
            "outcome",
            "rows",
            "run_id",
            "started_at",
            "version",
        ];
        assert_eq!(members, documented);
    }
}
