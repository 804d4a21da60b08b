//! The statements of docs/scaling.md for partitions of the ledger leave it as it is, and runs go
//! on.

use serde_json::{Value, json};

use super::kept::assert_kept;
use crate::support::{World, item, root};

/// The blocks of SQL in a chapter of docs/scaling.md.
fn statements(chapter: &str) -> Vec<String> {
    let page = std::fs::read_to_string(root().join("docs/scaling.md")).unwrap();
    let chapter = page.split("\n## ").find(|text| text.starts_with(chapter));
    let blocks = chapter.unwrap().split("```sql\n").skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

/// What the API answers: one row of a day.
fn day(day: &str, active: i64) -> Value {
    json!([{ "items": [
        item(&json!({ "processedDateTime": day, "licensesActive": active })),
    ] }])
}

async fn fetch(world: &World, date: &str, active: i64) {
    let answer = day(date, active);
    world.simulator.script_for_ever("usage", answer).await;
    world.backfill().await.assert_code(0);
}

#[tokio::test]
async fn partitions_that_are_merged_moved_and_attached_again_take_late_rows() {
    let world = World::with_customers(2).await;
    for date in [
        "2021-03-05",
        "2025-02-05",
        "2025-02-15",
        "2025-11-25",
        "2026-08-05",
    ] {
        fetch(&world, date, 5).await;
    }
    let before = world.ledger().await;
    // Statements that a transaction would refuse, and a setting that they need.
    let mut connection = world.pool.acquire().await.unwrap();
    let mut execute = async |sql: String| {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.clone()))
            .execute(&mut *connection)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    };
    execute("set allow_in_place_tablespaces = on".to_owned()).await;
    let blocks = statements("Closed partitions");
    let plain = blocks.iter().filter(|block| !block.contains("columnar"));
    for block in plain.clone() {
        execute(block.replace("/srv/closed", "")).await;
    }
    assert_eq!(world.ledger().await, before);
    assert_kept(&world, "the statements").await;
    let places = "select name, coalesce(spcname, 'default')
        from license_usage_partitions() as p
        inner join pg_class as c on c.oid = p.id
        left join pg_tablespace as s on s.oid = c.reltablespace order by 1";
    let expected = [
        "license_usage_2021_03_01|closed",
        "license_usage_2025|closed",
        "license_usage_2026_08_01|default",
    ];
    assert_eq!(world.lines(places).await, expected);
    let indexes = "select count(*) from pg_indexes where tablespace = 'closed'";
    assert_eq!(world.value::<i64>(indexes).await, 4);

    // A correction, a date that a merged partition takes, and one that needs a new partition.
    fetch(&world, "2025-02-15", 6).await;
    fetch(&world, "2025-02-16", 7).await;
    fetch(&world, "2026-08-15", 8).await;
    assert_eq!(
        world.lines(places).await,
        [&expected[..], &["license_usage_2026_08_11|default"]].concat()
    );
    assert_eq!(world.ledger().await.len(), before.len() + 4);
    assert_kept(&world, "late rows").await;

    // The tablespace belongs to the server, not to the database that ends with the test.
    for block in plain {
        let back = block.replace("tablespace closed", "tablespace pg_default");
        if block.contains("set tablespace") {
            execute(back).await;
        }
    }
    execute("drop tablespace closed".to_owned()).await;
}
