use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::ledger::RejectionReason;

const OURS: &str = "4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04";
const THEIRS: &str = "11111111-70f4-4e1e-9ff1-b2bfce8d9f04";

fn scope(prior_items: u64) -> PageScope {
    PageScope {
        wanted: [OURS.parse().unwrap()].into(),
        prior_items,
    }
}

fn read(body: &str) -> Result<PartnerWidePage, ApiError> {
    read_page(body.as_bytes(), &scope(0), None, "s3cret")
}

fn error(body: &str) -> String {
    read(body).unwrap_err().to_string()
}

#[test]
fn the_documented_page_is_read() {
    let page = read(
        r#"{"Value":[{"processedDateTime":"2020-08-05T00:00:00",
                "customerTenantId":"4D3CF487-70F4-4E1E-9FF1-B2BFCE8D9F04"},
            {"customerTenantId":"11111111-70F4-4E1E-9FF1-B2BFCE8D9F04"}],
            "@nextLink":null,"TotalCount":2}"#,
    )
    .unwrap();
    assert_eq!(page.items[0].customer, OURS.parse().unwrap());
    assert_eq!(page.items[0].number, 1);
    assert_eq!((page.items.len(), page.received, page.unwanted), (1, 2, 1));
    assert_eq!((page.next, page.announced), (None, Some(2)));
}

#[test]
fn members_are_read_under_each_of_their_names() {
    for list in ["Value", "value", "items", "ITEMS"] {
        for link in ["@nextLink", "@odata.nextLink", "nextLink", "@NextLink"] {
            for total in ["TotalCount", "totalCount"] {
                let body = json!({list: [{"customerTenantId": OURS}], link: "/v1/x", total: 7.0});
                let page = read(&body.to_string()).unwrap();
                assert_eq!(page.items.len(), 1, "{body}");
                let next = page.next.and_then(|next| next.uri);
                assert_eq!(next.as_deref(), Some("/v1/x"), "{body}");
                assert_eq!(page.announced, Some(7), "{body}");
            }
        }
    }
}

#[test]
fn of_two_lists_the_one_that_has_items_is_read() {
    let item = json!({ "customerTenantId": OURS });
    for body in [
        json!({"value": [item], "items": []}),
        json!({"value": [], "items": [item]}),
        json!({"value": null, "items": [item]}),
        json!({"value": [item], "items": [item]}),
    ] {
        assert_eq!(read(&body.to_string()).unwrap().received, 1, "{body}");
    }
    let two = json!({"value": [item], "items": [item, item]});
    assert_eq!(
        error(&two.to_string()),
        "the members Value and items are two lists"
    );
}

#[test]
fn an_empty_answer_is_an_empty_page_and_a_fault_is_an_error() {
    for body in [
        "",
        "\u{feff}",
        "{}",
        r#"{"Value":[]}"#,
        r#"{"Value":null,"nextLink":"","TotalCount":0}"#,
        r#"{"Value":[],"TotalCount":0,"Message":"no data","StatusCode":200}"#,
    ] {
        let page = read(body).unwrap();
        assert_eq!((page.received, page.next), (0, None), "{body}");
    }
    for (body, told) in [
        (
            r#"{"code":"400072","description":"Not now"}"#,
            "the body is a fault although the status is 200: code 400072: Not now",
        ),
        (
            r#"{"Value":[],"StatusCode":500,"Message":"with s3cret"}"#,
            "the body is a fault although the status is 200: code 500: with (not shown)",
        ),
        (
            r#"{"Value":[{}],"error":{"code":"500","message":"Too slow"}}"#,
            "the body is a fault although the status is 200: code 500: Too slow",
        ),
        (r#"{"Value":{}}"#, "the member Value is not a list"),
        (
            r#"{"Value":[],"nextLink":7}"#,
            "the next link is not a text",
        ),
        (r#"{"Value":[{}"#, "the body ends in the middle of its JSON"),
        (
            "<html>",
            "the body is a web page, perhaps a sign-in page, and not JSON",
        ),
    ] {
        assert_eq!(error(body), told, "{body}");
    }
}

#[test]
fn a_link_that_is_too_long_to_be_asked_for_is_an_error() {
    let body = json!({ "Value": [], "nextLink": "x".repeat(70_000) }).to_string();
    assert_eq!(error(&body), "the next link is over 16384 bytes long");
}

#[test]
fn an_item_without_a_customer_is_rejected_with_its_reason() {
    for (item, told) in [
        (
            json!({}),
            "missing_field: item 1: customerTenantId is missing",
        ),
        (
            json!({"customerTenantId": null}),
            "missing_field: item 1: customerTenantId is missing",
        ),
        (
            json!({"customerTenantId": " "}),
            "missing_field: item 1: customerTenantId is blank",
        ),
        (
            json!({"customerTenantId": 7}),
            "invalid_value: item 1: customerTenantId is not a text",
        ),
        (
            json!({"customerTenantId": "contoso"}),
            "invalid_value: item 1: customerTenantId is not a GUID",
        ),
        (
            json!(null),
            "invalid_value: item 1: the item is not an object with readable members",
        ),
    ] {
        let page = read(&json!({ "Value": [item] }).to_string()).unwrap();
        let rejection = &page.unattributed[0];
        assert_eq!(
            format!("{}: {}", rejection.reason.as_str(), rejection.detail),
            told
        );
        assert_eq!(rejection.payload, item.to_string());
    }
    let half = read(r#"{"Value":[{"customerTenantId":"\ud800"}]}"#).unwrap();
    assert_eq!(half.unattributed[0].reason, RejectionReason::InvalidValue);
}

#[test]
fn a_page_with_too_many_rejections_fails() {
    let body = format!(r#"{{"Value":[{}0]}}"#, "0,".repeat(MAX_REJECTIONS));
    assert!(error(&body).starts_with("over 10000 items are unusable; the first: item 1: "));
}

#[test]
fn items_are_numbered_through_all_pages() {
    let body = json!({"Value": [{"customerTenantId": OURS}, {}]}).to_string();
    let page = read_page(body.as_bytes(), &scope(20_000), None, "").unwrap();
    assert_eq!(page.items[0].number, 20_001);
    assert!(page.unattributed[0].detail.starts_with("item 20002: "));
}

fn any_item() -> impl Strategy<Value = Value> {
    let owner = prop_oneof![
        Just(json!(OURS)),
        Just(json!(OURS.to_uppercase())),
        Just(json!(THEIRS)),
        Just(Value::Null),
        ".{0,8}".prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
    ];
    prop_oneof![
        4 => (owner, ".{0,8}").prop_map(|(owner, text)| {
            json!({"customerTenantId": owner, "productName": text})
        }),
        1 => any::<i64>().prop_map(Value::from),
        1 => Just(json!([{"customerTenantId": OURS}])),
        1 => ".{0,8}".prop_map(Value::from),
    ]
}

proptest! {
    #[test]
    fn no_item_is_dropped_silently(items in prop::collection::vec(any_item(), 0..40)) {
        let page = read(&json!({ "Value": items }).to_string()).unwrap();
        prop_assert_eq!(page.received, items.len() as u64);
        let kept = page.items.len() + page.unattributed.len();
        prop_assert_eq!(kept as u64 + page.unwanted, page.received);
        let ours = |item: &&Value| {
            item["customerTenantId"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(OURS))
        };
        prop_assert_eq!(page.items.len(), items.iter().filter(ours).count());
    }

    #[test]
    fn no_body_causes_a_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _whatever = read_page(&body, &scope(0), None, "s3cret");
    }
}
