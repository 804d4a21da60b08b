//! The outcome of a customer for each kind of answer of the API. No other customer is affected.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};
use sqlx::Row as _;

use crate::support::World;
use crate::support::answers::{answer, collection, gzipped, item_with, raw, two_items};

/// `partner_center.max_response_bytes` in these tests.
const LIMIT: u64 = 200_000;

/// A name, the answers (the last is repeated for ever), and the expected outcome. For a failure:
/// reason, status and whether the call was retried; if its items were recorded as rejections, also
/// items received, rows stored and rejections by reason. For a success: status, whether the call
/// was retried, items received and rows stored, rejections by reason, and whether there is a note.
type Case = (&'static str, Value, &'static str);

macro_rules! cases {
    ($($name:literal: $answers:expr => $outcome:literal;)*) => {
        vec![$(($name, $answers, $outcome)),*]
    };
}

fn body(body: impl AsRef<[u8]>) -> Value {
    answer(body, json!({}))
}

fn status(status: u16) -> Value {
    let page = "<html><head><title>Error</title></head><body>It did not work</body></html>";
    json!({ "status": status, "text": page, "headers": [["Content-Type", "text/html"]] })
}

/// One answer without a body, followed by good answers.
fn then_good(status: u16, headers: &Value) -> Value {
    json!([{ "status": status, "headers": headers }, body(two_items())])
}

