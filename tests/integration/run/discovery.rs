//! Customers that leave the partner and come back, and customer lists that cannot be trusted.

use serde_json::{Value, json};

use crate::support::{World, until};

/// A world whose customers are found by `customers.discover` alone.
async fn discovering(customers: usize) -> World {
    let mut world = World::with_customers(customers).await;
    world.unset("customers.ids");
    world.set("customers.discover", "true");
    world
}

#[tokio::test]
async fn a_customer_that_is_gone_keeps_its_history_and_its_return_is_noted() {
    let mut world = discovering(8).await;
    let ids = world.simulator.customers().await;
    // A customer that was never on the partner's list cannot leave it.
    let own = "11111111-70f4-4e1e-9ff1-b2bfce8d9f04";
    world.set("customers.ids", own);
    world.backfill().await.assert_code(3);
    let gone = &ids[1];
    let history = format!("select count(*) from license_usage where customer_id = '{gone}'");
    let rows: i64 = world.value(&history).await;
    assert!(rows > 0);

    world
        .simulator
        .post(&format!("customers/{gone}/gone"), String::new())
        .await;
    let absent = "select customer_id, gone_since is not null, returned_at is null from customer \
        where gone_since is not null";
    let mut since = Vec::new();
    for run in 0..2 {
        world.simulator.forget_requests().await;
        let finished = world.backfill().await;
        finished.assert_code(3);
        let told = format!("Customer {gone} is no longer on the partner's list");
        assert_eq!(finished.stderr.contains(&told), run == 0);
        assert_eq!(world.lines(absent).await, [format!("{gone}|true|true")]);
        assert!(!world.asked().await.contains(gone));
        since.extend(
            world
                .lines("select gone_since from customer_freshness where gone_since is not null")
                .await,
        );
    }
    assert_eq!(since.len(), 2);
    assert_eq!(since[0], since[1]);
    assert_eq!(world.value::<i64>(&history).await, rows);

    world
        .simulator
        .post(&format!("customers/{gone}/back"), String::new())
        .await;
    world.simulator.forget_requests().await;
    let finished = world.backfill().await;
    finished.assert_code(3);
    let told = format!("Customer {gone} is on the partner's list again");
    assert!(finished.stderr.contains(&told), "{}", finished.stderr);
    assert!(world.asked().await.contains(gone));
    assert_eq!(
        world
            .lines(
                "select customer_id, gone_since is null, returned_at > absent_since, \
                absent_since from customer where returned_at is not null"
            )
            .await,
        [format!("{gone}|true|true|{}", since[0])]
    );
    let listed = format!(
        "select count(*) filter (where listed_at is not null), bool_and(listed_at is null) filter \
            (where customer_id = '{own}') from customer"
    );
    assert_eq!(world.lines(&listed).await, ["8|true"]);
}

#[tokio::test]
async fn a_list_that_lost_over_half_of_its_customers_is_warned_of_and_not_believed() {
    let world = discovering(20).await;
    world.backfill().await.assert_code(0);
    world.simulator.patch(json!({ "shrink_list": 0.45 })).await;
    for _ in 0..2 {
        let finished = world.backfill().await;
        finished.assert_code(0);
        let shrunk = "names only 9 of the 20 customers";
        let told: Vec<Value> = finished
            .stderr
            .lines()
            .filter(|line| line.contains(shrunk))
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(told.len(), 1, "{}", finished.stderr);
        assert_eq!(told[0]["level"], "ERROR");
        let summary = finished.summary();
        assert!(
            summary["notes"][0].as_str().unwrap().contains(shrunk),
            "{summary}"
        );
        assert_eq!(summary["customers"]["total"], 9);
        let recorded = format!(
            "select outcome, detail like '%{shrunk}%' from sync_run order by run_id desc limit 1"
        );
        assert_eq!(world.lines(&recorded).await, ["succeeded|true"]);
    }
    let gone = "select count(*) from customer where gone_since is not null";
    assert_eq!(world.value::<i64>(gone).await, 0);

    // A list that names half of the customers is believed.
    world.simulator.patch(json!({ "shrink_list": 0.5 })).await;
    let finished = world.backfill().await;
    finished.assert_code(0);
    assert_eq!(finished.summary()["notes"], Value::Null);
    assert_eq!(world.value::<i64>(gone).await, 10);
    world.simulator.patch(json!({ "shrink_list": null })).await;
    world.backfill().await.assert_code(0);
    assert_eq!(world.value::<i64>(gone).await, 0);
    let returned = "select count(*) from customer where returned_at is not null";
    assert_eq!(world.value::<i64>(returned).await, 10);
}

#[tokio::test]
async fn a_list_that_is_suddenly_empty_marks_no_customer_and_ends_the_run() {
    let world = discovering(5).await;
    world.backfill().await.assert_code(0);
    world.simulator.patch(json!({ "shrink_list": 0.0 })).await;
    world.backfill().await.assert_code(1);
    assert_eq!(
        world
            .lines(
                "select outcome, detail like '%there is no customer to fetch%', detail like \
                '%names only 0 of the 5 customers%'
                    from sync_run order by run_id desc limit 1"
            )
            .await,
        ["failed|true|true"]
    );
    assert_eq!(
        world
            .lines("select count(*), count(gone_since) from customer")
            .await,
        ["5|0"]
    );
}

#[tokio::test]
async fn the_message_says_how_to_accept_a_list_that_really_shrank() {
    let world = discovering(20).await;
    world.backfill().await.assert_code(0);
    world.simulator.patch(json!({ "shrink_list": 0.25 })).await;
    let finished = world.backfill().await;
    let summary = finished.summary();
    let note = summary["notes"][0].as_str().unwrap();
    let (_, statement) = note.split_once("If they have really left: ").unwrap();
    // A customer that left earlier keeps its date.
    let left = "update customer set gone_since = '2026-01-31' where customer_id =
                    (select max(customer_id::text)::uuid from customer where listed_at < (select \
                    max(listed_at) from customer))";
    world.execute(left).await;
    world.execute(statement).await;
    let before = "select count(*) from customer where gone_since = '2026-01-31'";
    assert_eq!(world.value::<i64>(before).await, 1);
    assert_eq!(world.backfill().await.summary()["notes"], Value::Null);
    let gone = "select count(*) from customer where gone_since is not null";
    assert_eq!(world.value::<i64>(gone).await, 15);
}

#[tokio::test]
async fn the_file_of_customers_is_read_again_at_each_run_of_the_daemon() {
    let mut world = World::new().await;
    let ids = world.simulator.customers().await;
    let path = world.folder.path().join("customers.txt");
    std::fs::write(&path, &ids[0]).unwrap();
    world.unset("customers.ids");
    world.set("customers.file", &path.to_string_lossy());
    world.set("schedule.cron", "* * * * * *");
    world.set("schedule.run_on_start", "never");
    let daemon = world.start(&[]);
    for total in [1, 3] {
        let sql = format!(
            "select count(*) from sync_run where outcome = 'succeeded' and customers_total = \
                {total}"
        );
        until(&format!("a run has {total} customers"), async || {
            (world.value::<i64>(&sql).await > 0).then_some(())
        })
        .await;
        // Renamed into place, so that no run reads a half-written file.
        let next = world.folder.path().join("next.txt");
        std::fs::write(&next, ids[..3].join("\n")).unwrap();
        std::fs::rename(&next, &path).unwrap();
    }
    daemon.signal("TERM");
    daemon.finish().await.assert_code(0);
}
