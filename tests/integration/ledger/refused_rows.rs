//! What becomes of rows that Postgres refuses.

use serde_json::json;

use crate::support::{World, item};

/// The newest outcome of each customer: reason, status and rows stored.
const LAST_OUTCOMES: &str = "
    select customer_id, coalesce(reason, outcome), http_status, rows_received, rows_inserted
    from sync_customer where run_id = (select max(run_id) from sync_run) order by rows_received";

/// Makes Postgres refuse what is written to the ledger where `condition` holds.
async fn refuse(world: &World, condition: &str, with: &str) {
    world
        .execute(&format!(
            "create or replace function refuse() returns trigger language plpgsql as
             $$ begin if {condition} then {with}; end if; return new; end $$;
             create or replace trigger refuse before insert or update on license_usage
             for each row execute function refuse()"
        ))
        .await;
}

/// Answers every customer with one item of this many active seats on that day.
async fn answer_all(world: &World, active: u32, day: &str) {
    let items = json!([item(
        &json!({ "licensesActive": active, "processedDateTime": day })
    )]);
    world
        .simulator
        .script_for_ever("usage", json!([{ "items": items }]))
        .await;
}

#[tokio::test]
async fn a_customer_that_postgres_refuses_takes_no_other_with_it() {
    let world = World::with_customers(100).await;
    let ids = world.simulator.customers().await;
    answer_all(&world, 3, "2026-09-28").await;
    for (refused, with) in [
        (&ids[40], "raise exception 'not this one'"),
        (
            &ids[41],
            "raise check_violation using message = 'nor this one'",
        ),
        (&ids[42], "perform 1 / 0"),
    ] {
        world.execute("truncate license_usage").await;
        refuse(&world, &format!("new.customer_id = '{refused}'"), with).await;
        let finished = world.backfill().await;
        finished.assert_code(3);
        let summary = finished.summary();
        assert_eq!(
            summary["customers"],
            json!({ "total": 100, "succeeded": 99, "failed": 1 })
        );
        assert_eq!(summary["rows"]["inserted"], 99);
        let failure = &summary["failures"][0];
        assert_eq!(
            (&failure["customer_id"], &failure["reason"]),
            (&json!(refused), &json!("database"))
        );
        assert_eq!(
            world.lines(LAST_OUTCOMES).await[0],
            format!("{refused}|database|200|0|0")
        );
        assert_eq!(
            world
                .lines("select count(*), count(distinct customer_id) from license_usage")
                .await,
            ["99|99"]
        );
    }
    world.execute("drop trigger refuse on license_usage").await;
    world.backfill().await.assert_code(0);
    assert_eq!(
        world
            .value::<i64>("select count(*) from license_usage")
            .await,
        100
    );
}

#[tokio::test]
async fn a_collection_that_postgres_refuses_at_its_first_row_takes_no_other_with_it() {
    let world = World::new().await;
    let ids = world.simulator.customers().await;
    answer_all(&world, 3, "2026-09-28").await;
    // Far more than the socket to Postgres holds, so that the refusal comes while rows are still
    // being sent.
    let items: Vec<_> = (0..3_000)
        .map(|number| {
            item(&json!({
                "workloadName": format!("Workload {number:04}"),
                "serviceName": "x".repeat(400),
            }))
        })
        .collect();
    world
        .simulator
        .script(&ids[2], json!([{ "items": items }]))
        .await;
    refuse(
        &world,
        "new.workload_name = 'Workload 0000'",
        "raise exception 'not this one'",
    )
    .await;
    world.backfill().await.assert_code(3);
    let outcomes = world.lines(LAST_OUTCOMES).await;
    assert_eq!(outcomes[0], format!("{}|database|200|0|0", ids[2]));
    assert_eq!(outcomes.len(), 5);
    assert_eq!(
        world
            .lines("select count(*), count(distinct customer_id) from license_usage")
            .await,
        ["4|4"]
    );
}

#[tokio::test]
async fn a_refused_correction_leaves_the_customers_rows_as_they_were() {
    let world = World::with_customers(3).await;
    let ids = world.simulator.customers().await;
    let items = |active: u32| {
        let teams = json!({ "workloadName": "Teams", "licensesActive": active });
        json!([item(&json!({ "licensesActive": active })), item(&teams), {}])
    };
    world
        .simulator
        .script_for_ever("usage", json!([{ "items": items(3) }]))
        .await;
    world.backfill().await.assert_code(0);
    refuse(
        &world,
        &format!(
            "new.customer_id = '{}' and new.workload_name = 'Teams' and new.licenses_active = 4",
            ids[1]
        ),
        "raise exception 'no'",
    )
    .await;
    world
        .simulator
        .script_for_ever("usage", json!([{ "items": items(4) }]))
        .await;
    world.backfill().await.assert_code(3);
    let kept = "select workload_name, licenses_active, run_id, count(*) from license_usage group \
        by 1, 2, 3 order by 2, 1";
    assert_eq!(
        world.lines(kept).await,
        [
            "Exchange|3|1|1",
            "Teams|3|1|1",
            "Exchange|4|2|2",
            "Teams|4|2|2"
        ]
    );
    let rejected = "select run_id, count(*) from rejected_row group by 1 order by 1";
    assert_eq!(world.lines(rejected).await, ["1|3", "2|2"]);
}
