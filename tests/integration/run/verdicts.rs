//! Failures that many customers share are reported once, by the run, with what to do about them,
//! and not for each customer.

use serde_json::{Value, json};

use crate::support::{Finished, World};

/// The API's refusal of a call.
fn refusal(status: u16, code: &str) -> Value {
    json!({ "status": status, "json": { "code": code, "description": "No." } })
}

/// The number of failures that were logged customer by customer.
fn logged(finished: &Finished) -> usize {
    let lines = finished.stderr.lines();
    lines
        .filter(|line| line.contains("\"message\":\"Customer ") && line.contains(" failed: "))
        .count()
}

/// Scripts this answer for each of these customers.
async fn refuse(world: &World, ids: &[String], answer: &Value) {
    for id in ids {
        world.simulator.script_for_ever(id, json!([answer])).await;
    }
}

#[tokio::test]
async fn a_refusal_of_all_customers_ends_the_run_with_one_message() {
    let mut world = World::with_customers(150).await;
    world.set("partner_center.max_concurrency", "4");
    for (answer, told) in [
        (
            refusal(403, "900329"),
            "code 900329: these calls are not open to an application alone",
        ),
        (
            json!({ "status": 404 }),
            "not_found, status 404: neither path nor customers are known there",
        ),
    ] {
        world
            .execute("truncate sync_customer, sync_run, rejected_row, customer")
            .await;
        world.simulator.forget_requests().await;
        // Later answers are so slow that the run knows the common reason before they arrive.
        let mut answers = vec![answer.clone(); 110];
        let mut slow = answer;
        slow["delay_ms"] = json!(1_500);
        answers.push(slow);
        world
            .simulator
            .script_for_ever("usage", json!(answers))
            .await;
        let finished = world.backfill().await;
        finished.assert_code(3);
        assert!(logged(&finished) <= 20, "{}", finished.stderr);
        let complaint = finished.stderr.lines().last().unwrap();
        assert!(
            complaint.starts_with("seatledger: all of the first 1") && complaint.contains(told),
            "{complaint}"
        );
        let summary = finished.summary();
        assert_eq!(summary["outcome"], "failed");
        assert_eq!(
            summary["customers"],
            json!({ "total": 150, "succeeded": 0, "failed": 150 })
        );
        let recorded = format!(
            "select outcome, ended_early, customers_total, customers_failed, detail like \
                '%{told}%' from sync_run"
        );
        assert_eq!(world.lines(&recorded).await, ["failed|true|150|150|true"]);
        let asked = world.asked().await.len();
        assert!((100..150).contains(&asked), "{asked}");
        assert_eq!(
            world
                .lines(
                    "select count(*), count(distinct customer_id), bool_and(detail like 'not \
                    reached: all of the first%'), max(attempts)
                        from sync_customer where reason = 'interrupted'"
                )
                .await,
            [format!("{0}|{0}|true|0", 150 - asked)]
        );
        assert_eq!(
            world
                .value::<i64>("select count(*) from sync_customer")
                .await,
            150
        );
    }
    world.simulator.unscript().await;
    world.simulator.forget_requests().await;
    world.run(&["--backfill", "--resume"]).await.assert_code(0);
    assert_eq!(world.asked().await.len(), 150);
}

#[tokio::test]
async fn a_refusal_of_nearly_all_customers_is_noted_with_its_reason() {
    let world = World::with_customers(100).await;
    let ids = world.simulator.customers().await;
    refuse(&world, &ids[5..], &refusal(403, "900308")).await;
    let finished = world.backfill().await;
    finished.assert_code(3);
    let note = "95 of 100 customers were refused alike: forbidden, status 403, code 900308: the \
        role of the user";
    let summary = finished.summary();
    assert_eq!(summary["outcome"], "partial");
    assert_eq!(
        summary["customers"],
        json!({ "total": 100, "succeeded": 5, "failed": 95 })
    );
    let notes = summary["notes"].as_array().unwrap();
    assert!(
        notes.len() == 1 && notes[0].as_str().unwrap().starts_with(note),
        "{notes:?}"
    );
    assert_eq!(logged(&finished), 3);
    let told = finished
        .stderr
        .lines()
        .filter(|line| line.contains(note) && line.contains("\"ERROR\""));
    assert_eq!(told.count(), 1, "{}", finished.stderr);
    let recorded = format!("select outcome, ended_early, detail like '{note}%' from sync_run");
    assert_eq!(world.lines(&recorded).await, ["partial|false|true"]);
}

/// The number of warnings and errors in the log.
fn complaints(finished: &Finished) -> usize {
    let lines = finished.stderr.lines();
    lines
        .filter(|line| line.contains("\"ERROR\"") || line.contains("\"WARN\""))
        .count()
}

