//! Poolers between the program and the server: those that assign single transactions are refused
//! at the start and by `check`, those that assign sessions work.

use crate::support::{Pooler, Server, World, get, until};

/// What is said about a pooler that does not assign sessions.
const REFUSED: &str = "this address leads through a pooler in transaction mode: ";

/// `check`, a backfill and the daemon refuse the address, and nothing is stored.
async fn is_refused(mode: &str, settings: &str) {
    let mut world = World::new().await;
    let pooler = Pooler::start(world.database_url(), mode, settings).await;
    world.set("database.url", pooler.url());
    for arguments in [&["check"][..], &["--backfill"], &[]] {
        let finished = world.run(arguments).await;
        finished.assert_code(4);
        let text = finished.stdout + &finished.stderr;
        for said in [REFUSED, "pool_mode = session"] {
            assert!(
                text.contains(said),
                "{mode} {settings}, {arguments:?}: {text}"
            );
        }
    }
    assert_eq!(world.value::<i64>("select count(*) from sync_run").await, 0);
}

#[tokio::test]
async fn a_pooler_in_transaction_or_statement_mode_is_refused() {
    tokio::join!(
        is_refused("transaction", ""),
        is_refused("transaction", "default_pool_size = 1"),
        is_refused("transaction", "server_round_robin = 1\nmin_pool_size = 4"),
        is_refused("transaction", "server_reset_query_always = 1"),
        is_refused("statement", ""),
        is_refused("statement", "default_pool_size = 1"),
        is_refused("statement", "server_round_robin = 1\nmin_pool_size = 4"),
    );
}

#[tokio::test]
async fn a_pooler_that_other_clients_use_at_the_same_time_is_refused() {
    let mut world = World::new().await;
    let settings = "default_pool_size = 3\nmin_pool_size = 3";
    let pooler = Pooler::start(world.database_url(), "transaction", settings).await;
    let others = sqlx::postgres::PgPoolOptions::new()
        .connect(pooler.url())
        .await
        .unwrap();
    // Occupies a session, so that those that are free take turns.
    let mut busy = others.begin().await.unwrap();
    sqlx::raw_sql("select 1").execute(&mut *busy).await.unwrap();
    world.set("database.url", pooler.url());
    let check = world.run(&["check"]).await;
    check.assert_code(4);
    assert!(check.stdout.contains(REFUSED), "{}", check.stdout);
    busy.rollback().await.unwrap();
}

#[tokio::test]
async fn a_pooler_in_session_mode_works() {
    let mut world = World::new().await;
    let pooler = Pooler::start(world.database_url(), "session", "").await;
    world.set("database.url", pooler.url());
    world.run(&["check"]).await.assert_code(0);
    let backfill = world.backfill().await;
    backfill.assert_code(0);
    assert_eq!(backfill.summary()["customers"]["succeeded"], 5);
    let reports = world.folder.path().join("reports");
    let table = world.folder.path().join("license_product.csv");
    for arguments in [
        &["status"][..],
        &["report", "--out", reports.to_str().unwrap()],
        &[
            "export",
            "license_product",
            "--out",
            table.to_str().unwrap(),
        ],
        &["verify"],
    ] {
        world.run(arguments).await.assert_code(0);
    }
    assert_eq!(std::fs::read_dir(&reports).unwrap().count(), 6);
    assert!(std::fs::read_to_string(&table).unwrap().lines().count() > 1);
}

#[tokio::test]
async fn the_status_address_has_its_pages_and_probes_behind_a_pooler_in_session_mode() {
    let mut world = World::new().await;
    world.backfill().await.assert_code(0);
    let pooler = Pooler::start(world.database_url(), "session", "").await;
    world.set("database.url", pooler.url());
    world.set("status.listen", "127.0.0.1:0");
    world.set("schedule.run_on_start", "never");
    let daemon = world.start(&[]);
    let address = daemon.status_address().await;
    daemon.says("Waiting for the next run").await;
    let customer = world
        .lines("select customer_id from customer limit 1")
        .await;
    let paths = [
        "healthz",
        "readyz",
        "metrics",
        "customers",
        "products",
        "runs",
        "runs/1",
    ];
    let paths = paths.map(ToOwned::to_owned).into_iter().chain([
        "data/figures.json".to_owned(),
        format!("customers/{}", customer[0]),
        format!("customers/{}/uses.csv", customer[0]),
    ]);
    for path in paths {
        // The figures come a moment after the start.
        until(&path, async || {
            let (status, _) = get(&format!("{address}{path}")).await;
            (status == 200).then_some(())
        })
        .await;
    }
    daemon.signal("TERM");
    daemon.finish().await.assert_code(0);
}

#[tokio::test]
async fn a_refused_second_connection_is_waited_for_and_not_taken_for_a_proof() {
    let server = Server::start();
    let mut world = World::on_server(&server, 2).await;
    world
        .execute("create role one login; grant all on schema public to one")
        .await;
    let mut url = url::Url::parse(&server.url()).unwrap();
    url.set_username("one").unwrap();
    world.set("database.url", url.as_str());
    world.set("log.filter", "seatledger=debug");
    // Sessions of others may use up what the role is allowed.
    world.execute("alter role one connection limit 3").await;
    let connect = || sqlx::PgPool::connect(url.as_str());
    let taken = [connect().await.unwrap(), connect().await.unwrap()];
    let check = world.run(&["check"]).await;
    check.assert_code(1);
    assert!(
        check.stdout.contains("a second connection is needed") && check.stdout.contains("53300"),
        "{}",
        check.stdout
    );
    let daemon = world.start(&[]);
    daemon.says("a second connection is needed").await;
    for pool in taken {
        pool.close().await;
    }
    world.execute("alter role one connection limit 10").await;
    daemon.says("Waiting for the next run").await;
    daemon.signal("TERM");
    daemon.finish().await.assert_code(0);
}

#[tokio::test]
async fn a_role_that_may_have_one_connection_is_refused_at_the_start() {
    let server = Server::start();
    let mut world = World::on_server(&server, 1).await;
    world
        .execute("create role one login connection limit 1; grant all on schema public to one")
        .await;
    let mut url = url::Url::parse(&server.url()).unwrap();
    url.set_username("one").unwrap();
    world.set("database.url", url.as_str());
    let finished = world.backfill().await;
    finished.assert_code(4);
    assert!(
        finished.stderr.contains("may have 1 connections"),
        "{}",
        finished.stderr
    );
}
