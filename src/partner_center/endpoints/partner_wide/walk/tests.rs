use super::*;
use crate::partner_center::decode::next::NextLink;

const BASE: &str = "https://api.example";

fn walk(is_last_chance: bool) -> Walk {
    let address = Address {
        base: BASE.to_owned(),
        version: "v1",
        path: "licenses/".to_owned(),
        query: "top=10000".to_owned(),
    };
    Walk::new(address, is_last_chance)
}

/// A page of so many items that no other page has.
fn page(fingerprint: u64, received: u64, total: impl Into<Option<u64>>) -> Page {
    Page {
        fingerprint,
        received,
        total: total.into(),
        ..Page::default()
    }
}

fn linked(page: Page, link: &str) -> Page {
    Page {
        next: Some(NextLink {
            uri: Some(link.to_owned()),
            headers: Vec::new(),
        }),
        ..page
    }
}

fn at(skip: u64) -> Turn {
    to(&format!("/v1/licenses/?top=10000&skip={skip}"))
}

fn to(path: &str) -> Turn {
    Turn::Next(next::PageRequest {
        url: format!("{BASE}{path}"),
        headers: HeaderMap::new(),
    })
}

#[test]
fn the_first_page_is_asked_for_without_skip() {
    let address = walk(false).address;
    assert_eq!(address.page(0), format!("{BASE}/v1/licenses/?top=10000"));
}

#[test]
fn a_link_is_followed_until_there_is_none() {
    let mut walk = walk(false);
    let first = linked(page(1, 2, 3), "/partner/v1/licenses/?x=2");
    assert_eq!(walk.pass(&first), Ok(to("/v1/licenses/?x=2")));
    assert_eq!(walk.pass(&page(2, 1, 3)), Ok(Turn::End));
    assert_eq!(walk.finish(), Ok(None));
}

#[test]
fn without_links_the_total_tells_whether_there_is_more() {
    let mut walk = walk(false);
    assert_eq!(walk.pass(&page(1, 3, 7)), Ok(at(3)));
    assert_eq!(walk.pass(&page(2, 3, 7)), Ok(at(6)));
    assert_eq!(walk.pass(&page(3, 1, 7)), Ok(Turn::End));
    assert_eq!(walk.finish(), Ok(None));
}

#[test]
fn without_links_and_total_an_empty_page_is_the_end() {
    let mut walk = walk(false);
    assert_eq!(walk.pass(&page(1, 3, None)), Ok(at(3)));
    assert_eq!(walk.pass(&page(2, 3, None)), Ok(at(6)));
    assert_eq!(walk.pass(&page(0, 0, None)), Ok(Turn::End));
    assert_eq!(walk.finish(), Ok(None));
}

#[test]
fn a_full_page_that_announces_only_itself_is_not_taken_for_the_whole() {
    let mut walk = walk(false);
    assert_eq!(walk.pass(&page(1, PAGE_SIZE, PAGE_SIZE)), Ok(at(PAGE_SIZE)));
    assert_eq!(
        walk.pass(&page(2, PAGE_SIZE, PAGE_SIZE)),
        Ok(at(2 * PAGE_SIZE))
    );
    assert_eq!(walk.pass(&page(3, 5, 5)), Ok(Turn::End));
    assert_eq!(walk.finish(), Ok(None));
}

#[test]
fn a_server_that_knows_no_skip_has_sent_everything_if_its_page_was_not_full() {
    let mut short = walk(false);
    assert_eq!(short.pass(&page(1, 3, None)), Ok(at(3)));
    assert_eq!(short.pass(&page(1, 3, None)), Ok(Turn::Repeated));
    assert!(short.finish().unwrap().is_some());

    let mut announced = walk(false);
    let whole = page(1, PAGE_SIZE, PAGE_SIZE);
    assert_eq!(announced.pass(&whole), Ok(at(PAGE_SIZE)));
    assert_eq!(announced.pass(&whole), Ok(Turn::Repeated));
    assert!(announced.finish().unwrap().is_some());

    let mut full = walk(false);
    assert_eq!(full.pass(&page(1, PAGE_SIZE, None)), Ok(at(PAGE_SIZE)));
    assert_eq!(full.pass(&page(1, PAGE_SIZE, None)), Err(Lost::Circle));

    let mut missing = walk(false);
    assert_eq!(missing.pass(&page(1, 3, 9)), Ok(at(3)));
    assert_eq!(missing.pass(&page(1, 3, 9)), Ok(Turn::Repeated));
    let short = Lost::Short {
        announced: 9,
        received: 3,
    };
    assert_eq!(missing.finish(), Err(short));
}

