//! `export` writes what roles for BI tools read, whole or not at all, in bounded memory.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::{Finished, World, root, until};

/// Rows of [`STALLED`] that come before it stalls.
const ROWS: u64 = 500_000;

/// The view gives half of its rows and then waits, so that an export of it is in mid-copy.
const STALLED: &str = "
    create or replace view product_name_history as
    select 'id'::varchar(512) as product_id, repeat('x', 400)::varchar(512) as product_name,
        now() as first_processed_date_time, now() as last_processed_date_time, n as run_id,
        current_date as first_processed_date, current_date as last_processed_date
    from generate_series(1::bigint, 1000000) as g (n)
    where case when n = 500000 then pg_sleep(3600) is not null else true end";

/// A ledger with some rows.
async fn world() -> World {
    let world = World::new().await;
    world.backfill().await.assert_code(0);
    world
}

async fn export(world: &World, arguments: &[&str]) -> Finished {
    world.run(&[&["export"], arguments].concat()).await
}

fn path(world: &World, name: &str) -> PathBuf {
    world.folder.path().join(name)
}

/// The names in the world's folder, without those of the world itself.
fn left(world: &World) -> BTreeSet<String> {
    let entries = std::fs::read_dir(world.folder.path()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .filter(|name| name != "config.toml" && !name.starts_with("refresh_token"))
        .collect()
}

fn is_temporary(name: &str) -> bool {
    name.starts_with(".seatledger-export-")
}

/// Waits until Postgres has come to the row at which the view stalls.
async fn stalled(world: &World) {
    let asleep = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'
        and datname = current_database()";
    until("the export is in mid-copy", async || {
        (world.value::<i64>(asleep).await > 0).then_some(())
    })
    .await;
}

/// Waits until a temporary file has some of the rows.
async fn half_written(world: &World) -> PathBuf {
    until("a part is written", async || {
        let name = left(world).into_iter().find(|name| is_temporary(name))?;
        let part = path(world, &name);
        (part.metadata().ok()?.len() > ROWS * 100).then_some(part)
    })
    .await
}

#[tokio::test]
async fn what_can_be_exported_is_what_a_role_for_bi_tools_reads_and_nothing_else() {
    let world = world().await;
    let sources = std::fs::read_to_string(root().join("docs/bi/dbt/seatledger.yml")).unwrap();
    let readable = sources
        .lines()
        .filter_map(|line| line.strip_prefix("      - name: "));
    let readable: BTreeSet<&str> = readable.collect();
    let refused = export(&world, &["licence_product"]).await;
    refused.assert_code(2);
    assert_eq!(refused.stdout, "");
    let (told, names) = refused.stderr.split_once("exported:\n").unwrap();
    let close = "there is no view \"licence_product\"; did you mean license_product?";
    assert!(told.contains(close), "{told}");
    assert_eq!(
        names.lines().map(str::trim).collect::<BTreeSet<_>>(),
        readable
    );
    for other in [
        "license_usage",
        "customer",
        "sync_run",
        "pg_authid",
        "public.license_product",
        "License_Product",
        "license_product; drop table customer",
        "license_product) to program 'false'; --",
        "\"license_product\"",
        "",
        "\u{1b}[31m",
    ] {
        let refused = export(&world, &[other]).await;
        refused.assert_code(2);
        assert_eq!(refused.stdout, "");
        assert!(
            refused.stderr.contains("there is no view"),
            "{}",
            refused.stderr
        );
        assert!(!refused.stderr.contains('\u{1b}'), "{}", refused.stderr);
    }
    for view in readable {
        let exported = export(&world, &[view]).await;
        exported.assert_code(0);
        let rows: i64 = world.value(&format!("select count(*) from {view}")).await;
        let lines = exported.stdout.lines().count();
        // Texts of this ledger have no line breaks.
        assert_eq!(i64::try_from(lines).unwrap(), rows + 1, "{view}");
    }
}

#[tokio::test]
async fn what_is_exported_comes_back_equal_whatever_the_texts_are() {
    let world = world().await;
    world
        .execute(
            "update customer set customer_name = n.name
             from (
                 select customer_id, row_number() over (order by customer_id) as at from customer
             ) as c
             inner join unnest(array[
                 E'=cmd|'' /C calc''!A1, \"quoted\"', E'two\\nlines\\r\\n, and more', '',
                 E'\\u202eRTL \\U0001F600 <b>&amp;</b>', repeat('ä', 255), E'\\\\.'
             ]) with ordinality as n (name, at) using (at)
             where customer.customer_id = c.customer_id",
        )
        .await;
    world
        .execute("insert into product_note values (E'\\\\.', 'free'), (E'a\\nb', 'paid')")
        .await;
    for view in ["license_product", "customer_lifecycle", "product_note"] {
        let exported = export(&world, &[view]).await;
        exported.assert_code(0);
        world
            .execute(&format!(
                "create table back as select * from {view} limit 0"
            ))
            .await;
        let mut connection = world.pool.acquire().await.unwrap();
        let copy = "copy back from stdin (format csv, header)";
        let mut copied = connection.copy_in_raw(copy).await.unwrap();
        copied.send(exported.stdout.as_bytes()).await.unwrap();
        copied.finish().await.unwrap();
        let differing = format!(
            "select count(*) from (
                (table back except table {view}) union all (table {view} except table back)
            ) as d"
        );
        assert_eq!(world.value::<i64>(&differing).await, 0, "{view}");
        let rows: i64 = world.value("select count(*) from back").await;
        assert!(rows > 0, "{view}");
        world.execute("drop table back").await;
    }
    // Moments are in UTC, whatever the role's settings are.
    world
        .execute(
            "do $$ begin
                execute format(
                    'alter database %I set timezone = ''Asia/Tokyo''', current_database()
                );
            end $$",
        )
        .await;
    let exported = export(&world, &["license_usage_latest"]).await;
    assert!(exported.stdout.contains("+00,"), "{}", exported.stdout);
}

