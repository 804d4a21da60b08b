//! `seatledger status`: the verdict, what needs a person, and its exit codes.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::World;

/// A schedule whose next tick is far away, so that nothing is late while a test runs.
const YEARLY: &str = "0 0 0 1 1 *";

#[tokio::test]
async fn a_customer_that_fails_is_named_first_and_healthy_ones_are_counted() {
    let mut world = World::with_customers(30).await;
    world.set("schedule.cron", YEARLY);
    let new = world.run(&["status"]).await;
    assert!(
        new.assert_code(0)
            .stdout
            .starts_with("No run has ended yet.")
    );
    let line = world.run(&["status", "--check"]).await;
    let line = &line.assert_code(0).stdout;
    assert!(line.starts_with("SEATLEDGER OK - No run has ended yet. | customers_failing=0;"));

    world.backfill().await.assert_code(0);
    let well = world.run(&["status"]).await;
    let well = &well.assert_code(0).stdout;
    assert!(well.starts_with("All 30 customers with products are up to date, figures of "));
    assert!(!well.contains("need"), "{well}");

    let ids = world.simulator.customers().await;
    let bad = &ids[4];
    let forbidden = json!([{ "status": 403 }]);
    world.simulator.script_for_ever(bad, forbidden).await;
    world.backfill().await.assert_code(3);
    world
        .execute(&format!(
            "update customer set customer_name = 'Contoso' where customer_id = '{bad}'"
        ))
        .await;
    let text = world.run(&["status"]).await;
    let text = &text.assert_code(0).stdout;
    assert!(text.starts_with("29 of 30 customers with products are up to date, figures of "));
    for said in [
        "1 needs you.",
        "  Contoso ",
        "access to it is refused: check its relationship",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let named = ids.iter().filter(|id| text.contains(id.as_str())).count();
    assert_eq!(named, 1, "{text}");

    let form = world.run(&["status", "--json"]).await;
    let form = form.assert_code(0).summary();
    assert_eq!(
        (&form["version"], &form["timeliness"]),
        (&json!(1), &json!("on_time"))
    );
    assert_eq!(form["attention"]["total"], 1, "{form}");
    assert_eq!(
        form["attention"]["shown"][0]["customer_id"],
        json!(bad),
        "{form}"
    );
    assert_eq!(form["customers"]["active"], 29, "{form}");
    assert_eq!(form["last_run"]["customers_failed"], 1, "{form}");

    // One of 30 is more than one per cent.
    let line = world.run(&["status", "--check"]).await;
    let line = &line.assert_code(1).stdout;
    assert!(line.starts_with("SEATLEDGER WARNING - 29 of 30 "), "{line}");
    assert!(
        line.contains(" | customers_failing=1;0;3;0;30 last_success_age="),
        "{line}"
    );
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(!line.contains("Contoso"), "{line}");
}

#[tokio::test]
async fn a_success_that_is_overdue_is_the_verdict_and_the_exit_code() {
    let world = World::new().await;
    world.backfill().await.assert_code(0);
    world
        .execute(
            "update sync_run set started_at = now() - interval '9 days 1 minute',
                finished_at = now() - interval '9 days'",
        )
        .await;
    let text = world.run(&["status"]).await;
    let text = &text.assert_code(1).stdout;
    assert!(text.starts_with("No run has succeeded since "), "{text}");
    assert!(text.contains(": no daemon runs."), "{text}");
    let form = world.run(&["status", "--json"]).await;
    assert_eq!(form.assert_code(1).summary()["timeliness"], "overdue");
    let line = world.run(&["status", "--check"]).await;
    let line = &line.assert_code(2).stdout;
    assert!(
        line.starts_with("SEATLEDGER CRITICAL - No run has succeeded since "),
        "{line}"
    );
}

#[tokio::test]
async fn a_monitoring_system_is_told_that_nothing_is_known() {
    let mut world = World::before_migrations().await;
    let line = world.run(&["status", "--check"]).await;
    let line = &line.assert_code(3).stdout;
    assert!(line.starts_with("SEATLEDGER UNKNOWN - "), "{line}");

    world.set("database.url", "postgres://x@localhost/x?host=/nowhere");
    world.run(&["status"]).await.assert_code(1);
    let line = world.run(&["status", "--check"]).await;
    let line = &line.assert_code(3).stdout;
    assert!(line.starts_with("SEATLEDGER UNKNOWN - "), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");

    world.set("schedule.cron", "whenever");
    world.run(&["status"]).await.assert_code(78);
    let line = world.run(&["status", "--check"]).await;
    let line = &line.assert_code(3).stdout;
    assert!(line.contains("schedule.cron"), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");

    // To a monitoring system 2, the code of a wrong command line, is a critical state.
    let wrongs = [
        "--json",
        "--chekc",
        "--failing=many",
        "--failing=20,5",
        "--consent-days=3,14",
    ];
    for wrong in wrongs {
        let line = world.run(&["status", "--check", wrong]).await;
        let line = &line.assert_code(3).stdout;
        assert!(line.starts_with("SEATLEDGER UNKNOWN - error: "), "{line}");
        assert_eq!(line.lines().count(), 1, "{line}");
    }
    world.run(&["status", "--chekc"]).await.assert_code(2);
}

#[tokio::test]
async fn a_monitoring_system_waits_ten_seconds_at_most() {
    let world = World::new().await;
    let mut holder = world.pool.begin().await.unwrap();
    sqlx::raw_sql("lock table customer")
        .execute(&mut *holder)
        .await
        .unwrap();
    let asked = Instant::now();
    let line = world.run(&["status", "--check"]).await;
    let line = &line.assert_code(3).stdout;
    assert!(
        asked.elapsed() < Duration::from_secs(10),
        "{:?}",
        asked.elapsed()
    );
    assert!(line.contains("gave no answer in time"), "{line}");
    holder.rollback().await.unwrap();
}

#[tokio::test]
async fn before_the_first_run_the_status_says_that_there_are_no_tables_yet() {
    let world = World::before_migrations().await;
    let said = "there are no tables yet: the first run makes them, or: seatledger migrate";
    let shown = world.run(&["status"]).await;
    shown.assert_code(1);
    assert!(shown.stderr.contains(said), "{}", shown.stderr);
    let line = world.run(&["status", "--check"]).await;
    line.assert_code(3);
    assert_eq!(line.stdout, format!("SEATLEDGER UNKNOWN - {said}\n"));
}
