//! Ledgers as released versions wrote them, from `tests/releases`: this version takes them over.

use std::fs;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::support::{World, root};

/// The day after the last one in the ledgers.
const NEXT_DAY: &str = "2026-05-06";

/// The versions of which a ledger is kept, each with the statements that make it.
fn releases() -> Vec<(String, String)> {
    let files = fs::read_dir(root().join("tests/releases")).unwrap();
    let mut releases: Vec<_> = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|one| one == "sql"))
        .map(|path| {
            let version = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (version, fs::read_to_string(&path).unwrap())
        })
        .collect();
    releases.sort();
    releases
}

async fn load(world: &World, statements: &str) {
    // Of its own, since the statements leave settings behind in the session.
    let mut connection = PgConnection::connect(world.database_url()).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_ledger_of_each_release_is_upgraded_and_the_next_day_is_added() {
    let releases = releases();
    assert!(!releases.is_empty());
    for (version, statements) in releases {
        let mut world = World::before_migrations().await;
        world.set("customers.ids", "");
        world.set("customers.discover", "true");
        load(&world, &statements).await;
        let old = "select customer_id, product_name, workload_name, processed_date_time, \
            licenses_active, licenses_qualified, first_synced_at from license_usage \
            where run_id < 3 order by 1, 2, 3, 4";
        let before = world.lines(old).await;
        assert!(!before.is_empty(), "{version}");
        world.run(&["migrate"]).await.assert_code(0);
        world.simulator.set_today(NEXT_DAY).await;
        world.backfill().await.assert_code(0);
        assert_eq!(world.lines(old).await, before, "{version}");
        let added = "select count(*) from license_usage where run_id = 3";
        assert!(world.value::<i64>(added).await > 0, "{version}");
        let views = "select c.relname from pg_class as c
            where c.relnamespace = 'public'::regnamespace and c.relkind = 'v'";
        for view in world.lines(views).await {
            world.rows(&format!("select * from {view}")).await;
        }
    }
}