#[tokio::test]
async fn a_file_is_replaced_whole_readable_as_the_umask_allows_through_a_link() {
    let world = world().await;
    let out = path(&world, "seats.csv");
    std::fs::write(&out, "old\n").unwrap();
    let link = path(&world, "link");
    std::os::unix::fs::symlink("seats.csv", &link).unwrap();
    let done = export(
        &world,
        &["license_product", "--out", link.to_str().unwrap()],
    )
    .await;
    done.assert_code(0);
    let rows: i64 = world.value("select count(*) from license_product").await;
    let told = format!("Wrote {}: {rows} rows of license_product, ", link.display());
    assert!(done.stdout.starts_with(&told), "{}", done.stdout);
    assert!(link.is_symlink());
    let written = std::fs::read_to_string(&out).unwrap();
    let alone = export(&world, &["license_product"]).await;
    let sorted = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(sorted(&written), sorted(&alone.stdout));
    let umask = in_shell(&world, "umask", &[]);
    let umask = u32::from_str_radix(String::from_utf8(umask.stdout).unwrap().trim(), 8).unwrap();
    let mode = out.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o666 & !umask);
    assert_eq!(
        left(&world),
        ["link", "seats.csv"].map(str::to_owned).into()
    );
}

#[tokio::test]
async fn a_link_to_a_file_that_is_not_there_yet_stays_a_link() {
    let world = world().await;
    std::fs::create_dir(path(&world, "data")).unwrap();
    let [first, second] = ["link", "data/link"].map(|name| path(&world, name));
    std::os::unix::fs::symlink("data/link", &first).unwrap();
    std::os::unix::fs::symlink("seats.csv", &second).unwrap();
    let out = first.to_str().unwrap();
    let done = export(&world, &["license_product", "--out", out]).await;
    done.assert_code(0);
    assert!(first.is_symlink() && second.is_symlink());
    let written = std::fs::read_to_string(path(&world, "data/seats.csv")).unwrap();
    assert!(written.starts_with("customer_id,"), "{written}");
}

