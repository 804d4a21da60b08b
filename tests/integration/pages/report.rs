//! `seatledger report`: its figures are those of the views, it appears whole or not at all, and no
//! name of a customer does any harm.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::support::{World, root, until};

/// A small ledger with every case; day 58 is the newest.
const LEDGER: &str = include_str!("../ledger/views/customers/ledger.sql");

pub(super) async fn world() -> World {
    let world = World::new().await;
    world.execute(LEDGER).await;
    world
}

fn out(world: &World, name: &str) -> (PathBuf, String) {
    let path = world.folder.path().join(name);
    let text = path.to_str().unwrap().to_owned();
    (path, text)
}

/// The months of the newest figures.
async fn newest_month(world: &World) -> String {
    let newest = "select to_char(max(processed_date), 'YYYY-MM') from service_date";
    world.value(newest).await
}

/// The rows of the table under a heading, as the text of their cells.
pub(super) fn table(html: &str, heading: &str) -> Vec<Vec<String>> {
    let (_, rest) = html.split_once(&format!(">{heading}</h2>")).unwrap();
    let body = rest.split_once("<tbody>").unwrap().1;
    let body = body.split_once("</table>").unwrap().0;
    let rows = body.split("<tr").skip(1);
    rows.map(|row| {
        let cells = row.split_inclusive("</th>");
        let cells = cells.flat_map(|cell| cell.split_inclusive("</td>"));
        let texts = cells.map(text_of).filter(|text| text != ">");
        texts.filter(|text| !text.is_empty()).collect()
    })
    .collect()
}