#[test]
fn links_that_run_in_circles_are_an_error() {
    let mut same_page = walk(false);
    let first = linked(page(1, 3, 9), "/licenses/?a");
    assert!(same_page.pass(&first).is_ok());
    let again = linked(page(1, 3, 9), "/licenses/?b");
    assert_eq!(same_page.pass(&again), Err(Lost::Circle));

    let mut same_link = walk(false);
    assert!(same_link.pass(&first).is_ok());
    let other = linked(page(2, 3, 9), "/v1/licenses/?a");
    assert_eq!(same_link.pass(&other), Err(Lost::Circle));

    let mut empty = walk(false);
    let mut turns = (0..=MAX_EMPTY_PAGES)
        .map(|n| empty.pass(&linked(page(0, 0, None), &format!("/licenses/?{n}"))));
    assert!(turns.by_ref().take(10).all(|turn| turn.is_ok()));
    assert_eq!(turns.next(), Some(Err(Lost::Circle)));
}

#[test]
fn a_link_to_another_host_is_not_followed() {
    let foreign = linked(page(1, 3, 9), "https://evil.example/v1/licenses/");
    let lost = walk(false).pass(&foreign);
    assert_eq!(lost, Err(Lost::NextLinkError(NextLinkError::ForeignHost)));
}

#[test]
fn a_collection_that_falls_short_is_an_error() {
    let mut by_skip = walk(false);
    assert_eq!(by_skip.pass(&page(1, 3, 7)), Ok(at(3)));
    assert_eq!(by_skip.pass(&page(0, 0, 7)), Ok(Turn::End));
    assert_eq!(
        by_skip.finish().unwrap_err().to_string(),
        "the collection announced 7 items and sent 3"
    );

    let mut by_link = walk(false);
    assert!(by_link.pass(&linked(page(1, 3, 7), "/licenses/?a")).is_ok());
    assert_eq!(by_link.pass(&page(2, 3, 7)), Ok(Turn::End));
    assert!(by_link.finish().is_err());
}

#[test]
fn more_than_was_announced_is_noted() {
    let mut walk = walk(false);
    assert_eq!(walk.pass(&page(1, 3, 2)), Ok(Turn::End));
    assert_eq!(
        walk.finish().unwrap().as_deref(),
        Some("the API announced 2 items and sent 3")
    );
}

#[test]
fn a_collection_that_changes_under_way_is_begun_anew_and_in_the_end_noted() {
    let mut early = walk(false);
    assert_eq!(early.pass(&page(1, 3, 7)), Ok(at(3)));
    assert_eq!(early.pass(&page(2, 3, 6)), Ok(Turn::Anew));

    let mut last = walk(true);
    assert_eq!(last.pass(&page(1, 3, 7)), Ok(at(3)));
    assert_eq!(last.pass(&page(2, 3, 6)), Ok(Turn::End));
    assert_eq!(
        last.finish().unwrap().as_deref(),
        Some("the collection changed while it was read")
    );
}

#[test]
fn a_total_that_the_items_belie_does_not_cut_the_collection_short() {
    let mut uncounted = walk(false);
    assert_eq!(uncounted.pass(&page(1, 3, 0)), Ok(at(3)));
    assert_eq!(uncounted.pass(&page(2, 3, 0)), Ok(at(6)));
    assert_eq!(uncounted.pass(&page(0, 0, 0)), Ok(Turn::End));

    let mut full = walk(false);
    assert_eq!(full.pass(&page(1, PAGE_SIZE, 7)), Ok(at(PAGE_SIZE)));
    assert_eq!(full.pass(&page(2, 5, 7)), Ok(Turn::End));
}

#[test]
fn a_collection_that_fills_the_disk_is_not_read_for_ever() {
    let mut walk = walk(false);
    let large = |n| Page {
        bytes: 1 << 26,
        ..page(n, 1, None)
    };
    let ends = (1..).find_map(|n| walk.pass(&large(n)).err());
    assert_eq!((ends, walk.pages), (Some(Lost::TooLarge), 129));
}

#[test]
fn a_collection_that_is_made_up_as_it_is_read_is_not_read_for_ever() {
    let mut walk = walk(false);
    let ends = (1..).find_map(|n| walk.pass(&page(n, 1, None)).err());
    assert_eq!(ends, Some(Lost::Endless));
}
