//! Its figures are those of the views, of the months that were asked for.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::{files, newest_month, out, table, world};

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