fn read_as_if_it_were_not_there() -> Vec<Case> {
    let good = two_items();
    let shouted = good.replace("Name\":", "NAME\":").replace("items", "ITEMS");
    let unknown = item_with(&[("new", r#"{"a":[1,{"b":null}]}"#), ("items", "3")]);
    let unknown = collection(&[unknown]).replacen('{', r#"{"@odata.context":"x","new":[null],"#, 1);
    let nested = good.replacen(
        '{',
        &format!(r#"{{"x":{}{},"#, "[".repeat(100), "]".repeat(100)),
        1,
    );
    let twice = good.replacen('{', r#"{"items":[],"totalCount":7,"#, 1);
    let close_delimited = format!("HTTP/1.1 200 OK\r\n\r\n{good}");
    let gzip = json!({ "gzip": true });
    let encoded = |encoding: &str| json!({ "headers": [["Content-Encoding", encoding]] });
    cases! {
        "as documented": body(&good) => "ok 200 once 2/2";
        "byte order mark": body(format!("\u{feff}{good}")) => "ok 200 once 2/2";
        "gzip": answer(&good, gzip.clone()) => "ok 200 once 2/2";
        "chunks": answer(&good, json!({ "chunked": true })) => "ok 200 once 2/2";
        "gzip in chunks": answer(&good, json!({ "gzip": true, "chunked": true })) =>
            "ok 200 once 2/2";
        "byte order mark in gzip": answer(format!("\u{feff}{good}"), gzip) => "ok 200 once 2/2";
        "no length, closed at the end": raw(close_delimited) => "ok 200 once 2/2";
        "an early hint before": raw(format!(
            "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{good}"
        )) => "ok 200 once 2/2";
        "HTTP/1.0": raw(format!("HTTP/1.0 200 OK\r\n\r\n{good}")) => "ok 200 once 2/2";
        "gzip of nothing": answer(gzipped(b""), encoded("gzip")) => "ok 200 once 0/0";
        "nothing, announced as gzip": answer("", encoded("gzip")) => "ok 200 once 0/0";
        "nothing in chunks, announced as gzip":
            answer("", json!({ "chunked": true, "headers": [["Content-Encoding", "gzip"]] })) =>
            "ok 200 once 0/0";
        "encoding identity": answer(&good, encoded("identity")) => "ok 200 once 2/2";
        "blanks around": body(format!("\r\n \t{good}\r\n")) => "ok 200 once 2/2";
        "other letter case": body(shouted) => "ok 200 once 2/2";
        "unknown members": body(unknown) => "ok 200 once 1/1";
        "a deep unknown member": body(nested) => "ok 200 once 2/2";
        "members twice, the last counts": body(twice) => "ok 200 once 2/2";
        "no items": body(r#"{"attributes":{"objectType":"Collection"}}"#) => "ok 200 once 0/0";
        "items null": body(r#"{"totalCount":0,"items":null}"#) => "ok 200 once 0/0";
        "items empty": body(r#"{"totalCount":0,"items":[]}"#) => "ok 200 once 0/0";
        "an empty object": body("{}") => "ok 200 once 0/0";
        "an empty body": body("") => "ok 200 once 0/0";
        "a blank body": body(" \r\n") => "ok 200 once 0/0";
        "no content": json!({ "status": 204 }) => "ok 204 once 0/0";
        "announced more": body(good.replace(":2,", ":5,")) => "ok 200 once 2/2 note";
        "announced nonsense": body(good.replace(":2,", ":\"many\",")) => "ok 200 once 2/2";
        "a remark beside no items": body(r#"{"items":[],"message":"no data yet"}"#) =>
            "ok 200 once 0/0";
        "just within the limit": json!({ "fill_bytes": LIMIT }) => "ok 200 once 0/0";
        "a redirect to itself, once": then_good(307, &json!([["Location", "usage"]])) =>
            "ok 200 once 2/2";
    }
}

fn not_a_collection() -> Vec<Case> {
    let good = two_items();
    let deep = |levels| {
        format!(
            r#"{{"items":[],"x":{}{}}}"#,
            "[".repeat(levels),
            "]".repeat(levels)
        )
    };
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain(utf16.iter().copied())
        .collect();
    let mut broken = good.clone().into_bytes();
    broken[60] = 0xff;
    let mut refused = cases! {
        "an array": body(format!("[{}]", item_with(&[]))) => "invalid_response 200 once";
        "an empty array": body("[]") => "invalid_response 200 once";
        "null": body("null") => "invalid_response 200 once";
        "a text": body("\"items\"") => "invalid_response 200 once";
        "a number": body("3") => "invalid_response 200 once";
        "items an object": body(format!(r#"{{"items":{}}}"#, item_with(&[]))) =>
            "invalid_response 200 once";
        "items a text": body(r#"{"items":"none"}"#) => "invalid_response 200 once";
        "a sign-in page": body("\r\n<!DOCTYPE html><html>Sign in</html>") =>
            "invalid_response 200 once";
        "a reason phrase": body("Service Unavailable") => "invalid_response 200 once";
        "not a number": body(good.replace(":3,", ":NaN,")) => "invalid_response 200 once";
        "rubbish behind": body(format!("{good} x")) => "invalid_response 200 once";
        "two documents": body(format!("{good}\n{good}")) => "invalid_response 200 once";
        "a NUL behind": body(format!("{good}\0")) => "invalid_response 200 once";
        "a comma too many": body(good.replace("],", ",],")) => "invalid_response 200 once";
        "nested too deep": body(deep(200)) => "invalid_response 200 once";
        "nested far too deep": body(deep(90_000)) => "invalid_response 200 once";
        "items nested too deep": body(format!(r#"{{"items":{}"#, "[".repeat(90_000))) =>
            "invalid_response 200 once";
        "no UTF-8": body(broken) => "invalid_response 200 once";
        "UTF-16": body(utf16) => "invalid_response 200 once";
        "UTF-16 with its mark": body(marked) => "invalid_response 200 once";
        "nothing usable at all": json!({ "repeat_item": {}, "times": 10_000 }) =>
            "invalid_response 200 once 10000/0 missing_field*10000";
        "too much that is unusable": json!({ "repeat_item": {}, "times": 10_001 }) =>
            "invalid_response 200 once";
        "more and not where": body(good.replacen('{', r#"{"hasMore":true,"#, 1)) =>
            "invalid_response 200 once";
        "more at another host": body(good.replacen(
            '{', r#"{"@odata.nextLink":"https://elsewhere.example/v1/x","#, 1
        )) => "invalid_response 200 once";
        "more under its own address": body(good.replacen('{', r#"{"nextLink":"?page=2","#, 1)) =>
            "invalid_response 200 more";
        "over the limit": json!({ "fill_bytes": LIMIT + 1 }) => "response_too_large 200 once";
        "over the limit in chunks": json!({ "fill_bytes": 4 * LIMIT, "chunked": true }) =>
            "response_too_large 200 once";
        "a gzip bomb": json!({ "fill_bytes": 10 * LIMIT, "gzip": true }) =>
            "response_too_large 200 once";
    };
    let faults = [
        (
            "a fault",
            r#"{"code":"2032","description":"No","data":[],"source":"PartnerFD"}"#,
        ),
        (
            "a fault with a number",
            r#"{"Code":400072,"Description":"No"}"#,
        ),
        (
            "a gateway's fault",
            r#"{"error":{"code":"NotFound","message":"No","innerError":{}}}"#,
        ),
        (
            "a throttle's fault",
            r#"{"statusCode":429,"message":"Try again in 57 seconds."}"#,
        ),
        (
            "a token endpoint's fault",
            r#"{"error":"invalid_grant","error_description":"AADSTS1"}"#,
        ),
        ("a bare message", r#"{"Message":"An error has occurred."}"#),
        (
            "a fault beside no items",
            r#"{"items":[],"code":"3000","description":"No"}"#,
        ),
        ("an empty fault", r#"{"error":{}}"#),
    ];
    refused.extend(faults.map(|(name, fault)| (name, body(fault), "invalid_response 200 once")));
    refused
}

fn broken_on_the_way() -> Vec<Case> {
    let good = two_items();
    let cut = &good[..good.len() - 20];
    let half = "{\"items\":[],\"x\":\"\u{1f600}".as_bytes();
    let packed = gzipped(good.as_bytes());
    let (short, mut flipped, mut checksum) = (
        packed[..packed.len() / 2].to_vec(),
        packed.clone(),
        packed.clone(),
    );
    flipped[20] ^= 0xff;
    let last = checksum.len() - 5;
    checksum[last] ^= 0xff;
    let gzip = |bytes: &[u8]| answer(bytes, json!({ "headers": [["Content-Encoding", "gzip"]] }));
    cases! {
        "JSON cut, length right": body(cut) => "invalid_response 200 more";
        "a character cut, length right": body(&half[..half.len() - 2]) =>
            "invalid_response 200 more";
        "cut, closed at the end": raw(format!("HTTP/1.1 200 OK\r\n\r\n{cut}")) =>
            "invalid_response 200 more";
        "cut short of its length": answer(&good, json!({ "cut_after": 100 })) =>
            "connection - more";
        "cut in chunks": answer(&good, json!({ "cut_after": 100, "chunked": true })) =>
            "connection - more";
        "cut short of its length in gzip":
            answer(&good, json!({ "gzip": true, "cut_after": 50 })) => "connection - more";
        "a chunk without a size":
            raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello\r\n") =>
            "connection - more";
        "reset": json!({ "reset": true }) => "connection - more";
        "reset after the head": answer(&good, json!({ "reset": true, "cut_after": 0 })) =>
            "connection - more";
        "reset in the body": answer(&good, json!({ "reset": true, "cut_after": 50 })) =>
            "connection - more";
        "closed without a word": raw("") => "connection - more";
        "no HTTP": raw("220 mail.example ESMTP\r\n\r\n") => "connection - more";
        "a head without an end": raw("HTTP/1.1 200 OK\r\nContent-Type: appl") =>
            "connection - more";
        "a thousand headers":
            raw(format!("HTTP/1.1 200 OK\r\n{}\r\n{good}", "X-Y: z\r\n".repeat(1_000))) =>
            "connection - more";
        "an endless header":
            raw(format!("HTTP/1.1 200 OK\r\nX-Y: {}\r\n\r\n{good}", "z".repeat(2_000_000))) =>
            "connection - more";
        "two lengths":
            raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}}") =>
            "connection - more";
        "silence": answer(&good, json!({ "delay_ms": 60_000 })) => "timeout - more";
        "silence after the head": answer(&good, json!({ "stall_after": 0 })) => "timeout - more";
        "silence in the body": answer(&good, json!({ "stall_after": 50 })) => "timeout - more";
        "a drip": answer(&good, json!({ "drip_ms": 50 })) => "timeout - more";
        "gzip cut, length right": gzip(&short) => "invalid_response 200 more";
        "gzip with wrong bytes": gzip(&flipped) => "invalid_response 200 more";
        "gzip with a wrong checksum": gzip(&checksum) => "invalid_response 200 more";
        "an unknown encoding":
            answer(&packed, json!({ "headers": [["Content-Encoding", "zstd"]] })) =>
            "invalid_response 200 once";
        // As when a gateway unpacks the body and leaves the header.
        "gzip announced only": gzip(good.as_bytes()) => "ok 200 once 2/2";
    }
}

fn other_statuses() -> Vec<Case> {
    let good = two_items();
    let wait = |wish: &str| {
        json!([
            ["Retry-After", wish],
            ["Date", "Wed, 21 Oct 2026 07:28:00 GMT"]
        ])
    };
    let redirect =
        |status: u16, to: &str| json!({ "status": status, "headers": [["Location", to]] });
    cases! {
        "created": answer(&good, json!({ "status": 201 })) => "invalid_response 201 once";
        "accepted": answer(&good, json!({ "status": 202 })) => "invalid_response 202 once";
        "partial content": answer(&good, json!({ "status": 206 })) => "invalid_response 206 once";
        "redirected in circles": redirect(302, "usage") => "invalid_response 302 once";
        "redirected elsewhere": redirect(307, "http://elsewhere.example/usage") =>
            "invalid_response 307 once";
        "redirected nowhere": json!({ "status": 302 }) => "invalid_response 302 once";
        "not modified": json!({ "status": 304 }) => "invalid_response 304 once";
        "bad request": status(400) => "other 400 once";
        "unauthorized": status(401) => "unauthorized 401 more";
        "forbidden": status(403) => "forbidden 403 once";
        "not found": status(404) => "not_found 404 once";
        "method not allowed": status(405) => "other 405 once";
        "request timeout": status(408) => "timeout 408 more";
        "gone": status(410) => "other 410 once";
        "a teapot": status(418) => "other 418 once";
        "throttled without a wish": status(429) => "throttled 429 more";
        "server error": status(500) => "server_error 500 more";
        "not implemented": status(501) => "server_error 501 more";
        "bad gateway": status(502) => "server_error 502 more";
        "unavailable": status(503) => "server_error 503 more";
        "gateway timeout": status(504) => "server_error 504 more";
        "an error that stalls": json!({ "status": 503, "text": "busy", "stall_after": 2 }) =>
            "server_error 503 more";
        "throttled for a second": then_good(429, &wait("1")) => "ok 200 more 2/2";
        "throttled until a date": then_good(429, &wait("Wed, 21 Oct 2026 07:28:01 GMT")) =>
            "ok 200 more 2/2";
        "throttled until a past date": then_good(429, &wait("Wed, 21 Oct 2026 07:27:00 GMT")) =>
            "ok 200 more 2/2";
        "throttled for nobody knows": then_good(429, &wait("soon")) => "ok 200 more 2/2";
        "throttled for an hour": then_good(429, &wait("3600")) => "throttled 429 once";
        "throttled for ever": then_good(429, &wait("99999999999999999999")) => "throttled 429 once";
        "throttled until tomorrow": then_good(429, &wait("Thu, 22 Oct 2026 07:28:00 GMT")) =>
            "throttled 429 once";
        "unavailable for an hour": then_good(503, &wait("3600")) => "server_error 503 once";
        "unavailable for a second": then_good(503, &wait("1")) => "ok 200 more 2/2";
    }
}

fn in_turn(answers: &Value) -> Value {
    if answers.is_array() {
        answers.clone()
    } else {
        json!([answers])
    }
}

/// The outcome of each customer in the last run, in the form that [`Case`] describes.
async fn outcomes(world: &World) -> HashMap<String, String> {
    let rows = world
        .rows(
            "select c.customer_id::text, c.reason, coalesce(c.http_status::text, '-'), c.attempts, \
                c.rows_received,
                    (select count(*) from license_usage as u where u.customer_id = c.customer_id),
                    c.detail,
                    (select string_agg(reason || case when n = 1 then '' else '*' || n end, ',' \
                    order by reason)
                     from (select reason, count(*) as n from rejected_row as r
                           where r.run_id = c.run_id and r.customer_id = c.customer_id group by \
                           reason) as r)
             from sync_customer as c
             where run_id = (select max(run_id) from sync_run)",
        )
        .await;
    let told = rows.iter().map(|row| {
        let (reason, status): (Option<String>, String) = (row.get(1), row.get(2));
        let tried = if row.get::<i32, _>(3) > 1 {
            "more"
        } else {
            "once"
        };
        let (received, stored): (i64, i64) = (row.get(4), row.get(5));
        let (detail, rejected): (Option<String>, Option<String>) = (row.get(6), row.get(7));
        let told = match reason {
            Some(reason) if received == 0 && stored == 0 && detail.is_some() => {
                format!("{reason} {status} {tried}")
            }
            // No item was usable, and all of them are recorded as rejections.
            Some(reason) if stored == 0 && rejected.is_some() => {
                let rejected = rejected.unwrap_or_default();
                format!("{reason} {status} {tried} {received}/{stored} {rejected}")
            }
            Some(reason) => format!("{reason} and yet {received}/{stored} {detail:?}"),
            None => {
                let rejected = rejected.map_or_else(String::new, |reasons| format!(" {reasons}"));
                let note = if detail.is_some() { " note" } else { "" };
                format!("ok {status} {tried} {received}/{stored}{rejected}{note}")
            }
        };
        (row.get(0), told)
    });
    told.collect()
}

#[tokio::test]
async fn every_answer_has_its_outcome_and_touches_no_other_customer() {
    let mut cases = read_as_if_it_were_not_there();
    cases.extend(not_a_collection());
    cases.extend(broken_on_the_way());
    cases.extend(other_statuses());

    let mut world = World::with_customers(cases.len() + 10).await;
    world.set("partner_center.request_timeout", "3s");
    world.set("partner_center.max_response_bytes", &LIMIT.to_string());
    world.set("partner_center.max_concurrency", "24");
    world.set("retry.initial_interval", "300ms");
    world.set("retry.max_interval", "1s");
    world.set("retry.max_elapsed_time", "7s");
    let ids = world.simulator.customers().await;
    // Every twentieth customer, beginning with the first, is healthy.
    let (mut expected, mut healthy) = (BTreeMap::new(), Vec::new());
    let mut places = ids.iter().enumerate();
    for (name, answers, outcome) in &cases {
        let id = loop {
            let (place, id) = places.next().unwrap();
            if place % 20 != 0 {
                break id;
            }
            healthy.push(id.clone());
        };
        world.simulator.script_for_ever(id, in_turn(answers)).await;
        expected.insert(id.clone(), (*name, *outcome));
    }
    healthy.extend(places.map(|(_, id)| id.clone()));
    assert!(healthy.len() >= 5, "{healthy:?}");

    let finished = world.backfill().await;
    finished.assert_code(3);
    let told = outcomes(&world).await;
    let wrong: Vec<String> = expected
        .iter()
        .filter(|(id, (_, outcome))| told.get(*id).is_none_or(|told| told != outcome))
        .map(|(id, (name, outcome))| format!("{name}: {outcome}, but: {:?}", told.get(id)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let summary = finished.summary();
    let sums = world
        .lines(
            "select sum(rows_received) as received, sum(rows_inserted) as inserted, \
                sum(rows_updated) as updated,
                    sum(rows_unchanged) as unchanged, sum(rows_rejected) as rejected,
                    sum(rows_received - rows_inserted - rows_updated - rows_unchanged - \
                    rows_rejected) as lost
             from sync_customer",
        )
        .await;
    let rows = &summary["rows"];
    let told: Vec<String> = ["received", "inserted", "updated", "unchanged", "rejected"]
        .map(|count| rows[count].to_string())
        .into();
    assert_eq!(sums, [format!("{}|0", told.join("|"))]);
    let failed = expected
        .values()
        .filter(|(_, outcome)| !outcome.starts_with("ok"))
        .count();
    assert_eq!(
        summary["customers"],
        json!({ "total": ids.len(), "succeeded": ids.len() - failed, "failed": failed })
    );
    assert_eq!(summary["failures"].as_array().unwrap().len(), failed);
    assert_eq!(
        world
            .value::<i64>("select count(*) from license_usage")
            .await
            .to_string(),
        rows["inserted"].to_string()
    );
    assert_eq!(
        world
            .value::<i64>("select count(*) from rejected_row")
            .await
            .to_string(),
        rows["rejected"].to_string()
    );

    // A run without faults stores the rows of all customers. Those of the healthy ones were stored
    // before, so nothing is written for them.
    world.simulator.unscript().await;
    let usual =
        "select customer_id::text, rows_received - rows_unchanged as written from sync_customer
                 where run_id = 2 and http_status = 200 and outcome = 'succeeded'";
    world.backfill().await.assert_code(0);
    let written = world.lines(usual).await;
    assert_eq!(written.len(), ids.len());
    for id in healthy {
        assert!(
            written.contains(&format!("{id}|0")),
            "{id} was touched: {written:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_ends_the_run_and_is_no_customers_failure() {
    let mut world = World::with_customers(1).await;
    // A server that answers in plain HTTP before the handshake.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("https://{}", listener.local_addr().unwrap());
    world.set("partner_center.base_url", &base);
    world.set("retry.max_elapsed_time", "100ms");
    let answering = async {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream
                .try_write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                .unwrap();
        }
    };
    tokio::select! {
        finished = world.backfill() => finished.assert_code(4),
        () = answering => unreachable!(),
    };
    assert_eq!(
        world
            .lines(
                "select outcome, detail like '%does not speak TLS%', (select count(*) from \
                sync_customer) from sync_run"
            )
            .await,
        ["failed|true|0"]
    );
}
