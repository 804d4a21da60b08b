//! A collection of several pages is fetched to its last page, or fails. It is never stored in part.

use serde_json::{Value, json};

use crate::support::answers::{answer, collection, item_with};
use crate::support::{Finished, Simulator, World, item};

/// An item with this workload.
fn of(workload: &str) -> Value {
    item(&json!({ "workloadName": workload }))
}

/// A page with one item and additional members.
fn page(workload: &str, beside: &Value) -> Value {
    let mut page = json!({ "totalCount": 1, "items": [of(workload)] });
    for (member, value) in beside.as_object().unwrap() {
        page[member] = value.clone();
    }
    json!({ "json": page })
}

/// Each customer's outcome or reason, items received and rows stored.
async fn ends(world: &World) -> Vec<String> {
    world
        .lines(
            "select coalesce(reason, outcome), rows_received, rows_inserted
             from sync_customer order by customer_id",
        )
        .await
}

async fn stored(world: &World) -> Vec<String> {
    world
        .lines("select workload_name from license_usage order by 1")
        .await
}

/// The query and the continuation token of each request of this kind.
async fn asked(world: &World, kind: &str) -> Vec<String> {
    let requests = world.simulator.requests(kind).await;
    let told = requests.iter().map(|request| {
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let token = text(&request["headers"]["ms-continuationtoken"]);
        format!("{} {token}", text(&request["query"]))
    });
    told.collect()
}

#[tokio::test]
async fn a_collection_that_goes_on_is_fetched_to_its_end_in_every_form_of_its_link() {
    let world = World::with_customers(1).await;
    let id = &world.simulator.customers().await[0];
    let path = format!("customers/{id}/analytics/licenses/usage?page=2");
    let absolute = format!("{}/v1/{path}", world.simulator.base_url);
    let header = json!([{ "key": "MS-ContinuationToken", "value": "t1" }]);
    let forms = [
        (
            json!({"links": {"next": {"uri": format!("/{path}"), "headers": header}}}),
            "page=2 t1",
        ),
        (
            json!({"links": {"next": {"uri": format!("/v1/{path}")}}}),
            "page=2 -",
        ),
        (json!({"links": {"NEXT": {"href": path}}}), "page=2 -"),
        (json!({"_links": {"next": {"href": absolute}}}), "page=2 -"),
        (json!({"@odata.nextLink": absolute}), "page=2 -"),
        (json!({"@nextLink": path}), "page=2 -"),
        (json!({"NextLink": path}), "page=2 -"),
        (json!({"next": "?page=2"}), "page=2 -"),
        (
            json!({"nextLink": path, "continuationToken": "t2"}),
            "page=2 t2",
        ),
        (json!({"continuationToken": "t3"}), "seekOperation=Next t3"),
    ];
    for (beside, second) in forms {
        world.empty_the_ledger().await;
        world.simulator.forget_requests().await;
        let pages = json!([page("Exchange", &beside), page("Teams", &json!({}))]);
        world.simulator.script(id, pages).await;
        let finished = world.backfill().await;
        finished.assert_code(0);
        assert_eq!(ends(&world).await, ["succeeded|2|2"], "{beside}");
        assert_eq!(stored(&world).await, ["Exchange", "Teams"], "{beside}");
        assert_eq!(asked(&world, "usage").await, [" -", second], "{beside}");
        assert_eq!(finished.summary()["rows"]["received"], 2);
    }
    for (name, value, second) in [
        (
            "Link",
            format!("<{absolute}>; rel=\"next\", </x>; rel=last"),
            "page=2 -",
        ),
        (
            "MS-ContinuationToken",
            "t4".to_owned(),
            "seekOperation=Next t4",
        ),
    ] {
        world.empty_the_ledger().await;
        world.simulator.forget_requests().await;
        let mut first = page("Exchange", &json!({}));
        first["headers"] = json!([[name, value]]);
        let pages = json!([first, page("Teams", &json!({}))]);
        world.simulator.script(id, pages).await;
        world.backfill().await.assert_code(0);
        assert_eq!(stored(&world).await, ["Exchange", "Teams"], "{name}");
        assert_eq!(asked(&world, "usage").await, [" -", second], "{name}");
    }
}