#[tokio::test]
async fn a_place_that_takes_no_file_is_named_before_anything_is_read() {
    let world = world().await;
    let folder = world.folder.path().to_str().unwrap().to_owned();
    // Standard output is a pipe, to which a link in /proc leads that has no path.
    let pipe = path(&world, "pipe");
    std::os::unix::fs::symlink("/proc/self/fd/1", &pipe).unwrap();
    for (out, told) in [
        ("/dev/null", "/dev/null is no file, and is not replaced"),
        (
            pipe.to_str().unwrap(),
            "pipe is no file, and is not replaced",
        ),
        (folder.as_str(), "is no file, and is not replaced"),
        (
            "/nowhere/seats.csv",
            "/nowhere/seats.csv cannot be written: ",
        ),
    ] {
        let refused = export(&world, &["license_product", "--out", out]).await;
        refused.assert_code(1);
        assert!(refused.stderr.contains(told), "{}", refused.stderr);
    }
    assert!(!Path::new("/dev/null").is_file());
    assert!(pipe.is_symlink());
    assert_eq!(left(&world), ["pipe".to_owned()].into());
}

#[tokio::test]
async fn a_name_that_promises_what_is_not_written_is_refused_before_anything_is_read() {
    let mut world = World::new().await;
    world.set("database.url", "postgres://nobody@127.0.0.1:9/nowhere");
    for (name, said) in [
        ("seats.csv.gz", "seatledger export VIEW | gzip >FILE"),
        ("seats.parquet.ZST", "seatledger export VIEW | zstd >FILE"),
        ("seats.xlsx", "an export is CSV or Parquet, not .xlsx;"),
        ("seats.json", "an export is CSV or Parquet, not .json;"),
        ("-", "without --out, rows go to standard output"),
    ] {
        let inside = path(&world, name);
        let out = if name == "-" {
            name
        } else {
            inside.to_str().unwrap()
        };
        for format in [&[][..], &["--format", "csv"]] {
            let arguments = [&["license_product", "--out", out], format].concat();
            let refused = export(&world, &arguments).await;
            refused.assert_code(2);
            assert!(refused.stderr.contains(said), "{}", refused.stderr);
            assert_eq!(refused.stdout, "");
        }
    }
    assert_eq!(left(&world), BTreeSet::new());
}

#[tokio::test]
async fn what_stops_an_export_in_mid_copy_leaves_the_old_file() {
    let world = world().await;
    world.execute(STALLED).await;
    let out = path(&world, "names.csv");
    std::fs::write(&out, "old\n").unwrap();
    let arguments = [
        "export",
        "product_name_history",
        "--out",
        out.to_str().unwrap(),
    ];
    for (stop, code, told) in [
        ("INT", Some(130), ""),
        ("TERM", Some(143), ""),
        (
            "the database",
            Some(1),
            "the database is not available: exporting",
        ),
        ("KILL", None, ""),
    ] {
        let running = world.start(&arguments);
        stalled(&world).await;
        half_written(&world).await;
        match stop {
            "the database" => {
                world
                    .execute(
                        "select pg_terminate_backend(pid) from pg_stat_activity
                         where application_name = 'seatledger' and datname = current_database()",
                    )
                    .await;
            }
            signal => running.signal(signal),
        }
        let finished = running.finish().await;
        assert_eq!(finished.status.code(), code, "{stop}: {}", finished.stderr);
        assert!(
            finished.stderr.contains(told),
            "{stop}: {}",
            finished.stderr
        );
        assert_eq!(std::fs::read_to_string(&out).unwrap(), "old\n", "{stop}");
        let others = left(&world).into_iter().filter(|name| name != "names.csv");
        let others: Vec<String> = others.collect();
        // A program that is killed cannot tidy up.
        assert_eq!(
            others.len(),
            usize::from(stop == "KILL"),
            "{stop}: {others:?}"
        );
        assert!(others.iter().all(|name| is_temporary(name)), "{others:?}");
        world.database_left().await;
    }
}

