//! Which customers have figures of which processed date, and why others have none.

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::{World, item, until};

/// The customers' states at the newest processed date, and at the one before it.
async fn states(world: &World) -> BTreeMap<String, [String; 2]> {
    let lines = world
        .lines(
            "select customer_id, max(state) filter (where n = 2), max(state) filter (where n = 1)
             from coverage
             join (select processed_date, row_number() over (order by processed_date desc) as n \
             from (select distinct processed_date from service_date) as s) as d
                 using (processed_date)
             where n <= 2 group by 1",
        )
        .await;
    let split = |line: &String| {
        let parts: Vec<&str> = line.split('|').collect();
        (
            parts[0].to_owned(),
            [parts[1].to_owned(), parts[2].to_owned()],
        )
    };
    lines.iter().map(split).collect()
}

/// Asserts that no customer has two states at one date.
async fn assert_one_row_each(world: &World) {
    assert_eq!(
        world
            .lines("select count(*) - count(distinct (processed_date, customer_id)) from coverage")
            .await,
        ["0"]
    );
}

async fn tell(world: &World, id: &str, change: &str) {
    let path = format!("customers/{id}/{change}");
    world.simulator.post(&path, String::new()).await;
}

#[tokio::test]
async fn each_customer_has_one_state_at_each_processed_date() {
    let mut world = World::with_customers(40).await;
    world.simulator.set_today("2026-10-12").await;
    world.backfill().await.assert_code(0);
    let newest = "select customer_id from license_usage_collection where processed_date_time = \
        (select max(processed_date_time) from license_usage) order by 1";
    let ids = world.lines(newest).await;
    let [
        stored,
        empty,
        gone,
        denied,
        no_sign_in,
        throttled,
        failed,
        late,
        ..,
    ] = &ids[..]
    else {
        panic!("{ids:?}")
    };
    world
        .execute(
            "truncate license_usage, sync_customer, sync_run, rejected_row, customer, \
            license_usage_collection, service_date",
        )
        .await;
    let known: Vec<&str> = ids[..7].iter().map(String::as_str).collect();
    world.set("customers.ids", &known.join(","));
    world.backfill().await.assert_code(0);

    world.simulator.set_today("2026-10-13").await;
    world
        .simulator
        .patch(json!({ "gone_answer": "20002" }))
        .await;
    tell(&world, gone, "gone").await;
    for (id, answer) in [
        (empty, json!({ "status": 204 })),
        (
            denied,
            json!({ "status": 403, "json": { "code": "2032", "description": "The role is too \
                small" } }),
        ),
        (
            no_sign_in,
            json!({ "status": 401, "json": { "code": "900421", "description": "MFA" } }),
        ),
        (throttled, json!({ "status": 429 })),
        (failed, json!({ "status": 500 })),
    ] {
        world.simulator.script_for_ever(id, json!([answer])).await;
    }
    world.backfill().await.assert_code(3);
    assert_one_row_each(&world).await;
    let found = states(&world).await;
    let expected = [
        (stored, ["stored", "stored"], ["stored", "stored"]),
        (empty, ["stored", "empty"], ["empty", "stored"]),
        (
            gone,
            ["stored", "no_relationship"],
            ["no_relationship", "no_relationship"],
        ),
        (denied, ["stored", "denied"], ["denied", "stored"]),
        (no_sign_in, ["stored", "denied"], ["denied", "stored"]),
        // A date that was not fetched in time stays missing: the API no longer has it.
        (throttled, ["stored", "throttled"], ["missed", "stored"]),
        (failed, ["stored", "failed"], ["missed", "stored"]),
    ];
    assert_eq!(found.len(), expected.len());
    for (id, now, _) in &expected {
        assert_eq!(&found[*id], now, "{id}");
    }
    let why = format!(
        "select c.state, c.reason, c.detail, c.run_id from coverage as c where customer_id = \
            '{denied}' order by processed_date desc limit 1"
    );
    assert_eq!(
        world.lines(&why).await,
        ["denied|forbidden|status 403: code 2032: The role is too small|3"]
    );

    world.simulator.unscript().await;
    world.simulator.set_today("2026-10-14").await;
    world.set("customers.ids", &format!("{},{late}", known.join(",")));
    world.backfill().await.assert_code(3);
    assert_one_row_each(&world).await;
    let found = states(&world).await;
    for (id, _, then) in &expected {
        assert_eq!(&found[*id], then, "{id}");
    }
    // Nothing is recorded of the time before the customer was known.
    assert_eq!(found[late], ["-", "stored"]);
    let first =
        format!("select count(*) from coverage where customer_id = '{late}' and state <> 'stored'");
    assert_eq!(world.value::<i64>(&first).await, 0);
}

#[tokio::test]
async fn a_failure_followed_by_a_success_in_time_is_no_gap() {
    let world = World::with_customers(3).await;
    let ids = world.simulator.customers().await;
    let items = json!([{ "items": [item(&json!({}))] }]);
    world.simulator.script_for_ever("usage", items).await;
    world
        .simulator
        .script(&ids[0], json!([{ "status": 400 }]))
        .await;
    world.backfill().await.assert_code(3);
    let states = "select state, count(*) from coverage group by 1 order by 1";
    assert_eq!(world.lines(states).await, ["failed|1", "stored|2"]);
    world.backfill().await.assert_code(0);
    assert_eq!(world.lines(states).await, ["stored|3"]);
}

