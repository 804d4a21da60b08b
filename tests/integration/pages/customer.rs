//! The page of a customer: its figures are those of the views, and its files have the same.

use reqwest::header::ACCEPT;
use serde_json::Value;

use super::report::{table, world};
use crate::support::{Running, World, computed, get};

async fn start(world: &mut World) -> (Running, String) {
    world.set("status.listen", "127.0.0.1:0");
    world.set("schedule.run_on_start", "never");
    let daemon = world.start(&[]);
    let address = daemon.status_address().await;
    (daemon, address)
}

async fn stop(daemon: Running) {
    daemon.signal("TERM");
    daemon.finish().await.assert_code(0);
}

async fn page(address: &str, customer: &str) -> (u16, String) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{address}customers/{customer}");
    let answer = client
        .get(url)
        .header(ACCEPT, "text/html")
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// The rows of a table whose first cell is a product or a workload, without tags.
fn plain(rows: &[Vec<String>], columns: usize) -> Vec<String> {
    let mut rows: Vec<String> = rows
        .iter()
        .filter(|row| row.len() >= columns && row[0] != "All paid products")
        .map(|row| {
            let first = row[0].trim_end_matches(" free").trim_end_matches(" trial");
            let first = first.trim_end_matches(" no longer held");
            // A past figure may have its change beside it.
            let rest = row[1..columns]
                .iter()
                .map(|cell| cell.split(' ').next().unwrap());
            format!("{first}|{}", rest.collect::<Vec<_>>().join("|"))
        })
        .collect();
    rows.sort();
    rows
}

/// The rows of the file of uses, each as an array.
async fn uses_file(address: &str, customer: &str) -> Vec<String> {
    let (status, text) = get(&format!("{address}customers/{customer}/uses.json")).await;
    assert_eq!(status, 200, "{text}");
    let file: Value = serde_json::from_str(&text).unwrap();
    let rows = file["rows"].as_array().unwrap().iter();
    let columns = [
        "product_name",
        "workload_name",
        "product_kind",
        "licenses_qualified",
        "licenses_active",
        "licenses_active_7d_ago",
        "licenses_active_30d_ago",
        "licenses_active_91d_ago",
        "licenses_active_365d_ago",
        "processed_date",
    ];
    rows.map(|row| {
        let cells = columns.map(|column| row[column].to_string());
        format!("[{}]", cells.join(", "))
    })
    .collect()
}

#[tokio::test]
async fn the_figures_of_a_customers_page_are_those_of_the_views() {
    let mut world = world().await;
    let (daemon, address) = start(&mut world).await;
    let customers = world
        .lines("select distinct customer_id::text from license_growth order by 1")
        .await;
    assert!(customers.len() > 10);
    // Renamings are known once the figures of the front page are.
    computed(&address).await;
    let mut renamed = 0;
    for customer in &customers {
        let (status, html) = page(&address, customer).await;
        assert_eq!(status, 200, "{html}");
        let seats = world
            .lines(&format!(
                "select product_name, to_char(coalesce(licenses_sold, licenses_qualified), \
                    'FM999,990'), coalesce(to_char(licenses_assigned, 'FM999,990'), '–'),
                    coalesce(to_char(licenses_active, 'FM999,990'), '–'),
                    replace(to_char(licenses_unused, 'FM999,990'), '-', '−')
                from license_product where customer_id = '{customer}' order by 1"
            ))
            .await;
        if !seats.is_empty() {
            let mut seats = seats;
            seats.sort();
            assert_eq!(plain(&table(&html, "Seats"), 5), seats, "{customer}");
        }
        let mut uses = world
            .lines(&format!(
                "select workload_name, to_char(licenses_qualified, 'FM999,990'),
                    to_char(licenses_active, 'FM999,990'),
                    coalesce(to_char(licenses_active_7d_ago, 'FM999,990'), '–'),
                    coalesce(to_char(licenses_active_30d_ago, 'FM999,990'), '–'),
                    coalesce(to_char(licenses_active_91d_ago, 'FM999,990'), '–'),
                    coalesce(to_char(licenses_active_365d_ago, 'FM999,990'), '–')
                from license_growth where customer_id = '{customer}'"
            ))
            .await;
        uses.sort();
        assert_eq!(plain(&table(&html, "Use"), 7), uses, "{customer}");
        let grown = world
            .lines(&format!(
                "select json_build_array(product_name, workload_name, product_kind,
                    licenses_qualified, licenses_active, licenses_active_7d_ago,
                    licenses_active_30d_ago, licenses_active_91d_ago, licenses_active_365d_ago,
                    processed_date)::text
                from license_growth where customer_id = '{customer}'
                order by product_name, licenses_active desc, workload_name"
            ))
            .await;
        assert_eq!(uses_file(&address, customer).await, grown, "{customer}");
        let mut holdings = world
            .lines(&format!(
                "select product_name, coalesce(replaces, '')
                from license_holding where customer_id = '{customer}'"
            ))
            .await;
        holdings.sort();
        let mut shown: Vec<String> = table(&html, "Products held")
            .iter()
            .map(|row| {
                let product = row[0].trim_end_matches(" free").trim_end_matches(" trial");
                let replaced = row[1]
                    .split_once("seems to replace ")
                    .map_or("", |(_, old)| old);
                format!("{product}|{replaced}")
            })
            .collect();
        shown.sort();
        assert_eq!(shown, holdings, "{customer}");
        renamed += holdings.iter().filter(|line| !line.ends_with('|')).count();
    }
    assert!(renamed > 5);
    stop(daemon).await;
}

