//! `verify` finds each difference between the ledger and the API, and writes nothing.

use serde_json::{Value, json};

use crate::support::{Finished, TODAY, World, item};

/// What would change with any write: the versions of all rows of all tables.
const VERSIONS: &str = "select tablename, query_to_xml(format(
        'select count(*), md5(string_agg(xmin || '':'' || xmax || '':'' || ctid, '','' \
        order by tableoid, ctid)) from %I', tablename), false, true, '')::text
    from pg_tables where schemaname = current_schema() order by 1";

/// The rows of the ledger.
const STORED: &str = "select (select count(*) from license_usage) + \
    (select count(*) from license_deployment)";

/// A partner whose ledger is filled.
async fn filled() -> World {
    let world = World::new().await;
    world.backfill().await.assert_code(0);
    world
}

async fn verify(world: &World, arguments: &[&str]) -> Finished {
    let all = [&["verify", "--json"], arguments].concat();
    world.run(&all).await
}

/// Product, kind and differing fields of each difference.
fn differences(finished: &Finished) -> Vec<(String, String, Vec<String>)> {
    let found = finished.summary();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let differences = found["differences"].as_array().unwrap().iter();
    let of = |it: &Value| {
        let fields = it["fields"].as_array().unwrap().iter();
        let fields = fields.map(|field| text(&field["field"])).collect();
        (text(&it["product_name"]), text(&it["kind"]), fields)
    };
    differences.map(of).collect()
}

/// Makes the customer's collection consist of these items for ever.
async fn gives(world: &World, customer: &str, items: &[Value]) {
    let answers = json!([{ "items": items }]);
    world.simulator.script_for_ever(customer, answers).await;
}

#[tokio::test]
async fn an_equal_ledger_is_found_equal_by_a_role_that_may_only_read() {
    let mut world = World::new().await;
    world.set("partner_center.datasets", "usage,deployment");
    world.backfill().await.assert_code(0);
    let rows: i64 = world.value(STORED).await;
    let role = format!("reader_{}", uuid::Uuid::new_v4().simple());
    world
        .execute(&format!(
            "create role {role} login; grant select on all tables in schema public to {role}"
        ))
        .await;
    let mut url = url::Url::parse(world.database_url()).unwrap();
    url.set_username(&role).unwrap();
    world.set("database.url", url.as_str());
    let before = world.lines(VERSIONS).await;
    assert!(before.len() > 20);
    world.simulator.forget_requests().await;

    let finished = verify(&world, &["--sample", "0"]).await;
    finished.assert_code(0);
    let found = finished.summary();
    let customers = json!({
        "total": 5, "equal": 5, "different": 0, "not_compared": 0, "failed": 0,
    });
    assert_eq!(found["customers"], customers);
    let counts = json!({
        "equal": rows, "different": 0, "missing": 0, "not_given": 0, "newer": 0, "rejected": 0,
    });
    assert_eq!(found["rows"], counts);
    assert_eq!(found["http"]["requests"], 10);
    assert_eq!(world.simulator.requests("usage").await.len(), 5);
    assert_eq!(world.simulator.requests("deployment").await.len(), 5);
    assert_eq!(world.lines(VERSIONS).await, before);
}

#[tokio::test]
async fn a_sample_is_of_its_size_and_twenty_at_most_unless_told_otherwise() {
    let world = World::with_customers(23).await;
    let early = verify(&world, &[]).await;
    early.assert_code(1);
    assert!(
        early.stderr.contains("no customer with rows yet"),
        "{}",
        early.stderr
    );
    world.backfill().await.assert_code(0);
    for (arguments, asked) in [
        (&[][..], 20),
        (&["--sample", "2"], 2),
        (&["--sample", "0"], 23),
    ] {
        world.simulator.forget_requests().await;
        let finished = verify(&world, arguments).await;
        finished.assert_code(0);
        assert_eq!(finished.summary()["customers"]["total"], asked);
        assert_eq!(world.simulator.requests("usage").await.len(), asked);
    }
    let customer = &world.simulator.customers().await[0];
    let both = verify(&world, &["--sample", "2", "--customer", customer]).await;
    both.assert_code(2);
    let unknown = verify(&world, &["--source", "both"]).await;
    unknown.assert_code(2);
    assert!(
        unknown
            .stderr
            .contains("[possible values: customer, commercial]")
    );
}