#[tokio::test]
async fn a_date_reported_by_one_service_only_is_no_gap_of_the_others() {
    let world = World::with_customers(3).await;
    let ids = world.simulator.customers().await;
    let on = |product: &str, day: &str| {
        item(&json!({ "productName": product, "processedDateTime": day }))
    };
    let office = json!([{ "items": [on("Office", "2026-09-28")] }]);
    world.simulator.script_for_ever("usage", office).await;
    // Office was not processed on the 26th.
    let slower = json!([{ "items": [on("Office", "2026-09-28"), on("Dynamics", "2026-09-26")] }]);
    world.simulator.script_for_ever(&ids[1], slower).await;
    world.backfill().await.assert_code(0);
    // All customers were known long before these dates.
    world
        .execute("update customer set first_seen_at = '2026-01-01'")
        .await;
    assert_eq!(
        world
            .lines(
                "select processed_date, state, count(*) from coverage group by 1, 2 order by 1, 2"
            )
            .await,
        ["2026-09-26|stored|1", "2026-09-28|stored|3"]
    );
}

#[tokio::test]
async fn a_customer_that_is_no_longer_on_any_list_has_no_gaps() {
    let mut world = World::with_customers(5).await;
    let ids = world.simulator.customers().await;
    world.unset("customers.ids");
    world.set("customers.discover", "true");
    world.set("customers.exclude", &ids[0]);
    let own = "11111111-70f4-4e1e-9ff1-b2bfce8d9f04";
    world.set("customers.ids", own);
    for day in ["2026-09-26", "2026-09-27", "2026-09-28"] {
        let items = json!([{ "items": [item(&json!({ "processedDateTime": day }))] }]);
        world.simulator.script_for_ever("usage", items).await;
        world.backfill().await.assert_code(0);
        world
            .execute("update customer set first_seen_at = '2026-01-01'")
            .await;
        // These settings hold from the second day on.
        world.set("customers.exclude", &ids[..2].join(","));
        world.unset("customers.ids");
    }
    assert_eq!(
        world
            .lines(
                "select processed_date, state, count(*) from coverage group by 1, 2 order by 1, 2"
            )
            .await,
        [
            "2026-09-26|stored|5",
            "2026-09-27|stored|3",
            "2026-09-28|stored|3",
        ]
    );
    // An excluded customer has not left; one that was always excluded is unknown.
    assert_eq!(
        world
            .lines("select count(*), count(gone_since) from customer")
            .await,
        ["5|0"]
    );
}

#[tokio::test]
async fn customers_not_reached_by_a_run_are_missed_once_the_date_has_passed() {
    let mut world = World::with_customers(3).await;
    world.ask_in_order();
    let mut ids = world.simulator.customers().await;
    // The order in which customers are requested.
    ids.sort();
    let on = |day: &str| json!([{ "items": [item(&json!({ "processedDateTime": day }))] }]);
    world
        .simulator
        .script_for_ever("usage", on("2026-09-26"))
        .await;
    world.backfill().await.assert_code(0);
    world
        .execute("update customer set first_seen_at = '2026-01-01'")
        .await;
    world
        .simulator
        .script_for_ever("usage", on("2026-09-27"))
        .await;
    let stuck = json!([{ "normal": true, "delay_ms": 60_000 }]);
    world.simulator.script(&ids[1], stuck).await;
    world.simulator.forget_requests().await;
    let killed = world.start(&["--backfill"]);
    // The stuck answer is used up by then, so that the next run cannot meet it.
    world.simulator.received("usage", 2).await;
    until("the first customer is stored", async || {
        let stored: i64 = world
            .value(
                "select count(*) from license_usage_collection where processed_date_time = \
                '2026-09-27Z'",
            )
            .await;
        (stored == 1).then_some(())
    })
    .await;
    killed.signal("KILL");
    killed.finish().await;
    world.database_left().await;
    world
        .simulator
        .script_for_ever("usage", on("2026-09-28"))
        .await;
    world.backfill().await.assert_code(0);
    assert_eq!(
        world
            .lines(
                "select processed_date, state, count(*) from coverage group by 1, 2 order by 1, 2"
            )
            .await,
        [
            "2026-09-26|stored|3",
            "2026-09-27|missed|2",
            "2026-09-27|stored|1",
            "2026-09-28|stored|3",
        ]
    );
}

#[tokio::test]
async fn dates_of_an_absence_are_no_gap() {
    let mut world = World::with_customers(4).await;
    world.unset("customers.ids");
    world.set("customers.discover", "true");
    let gone = &world.simulator.customers().await[2].clone();
    for (day, change) in [
        ("2026-09-26", None),
        ("2026-09-27", Some("gone")),
        ("2026-09-28", None),
        ("2026-09-29", Some("back")),
    ] {
        if let Some(change) = change {
            tell(&world, gone, change).await;
        }
        let items = json!([{ "items": [item(&json!({ "processedDateTime": day }))] }]);
        world.simulator.script_for_ever("usage", items).await;
        world.backfill().await.assert_code(0);
        world
            .execute("update customer set first_seen_at = '2026-01-01'")
            .await;
        let state = format!(
            "select state from coverage where customer_id = '{gone}' and processed_date = '{day}'"
        );
        let expected = match day {
            "2026-09-26" | "2026-09-29" => "stored",
            _ => "no_relationship",
        };
        assert_eq!(world.lines(&state).await, [expected], "{day}");
    }
    let states =
        format!("select state from coverage where customer_id = '{gone}' order by processed_date");
    assert_eq!(
        world.lines(&states).await,
        ["stored", "no_relationship", "no_relationship", "stored"]
    );
    assert_one_row_each(&world).await;
}