#[tokio::test]
async fn a_renaming_that_was_confirmed_after_the_figures_is_not_told_any_more() {
    let mut world = world().await;
    let (daemon, address) = start(&mut world).await;
    computed(&address).await;
    let customer: String = world.value("select customer(11)::text").await;
    let said = "seems to replace Business Premium<";
    let (_, html) = page(&address, &customer).await;
    assert!(html.contains(said), "{html}");
    let confirms: String = world
        .value(
            "select alias_statement from product_rename_suspect
            where old_product_name = 'Business Premium'",
        )
        .await;
    world.execute(&confirms).await;
    let (_, html) = page(&address, &customer).await;
    assert!(!html.contains(said), "{html}");
    stop(daemon).await;
}

#[tokio::test]
async fn the_days_of_a_customers_page_are_those_of_coverage() {
    let mut world = world().await;
    // What was asked for and not stored is known of the dates of runs.
    world
        .execute(
            "update sync_run set newest_processed_date = day(58)
            where run_id = (select max(run_id) from sync_run)",
        )
        .await;
    let (daemon, address) = start(&mut world).await;
    let mut reasons = 0;
    for customer in world
        .lines("select distinct customer_id::text from coverage")
        .await
    {
        let (_, html) = page(&address, &customer).await;
        let states = world
            .lines(&format!(
                "select state, count(*) from coverage where customer_id = '{customer}' group by 1"
            ))
            .await;
        for line in states {
            let (state, number) = line.split_once('|').unwrap();
            let label = match state {
                "stored" => "figures stored",
                "empty" => "asked for, no figures given",
                "no_relationship" => "no relationship with the partner",
                "denied" => "access denied",
                "throttled" => "throttled by Microsoft",
                "failed" => "not fetched so far",
                "missed" => "missed, no longer to be had",
                other => panic!("{other} has no label"),
            };
            let cells = html.matches(&format!(": {label}</span>")).count();
            assert_eq!(cells.to_string(), number, "{customer} {state}");
        }
        let gaps = world
            .value::<i64>(&format!(
                "select count(*) from coverage where customer_id = '{customer}' \
                    and state <> 'stored'"
            ))
            .await;
        let listed = html.split_once("Days without figures</h3>");
        // A row has the days in turn that share a reason, and how many these are.
        let listed = listed.map_or(0, |(_, rest)| {
            let rows = rest.split_once("</table>").unwrap().0;
            let rows = rows.split("<th scope=\"row\">").skip(1);
            let days = rows.map(|row| {
                let days = row.split_once("<td class=\"num\">").unwrap().1;
                days.split_once("</td>").unwrap().0.parse::<i64>().unwrap()
            });
            days.sum()
        });
        assert_eq!(listed, gaps, "{customer}");
        reasons += gaps;
    }
    assert!(reasons > 0);
    stop(daemon).await;
}

#[tokio::test]
async fn each_table_of_a_customers_page_is_a_file_too_with_the_sql_that_it_shows() {
    let mut world = world().await;
    let (daemon, address) = start(&mut world).await;
    let customer: String = world.value("select customer(1)::text").await;
    let (_, html) = page(&address, &customer).await;
    let mut shown = html.split("<pre tabindex=\"0\"><code>").skip(1);
    for name in ["seats", "uses", "lines", "days", "restatements", "holdings"] {
        let sql = shown.next().unwrap().split_once(";</code>").unwrap().0;
        let sql = sql
            .replace("&#39;", "'")
            .replace("&#60;", "<")
            .replace("&#62;", ">");
        let rows = world.rows(&sql).await.len();
        let file = format!("{address}customers/{customer}/{name}");
        let (status, csv) = get(&format!("{file}.csv")).await;
        assert_eq!(status, 200, "{csv}");
        assert_eq!(csv.lines().count(), rows + 1, "{name}: {csv}");
        let (_, json) = get(&format!("{file}.json")).await;
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["rows"].as_array().unwrap().len(), rows, "{name}");
        assert!(html.contains(&format!("/customers/{customer}/{name}.csv")));
    }
    let (status, _) = get(&format!("{address}customers/{customer}/other.csv")).await;
    assert_eq!(status, 404);
    stop(daemon).await;
}

#[tokio::test]
async fn a_page_of_nobody_says_so_and_a_hostile_name_is_text() {
    let mut world = world().await;
    let named =
        sqlx::query("update customer set customer_name = $1 where customer_id = customer(1)");
    let name = format!("<script>alert(1)</script>\u{202e}'\"{}", "🏢".repeat(400));
    named.bind(&name).execute(&world.pool).await.unwrap();
    let (daemon, address) = start(&mut world).await;
    let (status, html) = page(&address, "98f677b8-f710-4604-9472-454f630d27d3").await;
    assert_eq!(status, 404);
    assert!(
        html.contains("The ledger does not know this customer"),
        "{html}"
    );
    let (status, html) = page(&address, "nobody").await;
    assert_eq!(status, 404);
    assert!(
        html.contains("Customers have GUIDs, and this is none"),
        "{html}"
    );
    let customer: String = world.value("select customer(1)::text").await;
    let (_, html) = page(&address, &customer).await;
    assert!(
        !html.contains("<script") && html.contains("&#60;script&#62;"),
        "{html}"
    );
    stop(daemon).await;
}