#[tokio::test]
async fn an_empty_link_ends_the_collection() {
    let world = World::with_customers(1).await;
    let id = &world.simulator.customers().await[0];
    for beside in [
        json!({"links": {"self": {"uri": "/x"}, "next": null}}),
        json!({"links": {"next": {"uri": ""}}}),
        json!({ "nextLink": null, "@odata.nextLink": " ",
            "continuationToken": "", "hasMore": false }),
    ] {
        world.empty_the_ledger().await;
        world.simulator.forget_requests().await;
        world
            .simulator
            .script(id, json!([page("Exchange", &beside)]))
            .await;
        world.backfill().await.assert_code(0);
        assert_eq!(asked(&world, "usage").await.len(), 1, "{beside}");
    }
}

#[tokio::test]
async fn an_incomplete_collection_fails_its_customer_and_no_other() {
    let world = World::with_customers(2).await;
    let ids = world.simulator.customers().await;
    let elsewhere = Simulator::start(&["--customers", "1"]).await;
    let abroad = format!("{}/v1/x", elsewhere.base_url);
    let path = format!("/customers/{}/analytics/licenses/usage", ids[0]);
    let next = |page: u32| json!({ "nextLink": format!("{path}?page={page}") });
    let refused = json!({ "status": 403, "json": { "code": "2032", "description": "No." } });
    let first = page("Exchange", &next(2));
    for (pages, reason, told) in [
        (
            json!([page("Exchange", &json!({ "nextLink": abroad }))]),
            "invalid_response",
            "goes on at another host",
        ),
        (
            json!([page("Exchange", &json!({ "hasMore": true }))]),
            "invalid_response",
            "there is more and not where",
        ),
        (
            json!([page("Exchange", &json!({ "nextLink": 2 }))]),
            "invalid_response",
            "is not a text",
        ),
        (json!([first, refused]), "forbidden", "403"),
        (json!([first, { "status": 404 }]), "not_found", "404"),
        (json!([first, { "status": 503 }]), "server_error", "503"),
        (
            json!([first, { "text": "<html>Sign in</html>" }]),
            "invalid_response",
            "web page",
        ),
        (
            json!([first, { "json": { "code": "1", "description": "No." } }]),
            "invalid_response",
            "code 1",
        ),
        // The same page for ever, with the same link or a new one each time.
        (json!([first]), "invalid_response", "repeats a page"),
        (
            json!([first, page("Exchange", &next(3))]),
            "invalid_response",
            "repeats a page",
        ),
        (
            json!([first, page("Teams", &next(2))]),
            "invalid_response",
            "repeats a page",
        ),
        (
            json!([first, page("Exchange", &json!({}))]),
            "invalid_response",
            "repeats a page",
        ),
    ] {
        world.empty_the_ledger().await;
        world
            .simulator
            .script_for_ever(&ids[0], pages.clone())
            .await;
        let finished = world.backfill().await;
        finished.assert_code(3);
        let failures = world
            .lines(
                "select customer_id, reason, rows_received from sync_customer where outcome = \
                'failed'",
            )
            .await;
        assert_eq!(failures, [format!("{}|{reason}|0", ids[0])], "{pages}");
        let detail: String = world
            .value("select detail from sync_customer where outcome = 'failed'")
            .await;
        assert!(detail.contains(told), "{told}, but: {detail}");
        let rows = format!(
            "select count(*) from license_usage where customer_id = '{}'",
            ids[0]
        );
        assert_eq!(world.value::<i64>(&rows).await, 0, "{pages}");
        assert_eq!(finished.summary()["customers"]["succeeded"], 1);
    }
    assert_eq!(elsewhere.get("requests").await, json!([]));
}