#[tokio::test]
async fn rows_that_were_changed_deleted_or_added_by_hand_are_listed() {
    let world = World::with_customers(3).await;
    let customers = world.simulator.customers().await;
    let products = ["E1", "E3", "E5"].map(|product| item(&json!({ "productName": product })));
    for customer in &customers {
        gives(&world, customer, &products).await;
    }
    world.backfill().await.assert_code(0);
    world
        .execute(&format!(
            "update license_usage set licenses_active = 4, customer_name = 'Fabrikam'
             where customer_id = '{}' and product_name = 'E1';
             delete from license_usage where customer_id = '{}' and product_name = 'E3';
             insert into license_usage
             select (jsonb_populate_record(u, '{{\"product_name\": \"F1\"}}')).*
             from license_usage as u where customer_id = '{}' and product_name = 'E5'",
            customers[0], customers[1], customers[2]
        ))
        .await;
    let before = world.lines(VERSIONS).await;
    let finished = verify(&world, &["--sample", "0"]).await;
    finished.assert_code(3);
    let mut found = differences(&finished);
    found.sort();
    let expected = [
        ("E1", "different", &["customer_name", "licenses_active"][..]),
        ("E3", "missing", &[]),
        ("F1", "not_given", &[]),
    ];
    let expected = expected.map(|(product, kind, fields)| {
        let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
        (product.to_owned(), kind.to_owned(), fields)
    });
    assert_eq!(found, expected);
    let summary = finished.summary();
    assert_eq!(summary["customers"]["different"], 3);
    let rows = json!({
        "equal": 7, "different": 1, "missing": 1, "not_given": 1, "newer": 0, "rejected": 0,
    });
    assert_eq!(summary["rows"], rows);

    let text = world.run(&["verify"]).await;
    text.assert_code(3);
    let of = |customer: &str| format!("{customer}  usage of 2026-09-28,");
    for line in [
        format!(
            "{} E1, Exchange: customer_name differs; licenses_active is 4 in the ledger and 3 at \
             the API",
            of(&customers[0])
        ),
        format!("{} E3, Exchange: missing in the ledger", of(&customers[1])),
        format!("{} F1, Exchange: only in the ledger", of(&customers[2])),
        "The ledger differs from what the API gives (source \"customer\")".to_owned(),
    ] {
        assert!(
            text.stdout.lines().any(|own| own == line),
            "{line}\n{}",
            text.stdout
        );
    }
    // Standard output is a pipe, which may end in a log.
    for text in [
        &text.stdout,
        &text.stderr,
        &finished.stdout,
        &finished.stderr,
    ] {
        assert!(
            !text.contains("Fabrikam") && !text.contains("Contoso"),
            "{text}"
        );
    }
    let only = verify(&world, &["--customer", &customers[1]]).await;
    only.assert_code(3);
    assert_eq!(only.summary()["customers"]["total"], 1);
    assert_eq!(world.lines(VERSIONS).await, before);

    // A run mends what it is given; the row that was added by hand stays.
    world.backfill().await.assert_code(0);
    let mended = verify(&world, &[]).await;
    mended.assert_code(3);
    assert_eq!(differences(&mended).len(), 1);
}

#[tokio::test]
async fn what_the_api_has_corrected_differs_and_what_it_has_added_is_newer() {
    let world = World::with_customers(1).await;
    let customer = world.simulator.customers().await.remove(0);
    gives(&world, &customer, &[item(&json!({}))]).await;
    world.backfill().await.assert_code(0);
    let later = json!({ "serviceName": "crm", "processedDateTime": "2026-10-02T00:00:00Z" });
    let corrected = [
        item(&json!({ "productName": "office 365 e3", "licensesActive": 5, "usagePercent": 50.0 })),
        item(&json!({ "licensesActive": -1, "workloadName": "Teams" })),
        item(&later),
    ];
    gives(&world, &customer, &corrected).await;
    let finished = verify(&world, &[]).await;
    finished.assert_code(3);
    let found = finished.summary();
    let rows = json!({
        "equal": 0, "different": 1, "missing": 0, "not_given": 0, "newer": 1, "rejected": 1,
    });
    assert_eq!(found["rows"], rows);
    let difference = json!({
        "customer_id": customer,
        "dataset": "usage",
        "processed_date_time": "2026-09-28T00:00:00Z",
        "product_name": "OFFICE 365 E3",
        "workload_name": "Exchange",
        "kind": "different",
        "fields": [
            { "field": "licenses_active", "ledger": 3, "api": 5 },
            { "field": "usage_percent", "ledger": 30.0, "api": 50.0 },
        ],
    });
    assert_eq!(found["differences"], json!([difference]));

    // Nothing of a stored date: nothing can be compared.
    gives(&world, &customer, &[item(&later)]).await;
    let newer = verify(&world, &[]).await;
    newer.assert_code(0);
    assert_eq!(newer.summary()["customers"]["not_compared"], 1);
    gives(&world, &customer, &[]).await;
    let text = world.run(&["verify"]).await;
    text.assert_code(0);
    assert!(
        text.stdout.starts_with("Nothing could be compared"),
        "{}",
        text.stdout
    );
}

