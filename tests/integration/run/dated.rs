//! Dated backfills: one run for each processed date, newest first. Complete dates are skipped.

use chrono::TimeDelta;
use serde_json::{Value, json};

use seatledger::clock::{Clock as _, SystemClock};

use crate::support::{World, queries};

const USAGE: &str = "commercial_usage";

/// The oldest date that the simulated API has figures for.
const REACH: &str = "2026-04-28";

/// Twenty customers for which usage is fetched, from an API that has figures of a few days only.
async fn world() -> World {
    let mut world = World::commercial(20).await;
    world.set("partner_center.datasets", "usage");
    world.simulator.patch(json!({ "reach_days": 6 })).await;
    world
}

fn range<'a>(from: &'a str, to: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    [&["--backfill", "--from", from, "--to", to][..], rest].concat()
}

/// The dates that were requested, in order. Clears the log of requests.
async fn asked(world: &World) -> Vec<String> {
    let queries = queries(world, USAGE).await;
    world.simulator.forget_requests().await;
    let date = |query: &String| {
        let date = query
            .split('&')
            .find_map(|it| it.strip_prefix("processedDateTime="));
        date.unwrap_or_default().to_owned()
    };
    queries.iter().map(date).collect()
}

async fn runs(world: &World) -> Vec<String> {
    let runs = "select asked_date, date_from, date_to, outcome from sync_run order by run_id";
    world.lines(runs).await
}

#[tokio::test]
async fn dates_are_asked_for_newest_first_and_complete_ones_not_again() {
    let world = world().await;
    let days = [
        "2026-04-26",
        "2026-04-27",
        REACH,
        "2026-04-29",
        "2026-04-30",
    ];
    let [oldest, .., newest] = days;
    let all = range(oldest, newest, &["--json"]);
    let finished = world.run(&all).await;
    finished.assert_code(0);
    assert_eq!(
        asked(&world).await,
        days.iter().rev().copied().collect::<Vec<_>>()
    );
    assert_eq!(
        finished.summary()["dates"],
        json!({
            "from": oldest, "to": newest,
            "stored": ["2026-04-30", "2026-04-29", REACH], "skipped": [],
            "empty": ["2026-04-27", "2026-04-26"], "failed": [],
        })
    );
    let expected: Vec<String> = days
        .iter()
        .rev()
        .map(|day| format!("{day}|{oldest}|{newest}|succeeded"))
        .collect();
    assert_eq!(runs(&world).await, expected);
    assert_eq!(
        world
            .lines(
                "select distinct (processed_date_time at time zone 'UTC')::date from \
                license_usage order by 1"
            )
            .await,
        days[2..]
    );

    let finished = world.run(&range(oldest, newest, &[])).await;
    finished.assert_code(0);
    assert_eq!(asked(&world).await, ["2026-04-27", "2026-04-26"]);
    for said in [
        "0 stored, 3 complete before, 2 empty, 0 not complete",
        "the API gave nothing of 2026-04-27, 2026-04-26",
        "3 dates were complete before and not asked for again",
    ] {
        assert!(finished.stdout.contains(said), "{}", finished.stdout);
    }

    let finished = world
        .run(&range(oldest, newest, &["--force", "--json"]))
        .await;
    finished.assert_code(0);
    assert_eq!(asked(&world).await.len(), 5);
    let summary = finished.summary();
    assert_eq!(summary["dates"]["skipped"], json!([]));
    assert_eq!(summary["rows"]["received"], summary["rows"]["unchanged"]);
}

#[tokio::test]
async fn a_recent_date_is_fetched_again_because_a_slower_service_may_have_reported() {
    let world = world().await;
    // The simulated day is the real one, because the program compares a date with its own clock.
    world.simulator.set_today("").await;
    world.simulator.patch(json!({ "reach_days": 90 })).await;
    let today = SystemClock.now().date_naive();
    let ago = |days| (today - TimeDelta::days(days)).to_string();
    let (settled, recent) = ([ago(12), ago(11)], [ago(4), ago(3)]);
    for [from, to] in [&settled, &recent] {
        let dates = range(from, to, &["--json"]);
        world.run(&dates).await.assert_code(0);
        assert_eq!(asked(&world).await.len(), 2);
        let again = world.run(&dates).await;
        again.assert_code(0);
        let again = again.summary();
        let asked = json!(asked(&world).await);
        if *from == recent[0] {
            assert_eq!(asked, json!([to, from]));
        } else {
            assert_eq!(asked, again["dates"]["empty"]);
        }
    }
}