#[tokio::test]
async fn a_pipe_that_nobody_reads_holds_up_neither_memory_nor_a_stop() {
    let world = world().await;
    world.execute(STALLED).await;
    let (_unread, writer) = std::io::pipe().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_seatledger"));
    command
        .env_clear()
        .envs(world.environment())
        .arg("--config")
        .arg(world.config_path())
        .args(["export", "product_name_history"])
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(Stdio::piped());
    let mut running = command.spawn().unwrap();
    let held_up = "select count(*) from pg_stat_activity where wait_event = 'ClientWrite'
        and datname = current_database()";
    until("the server waits for the program", async || {
        (world.value::<i64>(held_up).await > 0).then_some(())
    })
    .await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.id())).unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    // The rows before the stall are 200 MB.
    assert!(peak < 100_000, "{peak} kB");
    assert!(crate::support::send_signal(
        "INT",
        &running.id().to_string()
    ));
    let ended = tokio::task::spawn_blocking(move || running.wait())
        .await
        .unwrap();
    assert_eq!(ended.unwrap().code(), Some(130));
}

#[tokio::test]
async fn a_disk_that_is_full_costs_the_new_file_alone() {
    let world = world().await;
    world
        .execute(
            "insert into product_note
             select repeat('x', 200) || n, 'paid' from generate_series(1, 20000) as g (n)",
        )
        .await;
    let script = r#"
        mkdir "$FOLDER/small"
        mount -t tmpfs -o size=1m none "$FOLDER/small"
        cd "$FOLDER/small"
        echo old >notes.csv
        code=0
        "$PROGRAM" --config "$CONFIG" export product_note --out notes.csv || code=$?
        cat notes.csv
        ls -A
        exit "$code"
    "#;
    let done = in_shell(&world, script, &["--mount"]);
    let [out, err] = [done.stdout, done.stderr].map(|said| String::from_utf8(said).unwrap());
    assert_eq!(done.status.code(), Some(1), "{err}");
    assert_eq!(out, "old\nnotes.csv\n", "{err}");
    assert!(
        err.contains("notes.csv cannot be written: No space left on device"),
        "{err}"
    );
}

/// Runs a script, in name spaces of its own where it asks for some.
fn in_shell(world: &World, script: &str, spaces: &[&str]) -> Output {
    // An ordinary user becomes root in a user namespace of its own, which allows mounting.
    let enter = r#"
        script=$1 && shift
        if [ $# = 0 ]; then exec sh -euc "$script"; fi
        if [ "$(id -u)" = 0 ]; then exec unshare "$@" sh -euc "$script"; fi
        exec unshare --map-root-user "$@" sh -euc "$script"
    "#;
    let output = Command::new("sh")
        .args(["-c", enter, "sh", script])
        .args(spaces)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("PROGRAM", env!("CARGO_BIN_EXE_seatledger"))
        .env("CONFIG", world.config_path())
        .env("FOLDER", world.folder.path())
        .envs(world.environment())
        .stdin(Stdio::null())
        .output();
    output.unwrap()
}

#[tokio::test]
async fn before_the_first_run_there_is_nothing_to_export() {
    let world = World::before_migrations().await;
    let refused = export(&world, &["license_product"]).await;
    refused.assert_code(4);
    assert!(
        refused.stderr.contains("seatledger migrate"),
        "{}",
        refused.stderr
    );
}

#[tokio::test]
async fn parquet_is_written_by_a_build_that_has_it_and_refused_by_another() {
    let world = world().await;
    let out = path(&world, "seats.parquet");
    let out = out.to_str().unwrap();
    let done = export(&world, &["license_product", "--out", out]).await;
    if cfg!(feature = "parquet") {
        done.assert_code(0);
        let file = std::fs::read(out).unwrap();
        assert!(file.starts_with(b"PAR1") && file.ends_with(b"PAR1"));
        let named = export(
            &world,
            &["license_product", "--format", "csv", "--out", out],
        )
        .await;
        named.assert_code(0);
        assert!(std::fs::read(out).unwrap().starts_with(b"customer_id,"));
    } else {
        done.assert_code(2);
        assert!(
            done.stderr.contains("--features parquet"),
            "{}",
            done.stderr
        );
        assert_eq!(left(&world), BTreeSet::new());
    }
}