#[tokio::test]
async fn the_reason_for_which_most_customers_fail_is_one_message() {
    let world = World::with_customers(60).await;
    let ids = world.simulator.customers().await;
    let run = |count: usize| {
        let mut arguments = vec!["--backfill".to_owned(), "--json".to_owned()];
        for id in &ids[..count] {
            arguments.extend(["--customer".to_owned(), id.clone()]);
        }
        arguments
    };
    let useless = json!({ "items": [{ "productName": "A" }] });
    for (answer, refused, of, told) in [
        (
            refusal(403, "20002"),
            38,
            60,
            "38 of 60 customers were refused alike: forbidden",
        ),
        (
            useless,
            4,
            6,
            "4 of 6 customers failed alike: invalid_response, status 200; the first, ",
        ),
    ] {
        world.simulator.unscript().await;
        refuse(&world, &ids[..refused], &answer).await;
        world
            .execute("truncate sync_customer, sync_run, rejected_row, customer")
            .await;
        let arguments = run(of);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let finished = world.run(&arguments).await;
        finished.assert_code(3);
        let notes = finished.summary()["notes"].clone();
        let [note] = &notes.as_array().unwrap()[..] else {
            panic!("{told}: {notes}");
        };
        let note = note.as_str().unwrap();
        assert!(note.starts_with(told), "{note}");
        assert!(!note.contains("off the list"), "{note}");
        assert!(complaints(&finished) <= 11, "{}", finished.stderr);
        assert_eq!(
            finished.stderr.matches(told).count(),
            1,
            "{}",
            finished.stderr
        );
        let detail: String = world.value("select detail from sync_run").await;
        assert_eq!(detail, note);
        // The summary as text shows three of them and a query for the others.
        let mut arguments = arguments.clone();
        arguments.retain(|argument| *argument != "--json");
        let shown = world.run(&arguments).await.stdout;
        assert_eq!(shown.matches("  note       ").count(), 1, "{shown}");
        let examples = shown.matches("  failed     ").count();
        assert_eq!(examples, refused.min(3), "{shown}");
        let hidden = format!("and {} more: select", refused.saturating_sub(3));
        assert_eq!(shown.contains(&hidden), refused > 3, "{shown}");
        // All of them are in the database and in the JSON summary.
        let failures = finished.summary()["failures"].as_array().unwrap().len();
        assert_eq!(failures, refused);
        let failed = "select count(*) from sync_customer where outcome = 'failed'
                          and run_id = (select min(run_id) from sync_run)";
        assert_eq!(
            world.value::<i64>(failed).await,
            i64::try_from(refused).unwrap()
        );
    }
}

#[tokio::test]
async fn customers_refused_in_every_run_do_not_starve_the_others() {
    let world = World::with_customers(150).await;
    let ids = world.simulator.customers().await;
    let (served, refused): (Vec<String>, Vec<String>) = {
        let mut numbered = ids.iter().cloned().zip(0..);
        let (served, refused): (Vec<_>, Vec<_>) = numbered.by_ref().partition(|(_, n)| n % 6 == 0);
        let bare = |ids: Vec<(String, i32)>| ids.into_iter().map(|(id, _)| id).collect();
        (bare(served), bare(refused))
    };
    for answer in [refusal(403, "20002"), refusal(401, "900421")] {
        refuse(&world, &refused, &answer).await;
        for _ in 0..2 {
            world.simulator.forget_requests().await;
            let finished = world.backfill().await;
            // From the second run on, the refused customers are requested first.
            finished.assert_code(3);
            assert_eq!(
                finished.summary()["customers"],
                json!({ "total": 150, "succeeded": served.len(), "failed": refused.len() })
            );
        }
    }
}

#[tokio::test]
async fn a_dataset_that_is_refused_for_all_customers_does_not_cost_the_other() {
    let mut world = World::with_customers(130).await;
    world.set("partner_center.datasets", "usage,deployment");
    for answer in [refusal(403, "2032"), refusal(401, "900421")] {
        world
            .execute("truncate sync_customer, sync_run, rejected_row, customer")
            .await;
        let usage = json!([{ "items": [crate::support::item(&json!({}))] }]);
        world.simulator.script_for_ever("usage", usage).await;
        world
            .simulator
            .script_for_ever("deployment", json!([answer]))
            .await;
        world.backfill().await.assert_code(3);
        assert_eq!(
            world
                .lines(
                    "select count(*), count(*) filter (where rows_received > 0), min(detail) \
                    like 'deployment: %' from sync_customer"
                )
                .await,
            ["130|130|true"],
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_token_without_proof_of_mfa_is_named_as_the_reason() {
    let world = World::with_customers(30).await;
    world.simulator.patch(json!({ "mfa": false })).await;
    for _ in 0..2 {
        let finished = world.backfill().await;
        finished.assert_code(4);
        let complaint = finished.stderr.lines().last().unwrap();
        assert!(
            complaint.starts_with("seatledger: ")
                && complaint.contains("900421")
                && complaint.contains("multi-factor authentication")
                && complaint.contains("seatledger --config FILE login"),
            "{complaint}"
        );
        assert!(logged(&finished) <= 20);
    }
    assert_eq!(
        world
            .lines("select distinct outcome, detail like '%900421%login%' from sync_run")
            .await,
        ["failed|true"]
    );
}

#[tokio::test]
async fn an_api_that_suddenly_sends_no_rows_is_warned_of() {
    let mut world = World::commercial(30).await;
    world.set("partner_center.datasets", "usage");
    let nothing = json!({ "totalCount": 0, "items": [] });
    for (source, target, answer) in [
        ("commercial", "commercial_usage", nothing.clone()),
        ("customer", "usage", nothing),
    ] {
        world.empty_the_ledger().await;
        world.simulator.unscript().await;
        world.set("partner_center.source", source);
        world.backfill().await.assert_code(0);
        let rows = "select count(*) from license_usage";
        let kept: i64 = world.value(rows).await;
        let answers = json!([{ "json": answer }]);
        world.simulator.script_for_ever(target, answers).await;
        let finished = world.backfill().await;
        finished.assert_code(0);
        let told = "sent no usable row for";
        assert!(finished.stderr.contains(told), "{}", finished.stderr);
        let notes = finished.summary()["notes"].to_string();
        assert!(notes.contains(told), "{notes}");
        let run = format!(
            "select outcome, ended_early, customers_failed, detail like '%{told}%' from sync_run \
                order by run_id desc limit 1"
        );
        assert_eq!(world.lines(&run).await, ["succeeded|false|0|true"]);
        assert_eq!(world.value::<i64>(rows).await, kept);
    }
    world.simulator.unscript().await;
    world.backfill().await.assert_code(0);
}
