use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::ledger::FailureReason;
use crate::partner_center::decode::MAX_REJECTIONS;
use crate::partner_center::transport::aside::Aside;
use intake::Intake;
use page::{PageScope, read_page};

fn take_in(
    pages: &[&str],
    wanted: &WantedCustomers,
) -> Result<PartnerWideCollection<UsageRow>, ApiError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(async {
        let mut intake = Intake::new(wanted).unwrap();
        let aside = Aside::new(TaskTracker::new());
        for page in pages {
            let scope = PageScope {
                wanted: Arc::clone(wanted.ids()),
                prior_items: intake.received,
            };
            let page = read_page(page.as_bytes(), &scope, None, "")?;
            intake.push(page, wanted.clone(), &aside).await?;
        }
        let spool = intake.finish()?;
        Ok(PartnerWideCollection {
            attempts: 0,
            http_status: 200,
            call: None,
            received: intake.received,
            unwanted: intake.unwanted,
            note: None,
            unattributed: intake.unattributed,
            spool,
            buckets: 0..wanted.bucket_count(),
            row: decode::usage_row,
            now: "2026-10-01T06:00:00Z".parse().unwrap(),
        })
    })
}

fn item(changes: &Value) -> Value {
    let mut item = json!({
        "customerTenantId": id(0), "productName": "E3", "workloadName": "Exchange",
        "licensesActive": 3, "licensesQualified": 10, "processedDateTime": "2026-09-28T00:00:00",
    });
    for (member, value) in changes.as_object().unwrap() {
        item[member] = value.clone();
    }
    item
}

#[test]
fn of_two_pages_with_one_key_the_later_wins() {
    let wanted = wanted(0..1, true);
    let earlier = item(&json!({}));
    let later = item(&json!({"licensesActive": null, "licenseActive": 4}));
    let bad = item(&json!({"licensesQualified": -1}));
    let pages = [
        json!({ "Value": [earlier] }).to_string(),
        json!({ "Value": [bad, later, {}] }).to_string(),
    ];
    let mut collection = take_in(&[&pages[0], &pages[1]], &wanted).unwrap();
    assert_eq!(collection.take_unattributed().len(), 1);
    let bucket = collection.next_bucket().unwrap().unwrap();
    let (customer, own) = &bucket[0];
    let own = own.as_ref().unwrap();
    assert_eq!((*customer, own.received), (id(0), 3));
    assert_eq!(own.rows[0].licenses_active, 4);
    let told = own
        .rejections
        .iter()
        .fold(String::new(), |mut told, rejection| {
            let _ = writeln!(told, "{} {}", rejection.reason.as_str(), rejection.payload);
            told
        });
    assert_eq!(
        told,
        format!("invalid_value {bad}\nduplicate_key {earlier}\n")
    );
    assert_eq!(
        own.rejections[0].detail,
        "item 2: licensesQualified is negative"
    );
    assert!(collection.next_bucket().unwrap().is_none());
}

#[test]
fn a_percentage_is_ignored() {
    let wanted = wanted(0..1, true);
    let page = json!({"Value": [item(&json!({"usagePercent": "a third"}))]}).to_string();
    let mut collection = take_in(&[&page], &wanted).unwrap();
    assert_eq!(counts(&mut collection, &wanted), (1, 1));
}

#[test]
fn the_rejections_of_all_pages_count_together() {
    let page = json!({ "Value": vec![json!({}); MAX_REJECTIONS / 2 + 1] }).to_string();
    let wanted = wanted(0..1, true);
    assert!(take_in(&[&page], &wanted).is_ok());
    let error = take_in(&[&page, &page], &wanted).unwrap_err();
    assert_eq!(error.reason(), FailureReason::InvalidResponse);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn no_item_is_dropped(
        items in prop::collection::vec((0_usize..6, prop::option::weighted(0.8, -1_i64..5)), 0..60),
        page_size in 1_usize..20,
    ) {
        // Customers from the fourth on are not wanted; the sixth is not a GUID.
        let wanted = wanted(0..3, true);
        let items: Vec<Value> = items
            .iter()
            .enumerate()
            .map(|(number, (owner, active))| {
                let owner = if *owner == 5 { json!("nobody") } else { json!(id(*owner)) };
                let product = format!("product {number}");
                item(&json!({
                    "customerTenantId": owner, "licensesActive": active, "productName": product,
                }))
            })
            .collect();
        let pages: Vec<String> = items
            .chunks(page_size)
            .map(|page| json!({ "Value": page }).to_string())
            .collect();
        let pages: Vec<&str> = pages.iter().map(String::as_str).collect();
        let mut collection = take_in(&pages, &wanted).unwrap();
        prop_assert_eq!(collection.received, items.len() as u64);
        let mut ends = collection.unwanted + collection.take_unattributed().len() as u64;
        while let Some(bucket) = collection.next_bucket().unwrap() {
            for (_, collection) in bucket {
                let collection = collection.unwrap();
                ends += (collection.rows.len() + collection.rejections.len()) as u64;
            }
        }
        prop_assert_eq!(ends, collection.received);
    }
}
