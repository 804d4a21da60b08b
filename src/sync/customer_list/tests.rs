use uuid::Uuid;

use super::*;

fn id(number: u128) -> CustomerId {
    Uuid::from_u128(number).into()
}

fn named(number: u128, name: &str) -> Customer {
    Customer {
        name: Some(name.to_owned()),
        ..Customer::from(id(number))
    }
}

fn settings(ids: &[u128], exclude: &[u128]) -> config::Customers {
    config::Customers {
        ids: ids.iter().copied().map(id).collect(),
        file: None,
        discover: true,
        exclude: exclude.iter().copied().map(id).collect(),
    }
}

fn due(index: i32, has_newest_date: bool, was_refused: bool) -> DueCustomer {
    DueCustomer {
        index,
        has_newest_date,
        was_refused,
    }
}

fn ids(list: &[RunCustomer]) -> Vec<u128> {
    list.iter().map(|c| c.id.as_uuid().as_u128()).collect()
}

#[test]
fn the_list_is_the_union_less_the_excluded_each_customer_once() {
    let settings = settings(&[1, 2, 2, 3], &[3, 4]);
    let listed = vec![named(2, "Two"), named(4, "Four"), named(5, "Five")];
    let list = resolve(&settings, &[], RunKind::Backfill, Some(listed)).unwrap();
    assert_eq!(ids(&list), [2, 5, 1]);
    // The partner's list has the names.
    let two = Customer::from(list[0].clone());
    assert_eq!(two.name.as_deref(), Some("Two"));
}

#[test]
fn customers_asked_for_by_name_replace_the_configured_ones() {
    let settings = settings(&[1, 2], &[7]);
    let list = resolve(&settings, &[id(7), id(7)], RunKind::Backfill, None).unwrap();
    assert_eq!(ids(&list), [7]);
}

#[test]
fn an_empty_list_may_fill_by_itself_only_where_it_was_discovered() {
    let settings = settings(&[1], &[1]);
    for (listed, remedy) in [(None, Remedy::Configuration), (Some(vec![]), Remedy::Time)] {
        let error = resolve(&settings, &[], RunKind::Schedule, listed).unwrap_err();
        assert_eq!(error.remedy(), remedy, "{error}");
    }
}

#[test]
fn the_list_takes_the_order_of_the_ledger_and_loses_what_is_done() {
    let list: Vec<RunCustomer> = [10, 11, 12].map(|number| id(number).into()).into();
    let due = [due(2, false, true), due(0, true, false)];
    let ordered = in_order(list.clone(), &due, true);
    assert_eq!(ids(&ordered), [12, 10]);
    assert!(ordered[0].history.was_refused && !ordered[0].history.had_usage);
    assert!(ordered[1].history.had_usage && !ordered[1].history.was_refused);
    let without_usage = in_order(list, &due, false);
    assert!(!without_usage[1].history.had_usage);
}

#[test]
fn where_all_were_refused_none_counts_as_refused_before() {
    let list: Vec<RunCustomer> = [1, 2].map(|number| id(number).into()).into();
    let ordered = in_order(list, &[due(1, false, true), due(0, false, true)], true);
    assert!(ordered.iter().all(|customer| !customer.history.was_refused));
}
