//! The files beside the tables hold what the SQL beside them gives.

use serde_json::{Map, Value};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpSocket;

use super::lists::{browse, page, start, stop, unescaped};
use crate::support::{World, computed, get, until};

const LEDGER: &str = include_str!("../ledger/views/customers/ledger.sql");

/// A role that reads what `grants` lets roles for BI tools read.
async fn bi_role(world: &World) -> String {
    let database: String = world.value("select current_database()::text").await;
    let role = format!("bi_{database}");
    world.execute(&format!("create role \"{role}\"")).await;
    let granted = world.run(&["grants", "--bi-role", &role]).await;
    granted.assert_code(0);
    role
}

/// The rows of a query that a role asks, or else the owner, with numbers in one form.
async fn rows(world: &World, role: Option<&str>, sql: &str) -> Vec<Value> {
    let mut transaction = world.pool.begin().await.unwrap();
    let role = role.map_or_else(|| "none".to_owned(), |role| format!("\"{role}\""));
    let settings = format!("set local extra_float_digits = 1; set local role {role}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(settings))
        .execute(&mut *transaction)
        .await
        .unwrap();
    let text = format!("select row_to_json(t)::text from ({sql}) as t");
    let rows = sqlx::query_scalar::<_, String>(sqlx::AssertSqlSafe(text));
    let rows = rows.fetch_all(&mut *transaction).await;
    let rows = rows.unwrap_or_else(|error| panic!("{error}: {sql}"));
    transaction.rollback().await.unwrap();
    let rows = rows.iter().map(|row| serde_json::from_str(row).unwrap());
    rows.map(same_numbers).collect()
}

/// 1 and 1.0 are the same number.
fn same_numbers(row: Value) -> Value {
    match row {
        Value::Object(row) => {
            let same = row.into_iter().map(|(name, value)| {
                let number = value.as_f64().map(Value::from);
                (name, number.unwrap_or(value))
            });
            Value::Object(same.collect::<Map<_, _>>())
        }
        other => other,
    }
}

async fn json_rows(url: &str) -> Vec<Value> {
    let (status, body) = get(url).await;
    assert_eq!(status, 200, "{url}: {body}");
    let mut document: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(document["version"], 1);
    assert!(document["as_of"].is_string());
    let Value::Array(rows) = document["rows"].take() else {
        panic!("{body}");
    };
    rows.into_iter().map(same_numbers).collect()
}

/// The queries that a page shows, without the semicolon.
fn shown_queries(html: &str) -> Vec<String> {
    let shown = html.split("<code>").skip(1);
    let shown = shown.filter_map(|rest| rest.split_once(";</code></pre>"));
    shown.map(|(sql, _)| unescaped(sql)).collect()
}

/// The files whose links a page has, without their extension and what follows it.
fn files(html: &str, extension: &str) -> Vec<String> {
    let links = html.split("href=\"").skip(1);
    let links = links.filter_map(|link| link.split('"').next());
    let links = links.map(unescaped);
    links
        .filter(|link| link.split('?').next().unwrap().ends_with(extension))
        .collect()
}

#[tokio::test]
async fn a_file_has_the_rows_that_the_query_beside_it_gives() {
    let mut world = World::new().await;
    world.execute(LEDGER).await;
    let role = bi_role(&world).await;
    world
        .execute(
            "update customer set customer_name = 'O''Neil, \"Sons\" 50% \\ ' || chr(10) || 'Ltd'
            where customer_id = customer(1);
            update customer set customer_name = '-1', domain = '@example' where customer_id = \
                customer(2);
            update customer set customer_name = E'a; =1+1;-2\\t@x\\n=3' where customer_id = \
                customer(3);
            update customer set customer_name = E'\\uff1d1', domain = '+1' where customer_id = \
                customer(4);
            -- Of two products, so that their sum is more than a count can be.
            update license_usage set licenses_active = 9223372036854775807,
                licenses_qualified = 9223372036854775807
            where customer_id = customer(1) and workload_name = 'Teams';
            update license_usage set licenses_qualified = 7
            where customer_id = customer(1) and workload_name = 'Flow';
            do $$ begin
                execute format(
                    'alter database %I set extra_float_digits = -10', current_database()
                );
            end $$",
        )
        .await;
    let (daemon, address) = start(&mut world).await;
    computed(&address).await;
    let run: i64 = world.value("select max(run_id) from sync_run").await;
    let customer: String = world.value("select customer(1)::text").await;
    for path in [
        "/customers".to_owned(),
        "/customers?q=o%27n%25".to_owned(),
        "/customers?q=50%25+%5C".to_owned(),
        "/customers?state=active".to_owned(),
        format!("/customers/{customer}"),
        "/products".to_owned(),
        "/runs".to_owned(),
        format!("/runs/{run}"),
    ] {
        let html = page(&format!("{address}{path}")).await;
        let queries = shown_queries(&html);
        let (csv, json) = (files(&html, ".csv"), files(&html, ".json"));
        assert!(!queries.is_empty() && queries.len() == csv.len() && csv.len() == json.len());
        for ((sql, csv), json) in queries.iter().zip(csv).zip(json) {
            // Runs are read from tables, as their pages say.
            let role = (!path.starts_with("/runs")).then_some(role.as_str());
            assert_eq!(
                path.starts_with("/customers/"),
                !html.contains("All rows as a file")
            );
            assert_eq!(role.is_none(), html.contains("as the owner of the ledger"));
            let expected = rows(&world, role, sql).await;
            assert_eq!(
                json_rows(&format!("{address}{json}")).await,
                expected,
                "{json}"
            );
            let answer = browse(&format!("{address}{csv}")).await;
            assert_eq!(answer.headers()["content-type"], "text/csv; charset=utf-8");
            let disposition = answer.headers()["content-disposition"].to_str().unwrap();
            assert!(
                disposition.starts_with("attachment; filename=\""),
                "{disposition}"
            );
            let text = answer.text().await.unwrap();
            assert_eq!(
                text.matches("\r\n").count(),
                expected.len() + 1,
                "{csv}: {text}"
            );
            if let Some(Value::Object(first)) = expected.first() {
                let mut header: Vec<&str> = text.lines().next().unwrap().split(',').collect();
                header.sort_unstable();
                assert_eq!(header, first.keys().collect::<Vec<_>>());
            }
        }
    }
    let (_, csv) = get(&format!("{address}/customers.csv")).await;
    assert!(
        csv.contains("\"O'Neil, \"\"Sons\"\" 50% \\ \nLtd\","),
        "{csv}"
    );
    assert!(csv.contains("\r\n'-1,"), "{csv}");
    assert!(csv.contains(",'@example,"), "{csv}");
    assert!(csv.contains("\"a;' =1+1;'-2\t'@x\n'=3\","), "{csv}");
    assert!(csv.contains("\r\n'\u{ff1d}1,"), "{csv}");
    assert!(csv.contains(",'+1,"), "{csv}");
    stop(daemon).await;
}

#[tokio::test]
async fn a_file_of_nobody_or_of_no_run_is_not_found() {
    let mut world = World::new().await;
    world.execute(LEDGER).await;
    let (daemon, address) = start(&mut world).await;
    let customer: String = world.value("select customer(1)::text").await;
    let nobody = "/customers/98f677b8-f710-4604-9472-454f630d27d3";
    for path in [
        nobody,
        &format!("{nobody}/seats.csv"),
        &format!("{nobody}/days.json"),
        &format!("/customers/{customer}/seats.xml"),
        "/customers/nobody",
        "/customers/nobody/seats.csv",
        "/runs/999999",
        "/runs/999999/failures.csv",
        "/runs/-1/rejections.json",
        "/runs/1/other.csv",
        "/runs/one",
        "/runs/one/failures.csv",
        "/runs/99999999999999999999/failures.json",
    ] {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.get(format!("{address}{path}")).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
        let kind = answer.headers()["content-type"].to_str().unwrap();
        assert_eq!(kind, "text/plain; charset=utf-8", "{path}");
        let said = answer.text().await.unwrap();
        assert_eq!(said.lines().count(), 1, "{path}: {said}");
    }
    // It is there, with no rows.
    let empty = format!("{address}/customers/{customer}/restatements.json");
    assert_eq!(get(&empty).await.0, 200);
    stop(daemon).await;
}

#[tokio::test]
async fn each_table_of_the_front_page_equals_its_query() {
    let mut world = World::new().await;
    world.execute(LEDGER).await;
    world
        .execute(
            "update license_usage set licenses_active = 1
            where customer_id = customer(1) and processed_date_time = at(58, 0)
                and product_name = 'Office 365 E3'",
        )
        .await;
    world.reread_if_distributed().await;
    let role = bi_role(&world).await;
    let (daemon, address) = start(&mut world).await;
    computed(&address).await;
    for table in [
        "completeness",
        "movers",
        "product_events",
        "rename_suspects",
        "waste",
        "workload_months",
        "workloads",
    ] {
        let (_, sql) = get(&format!("{address}/data/{table}.sql")).await;
        let expected = rows(&world, Some(&role), &sql).await;
        assert!(!expected.is_empty(), "{table}");
        let found = json_rows(&format!("{address}/data/{table}.json")).await;
        assert_eq!(found, expected, "{table}");
        let (_, csv) = get(&format!("{address}/data/{table}.csv")).await;
        assert_eq!(
            csv.matches("\r\n").count(),
            expected.len() + 1,
            "{table}: {csv}"
        );
    }
    for path in ["/data/movers", "/data/movers.xml", "/data/nothing.csv"] {
        let (status, said) = get(&format!("{address}{path}")).await;
        assert_eq!(status, 404, "{path}");
        assert!(said.contains("movers"), "{said}");
    }
    stop(daemon).await;
}

#[tokio::test]
async fn a_large_file_comes_whole_and_leaves_no_connection() {
    let mut world = World::new().await;
    world
        .execute(
            "insert into customer (customer_id, customer_name, domain, first_seen_at, last_seen_at)
            select gen_random_uuid(), repeat('x', 500), repeat('y', 500), now(), now()
            from generate_series(1, 5000)",
        )
        .await;
    let (daemon, address) = start(&mut world).await;
    assert_eq!(
        json_rows(&format!("{address}/customers.json")).await.len(),
        5_000
    );
    // Without a browser's `Accept` the page is the file.
    assert_eq!(
        json_rows(&format!("{address}/customers")).await.len(),
        5_000
    );
    let (_, csv) = get(&format!("{address}/customers.csv")).await;
    assert_eq!(csv.matches("\r\n").count(), 5_001);
    // A client that leaves in the middle.
    drop(browse(&format!("{address}/customers.csv")).await);
    let open = "select count(*) from pg_stat_activity where datname = current_database() and \
        application_name = 'seatledger' and query ~ 'row_to_json|^copy'";
    until("no connection is left of the files", async || {
        (world.value::<i64>(open).await == 0).then_some(())
    })
    .await;

    // A client that does not read holds up no stop.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let host = address.trim_start_matches("http://").parse().unwrap();
    let mut unread = socket.connect(host).await.unwrap();
    let request = format!("GET /customers.csv HTTP/1.1\r\nHost: {host}\r\n\r\n");
    unread.write_all(request.as_bytes()).await.unwrap();
    let held_up = "select count(*) from pg_stat_activity where datname = current_database() and \
        wait_event = 'ClientWrite'";
    until("the server waits for the client", async || {
        (world.value::<i64>(held_up).await > 0).then_some(())
    })
    .await;
    daemon.signal("TERM");
    let stopped = daemon.finish().await;
    stopped.assert_code(0);
    assert!(!stopped.stderr.contains("\"WARN\""), "{}", stopped.stderr);
}
