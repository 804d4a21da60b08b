//! A token that the API echoes appears neither in the tables nor in the log.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::answers::{answer, item_with};
use crate::support::{World, item};

/// Every text in every table.
async fn tables(world: &World) -> String {
    let mut text = String::new();
    for table in [
        "customer",
        "sync_run",
        "sync_customer",
        "rejected_row",
        "license_usage",
    ] {
        let lines = world.lines(&format!("select * from {table}")).await;
        text.push_str(&lines.join("\n"));
    }
    text
}

/// The text with each of its bytes written as `spelling` says.
fn spelt(text: &str, spelling: impl Fn(u8) -> String) -> String {
    let spellings: Vec<String> = text.bytes().map(spelling).collect();
    spellings.concat()
}

#[tokio::test]
async fn an_echoed_token_is_stored_in_no_table_in_any_encoding() {
    let mut world = World::with_customers(12).await;
    world.set("log.filter", "seatledger=trace");
    world.set("auth.method", "access_token");
    for key in [
        "auth.client_id",
        "auth.client_secret",
        "auth.refresh_token",
        "auth.tenant_id",
    ] {
        world.unset(key);
    }
    let token = world.simulator.post("access-token", String::new()).await;
    let token = token.trim();
    world.set("auth.access_token", token);

    let escaped = spelt(token, |byte| format!("\\u{byte:04x}"));
    let percent = spelt(token, |byte| format!("%{byte:02x}"));
    let base64 = STANDARD.encode(format!("Bearer {token}"));
    let half = &token[..token.len() * 2 / 3];
    let quoted = |text: &str| format!("\"{text}\"");
    let bodies = [
        // In an item that is rejected: as a value, as a name, nested, and as the whole item.
        format!(r#"{{"items":[{{"authorization":"Bearer {token}"}}]}}"#),
        format!(r#"{{"items":[{{"{token}":1}}]}}"#),
        format!(r#"{{"items":[{{"a":[{{"b":["x {token}"]}}]}}]}}"#),
        format!(r#"{{"items":["{token}",null]}}"#),
        // Escaped, percent-encoded, in base64, and cut.
        format!(r#"{{"items":[{{"a":"{escaped}"}},{{"{escaped}":1}}]}}"#),
        format!(r#"{{"items":[{{"a":"https://x.example/?t={percent}"}}]}}"#),
        format!(r#"{{"items":[{{"a":"{base64}"}}]}}"#),
        format!(r#"{{"items":[{{"a":"Bearer {half}"}}]}}"#),
        // In an item that becomes a row, and in one that a later item with the same key replaces.
        format!(
            r#"{{"items":[{}]}}"#,
            item_with(&[
                ("customerName", &quoted(token)),
                ("productName", &quoted(&token[..60]))
            ])
        ),
        format!(
            r#"{{"items":[{},{}]}}"#,
            item_with(&[("new", &quoted(token))]),
            item_with(&[("licensesActive", "5")])
        ),
        // In an error of the API, and in a body that is not a collection.
        format!(r#"{{"code":"{token}","description":"{percent} {base64}"}}"#),
        format!("{token} {percent}"),
    ];
    let customers = world.simulator.customers().await;
    for (customer, body) in customers.iter().zip(&bodies) {
        let answers = json!([answer(body, json!({}))]);
        world.simulator.script_for_ever(customer, answers).await;
    }
    let finished = world.backfill().await;
    finished.assert_code(3);
    let everything = [tables(&world).await, finished.stdout, finished.stderr].join("\n");
    let middle = &token[token.len() / 3..token.len() / 2];
    for secret in [
        middle,
        &escaped[120..240],
        &percent[60..120],
        &base64[60..90],
    ] {
        assert!(!everything.contains(secret), "{secret} in {everything}");
    }
    assert_eq!(
        world
            .value::<i64>(
                "select count(*) from rejected_row where payload::text like '%(not shown)%'"
            )
            .await,
        10
    );
}

#[tokio::test]
async fn the_list_of_customers_and_errors_give_no_token_away() {
    let mut world = World::with_customers(2).await;
    world.set("log.filter", "seatledger=trace");
    let ids = world.simulator.customers().await;
    world.unset("customers.ids");
    world.set("customers.discover", "true");
    let token = world.simulator.post("access-token", String::new()).await;
    let token = token.trim();
    let signed_in = json!([{ "json": { "access_token": token, "expires_in": 3600 } }]);
    world.simulator.script_for_ever("token", signed_in).await;
    let short = &token[..200];
    let profile = json!({ "companyName": format!("Contoso {short}"), "domain": short });
    let list = json!({ "items": [
        { "id": ids[0], "companyProfile": profile },
        { "id": ids[1] },
    ] });
    world
        .simulator
        .script_for_ever("customers", json!([{ "json": list }]))
        .await;
    let percent = spelt(token, |byte| format!("%{byte:02X}"));
    let refused = json!({ "status": 403, "json": { "code": "1", "description": percent } });
    world
        .simulator
        .script_for_ever(&ids[0], json!([refused]))
        .await;
    let served: Value = json!([{ "items": [item(&json!({}))] }]);
    world.simulator.script_for_ever(&ids[1], served).await;
    let finished = world.backfill().await;
    finished.assert_code(3);
    let everything = [tables(&world).await, finished.stdout, finished.stderr].join("\n");
    for secret in [&token[60..100], &percent[60..120]] {
        assert!(!everything.contains(secret), "{secret} in {everything}");
    }
    assert_eq!(
        world
            .lines("select customer_name from customer where domain is not null")
            .await,
        ["Contoso (not shown)"]
    );
}