#[tokio::test]
async fn the_pages_of_a_collection_are_one_collection() {
    let world = World::with_customers(1).await;
    let id = &world.simulator.customers().await[0];
    let changed = item(&json!({ "licensesActive": 4, "processedDateTime": "2026-09-28" }));
    let earlier = item(&json!({ "processedDateTime": "2026-09-27" }));
    let first = json!({ "items": [of("Exchange"), of("Teams"), {}], "nextLink": "?page=2" });
    let second = json!({ "items": [earlier, of("Teams")], "nextLink": "?page=3" });
    let third = json!({ "items": [] , "nextLink": "?page=4" });
    let fourth = json!({ "items": [{}, changed] });
    let pages = [first, second, third, fourth].map(|page| json!({ "json": page }));
    world.simulator.script(id, json!(pages)).await;
    let finished = world.backfill().await;
    finished.assert_code(0);
    assert_eq!(
        world
            .lines(
                "select workload_name, licenses_active, (processed_date_time at time zone \
                'UTC')::date from license_usage order by 3, 1"
            )
            .await,
        [
            "Exchange|3|2026-09-27",
            "Exchange|4|2026-09-28",
            "Teams|3|2026-09-28"
        ]
    );
    assert_eq!(
        world
            .lines(
                "select reason, detail like 'item 3: %', detail like 'item 6: %' from \
                rejected_row order by rejected_row_id"
            )
            .await,
        [
            "missing_field|true|false",
            "missing_field|false|true",
            "duplicate_key|false|false"
        ]
    );
    assert_eq!(
        finished.summary()["rows"],
        json!({ "received": 7, "inserted": 3, "updated": 0, "unchanged": 1, "rejected": 3 })
    );
    assert_eq!(
        world
            .lines("select attempts, http_status from sync_customer")
            .await,
        ["4|200"]
    );
}

#[tokio::test]
async fn the_pages_of_a_collection_are_bounded_together() {
    let mut world = World::with_customers(1).await;
    let id = &world.simulator.customers().await[0];
    world.set("partner_center.max_response_bytes", "20000");
    let padding = "x".repeat(8_000);
    let pages: Vec<Value> = (1..=4)
        .map(|number| {
            let beside = json!({ "nextLink": format!("?page={number}"), "padding": padding });
            page(&number.to_string(), &beside)
        })
        .collect();
    world.simulator.script_for_ever(id, json!(pages)).await;
    world.backfill().await.assert_code(3);
    assert_eq!(ends(&world).await, ["response_too_large|0|0"]);
    assert_eq!(asked(&world, "usage").await.len(), 3);
    assert_eq!(stored(&world).await, [""; 0]);
}

#[tokio::test]
async fn a_deployment_that_goes_on_is_fetched_to_its_end_or_fails() {
    let mut world = World::with_customers(1).await;
    world.set("partner_center.datasets", "deployment");
    let page = |product: &str, next: &str| {
        json!({ "json": { "nextLink": next, "items": [{
            "productName": product, "licensesDeployed": 1, "licensesSold": 2,
            "processedDateTime": "2026-09-28T00:00:00",
        }] } })
    };
    for (last, code, rows) in [("", 0, 2), ("https://elsewhere.example/x", 3, 0)] {
        world.empty_the_ledger().await;
        let pages = json!([page("A", "?page=2"), page("B", last)]);
        world.simulator.script("deployment", pages).await;
        world.backfill().await.assert_code(code);
        let stored = "select count(*) from license_deployment";
        assert_eq!(world.value::<i64>(stored).await, rows);
    }
}

#[tokio::test]
async fn more_items_announced_than_sent_are_reported_by_the_run() {
    let world = World::with_customers(3).await;
    let short = page("Exchange", &json!({ "totalCount": 5 }));
    world
        .simulator
        .script_for_ever("usage", json!([short]))
        .await;
    let finished = world.backfill().await;
    finished.assert_code(0);
    let notes = finished.summary()["notes"].clone();
    let told = "announced more items than it sent for 3 of 3 customers";
    assert!(notes[0].as_str().unwrap().contains(told), "{notes}");
    assert!(finished.stderr.contains(told), "{}", finished.stderr);
    assert_eq!(
        world
            .lines("select distinct detail from sync_customer")
            .await,
        ["the API announced 5 items and sent 1"]
    );
}

