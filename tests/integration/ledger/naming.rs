//! Names identify a series, so each has one spelling and one language in the ledger.

use serde_json::json;

use crate::support::answers::{answer, collection, item_with};
use crate::support::{Finished, World};

/// One backfill in which every customer has these items.
async fn fetch(world: &World, target: &str, items: &[String]) -> Finished {
    let answers = json!([answer(collection(items), json!({}))]);
    world.simulator.script_for_ever(target, answers).await;
    world.backfill().await
}

fn named(product: &str, workload: &str, day: &str) -> String {
    item_with(&[
        ("productName", &json!(product).to_string()),
        ("workloadName", &json!(workload).to_string()),
        ("processedDateTime", &json!(day).to_string()),
    ])
}

const SERIES: &str = "select product_name, workload_name, count(*) from license_usage group by 1, \
    2 order by product_name collate \"C\"";

#[tokio::test]
async fn another_spelling_of_a_name_goes_on_with_the_series() {
    let world = World::with_customers(2).await;
    let first = [named("Microsoft 365 Büro", "Ünternehmen", "2026-09-26")];
    fetch(&world, "usage", &first).await.assert_code(0);
    for (product, workload, day) in [
        ("MICROSOFT 365 BÜRO", "ünternehmen", "2026-09-27"),
        ("  Microsoft 365 Büro\u{a0}", "\tÜnternehmen ", "2026-09-28"),
        (
            "Microsoft 365 Bu\u{308}ro",
            "U\u{308}nternehmen",
            "2026-09-29",
        ),
        (
            " mICROSOFT 365 bU\u{308}RO",
            "u\u{308}NTERNEHMEN",
            "2026-09-30",
        ),
    ] {
        let finished = fetch(&world, "usage", &[named(product, workload, day)]).await;
        finished.assert_code(0);
        assert_eq!(finished.summary()["rows"]["inserted"], 2, "{product}");
        // The same date again under the first spelling is the same row.
        let finished = fetch(
            &world,
            "usage",
            &[named("Microsoft 365 Büro", "Ünternehmen", day)],
        )
        .await;
        assert_eq!(finished.summary()["rows"]["unchanged"], 2, "{product}");
    }
    assert_eq!(
        world.lines(SERIES).await,
        ["Microsoft 365 Büro|Ünternehmen|10"]
    );
    // A different name, here with two blanks, is another series.
    let other = [named("Microsoft  365 Büro", "Ünternehmen", "2026-09-30")];
    fetch(&world, "usage", &other).await.assert_code(0);
    assert_eq!(
        world.lines(SERIES).await,
        [
            "Microsoft  365 Büro|Ünternehmen|2",
            "Microsoft 365 Büro|Ünternehmen|10"
        ]
    );
}

#[tokio::test]
async fn within_one_collection_two_spellings_of_a_key_are_one_key() {
    let mut world = World::with_customers(1).await;
    world.set("partner_center.datasets", "usage,deployment");
    let changed = |product: &str, workload: &str, active: &str| {
        item_with(&[
            ("productName", &json!(product).to_string()),
            ("workloadName", &json!(workload).to_string()),
            ("licensesActive", active),
        ])
    };
    let items = [
        changed("Büro", "Exchange", "3"),
        changed("BU\u{308}RO ", "exchange", "4"),
        changed("büro", "EXCHANGE", "4"),
        changed("büro", "Teams", "5"),
    ];
    fetch(&world, "usage", &items).await.assert_code(0);
    assert_eq!(
        world
            .lines(
                "select lower(product_name), lower(workload_name), licenses_active from \
                license_usage order by 2"
            )
            .await,
        ["büro|exchange|4", "büro|teams|5"]
    );
    assert_eq!(
        world
            .lines("select count(distinct product_name) from license_usage")
            .await,
        ["1"]
    );
    assert_eq!(
        world
            .lines("select reason, payload ->> 'licensesActive' from rejected_row")
            .await,
        ["duplicate_key|3"]
    );
    // Deployment is stored under the product's spelling in the ledger.
    let deployment = item_with(&[
        ("productName", "\"BÜRO\""),
        ("licensesDeployed", "1"),
        ("licensesSold", "2"),
    ]);
    fetch(&world, "deployment", &[deployment]).await;
    assert_eq!(
        world
            .lines(
                "select count(*), count(distinct u.product_name) from license_deployment as d \
                join license_usage as u using (product_name)"
            )
            .await,
        ["2|1"]
    );
}

#[tokio::test]
async fn a_run_in_another_language_than_the_ledgers_is_refused() {
    let mut world = World::with_customers(4).await;
    world
        .simulator
        .patch(json!({ "localized_names": true }))
        .await;
    world.backfill().await.assert_code(0);
    let locales = "select locale from ledger_locale order by since";
    assert_eq!(world.lines(locales).await, ["en-US"]);
    let ledger = world.ledger().await;

    world.set("partner_center.locale", "de-DE");
    world.simulator.forget_requests().await;
    let finished = world.backfill().await;
    finished.assert_code(78);
    for named in [
        "asked for in en-US",
        "is de-DE",
        "partner_center.locale = \"en-US\"",
        "partner_center.allow_locale_change = true",
    ] {
        assert!(
            finished.stderr.contains(named),
            "{named}: {}",
            finished.stderr
        );
    }
    let checked = world.run(&["check"]).await;
    checked.assert_code(78);
    let mend = checked.stdout.lines().last().unwrap();
    assert!(
        mend.starts_with("mend  locale ") && mend.contains("asked for in en-US"),
        "{mend}"
    );
    assert_eq!(world.simulator.get("requests").await, json!([]));
    assert_eq!(world.ledger().await, ledger);
    assert_eq!(world.lines(locales).await, ["en-US"]);
    assert_eq!(
        world
            .lines(
                "select outcome, detail like '%allow_locale_change%' from sync_run order by \
                run_id desc limit 1"
            )
            .await,
        ["failed|true"]
    );
    // The daemon ends instead of failing every day: a service that ends is noticed.
    world.set("schedule.run_on_start", "always");
    let daemon = world.run(&[]).await;
    daemon.assert_code(78);
    assert!(daemon.stderr.contains("is de-DE"), "{}", daemon.stderr);

    world.set("partner_center.locale", "EN-us");
    world.backfill().await.assert_code(0);
    assert_eq!(world.lines(locales).await, ["en-US"]);
    assert_eq!(world.ledger().await, ledger);

    world.set("partner_center.locale", "de-DE");
    world.set("partner_center.allow_locale_change", "true");
    world.backfill().await.assert_code(0);
    assert_eq!(world.lines(locales).await, ["en-US", "de-DE"]);
    assert!(world.ledger().await.len() > ledger.len());
    // From now on that is the locale of the ledger.
    world.unset("partner_center.allow_locale_change");
    world.backfill().await.assert_code(0);
    world.unset("partner_center.locale");
    world.backfill().await.assert_code(78);
}

#[tokio::test]
async fn a_ledger_without_names_takes_any_language() {
    let mut world = World::new().await;
    world.set("partner_center.locale", "fr-FR");
    world
        .simulator
        .script_for_ever(
            "token",
            json!([{ "status": 400, "json": { "error": "invalid_client" } }]),
        )
        .await;
    world.backfill().await.assert_code(4);
    world.simulator.unscript().await;
    world.set("partner_center.locale", "de-DE");
    world.backfill().await.assert_code(0);
    world.set("partner_center.locale", "fr-FR");
    world.backfill().await.assert_code(78);
}
