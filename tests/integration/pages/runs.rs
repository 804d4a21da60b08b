//! The pages of runs: newest first, each with its failures and what it rejected.

use super::lists::{LEDGER, add_customer, browse, customers, page, start, stop, unescaped};
use crate::support::{World, computed};

#[tokio::test]
async fn runs_are_listed_newest_first_and_each_has_its_failures_and_rejected_items() {
    let mut world = World::new().await;
    world.execute(LEDGER).await;
    let failed = add_customer(&world, "Sad & Co", None).await;
    world
        .execute(&format!(
            "insert into sync_run (kind, whole_list, started_at, finished_at, outcome, detail,
                customers_total, customers_succeeded, customers_failed, rows_rejected)
            select 'backfill', true, now(), now() + interval '64 s', 'partial', 'one <of> many',
                12345, 12344, 1, 3
            from generate_series(1, 120);
            insert into sync_customer (run_id, customer_id, outcome, reason, detail, http_status,
                attempts, rows_received, rows_inserted, rows_updated, rows_unchanged,
                rows_rejected, finished_at, ms_request_id, ms_correlation_id)
            select max(run_id), '{failed}', 'failed', 'forbidden', 'status 403', 403, 7, 0, 0, 0,
                0, 0, now(), '11111111-1111-4111-8111-111111111111',
                '22222222-2222-4222-8222-222222222222'
            from sync_run;
            insert into rejected_row (run_id, customer_id, dataset, reason, detail, payload,
                rejected_at)
            select max(run_id), '{failed}', 'usage', 'out_of_range', 'item 5: <date>', '{{}}', now()
            from sync_run cross join generate_series(1, 3) as n
            group by n"
        ))
        .await;
    let (daemon, address) = start(&mut world).await;
    let mut listed = Vec::new();
    for number in 1..=2 {
        let html = page(&format!("{address}/runs?page={number}")).await;
        let links = html.split("<a href=\"/runs/").skip(1);
        listed.extend(links.map(|link| link.split('"').next().unwrap().to_owned()));
    }
    let runs = world
        .lines("select run_id from sync_run order by run_id desc limit 200")
        .await;
    assert!(runs.len() > 100);
    assert_eq!(listed, runs);

    let html = page(&format!("{address}/runs/{}", runs[0])).await;
    let text = unescaped(&html);
    for part in [
        "12,344 of\n12,345 succeeded",
        "one <of> many",
        "Sad & Co",
        "access to it is refused",
        "status 403",
        "<td class=\"num\">7</td>",
        "11111111-1111-4111-8111-111111111111",
        "22222222-2222-4222-8222-222222222222",
        "its date is before 2000 or more than two days ahead",
        "<td class=\"num\">3</td>",
        "item 5: <date>",
    ] {
        assert!(text.contains(part), "{part}: {html}");
    }
    computed(&address).await;
    for (path, said) in [
        ("/runs/999999", "no run 999999"),
        ("/runs/9999999999999999999999", "whole numbers"),
        ("/runs/%3Cb%3E", "whole numbers"),
        ("/nowhere", "There is no such page"),
        ("/runs?page=4", "The list ends before this page."),
        (
            &format!("/runs/{}?page=2", runs[0]),
            "The list ends before this page.",
        ),
        ("/products?page=9", "The list ends before this page."),
    ] {
        let answer = browse(&format!("{address}{path}")).await;
        assert_eq!(answer.status(), 404, "{path}");
        let html = answer.text().await.unwrap();
        assert!(html.contains(said), "{path}: {html}");
    }
    stop(daemon).await;
}

#[tokio::test]
async fn a_run_under_way_lists_all_failures_so_far_and_no_counts() {
    let mut world = World::new().await;
    world
        .execute(
            "insert into customer (customer_id, customer_name, first_seen_at, last_seen_at)
            select gen_random_uuid(), 'Customer ' || n, now(), now()
            from generate_series(1, 101) as n;
            insert into sync_run (kind, whole_list, started_at, outcome)
            values ('backfill', true, now(), 'running');
            insert into sync_customer (run_id, customer_id, outcome, reason, attempts,
                rows_received, rows_inserted, rows_updated, rows_unchanged, rows_rejected,
                finished_at)
            select r.run_id, c.customer_id, 'failed', 'timeout', 1, 0, 0, 0, 0, 0, now()
            from sync_run as r cross join customer as c",
        )
        .await;
    let (daemon, address) = start(&mut world).await;
    let run: i64 = world.value("select max(run_id) from sync_run").await;
    // The daemon has found that nobody does this run any more.
    let again = format!(
        "update sync_run set outcome = 'running', finished_at = null, detail = null,
            customers_failed = 0
        where run_id = {run}"
    );
    world.execute(&again).await;
    let html = page(&format!("{address}/runs/{run}")).await;
    assert!(html.contains("1 to 100 of 101"), "{html}");
    assert!(html.contains(&format!("/runs/{run}?page=2\" rel=\"next\"")));
    assert!(!html.contains("0 failed"), "{html}");
    assert_eq!(
        customers(&page(&format!("{address}/runs/{run}?page=2")).await).len(),
        1
    );
    let html = page(&format!("{address}/runs")).await;
    assert!(html.contains("<td class=\"num\">– of\n–</td>"), "{html}");
    stop(daemon).await;
}