/// Asserts that a customer failed because none of its items was usable, and that all `kept` items
/// are recorded as rejections.
async fn assert_useless(world: &World, finished: &Finished, kept: &str) {
    finished.assert_code(3);
    assert_eq!(
        world
            .lines(
                "select reason, http_status, rows_received, rows_rejected, detail ~ \
                '(its only item could not|none of its . items could) become a row: item 1: '
                    from sync_customer where outcome = 'failed'"
            )
            .await,
        [format!("invalid_response|200|{kept}|{kept}|true")]
    );
    let items = "select count(*) from rejected_row where payload is not null";
    assert_eq!(world.value::<i64>(items).await.to_string(), kept);
}

#[tokio::test]
async fn a_collection_without_a_usable_item_fails_and_its_items_are_recorded() {
    let mut world = World::with_customers(2).await;
    let ids = world.simulator.customers().await;
    let renamed = item(&json!({ "licensesActive": null }));
    let theirs = item(&json!({ "customerId": "11111111-70f4-4e1e-9ff1-b2bfce8d9f04" }));
    let ahead = item(&json!({ "processedDateTime": "2999-01-01T00:00:00Z" }));
    for items in [
        json!([renamed]),
        json!([theirs, theirs]),
        json!([ahead, {}, 7]),
    ] {
        world.empty_the_ledger().await;
        world
            .simulator
            .script(&ids[0], json!([{ "items": items }]))
            .await;
        let finished = world.backfill().await;
        let kept = items.as_array().unwrap().len().to_string();
        assert_useless(&world, &finished, &kept).await;
        assert_eq!(finished.summary()["outcome"], "partial");
        assert_eq!(finished.summary()["rows"]["rejected"].to_string(), kept);
        // `check` does not accept the collection either.
        world
            .simulator
            .script_for_ever("usage", json!([{ "items": items }]))
            .await;
        let check = world.run(&["check"]).await;
        assert!(
            check.stdout.contains("mend  usage") && check.stdout.contains(" become a row: item 1"),
            "{}",
            check.stdout
        );
        world.simulator.unscript().await;
        let freshness = format!(
            "select last_success_at is null, last_failure_reason from customer_freshness where \
                customer_id = '{}'",
            ids[0]
        );
        assert_eq!(world.lines(&freshness).await, ["true|invalid_response"]);
    }
    // One usable item is enough.
    world.empty_the_ledger().await;
    let items = json!([renamed, of("Exchange"), {}]);
    world
        .simulator
        .script(&ids[0], json!([{ "items": items }]))
        .await;
    world.backfill().await.assert_code(0);
    assert_eq!(
        world
            .value::<i64>("select count(*) from rejected_row")
            .await,
        2
    );

    // If it is the deployment that has no usable item, usage is stored all the same.
    world.set("partner_center.datasets", "usage,deployment");
    world.empty_the_ledger().await;
    let nothing = json!([{ "items": [{ "productName": "A" }] }, { "items": [] }]);
    world.simulator.script("deployment", nothing).await;
    let finished = world.backfill().await;
    finished.assert_code(3);
    assert_eq!(
        world
            .lines(
                "select reason, rows_received > rows_rejected, rows_rejected, detail like \
                'deployment: its only item%'
                    from sync_customer where outcome = 'failed'"
            )
            .await,
        ["invalid_response|true|1|true"]
    );
}

