//! Networks that are cut without a sign: whoever waits for an answer notices within 20 s, also
//! where a statement may rightly take longer.

use std::time::Duration;

use seatledger::sync::RunError;

use crate::support::{Link, Lost, World, until};

/// The longest that a cut may go unnoticed.
const NOTICED: Duration = Duration::from_secs(20);

/// A migration without end, unless the test has made the table `mended`.
const ENDLESS: &str = "select pg_sleep(3600) where to_regclass('mended') is null";

/// A world whose ledger is at the other end of a link.
async fn over_a_link() -> (World, Link) {
    let mut world = World::new().await;
    let link = Link::to(world.database_url()).await;
    world.set("database.url", link.url());
    (world, link)
}

/// Waits until the endless migration is under way, and returns its server process.
async fn migrating(world: &World) -> i32 {
    let process = "select pid from pg_stat_activity
                   where wait_event = 'PgSleep' and datname = current_database()";
    until("a migration is under way", async || {
        let rows = world.lines(process).await;
        rows.first().map(|pid| pid.parse().unwrap())
    })
    .await
}

#[tokio::test]
async fn a_cut_during_a_migration_is_noticed_however_long_it_may_take() {
    let (world, link) = over_a_link().await;
    let cut = async {
        migrating(&world).await;
        link.lose(Lost::BOTH);
        tokio::time::sleep(NOTICED).await;
    };
    tokio::select! {
        migrated = world.upgrade(&[ENDLESS]) => {
            let error = migrated.unwrap_err();
            assert!(matches!(error, RunError::Store(_)), "{error}");
        }
        () = cut => panic!("the cut was not noticed"),
    }
}

#[tokio::test]
async fn a_migration_whose_connection_alone_goes_dead_is_given_up_and_begun_again() {
    let (world, link) = over_a_link().await;
    let cut = async {
        let process = migrating(&world).await;
        world.execute("create table mended ()").await;
        link.forget_open();
        // As the server does by itself: its end of the dead connection is seen to be dead within
        // 15 s, but not over a link within one machine.
        let end = format!("select pg_terminate_backend({process})");
        let _ended: bool = world.value(&end).await;
        tokio::time::sleep(NOTICED).await;
    };
    tokio::select! {
        migrated = world.upgrade(&[ENDLESS]) => drop(migrated.unwrap_err()),
        () = cut => panic!("the dead connection was not noticed"),
    }
    // The program begins again by itself; this one has no patience.
    world.upgrade(&[ENDLESS]).await.unwrap();
}

#[tokio::test]
async fn a_cut_while_status_waits_for_an_answer_is_noticed() {
    let (world, link) = over_a_link().await;
    let mut holder = world.pool.begin().await.unwrap();
    sqlx::raw_sql("lock table sync_run")
        .execute(&mut *holder)
        .await
        .unwrap();
    let status = world.start(&["status"]);
    let waiting =
        "select count(*) from pg_locks where not granted and relation = 'sync_run'::regclass";
    until("status waits for a lock", async || {
        (world.value::<i64>(waiting).await > 0).then_some(())
    })
    .await;
    link.lose(Lost::BOTH);
    holder.rollback().await.unwrap();
    let finished = tokio::time::timeout(NOTICED, status.finish()).await;
    let finished = finished.expect("the cut is noticed");
    finished.assert_code(1);
    let said = "the database gave no answer in time";
    assert!(finished.stderr.contains(said), "{}", finished.stderr);
}

#[tokio::test]
async fn a_run_goes_on_over_a_new_connection_when_its_own_goes_dead() {
    let (world, link) = over_a_link().await;
    let hold = world.hold_after(0).await;
    let run = world.start(&["--backfill", "--json"]);
    world.held().await;
    link.forget_open();
    // The commit reaches the server's disk, and its answer nobody.
    hold.release().await;
    let noticed = tokio::time::timeout(NOTICED, run.says("is away and waited for")).await;
    noticed.expect("the dead connection is noticed");
    let finished = run.finish().await;
    finished.assert_code(0);
    assert_eq!(finished.summary()["customers"]["succeeded"], 5);
    assert_eq!(
        world.lines("select outcome from sync_run").await,
        ["succeeded"]
    );
}