/// The text between the tags.
fn text_of(html: &str) -> String {
    let mut text = String::new();
    for part in html.split('<') {
        text.push_str(part.split_once('>').map_or(part, |(_, rest)| rest));
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

fn is_page(file: &str) -> bool {
    file.rsplit_once('.')
        .is_some_and(|(_, extension)| extension == "html")
}

#[tokio::test]
async fn the_seats_of_a_report_up_to_the_newest_date_are_those_of_the_views() {
    let world = world().await;
    let month = newest_month(&world).await;
    let (folder, path) = out(&world, "reports");
    world
        .run(&["report", "--from", &month, "--to", &month, "--out", &path])
        .await
        .assert_code(0);
    // What lags by more than a fortnight is in force on no later day. What was sold to the first
    // customer until the day before is still in force, and no longer current.
    let expected = world
        .lines(
            "select p.customer_id, product_name, to_char(coalesce(licenses_sold, \
                licenses_qualified), 'FM999,999'), to_char(licenses_active, 'FM999,999')
            from license_product as p
            inner join customer_freshness as f using (customer_id)
            where p.processed_date > day(58) - 14 and p.customer_id <> customer(1)
            order by 1, 2",
        )
        .await;
    assert!(expected.len() > 10);
    let mut expected_of: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for line in &expected {
        let (customer, rest) = line.split_once('|').unwrap();
        expected_of
            .entry(customer)
            .or_default()
            .push(rest.to_owned());
    }
    for (customer, mut expected) in expected_of {
        let found = files(&folder);
        let of_customer = found.iter().filter(|name| !name.starts_with("index"));
        let pages = of_customer.map(|name| fs::read_to_string(folder.join(name)).unwrap());
        let html = pages
            .into_iter()
            .find(|html| html.contains(customer))
            .unwrap();
        let mut rows: Vec<String> = table(&html, "Seats")
            .into_iter()
            .filter(|row| row[0] != "All paid products")
            .map(|row| {
                let product = row[0].trim_end_matches(" free").trim_end_matches(" trial");
                format!("{product}|{}|{}", row[1], row[3])
            })
            .collect();
        rows.sort();
        expected.sort();
        assert_eq!(rows, expected, "{customer}");
    }
}

#[tokio::test]
async fn the_use_at_the_end_of_a_month_and_before_it_is_that_of_the_day() {
    let world = world().await;
    let before: String = world
        .value("select to_char(date_trunc('month', day(58)) - interval '1 day', 'YYYY-MM')")
        .await;
    let (file, path) = out(&world, "one.html");
    let customer: String = world.value("select customer(1)::text").await;
    let arguments = [
        "report",
        "--customer",
        &customer,
        "--from",
        &before,
        "--to",
        &before,
    ];
    world
        .run(&[&arguments[..], &["--out", &path]].concat())
        .await
        .assert_code(0);
    let html = fs::read_to_string(&file).unwrap();
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let expected = world
        .lines(&format!(
            "select workload_name, licenses_qualified, licenses_active
            from license_usage_daily
            where customer_id = '{customer}' and product_name = 'Office 365 E3'
                and date = (date_trunc('month', day(58)) - interval '1 day')::date
            order by licenses_active desc"
        ))
        .await;
    let rows = table(&html, "Use");
    let rows = rows
        .iter()
        .skip_while(|row| row[0] != "Office 365 E3")
        .skip(1);
    let rows: Vec<String> = rows
        .take_while(|row| row.len() > 1)
        .map(|row| row[..3].join("|"))
        .collect();
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn without_months_the_report_is_of_the_last_one_that_is_complete() {
    let world = world().await;
    let expected: String = world
        .value(
            "select to_char(case when extract(day from day(58) + 1) = 1 then day(58)
                else date_trunc('month', day(58)) - interval '1 day' end, 'FMMonth YYYY')",
        )
        .await;
    let (file, path) = out(&world, "one.html");
    let customer: String = world.value("select customer(1)::text").await;
    let made = world
        .run(&["report", "--customer", &customer, "--out", &path])
        .await;
    made.assert_code(0);
    assert_eq!(made.stdout, format!("Wrote a report to {path}\n"));
    let html = fs::read_to_string(&file).unwrap();
    assert!(
        html.contains(&format!("<p class=\"period\">{expected}</p>")),
        "{html}"
    );
}

#[tokio::test]
async fn hostile_names_are_text_in_reports_and_nothing_in_paths() {
    let world = world().await;
    let names = [
        "<script>alert(1)</script>",
        "../../etc/passwd",
        "\u{202e}lmth.tseb",
        "=cmd|' /C calc'!A0",
        "</style><img src=x onerror=y>\"\\",
        "CON",
        "con",
        "\u{2067}\u{200b}",
    ];
    let long = "🏢".repeat(512);
    let names = names.into_iter().chain([long.as_str()]);
    for (number, name) in [1, 2, 3, 5, 7, 10, 18, 19, 20].into_iter().zip(names) {
        let update =
            sqlx::query("update customer set customer_name = $1 where customer_id = customer($2)");
        update
            .bind(name)
            .bind(number)
            .execute(&world.pool)
            .await
            .unwrap();
    }
    let month = newest_month(&world).await;
    let (folder, path) = out(&world, "reports/");
    let arguments = [
        "report", "--from", &month, "--to", &month, "--xlsx", "--out", &path,
    ];
    world.run(&arguments).await.assert_code(0);
    let found = files(&folder);
    for file in &found {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
        assert!(file.chars().all(is_plain) && file.len() < 90, "{file}");
        if is_page(file) {
            let html = fs::read_to_string(folder.join(file)).unwrap();
            assert!(
                !html.contains("<script") && !html.contains("onerror=y>"),
                "{file}"
            );
            // The name of the language of lines is no address.
            let links = html.replace("http://www.w3.org/2000/svg", "");
            // One style element, which the head of the printed pages does not end.
            assert_eq!(html.matches("</style>").count(), 1, "{file}");
            // Also not as a number in the style sheet.
            for turn in ["\u{202e}", "\u{2067}", "\\202e", "\\2067"] {
                assert!(!html.contains(turn), "{file} has {turn:?}");
            }
            // The head has room for some of a long name.
            let head = html.split_once("content: \"").unwrap().1;
            let head = head.split_once("\";").unwrap().0;
            assert!(head.matches("\\1f3e2").count() <= 70, "{head}");
            assert!(
                !links.contains("http://") && !links.contains("https://"),
                "{file}"
            );
        }
    }
    let index = fs::read_to_string(folder.join("index.html")).unwrap();
    assert!(
        index.contains("<bdi>Customer without a name</bdi>"),
        "{index}"
    );
    let links = index.matches("<a href=\"").count();
    let reports = found.iter().filter(|name| is_page(name)).count() - 1;
    assert_eq!(links, reports);
    assert_eq!(
        found.iter().filter(|name| name.starts_with("con-")).count(),
        4
    );
    let calculated = found
        .iter()
        .find(|name| name.starts_with("cmd-c-calc") && name.ends_with("xlsx"));
    let book = unpacked(&folder.join(calculated.unwrap()));
    assert!(book["xl/sharedStrings.xml"].contains("=cmd|' /C calc'!A0"));
    assert!(book.values().all(|xml| !xml.contains("<f>")));
}

#[tokio::test]
async fn a_report_says_nothing_of_the_days_after_its_months() {
    let world = world().await;
    let before: String = world
        .value("select to_char(date_trunc('month', day(58)) - interval '1 day', 'YYYY-MM')")
        .await;
    let end: String = world
        .value("select (date_trunc('month', day(58)) - interval '1 day')::date::text")
        .await;
    let customer: String = world.value("select customer(1)::text").await;
    let (file, path) = out(&world, "one.html");
    world
        .run(&[
            "report",
            "--customer",
            &customer,
            "--from",
            &before,
            "--to",
            &before,
            "--out",
            &path,
        ])
        .await
        .assert_code(0);
    let rows = table(&fs::read_to_string(&file).unwrap(), "Products held");
    // It is held to the newest date, which is later.
    let held = rows.iter().find(|row| row[0] == "Office 365 E3").unwrap();
    assert_eq!((&*held[1], &held[3]), ("held", &end));
}

#[tokio::test]
async fn months_that_the_ledger_does_not_have_are_left_out() {
    let world = world().await;
    let customer: String = world.value("select customer(1)::text").await;
    let (file, path) = out(&world, "one.html");
    let months = ["--from", "2001-01", "--to", "2999-12"];
    let arguments = [
        "report",
        "--customer",
        &customer,
        "--partner",
        " ",
        "--out",
        &path,
    ];
    world
        .run(&[&arguments[..], &months].concat())
        .await
        .assert_code(0);
    let expected: String = world
        .value(
            "select to_char(day(1), 'FMMonth YYYY') || ' to ' || to_char(day(58), 'FMMonth YYYY')",
        )
        .await;
    let html = fs::read_to_string(&file).unwrap();
    let period = format!("<p class=\"period\">{expected}</p>");
    assert!(html.contains(&period), "{expected} in {html}");
    assert!(!html.contains("Prepared by"), "{html}");
    // A row a week, and not of a thousand years.
    assert!(table(&html, "Days with figures").len() < 15);
}

#[tokio::test]
async fn assigned_seats_are_those_of_the_seats_that_are_known_to_be_sold() {
    let world = world().await;
    // Nothing is known to be sold of another paid product.
    world
        .execute(
            "insert into license_usage (customer_id, product_name, workload_name,
                processed_date_time, service_name, service_code, channel, licenses_active,
                licenses_qualified, first_synced_at, last_changed_at, run_id)
            select customer_id, 'Visio Plan 2', 'Visio', processed_date_time, service_name,
                service_code, channel, 3, 7, first_synced_at, last_changed_at, run_id
            from license_usage
            where customer_id = customer(1) and workload_name = 'Exchange'
                and processed_date_time = at(58, 0)",
        )
        .await;
    let month = newest_month(&world).await;
    let customer: String = world.value("select customer(1)::text").await;
    let (file, path) = out(&world, "one.html");
    world
        .run(&[
            "report",
            "--customer",
            &customer,
            "--from",
            &month,
            "--to",
            &month,
            "--out",
            &path,
        ])
        .await
        .assert_code(0);
    let html = fs::read_to_string(&file).unwrap();
    assert!(
        html.contains("<dt>Sold</dt><dd><strong>110</strong>"),
        "{html}"
    );
    assert!(html.contains("of 110 sold"), "{html}");
    assert!(html.contains("of 117 paid seats"), "{html}");
}

#[tokio::test]
async fn a_workbook_has_the_figures_as_numbers() {
    let world = world().await;
    let month = newest_month(&world).await;
    let customer: String = world.value("select customer(1)::text").await;
    let (_, path) = out(&world, "one.html");
    let arguments = [
        "report",
        "--customer",
        &customer,
        "--xlsx",
        "--from",
        &month,
        "--to",
    ];
    world
        .run(&[&arguments[..], &[&month, "--out", &path]].concat())
        .await
        .assert_code(0);
    let book = unpacked(&world.folder.path().join("one.xlsx"));
    let seats = &book["xl/worksheets/sheet2.xml"];
    // Sold, qualified, active, unused: of the product with most paid seats.
    for (cell, value) in [("C2", "110"), ("E2", "100"), ("F2", "60"), ("G2", "50")] {
        let start = format!("<c r=\"{cell}\" s=");
        let (_, rest) = seats
            .split_once(&start)
            .unwrap_or_else(|| panic!("{cell} in {seats}"));
        let found = rest
            .split_once("<v>")
            .unwrap()
            .1
            .split_once("</v>")
            .unwrap()
            .0;
        assert_eq!(found, value, "{cell}");
    }
    assert!(seats.contains("state=\"frozen\""), "{seats}");
}

/// The files of a ZIP archive.
fn unpacked(path: &Path) -> BTreeMap<String, String> {
    let bytes = fs::read(path).unwrap();
    let number = |at: usize, size: usize| {
        let digits = bytes[at..at + size].iter().rev();
        digits.fold(0, |number, byte| number << 8 | usize::from(*byte))
    };
    // The central directory has the sizes; its place is in the last record.
    let end = bytes
        .windows(4)
        .rposition(|it| it == b"PK\x05\x06")
        .unwrap();
    let mut at = number(end + 16, 4);
    let mut files = BTreeMap::new();
    for _ in 0..number(end + 10, 2) {
        let (size, name_length) = (number(at + 20, 4), number(at + 28, 2));
        let name = String::from_utf8(bytes[at + 46..at + 46 + name_length].to_vec()).unwrap();
        let local = number(at + 42, 4);
        let content = local + 30 + number(local + 26, 2) + number(local + 28, 2);
        let mut text = String::new();
        flate2::read::DeflateDecoder::new(&bytes[content..content + size])
            .read_to_string(&mut text)
            .unwrap();
        files.insert(name, text);
        at += 46 + name_length + number(at + 30, 2) + number(at + 32, 2);
    }
    files
}

#[tokio::test]
async fn a_report_is_in_the_language_of_a_file_with_the_partners_name_and_logo() {
    let world = world().await;
    let german = root().join("docs/languages/de.toml");
    let logo = world.write(
        "logo",
        "<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>",
    );
    let customer: String = world.value("select customer(1)::text").await;
    let (file, path) = out(&world, "bericht.html");
    let made = world
        .run(&[
            "report",
            "--customer",
            &customer,
            "--language",
            german.to_str().unwrap(),
            "--partner",
            "Müller & <Söhne>",
            "--logo",
            &logo,
            "--out",
            &path,
        ])
        .await;
    made.assert_code(0);
    let html = fs::read_to_string(file).unwrap();
    for text in [
        "<html lang=\"de\">",
        "Bericht zur Lizenznutzung",
        "Erstellt von Müller &#38; &#60;Söhne&#62;",
        "<img src=\"data:image/svg+xml;base64,",
    ] {
        assert!(html.contains(text), "{text} in {html}");
    }
    assert!(!html.contains("Licence usage"), "{html}");
}

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