#[tokio::test]
async fn a_run_in_which_nothing_could_be_used_has_not_succeeded_and_says_why() {
    let world = World::with_customers(4).await;
    // What a machine receives whose clock is years behind.
    let mut ahead = answer(
        collection(&[item_with(&[(
            "processedDateTime",
            "\"2999-06-01T00:00:00Z\"",
        )])]),
        json!({}),
    );
    ahead["headers"] = json!([["Date", "Mon, 03 Jun 2999 06:00:00 GMT"]]);
    world
        .simulator
        .script_for_ever("usage", json!([ahead]))
        .await;
    let finished = world.backfill().await;
    finished.assert_code(3);
    let summary = finished.summary();
    assert_eq!(summary["outcome"], "failed");
    assert_eq!(summary["rows"]["rejected"], 4);
    let detail: String = world.value("select detail from sync_run").await;
    for told in [
        "4 of 4 customers failed alike: invalid_response, status 200; the first, ",
        "processedDateTime is over two days ahead",
        "this machine's clock says 2",
        "Partner Center's says 2999-06-03T0",
    ] {
        assert!(detail.contains(told), "{told}: {detail}");
        assert!(
            finished.stderr.contains(told),
            "{told}: {}",
            finished.stderr
        );
        assert!(
            summary["notes"].to_string().contains(told),
            "{told}: {summary}"
        );
    }
    // Without a `Date` that contradicts this machine's clock, the clock is not mentioned.
    ahead["headers"] = json!([]);
    world
        .simulator
        .script_for_ever("usage", json!([ahead]))
        .await;
    let notes = world.backfill().await.summary()["notes"].to_string();
    assert!(!notes.contains("clock"), "{notes}");
}

#[tokio::test]
async fn a_list_of_customers_that_never_ends_ends_the_run() {
    let mut world = World::with_customers(1).await;
    world.unset("customers.ids");
    world.set("customers.discover", "true");
    let pages: Vec<Value> = (0..=2_000)
        .map(|number| {
            let id = format!("00000000-0000-0000-0000-{number:012}");
            let next = json!({ "uri": format!("/customers?page={number}") });
            json!({ "json": { "items": [{ "id": id }], "links": { "next": next } } })
        })
        .collect();
    world
        .simulator
        .script_for_ever("customers", json!(pages))
        .await;
    let finished = world.backfill().await;
    finished.assert_code(1);
    let told = "the customers' list has over 2000 pages and would never end";
    assert!(finished.stderr.contains(told), "{}", finished.stderr);
    assert_eq!(world.simulator.requests("usage").await, [Value::Null; 0]);
}

#[tokio::test]
async fn a_list_of_customers_goes_on_in_every_form_of_its_link() {
    let mut world = World::with_customers(3).await;
    let ids = world.simulator.customers().await;
    world.unset("customers.ids");
    world.set("customers.discover", "true");
    for (beside, second) in [
        (json!({ "nextLink": "/v1/customers?page=2" }), "page=2 -"),
        (json!({ "@odata.nextLink": "customers?page=2" }), "page=2 -"),
        (json!({ "links": { "next": "?page=2" } }), "page=2 -"),
        (
            json!({ "continuationToken": "t1" }),
            "size=500&seekOperation=Next t1",
        ),
    ] {
        world.simulator.forget_requests().await;
        let mut first = json!({ "items": [{ "id": ids[0] }] });
        for (member, value) in beside.as_object().unwrap() {
            first[member] = value.clone();
        }
        let rest = json!({ "items": [{ "id": ids[1] }, { "id": ids[2] }] });
        let pages = json!([{ "json": first }, { "json": rest }]);
        world.simulator.script("customers", pages).await;
        let finished = world.run(&["--backfill", "--dry-run", "--json"]).await;
        assert_eq!(finished.summary()["customers"]["total"], 3, "{beside}");
        let asked = asked(&world, "customers").await;
        assert_eq!(asked, ["size=500 -", second], "{beside}");
    }
    // A list without a single usable id is an error, not a list without customers.
    let nameless = json!([{ "json": { "items": [{}, { "id": "Contoso" }] } }]);
    world.simulator.script_for_ever("customers", nameless).await;
    let finished = world.backfill().await;
    let told = "of the customers' list none of 2 entries has a usable id";
    assert!(finished.stderr.contains(told), "{}", finished.stderr);
}