#[tokio::test]
async fn a_customer_that_cannot_be_asked_for_is_named_and_the_others_are_compared() {
    let mut world = filled().await;
    let bad = world.simulator.customers().await[2].clone();
    let refused = json!([{ "status": 403, "json": { "code": "20002", "description": "no" } }]);
    world.simulator.script_for_ever(&bad, refused).await;
    let finished = verify(&world, &[]).await;
    finished.assert_code(3);
    let found = finished.summary();
    assert_eq!(found["customers"]["equal"], 4);
    assert_eq!(found["customers"]["failed"], 1);
    assert_eq!(found["failures"][0]["customer_id"], bad.as_str());
    assert_eq!(found["failures"][0]["reason"], "forbidden");
    assert!(found["failures"][0]["ms_correlation_id"].is_string());
    let text = world.run(&["verify"]).await;
    let line = format!("{bad}  could not be asked for: forbidden: ");
    assert!(text.stdout.contains(&line), "{}", text.stdout);
    assert!(
        text.stdout
            .contains("Not every customer could be asked for"),
        "{}",
        text.stdout
    );

    // No sign-in: nobody can be asked for, before a person has acted.
    world.simulator.patch(json!({ "grant_error": 50173 })).await;
    verify(&world, &[]).await.assert_code(4);
    world.set("partner_center.locale", "de-DE");
    verify(&world, &[]).await.assert_code(78);
    world.set("database.url", "postgres://seatledger@127.0.0.1:9/none");
    verify(&world, &[]).await.assert_code(1);
}

#[tokio::test]
async fn it_compares_while_a_run_is_under_way() {
    let world = filled().await;
    let customers = world.simulator.customers().await;
    let slow = json!([{ "normal": true, "delay_ms": 600_000 }]);
    world.simulator.script(&customers[0], slow).await;
    world.simulator.forget_requests().await;
    let run = world.start(&["--backfill"]);
    world.simulator.received("usage", 5).await;
    let finished = verify(&world, &["--customer", &customers[1]]).await;
    finished.assert_code(0);
    assert_eq!(finished.summary()["customers"]["equal"], 1);
    run.signal("TERM");
    run.signal("TERM");
    run.finish().await.assert_code(143);
}

#[tokio::test]
async fn the_partner_wide_collections_are_compared_customer_by_customer() {
    let world = World::commercial(12).await;
    world.backfill().await.assert_code(0);
    let before = world.lines(VERSIONS).await;
    let equal = verify(&world, &["--sample", "0"]).await;
    equal.assert_code(0);
    let found = equal.summary();
    let stored: i64 = world.value(STORED).await;
    assert_eq!(
        (&found["source"], &found["ledger_source"]),
        (&json!("commercial"), &json!("commercial"))
    );
    // One of the twelve has no product.
    assert_eq!(found["customers"]["equal"], 11);
    assert_eq!(found["rows"]["equal"], stored);
    assert_eq!(world.lines(VERSIONS).await, before);
    world
        .execute(
            "update license_deployment set licenses_sold = licenses_sold + 1
             where ctid = (select min(ctid) from license_deployment)",
        )
        .await;
    let finished = verify(&world, &["--sample", "0"]).await;
    finished.assert_code(3);
    let found = finished.summary();
    assert_eq!(found["customers"]["different"], 1);
    assert_eq!(found["differences"][0]["dataset"], "deployment");
    assert_eq!(
        found["differences"][0]["fields"][0]["field"],
        "licenses_sold"
    );
    assert_eq!(found["differences"][0]["workload_name"], Value::Null);
    // A dataset that cannot be had is missing for all.
    let down = json!([{ "status": 403 }]);
    world
        .simulator
        .script_for_ever("commercial_usage", down)
        .await;
    verify(&world, &[]).await.assert_code(4);
}

#[tokio::test]
async fn the_other_source_is_compared_by_the_fields_that_both_have() {
    let mut world = World::commercial(12).await;
    world.use_source_customer();
    world.set("partner_center.datasets", "usage");
    world.backfill().await.assert_code(0);
    let rows: i64 = world.value("select count(*) from license_usage").await;
    let stored = world.lines(VERSIONS).await;
    for (ledger, other) in [("customer", "commercial"), ("commercial", "customer")] {
        world.set("partner_center.source", ledger);
        let finished = verify(&world, &["--sample", "0", "--source", other]).await;
        finished.assert_code(0);
        let found = finished.summary();
        assert_eq!(
            (&found["source"], &found["ledger_source"]),
            (&json!(other), &json!(ledger))
        );
        assert_eq!(found["rows"]["equal"], rows);
    }
    assert_eq!(world.lines(VERSIONS).await, stored);
    world.use_source_customer();
    world
        .execute(
            "update license_usage set licenses_active = licenses_active + 1, usage_percent = 1
             where (processed_date_time, customer_id, product_name, workload_name) = (
                 select processed_date_time, customer_id, product_name, workload_name
                 from license_usage order by 1, 2, 3, 4 limit 1
             )",
        )
        .await;
    let other = ["--sample", "0", "--source", "commercial"];
    let finished = verify(&world, &other).await;
    finished.assert_code(3);
    let found = differences(&finished);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].2, ["licenses_active"]);

    // The other source has a newer date already.
    world.simulator.set_today("2026-05-10").await;
    let finished = verify(&world, &other).await;
    finished.assert_code(0);
    let found = finished.summary();
    assert!(found["rows"]["newer"].as_u64().unwrap() > 0, "{found}");
    assert_ne!(TODAY, "2026-05-10");
}
