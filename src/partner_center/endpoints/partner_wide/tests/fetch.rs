use super::*;
use crate::ledger::FailureReason;

#[tokio::test]
async fn everything_is_fetched_page_by_page_and_returned_customer_by_customer() {
    for links in [true, false] {
        let server = PageServer {
            links,
            ..PageServer::new(700, 500)
        };
        // Five of the customers are not wanted, and one that is wanted has no rows.
        let wanted = wanted(5..701, true);
        let mut collection = server.fetch(&wanted).await.unwrap();
        assert_eq!(counts(&mut collection, &wanted), (695, 695 * ROWS));
        assert_eq!((collection.received, collection.unwanted), (2_100, 15));
        assert_eq!(collection.attempts, 5);
        assert_eq!((collection.http_status, collection.note), (200, None));
        let calls = server.calls();
        let first =
            "/v1/analytics/commercial/usage/license/?top=10000&processedDateTime=2026-09-28";
        assert_eq!(calls[0], first);
        assert!(calls.iter().all(|call| !call.contains("filter")));
    }
}

#[tokio::test]
async fn few_customers_are_named_in_filters() {
    let server = PageServer::new(700, 500);
    let few = wanted(20..30, false);
    let mut collection = server.fetch(&few).await.unwrap();
    assert_eq!(counts(&mut collection, &few), (10, 30));
    assert_eq!(server.calls().len(), 1);

    let some = wanted(20..50, false);
    let mut collection = server.fetch(&some).await.unwrap();
    assert_eq!(counts(&mut collection, &some), (30, 90));
    assert_eq!(collection.received, 90);
    let calls = server.calls();
    assert!(calls.len() == 3 && calls.iter().all(|call| call.contains("filter")));

    let many = wanted(20..121, false);
    let mut collection = server.fetch(&many).await.unwrap();
    assert_eq!(counts(&mut collection, &many), (101, 303));
    let calls = server.calls();
    assert!(calls.len() == 5 && calls.iter().all(|call| !call.contains("filter")));
}

#[tokio::test]
async fn a_filter_that_does_not_work_is_omitted() {
    for filters in [Filters::Ignored, Filters::Refused] {
        let server = PageServer {
            filters,
            ..PageServer::new(40, 50)
        };
        let few = wanted(3..5, false);
        let mut collection = server.fetch(&few).await.unwrap();
        assert_eq!(counts(&mut collection, &few), (2, 6));
        assert_eq!((collection.received, collection.unwanted), (120, 114));
        assert_eq!(server.calls().len(), 4);
    }
}

#[tokio::test]
async fn both_documented_versions_of_the_path_are_tried() {
    let server = PageServer {
        version: "partner/v1",
        ..PageServer::new(10, 20)
    };
    let wanted_all = wanted(0..10, true);
    let mut collection = server.fetch(&wanted_all).await.unwrap();
    assert_eq!(counts(&mut collection, &wanted_all), (10, 30));
    let calls = server.calls();
    assert!(calls[0].starts_with("/v1/"));
    assert!(
        calls[1..]
            .iter()
            .all(|call| call.starts_with("/partner/v1/"))
    );
    assert_eq!(calls.len(), 3);

    let nowhere = PageServer {
        version: "v2",
        ..server
    };
    let error = nowhere.fetch(&wanted_all).await.unwrap_err();
    let RetryError::Failed { error, attempts } = error else {
        panic!("it was stopped");
    };
    assert_eq!((error.reason(), attempts), (FailureReason::NotFound, 2));
}

#[tokio::test]
async fn a_collection_that_changes_is_read_again_and_nothing_is_kept_of_the_first_pass() {
    for (changing_passes, passes) in [(1, 2), (2, 3)] {
        let server = PageServer {
            changing_passes,
            ..PageServer::new(10, 20)
        };
        let wanted = wanted(0..10, true);
        let mut collection = server.fetch(&wanted).await.unwrap();
        assert_eq!(counts(&mut collection, &wanted), (10, 30));
        assert_eq!(collection.received, 30);
        assert_eq!(collection.attempts, 2 * passes);
        assert_eq!(collection.note, None);
    }
}

#[tokio::test]
async fn a_collection_that_falls_short_is_an_invalid_answer() {
    let server = PageServer {
        missing: 1,
        ..PageServer::new(10, 20)
    };
    let error = server.fetch(&wanted(0..10, true)).await.unwrap_err();
    let RetryError::Failed { error, attempts } = error else {
        panic!("it was stopped");
    };
    assert_eq!(
        (error.reason(), attempts),
        (FailureReason::InvalidResponse, 2)
    );
    assert_eq!(
        error.to_string(),
        "the collection announced 31 items and sent 30"
    );
}
