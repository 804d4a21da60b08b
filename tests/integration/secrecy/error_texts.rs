//! Texts of errors come from outside. They are shown, but they reveal no secret, forge no log line
//! and send no control characters to a terminal.

use serde_json::{Value, json};

use crate::support::World;
use crate::support::answers::{answer, collection, item_with};

/// Every row of every table, as text.
const EVERYTHING: &str = "
    select r::text from sync_run as r union all select c::text from sync_customer as c
    union all select x::text from rejected_row as x union all select u::text from license_usage as u
    union all select k::text from customer as k";

#[tokio::test]
async fn an_echoed_bearer_token_is_shown_nowhere() {
    let mut world = World::with_customers(20).await;
    let token = world.simulator.post("access-token", String::new()).await;
    assert!(token.len() > 20, "{token}");
    world.set("auth.method", "access_token");
    world.set("auth.access_token", &token);
    for key in ["tenant_id", "client_id", "client_secret", "refresh_token"] {
        world.unset(&format!("auth.{key}"));
    }
    world.set("log.filter", "trace");
    let fault = json!({ "code": token, "description": format!("Bearer {token} is refused") });
    let nested =
        json!({ "error": { "code": "1", "message": format!("{}{token}", "x".repeat(280)) } });
    let escaped = format!(
        r#"{{"code":"1","description":"\u{:04x}{}"}}"#,
        token.as_bytes()[0],
        &token[1..]
    );
    let answers = [
        json!({ "status": 403, "json": fault }),
        json!({ "status": 401, "json": fault }),
        json!({ "status": 500, "json": nested }),
        json!({ "status": 400, "text": format!("refused: {token}") }),
        json!({ "status": 404, "text": format!("<html>{token}</html>") }),
        json!({ "status": 403, "text": escaped }),
        json!({ "status": 302,
            "headers": [["Location", format!("http://{token}.example/{token}")]] }),
        json!({ "json": fault }),
        json!({ "json": nested }),
        json!({ "text": escaped }),
        json!({ "text": token }),
        json!({ "text": format!("{{\"items\":[],\"message\":\"{token}\"") }),
        json!({ "status": 429, "headers": [["Retry-After", token]], "text": token }),
    ];
    let ids = world.simulator.customers().await;
    for (id, answer) in ids.iter().zip(&answers) {
        world.simulator.script_for_ever(id, json!([answer])).await;
    }
    let finished = world.backfill().await;
    finished.assert_code(3);
    assert_eq!(finished.summary()["customers"]["failed"], answers.len());
    let shown = [
        world.lines(EVERYTHING).await.join("\n"),
        finished.stdout,
        finished.stderr,
    ]
    .join("\n");
    for secret in [token.as_str(), &token[..16]] {
        let place = shown
            .find(secret)
            .map(|at| shown[at.saturating_sub(300)..at].to_owned());
        assert_eq!(place, None, "{secret} is shown");
    }
}

#[tokio::test]
async fn control_characters_and_endless_texts_do_not_reach_the_terminal() {
    let mut world = World::with_customers(8).await;
    world.set("log.format", "text");
    let hostile = "first\u{0}\r\nsecond\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\u{7f}\tend";
    let answers = [
        (
            400,
            json!({ "status": 400, "json": { "code": hostile, "description": hostile } }),
        ),
        (400, json!({ "status": 400, "text": hostile })),
        (
            200,
            json!({ "json": { "error": { "code": "1", "message": hostile } } }),
        ),
        (
            400,
            json!({ "status": 400, "text": "x".repeat(10_000_000) }),
        ),
        (
            400,
            json!({ "status": 400, "json": { "code": "9", "description": "y".repeat(50_000) } }),
        ),
        (400, answer(b"\xff\xfe\x00", json!({ "status": 400 }))),
    ];
    let ids = world.simulator.customers().await;
    for (id, (_, answer)) in ids.iter().zip(&answers) {
        world.simulator.script_for_ever(id, json!([answer])).await;
    }
    let finished = world.run(&["--backfill"]).await;
    finished.assert_code(3);
    let failed = world
        .rows(
            "select customer_id::text, http_status, detail from sync_customer where outcome = \
            'failed'",
        )
        .await;
    assert_eq!(failed.len(), answers.len());
    for row in &failed {
        let (id, status, detail): (String, i32, String) = (
            sqlx::Row::get(row, 0),
            sqlx::Row::get(row, 1),
            sqlx::Row::get(row, 2),
        );
        let place = ids.iter().position(|own| *own == id).unwrap();
        assert_eq!(status, answers[place].0, "{detail}");
        assert!(!detail.contains(char::is_control), "{detail:?}");
        assert!((10..800).contains(&detail.chars().count()), "{detail}");
        assert_eq!(
            detail.contains("first") && detail.contains("end"),
            place < 3,
            "{detail}"
        );
    }
    let visible = |text: &str| text.chars().all(|c| c == '\n' || !c.is_control());
    assert!(visible(&finished.stdout), "{:?}", finished.stdout);
    assert!(visible(&finished.stderr), "{:?}", finished.stderr);
}

#[tokio::test]
async fn a_texts_line_breaks_cannot_forge_a_log_line() {
    let world = World::with_customers(1).await;
    let customer = &world.simulator.customers().await[0];
    // The detail of a rejection names fields of the item. It must not contain their values.
    let items = [
        item_with(&[("customerId", "\"x\\n{\\\"level\\\":\\\"INFO\\\"}\"")]),
        item_with(&[("processedDateTime", "\"\\u001b[2J\"")]),
    ];
    let body = answer(collection(&items), json!({}));
    world.simulator.script(customer, json!([body])).await;
    let finished = world.backfill().await;
    // A customer fails if none of its items can be used.
    finished.assert_code(3);
    assert_eq!(
        world
            .lines("select reason, detail from rejected_row order by detail")
            .await,
        [
            "invalid_value|item 1: customerId is not a GUID",
            "invalid_value|item 2: processedDateTime cannot be read as a date"
        ]
    );
    for line in finished.stderr.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["message"].is_string(), "{line}");
    }
}
