//! What docs/operations.md says: its sections, and a restored ledger.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::support::{World, root};

/// The text of the operating page.
fn page() -> String {
    fs::read_to_string(root().join("docs/operations.md")).unwrap()
}

/// A client program of the server that the tests share.
fn client(name: &str) -> Command {
    #[expect(
        clippy::disallowed_methods,
        reason = "the server of the tests is handed over in the environment"
    )]
    let folder = std::env::var_os("SEATLEDGER_PG_BIN").unwrap();
    Command::new(PathBuf::from(folder).join(name))
}

/// The words of the arms `… => word,` of a source file.
fn words(file: &str) -> Vec<String> {
    let source = fs::read_to_string(root().join(file)).unwrap();
    let arms = source.lines().filter_map(|line| line.split_once("=> "));
    arms.map(|(_, word)| word.trim_end_matches(',').to_owned())
        .collect()
}

#[test]
fn each_reason_and_exit_code_has_its_place_in_the_operating_page() {
    let page = page();
    let quoted = |word: &String| word.starts_with('"');
    let reasons: Vec<_> = words("src/ledger/reason.rs")
        .into_iter()
        .filter(quoted)
        .collect();
    assert_eq!(reasons.len(), 18, "{reasons:?}");
    for reason in reasons {
        let reason = reason.replace('"', "`");
        assert!(page.contains(&format!("\n| {reason} |")), "{reason}");
    }
    let codes = words("src/lifecycle.rs");
    let codes: Vec<u8> = codes.iter().filter_map(|code| code.parse().ok()).collect();
    assert_eq!(codes.len(), 9, "{codes:?}");
    for code in codes {
        let headings = page.lines().filter_map(|line| line.strip_prefix("### "));
        let mut codes = headings.flat_map(|heading| heading.split(", "));
        assert!(codes.any(|one| one == code.to_string()), "{code}");
    }
}

#[tokio::test]
async fn a_restored_ledger_goes_on_as_the_one_that_was_dumped() {
    let mut world = World::with_customers(6).await;
    world.backfill().await.assert_code(0);
    world.simulator.set_today("2026-05-06").await;
    world.backfill().await.assert_code(0);
    let dump = world.folder.path().join("seatledger.dump");
    let dumped = client("pg_dump")
        .args(["-Fc", "--dbname", world.database_url(), "--file"])
        .arg(&dump)
        .output()
        .unwrap();
    assert!(dumped.status.success(), "{dumped:?}");

    let restored = World::before_migrations().await;
    let done = client("pg_restore")
        .args([
            "--exit-on-error",
            "--role=seatledger",
            "--no-owner",
            "--dbname",
        ])
        .arg(restored.database_url())
        .arg(&dump)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    let same = "select customer_id, product_name, workload_name, processed_date_time, \
        licenses_active, licenses_qualified, run_id from license_usage order by 1, 2, 3, 4";
    assert_eq!(restored.lines(same).await, world.lines(same).await);

    world.simulator.set_today("2026-05-07").await;
    world.backfill().await.assert_code(0);
    world.set("database.url", restored.database_url());
    world.backfill().await.assert_code(0);
    let after = world.lines(same).await;
    assert!(after.iter().any(|row| row.ends_with("|3")), "{after:?}");
    assert_eq!(restored.lines(same).await, after);
    for view in [
        "license_usage_daily_total",
        "license_product",
        "license_growth",
    ] {
        let rows = format!("select * from {view} as v order by v::text");
        assert_eq!(
            restored.lines(&rows).await,
            world.lines(&rows).await,
            "{view}"
        );
    }
}
