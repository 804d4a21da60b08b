//! Files appear where they were asked for, and mistakes are named before that.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use super::{files, out, world};
use crate::support::World;

#[tokio::test]
async fn mistakes_are_named_and_nothing_is_written() {
    let world = world().await;
    let (file, path) = out(&world, "one.html");
    let language = world.write("xx.toml", "unusd = \"x\"");
    let image = world.write("logo.gif", "GIF89a");
    let used = world.write("used.html", "mine");
    let customer: String = world.value("select customer(1)::text").await;
    let newest: String = world
        .value("select max(processed_date)::text from service_date")
        .await;
    let before = files(world.folder.path());
    for (arguments, said) in [
        (
            vec!["--language", &language],
            "xx.toml cannot be used: there is no text unusd; did you mean unused?".to_owned(),
        ),
        (
            vec!["--logo", &image],
            "logo.gif cannot be used: it is neither PNG nor JPEG nor SVG".to_owned(),
        ),
        (
            vec!["--from", "2001-01", "--to", "2001-02"],
            format!("to {newest}, and none of the months asked for"),
        ),
        (
            vec!["--from", "2026-03", "--to", "2026-02"],
            "--from is later than --to".to_owned(),
        ),
        (
            vec!["--from", "2026-3x", "--to", "2026-02"],
            "a month is written as its year and number, such as 2026-10".to_owned(),
        ),
    ] {
        let common = ["report", "--customer", &customer, "--out", &path];
        let failed = world.run(&[&common[..], &arguments].concat()).await;
        failed.assert_code(2);
        assert!(failed.stderr.contains(&said), "{said} in {}", failed.stderr);
        assert!(!file.exists(), "{arguments:?}");
    }
    let taken = world
        .run(&["report", "--customer", &customer, "--out", &used])
        .await;
    taken.assert_code(2);
    assert!(
        taken
            .stderr
            .contains("used.html exists already, and is not overwritten")
    );
    assert_eq!(fs::read_to_string(&used).unwrap(), "mine");
    let folder = world.folder.path().to_str().unwrap();
    let mixed = world.run(&["report", "--out", folder]).await;
    mixed.assert_code(2);
    assert!(
        mixed
            .stderr
            .contains("is not empty, and reports are not mixed with other files")
    );
    assert_eq!(files(world.folder.path()), before);
    // As a folder of its own, also if the ledger has one customer only.
    let several = world.run(&["report", "--out", &used]).await;
    several.assert_code(2);
    assert!(
        several
            .stderr
            .contains("is a file; the reports of several customers need a folder")
    );
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_found_before_anything_is_read() {
    let mut world = World::new().await;
    world.set("database.url", "postgres://nobody@127.0.0.1:9/nowhere");
    let customer = "98f677b8-f710-4604-9472-454f630d27d3";
    for end in ["missing/one.html", "missing/reports/", "logo/one.html"] {
        let (_, path) = out(&world, end);
        world.write("logo", "a file");
        let failed = world
            .run(&["report", "--customer", customer, "--out", &path])
            .await;
        failed.assert_code(1);
        let said = format!("{path} cannot be written: ");
        assert!(failed.stderr.contains(&said), "{}", failed.stderr);
    }
}

#[tokio::test]
async fn a_folder_that_is_there_and_empty_keeps_its_rights_and_gets_the_files() {
    let world = world().await;
    let (folder, _) = out(&world, "mine");
    fs::create_dir(&folder).unwrap();
    // A report that was killed has left it.
    let left = folder.join(".seatledger-report-AAAAAA");
    fs::create_dir(&left).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o750)).unwrap();
    let id = |folder: &Path| fs::metadata(folder).unwrap().ino();
    let before = id(&folder);
    // By another name, as a mounted folder could have.
    let (link, path) = out(&world, "link");
    symlink(&folder, &link).unwrap();
    let customer: String = world.value("select customer(1)::text").await;
    let arguments = ["report", "--customer", &customer, "--xlsx", "--out", &path];
    world.run(&arguments).await.assert_code(0);
    assert_eq!(id(&folder), before);
    fs::remove_dir(left).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o750);
    let found = files(&folder);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found.contains(&"index.html".to_owned()), "{found:?}");
    for file in found {
        assert_eq!(mode(&folder.join(&file)), 0o600, "{file}");
    }
}

#[tokio::test]
async fn the_only_customer_of_a_ledger_has_a_folder_as_many_have() {
    let world = world().await;
    world
        .execute(
            "update customer set last_processed_date_time = null
            where customer_id <> customer(1)",
        )
        .await;
    let (folder, path) = out(&world, "reports");
    world.run(&["report", "--out", &path]).await.assert_code(0);
    assert!(files(&folder).contains(&"index.html".to_owned()));
}

#[tokio::test]
async fn a_customer_that_is_not_known_fails_alone() {
    let world = world().await;
    let known: String = world.value("select customer(1)::text").await;
    let unknown = "98f677b8-f710-4604-9472-454f630d27d3";
    let (folder, path) = out(&world, "reports");
    let arguments = [
        "report",
        "--customer",
        &known,
        "--customer",
        unknown,
        "--out",
        &path,
    ];
    let made = world.run(&arguments).await;
    made.assert_code(3);
    assert!(
        made.stderr
            .contains(&format!("customer {unknown}: the ledger does not know it"))
    );
    assert_eq!(files(&folder).len(), 2);
    let (_, path) = out(&world, "none.html");
    let none = world
        .run(&["report", "--customer", unknown, "--out", &path])
        .await;
    none.assert_code(3);
    assert!(!Path::new(&path).exists());
}
