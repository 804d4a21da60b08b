use super::*;
use crate::partner_center::decode::next::NextLinkError;

const BASE: &str = "https://api.example";

fn pager(tolerates_changes: bool) -> PartnerWidePager {
    PartnerWidePager::new(
        BASE,
        "v1",
        "licenses/?top=10000".to_owned(),
        tolerates_changes,
    )
}

/// A page with a fingerprint and a number of items, and the total that it announces.
fn page(fingerprint: u64, received: u64, announced: impl Into<Option<u64>>) -> PartnerWidePage {
    PartnerWidePage {
        fingerprint,
        received,
        announced: announced.into(),
        ..PartnerWidePage::default()
    }
}

fn linked(page: PartnerWidePage, link: &str) -> PartnerWidePage {
    PartnerWidePage {
        next: Some(NextLink {
            uri: Some(link.to_owned()),
            headers: Vec::new(),
        }),
        ..page
    }
}

fn circle() -> Incomplete {
    PagerError::Loop.into()
}

fn at(skip: u64) -> NextStep {
    to(&format!("/v1/licenses/?top=10000&skip={skip}"))
}

fn to(path: &str) -> NextStep {
    NextStep::Fetch(PageRequest::new(format!("{BASE}{path}")))
}

#[test]
fn a_link_is_followed_until_there_is_none() {
    let mut pager = pager(false);
    let first = linked(page(1, 2, 3), "/partner/v1/licenses/?x=2");
    assert_eq!(pager.pass(&first), Ok(to("/v1/licenses/?x=2")));
    assert_eq!(pager.pass(&page(2, 1, 3)), Ok(NextStep::End));
    assert_eq!(pager.finish(), Ok(None));
}

#[test]
fn without_links_the_total_decides_whether_there_is_more() {
    let mut pager = pager(false);
    assert_eq!(pager.pass(&page(1, 3, 7)), Ok(at(3)));
    assert_eq!(pager.pass(&page(2, 3, 7)), Ok(at(6)));
    assert_eq!(pager.pass(&page(3, 1, 7)), Ok(NextStep::End));
    assert_eq!(pager.finish(), Ok(None));
}

#[test]
fn without_links_and_total_an_empty_page_is_the_end() {
    let mut pager = pager(false);
    assert_eq!(pager.pass(&page(1, 3, None)), Ok(at(3)));
    assert_eq!(pager.pass(&page(2, 3, None)), Ok(at(6)));
    assert_eq!(pager.pass(&page(0, 0, None)), Ok(NextStep::End));
    assert_eq!(pager.finish(), Ok(None));
}

#[test]
fn a_full_page_that_announces_only_itself_is_not_taken_for_the_whole() {
    let mut pager = pager(false);
    assert_eq!(
        pager.pass(&page(1, PAGE_SIZE, PAGE_SIZE)),
        Ok(at(PAGE_SIZE))
    );
    assert_eq!(
        pager.pass(&page(2, PAGE_SIZE, PAGE_SIZE)),
        Ok(at(2 * PAGE_SIZE))
    );
    assert_eq!(pager.pass(&page(3, 5, 5)), Ok(NextStep::End));
    assert_eq!(pager.finish(), Ok(None));
}

#[test]
fn a_server_that_ignores_skip_has_sent_everything_if_its_page_was_not_full() {
    let mut short = pager(false);
    assert_eq!(short.pass(&page(1, 3, None)), Ok(at(3)));
    assert_eq!(short.pass(&page(1, 3, None)), Ok(NextStep::Discard));
    assert!(short.finish().unwrap().is_some());

    let mut announced = pager(false);
    let whole = page(1, PAGE_SIZE, PAGE_SIZE);
    assert_eq!(announced.pass(&whole), Ok(at(PAGE_SIZE)));
    assert_eq!(announced.pass(&whole), Ok(NextStep::Discard));
    assert!(announced.finish().unwrap().is_some());

    let mut full = pager(false);
    assert_eq!(full.pass(&page(1, PAGE_SIZE, None)), Ok(at(PAGE_SIZE)));
    assert_eq!(full.pass(&page(1, PAGE_SIZE, None)), Err(circle()));

    let mut missing = pager(false);
    assert_eq!(missing.pass(&page(1, 3, 9)), Ok(at(3)));
    assert_eq!(missing.pass(&page(1, 3, 9)), Ok(NextStep::Discard));
    let short = Incomplete::Short {
        announced: 9,
        received: 3,
    };
    assert_eq!(missing.finish(), Err(short));
}

