use serde_json::json;

use super::*;

fn partial(content: PageContent<UsageRow>) -> PageItems<UsageRow> {
    match content {
        PageContent::Partial(items) => items,
        PageContent::Complete(collection) => panic!("{collection:?}"),
    }
}

#[test]
fn the_pages_of_a_collection_are_linked_numbered_through_and_merged() {
    let link = json!({ "uri": "/x?page=2" });
    let first = json!({
        "items": [item(&json!({})), {}], "totalCount": 4, "links": { "next": link },
    });
    let first = page(first.to_string().as_bytes(), None).unwrap();
    assert_eq!((first.received, first.announced), (2, Some(4)));
    assert_eq!(first.next.unwrap().uri.as_deref(), Some("/x?page=2"));
    let mut merged = MergedPages::default();
    merged.push(partial(first.content), first.announced);
    let second = json!({ "items": [{}, item(&json!({ "licensesActive": 4 }))] });
    let second = page(second.to_string().as_bytes(), Some(merged.totals())).unwrap();
    assert_eq!(second.next, None);
    merged.push(partial(second.content), second.announced);
    let collection = merged.finish().unwrap();
    assert_eq!((collection.received, collection.note), (4, None));
    assert_eq!(collection.rows[0].licenses_active, 4);
    let told: Vec<_> = collection
        .rejections
        .iter()
        .map(|r| r.detail.as_str())
        .collect();
    assert_eq!(
        told,
        [
            "item 2: productName is missing",
            "item 3: productName is missing",
            "a later item has the same key and processedDateTime 2026-09-28T00:00:00+00:00, \
             and other values",
        ]
    );
}

#[test]
fn the_rejections_of_all_pages_count_together() {
    let prior = PriorTotals {
        items: 20_000,
        rejections: MAX_REJECTIONS,
        rejected_bytes: 0,
    };
    let told = page(br#"{"items":[{}]}"#, Some(prior)).unwrap_err();
    assert!(matches!(told, DecodeError::TooManyRejections { .. }));
    assert!(page(br#"{"items":[]}"#, Some(prior)).is_ok());
}
