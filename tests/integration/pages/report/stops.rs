//! What ends a report early leaves nothing in its place.

use tokio::process::Command;

use super::{files, out, world};
use crate::support::until;

#[tokio::test]
async fn a_report_that_is_killed_or_stopped_leaves_nothing_in_its_place() {
    let world = world().await;
    let (folder, path) = out(&world, "reports");
    // Every customer's report waits for this lock.
    let mut lock = world.pool.begin().await.unwrap();
    sqlx::query("lock table restatement in access exclusive mode")
        .execute(&mut *lock)
        .await
        .unwrap();
    let unfinished = || {
        let mut names = files(world.folder.path()).into_iter();
        names.find(|name| name.starts_with(".seatledger-report-"))
    };
    let stopped = world.start(&["report", "--out", &path]);
    until("the report is under way", async || unfinished()).await;
    stopped.signal("INT");
    stopped.finish().await.assert_code(130);
    assert_eq!(unfinished(), None);
    let killed = world.start(&["report", "--out", &path]);
    until("the report is under way", async || unfinished()).await;
    killed.signal("KILL");
    killed.finish().await;
    assert!(!folder.exists());
    drop(lock);
    // What a killed one has left does not disturb the next.
    world.run(&["report", "--out", &path]).await.assert_code(0);
    assert!(folder.join("index.html").exists());
}

#[tokio::test]
async fn a_report_that_is_stopped_before_its_first_customer_says_so_by_its_code() {
    let world = world().await;
    let (folder, path) = out(&world, "reports");
    let mut lock = world.pool.begin().await.unwrap();
    sqlx::query("lock table service_date in access exclusive mode")
        .execute(&mut *lock)
        .await
        .unwrap();
    let stopped = world.start(&["report", "--out", &path]);
    until("it waits for the lock", async || {
        let waiting = "select count(*) from pg_locks where not granted and database = (
            select oid from pg_database where datname = current_database())";
        (world.value::<i64>(waiting).await > 0).then_some(())
    })
    .await;
    stopped.signal("TERM");
    stopped.finish().await.assert_code(143);
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_full_disk_leaves_nothing_in_the_reports_place() {
    let world = world().await;
    // An ordinary user becomes root in a user namespace of its own, which allows mounting.
    let namespaces = r#"
        if [ "$(id -u)" = 0 ]; then exec unshare --mount sh -c "$1"; fi
        exec unshare --mount --map-root-user sh -c "$1"
    "#;
    let script = r#"
        mkdir "$FOLDER/full" && mount -t tmpfs -o size=128k none "$FOLDER/full" || exit 99
        "$PROGRAM" --config "$CONFIG" report --out "$FOLDER/full/reports"
        code=$?
        ls -A "$FOLDER/full"
        exit "$code"
    "#;
    let done = Command::new("sh")
        .args(["-c", namespaces, "sh", script])
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("PROGRAM", env!("CARGO_BIN_EXE_seatledger"))
        .env("CONFIG", world.config_path())
        .env("FOLDER", world.folder.path())
        .envs(world.environment())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(said.contains("full/reports cannot be written"), "{said}");
    assert_eq!(String::from_utf8(done.stdout).unwrap(), "");
}