#[test]
fn links_that_form_a_cycle_are_an_error() {
    let mut same_page = pager(false);
    let first = linked(page(1, 3, 9), "/licenses/?a");
    assert!(same_page.pass(&first).is_ok());
    let again = linked(page(1, 3, 9), "/licenses/?b");
    assert_eq!(same_page.pass(&again), Err(circle()));

    let mut same_link = pager(false);
    assert!(same_link.pass(&first).is_ok());
    let other = linked(page(2, 3, 9), "/v1/licenses/?a");
    assert_eq!(same_link.pass(&other), Err(circle()));

    let mut empty = pager(false);
    let mut turns =
        (0..=10).map(|n| empty.pass(&linked(page(0, 0, None), &format!("/licenses/?{n}"))));
    assert!(turns.by_ref().take(10).all(|turn| turn.is_ok()));
    assert_eq!(turns.next(), Some(Err(circle())));
}

#[test]
fn a_link_to_another_host_is_not_followed() {
    let foreign = linked(page(1, 3, 9), "https://evil.example/v1/licenses/");
    let lost = pager(false).pass(&foreign);
    assert_eq!(
        lost,
        Err(PagerError::NextLink(NextLinkError::ForeignHost).into())
    );
}

#[test]
fn a_collection_that_falls_short_is_an_error() {
    let mut by_skip = pager(false);
    assert_eq!(by_skip.pass(&page(1, 3, 7)), Ok(at(3)));
    assert_eq!(by_skip.pass(&page(0, 0, 7)), Ok(NextStep::End));
    assert_eq!(
        by_skip.finish().unwrap_err().to_string(),
        "the collection announced 7 items and sent 3"
    );

    let mut by_link = pager(false);
    assert!(by_link.pass(&linked(page(1, 3, 7), "/licenses/?a")).is_ok());
    assert_eq!(by_link.pass(&page(2, 3, 7)), Ok(NextStep::End));
    assert!(by_link.finish().is_err());
}

#[test]
fn more_than_was_announced_is_noted() {
    let mut pager = pager(false);
    assert_eq!(pager.pass(&page(1, 3, 2)), Ok(NextStep::End));
    assert_eq!(
        pager.finish().unwrap().as_deref(),
        Some("the API announced 2 items and sent 3")
    );
}

#[test]
fn a_collection_that_changes_is_read_again_and_in_the_end_noted() {
    let mut early = pager(false);
    assert_eq!(early.pass(&page(1, 3, 7)), Ok(at(3)));
    assert_eq!(early.pass(&page(2, 3, 6)), Err(Incomplete::Changed));

    let mut last = pager(true);
    assert_eq!(last.pass(&page(1, 3, 7)), Ok(at(3)));
    assert_eq!(last.pass(&page(2, 3, 6)), Ok(NextStep::End));
    assert_eq!(
        last.finish().unwrap().as_deref(),
        Some("the collection changed while it was read")
    );
}

#[test]
fn a_total_below_the_number_of_items_is_ignored() {
    let mut uncounted = pager(false);
    assert_eq!(uncounted.pass(&page(1, 3, 0)), Ok(at(3)));
    assert_eq!(uncounted.pass(&page(2, 3, 0)), Ok(at(6)));
    assert_eq!(uncounted.pass(&page(0, 0, 0)), Ok(NextStep::End));

    let mut full = pager(false);
    assert_eq!(full.pass(&page(1, PAGE_SIZE, 7)), Ok(at(PAGE_SIZE)));
    assert_eq!(full.pass(&page(2, 5, 7)), Ok(NextStep::End));
}

#[test]
fn the_size_of_a_collection_is_bounded() {
    let mut pager = pager(false);
    let large = |n| PartnerWidePage {
        bytes: 1 << 26,
        ..page(n, 1, None)
    };
    let end = (1..).find_map(|n| pager.pass(&large(n)).err().map(|error| (error, n)));
    assert_eq!(end, Some((PagerError::TooLarge(8 << 30).into(), 129)));
}