#[tokio::test]
async fn a_date_for_which_only_deployment_is_configured_can_be_complete() {
    let mut world = world().await;
    world.set("partner_center.datasets", "deployment");
    let all = range(REACH, "2026-04-29", &["--json"]);
    world.run(&all).await.assert_code(0);
    let stored = "select distinct (processed_date_time at time zone 'UTC')::date from \
        license_deployment order by 1 desc";
    let stored = json!(world.lines(stored).await);
    assert!(!stored.as_array().unwrap().is_empty());
    let again = world.run(&all).await;
    again.assert_code(0);
    assert_eq!(again.summary()["dates"]["skipped"], stored);
}

#[tokio::test]
async fn the_partners_list_is_fetched_once_and_not_at_all_if_every_date_is_complete() {
    let world = world().await;
    let all = range(REACH, "2026-04-30", &["--json"]);
    world.run(&all).await.assert_code(0);
    assert_eq!(world.simulator.requests("customers").await.len(), 1);
    world.simulator.forget_requests().await;
    let finished = world.run(&all).await;
    finished.assert_code(0);
    assert_eq!(finished.summary()["outcome"], "succeeded");
    assert_eq!(
        finished.summary()["dates"]["skipped"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    assert_eq!(world.simulator.get("requests").await, json!([]));
    assert_eq!(runs(&world).await.len(), 3);
}

#[tokio::test]
async fn a_past_date_covers_all_customers_and_makes_none_look_older() {
    let world = world().await;
    world.backfill().await.assert_code(0);
    let newest = "select customer_id, last_processed_date_time from customer_freshness order by 1";
    let before = world.lines(newest).await;
    world
        .run(&range(REACH, "2026-04-29", &[]))
        .await
        .assert_code(0);
    assert_eq!(world.lines(newest).await, before);
    assert_eq!(
        world
            .lines(
                "select processed_date, count(*), count(*) filter (where state not in ('stored', \
                    'empty')),
                        count(*) filter (where state = 'stored')
                        = (select count(distinct customer_id) from license_usage as u
                           where (u.processed_date_time at time zone 'UTC')::date = processed_date)
                 from coverage where processed_date < '2026-04-30' group by 1 order by 1"
            )
            .await,
        ["2026-04-28|20|0|true", "2026-04-29|20|0|true"]
    );
    let latest =
        "select max(newest_processed_date) = max(processed_date) from sync_run, service_date";
    assert_eq!(world.lines(latest).await, ["true"]);
}

#[tokio::test]
async fn dates_left_by_a_kill_are_fetched_by_the_same_command_or_by_resume() {
    let world = world().await;
    world.simulator.patch(json!({ "reach_days": 90 })).await;
    let all = range("2026-04-01", "2026-04-10", &["--json"]);
    world.simulator.patch(json!({ "latency_ms": 400 })).await;
    // The newest date that is not complete. A date without figures never becomes complete.
    let complete =
        "select distinct asked_date from sync_run inner join service_date on processed_date = \
        asked_date
                    where sync_run.outcome = 'succeeded'";
    let next = format!(
        "select to_char(max(day), 'YYYY-MM-DD') from generate_series(timestamp '2026-04-01', \
            '2026-04-10', '1 day') as t (day)
         where day::date not in ({complete})"
    );
    let count = format!("select count(*) from ({complete}) as complete");
    for again in [&all[..], &["--backfill", "--resume", "--json"]] {
        let (due, done) = (
            world.value::<String>(&next).await,
            world.value::<i64>(&count).await,
        );
        let killed = world.start(again);
        world.simulator.received(USAGE, 4).await;
        killed.signal("KILL");
        killed.finish().await;
        assert_eq!(asked(&world).await[0], due);
        assert!(world.value::<i64>(&count).await > done);
    }
    let due: String = world.value(&next).await;
    world.simulator.patch(json!({ "latency_ms": 0 })).await;
    let finished = world.run(&["--backfill", "--resume", "--json"]).await;
    finished.assert_code(0);
    let dates = asked(&world).await;
    assert_eq!(dates.first(), Some(&due));
    assert_eq!(dates.last().map(String::as_str), Some("2026-04-01"));
    assert_eq!(finished.summary()["dates"]["from"], "2026-04-01");
    assert_eq!(
        world
            .lines(
                "select outcome, ended_early, count(*) from sync_run where outcome <> \
                'succeeded' group by 1, 2"
            )
            .await,
        ["interrupted|true|2"]
    );
    let resumed = world.run(&["--backfill", "--resume"]).await;
    resumed.assert_code(0);
    assert!(
        resumed.stderr.contains("there is nothing to resume"),
        "{}",
        resumed.stderr
    );
    assert_eq!(asked(&world).await, [""; 0]);
}

#[tokio::test]
async fn customers_that_a_stopped_run_did_not_reach_are_not_counted_as_stored() {
    let world = world().await;
    world.simulator.hold_after(USAGE, 0).await;
    let stopped = world.start(&range(REACH, "2026-04-30", &["--json"]));
    world.simulator.received(USAGE, 1).await;
    stopped.signal("TERM");
    stopped.says("Stopping:").await;
    world.simulator.unscript().await;
    let finished = stopped.finish().await;
    finished.assert_code(143);
    assert_eq!(
        finished.summary()["customers"],
        json!({ "total": 20, "succeeded": 0, "failed": 0 })
    );
}

#[tokio::test]
async fn a_backfill_whose_oldest_dates_were_already_complete_is_not_unfinished() {
    let world = world().await;
    let older = range(REACH, "2026-04-29", &["--json"]);
    world.run(&older).await.assert_code(0);
    let all = range(REACH, "2026-04-30", &["--json"]);
    let finished = world.run(&all).await;
    finished.assert_code(0);
    assert_eq!(finished.summary()["dates"]["stored"], json!(["2026-04-30"]));
    // Neither is an interrupted backfill if another run has completed the date that it stopped at.
    let cut = format!(
        "update sync_run set outcome = 'interrupted', ended_early = true where asked_date = \
            '{REACH}'"
    );
    world.execute(&cut).await;
    world.run(&all).await.assert_code(0);
    world.simulator.forget_requests().await;
    let resumed = world.run(&["--backfill", "--resume"]).await;
    resumed.assert_code(0);
    assert!(
        resumed.stderr.contains("there is nothing to resume"),
        "{}",
        resumed.stderr
    );
    assert_eq!(asked(&world).await, [""; 0]);
}

#[tokio::test]
async fn the_summary_has_a_query_for_rejections_of_any_date() {
    let world = world().await;
    let ids = world.simulator.customers().await;
    let nameless =
        json!({ "customerTenantId": ids[0], "processedDateTime": "2026-04-29T00:00:00" });
    let page = json!([{ "json": { "Value": [nameless], "TotalCount": 1 } }, { "normal": true }]);
    world.simulator.script(USAGE, page).await;
    let finished = world.run(&range("2026-04-29", "2026-04-30", &[])).await;
    // A customer without a single usable item has failed.
    finished.assert_code(3);
    let (_, query) = finished.stdout.split_once("rejected:  ").unwrap();
    assert_eq!(world.rows(query.trim()).await.len(), 1, "{query}");
}

#[tokio::test]
async fn a_date_at_which_the_api_fails_is_named_and_asked_for_again() {
    let world = world().await;
    let fault = json!({ "status": 403, "json": { "code": "900309", "description": "blocked" } });
    let answers = json!([{ "normal": true }, fault, { "normal": true }]);
    world.simulator.script(USAGE, answers).await;
    let all = range(REACH, "2026-04-30", &["--json"]);
    let finished = world.run(&all).await;
    finished.assert_code(3);
    let summary = finished.summary();
    assert_eq!(summary["outcome"], "partial");
    assert_eq!(summary["dates"]["failed"], json!(["2026-04-29"]));
    assert_eq!(summary["dates"]["stored"], json!(["2026-04-30", REACH]));
    assert_eq!(summary["customers"]["failed"], 20);
    assert_eq!(summary["notes"].as_array().unwrap().len(), 1);
    assert_eq!(asked(&world).await.len(), 3);
    let finished = world.run(&all).await;
    finished.assert_code(0);
    assert_eq!(asked(&world).await, ["2026-04-29"]);
    assert_eq!(
        finished.summary()["dates"]["skipped"],
        json!(["2026-04-30", REACH])
    );
}

#[tokio::test]
async fn a_backfill_ends_early_when_every_date_fails_and_resume_continues() {
    let world = world().await;
    world.simulator.patch(json!({ "reach_days": 90 })).await;
    let fault = json!([{ "status": 403, "json": { "code": "900309", "description": "blocked" } }]);
    world.simulator.script_for_ever(USAGE, fault).await;
    let all = range("2026-04-20", "2026-04-29", &["--json"]);
    let finished = world.run(&all).await;
    finished.assert_code(3);
    assert_eq!(
        asked(&world).await,
        ["2026-04-29", "2026-04-28", "2026-04-27"]
    );
    let notes = finished.summary()["notes"].to_string();
    assert!(
        notes.contains("3 dates in a row failed for every customer"),
        "{notes}"
    );
    world.simulator.unscript().await;
    let resumed = world.run(&["--backfill", "--resume", "--json"]).await;
    resumed.assert_code(0);
    assert_eq!(asked(&world).await.len(), 10);
}

#[tokio::test]
async fn a_date_answered_with_rows_of_other_dates_is_empty() {
    let world = world().await;
    let ids = world.simulator.customers().await;
    let other = json!({
        "processedDateTime": "2026-04-12T00:00:00", "workloadName": "Exchange",
        "customerTenantId": ids[0],
        "productName": "E3", "licensesActive": 1, "licensesQualified": 2,
    });
    let page = json!([{ "json": { "Value": [other], "TotalCount": 1 } }]);
    let day = range("2026-04-20", "2026-04-20", &["--json"]);
    for run in 1..=2 {
        world.simulator.script(USAGE, page.clone()).await;
        let finished = world.run(&day).await;
        finished.assert_code(0);
        assert_eq!(finished.summary()["dates"]["empty"], json!(["2026-04-20"]));
        assert_eq!(asked(&world).await, ["2026-04-20"], "{run}");
    }
    assert_eq!(
        world
            .lines("select (processed_date_time at time zone 'UTC')::date from license_usage")
            .await,
        ["2026-04-12"]
    );
}

#[tokio::test]
async fn dates_of_one_customer_are_not_complete_for_the_others() {
    let world = world().await;
    let id = world.simulator.customers().await[0].clone();
    let one = range(REACH, "2026-04-29", &["--customer", &id]);
    world.run(&one).await.assert_code(0);
    let filtered = queries(&world, USAGE).await;
    assert!(filtered.len() == 2 && filtered.iter().all(|query| query.contains(&id)));
    assert_eq!(asked(&world).await.len(), 2);
    world
        .run(&range(REACH, "2026-04-29", &[]))
        .await
        .assert_code(0);
    assert_eq!(asked(&world).await.len(), 2);
}

#[tokio::test]
async fn dates_that_cannot_be_requested_are_a_wrong_command_line() {
    let mut world = world().await;
    let backwards = world.run(&range("2026-04-30", REACH, &[])).await;
    backwards.assert_code(2);
    assert!(backwards.stderr.contains("--from"), "{}", backwards.stderr);
    for (from, to, said) in [
        (REACH, "2999-01-01", "--to is in the future"),
        ("0206-04-28", REACH, "--from must not be before 2000-01-01"),
    ] {
        let never = world.run(&range(from, to, &[])).await;
        never.assert_code(2);
        assert!(never.stderr.contains(said), "{}", never.stderr);
    }
    for half in [
        &["--backfill", "--from", REACH][..],
        &["--backfill", "--to", REACH],
        &["--from", REACH, "--to", REACH],
        &["--backfill", "--from", "28.4.2026", "--to", REACH],
    ] {
        world.run(half).await.assert_code(2);
    }
    world.use_source_customer();
    let undated = world.run(&range(REACH, "2026-04-30", &[])).await;
    undated.assert_code(2);
    assert!(
        undated.stderr.contains("no date parameter"),
        "{}",
        undated.stderr
    );
    assert_eq!(
        world.simulator.get("requests").await,
        Value::Array(Vec::new())
    );
    assert_eq!(runs(&world).await, [""; 0]);
}
