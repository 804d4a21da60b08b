use std::collections::HashSet;

use super::{catalog::Service, *};
use crate::settings::Restatement;

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn rows(world: &World, number: u32, today: &str) -> Vec<Usage> {
    let newest = world
        .calendar
        .snapshot(Dataset::Usage, None, date(today), None);
    world.usage(number, &newest)
}

fn all_rows(world: &World, today: &str) -> Vec<Usage> {
    (0..world.customers())
        .flat_map(|number| rows(world, number, today))
        .collect()
}

#[test]
fn the_same_seed_gives_the_same_world() {
    let (first, second) = (World::new(7, 200), World::new(7, 200));
    assert_eq!(
        all_rows(&first, "2026-05-04"),
        all_rows(&second, "2026-05-04")
    );
    assert_eq!(first.customer(17), second.customer(17));
    assert_ne!(first.id(3), World::new(8, 200).id(3));
}

#[test]
fn every_customer_is_found_by_its_guid() {
    let world = World::new(3, 50_000);
    let ids: HashSet<Uuid> = (0..50_000).map(|number| world.id(number)).collect();
    assert_eq!(ids.len(), 50_000);
    for number in (0..50_000).step_by(97) {
        assert_eq!(world.find(world.id(number)), Some(number));
    }
    assert_eq!(world.find(Uuid::nil()), None);
    assert_eq!(world.find(World::new(4, 50_000).id(0)), None);
}

#[test]
fn about_three_rows_in_a_hundred_are_over_a_hundred_percent() {
    let rows = all_rows(&World::new(1, 3_000), "2026-05-04");
    let over = rows
        .iter()
        .filter(|row| percent(row.active, row.qualified) > 100.0)
        .count();
    let per_thousand = over * 1_000 / rows.len();
    assert!((20..=45).contains(&per_thousand), "{per_thousand} of 1000");
}

#[test]
fn no_customer_has_the_same_product_and_workload_twice() {
    let world = World::new(1, 2_000);
    for number in 0..2_000 {
        let rows = rows(&world, number, "2026-05-04");
        let keys: HashSet<_> = rows
            .iter()
            .map(|row| (row.product.id, row.workload.code))
            .collect();
        assert_eq!(keys.len(), rows.len());
    }
}

#[test]
fn the_first_customers_always_have_rows() {
    for seed in 0..20 {
        let world = World::new(seed, SETTLED);
        for number in 0..SETTLED {
            assert!(!rows(&world, number, "2024-02-29").is_empty());
            assert!(!rows(&world, number, "2026-11-22").is_empty());
        }
    }
}

#[test]
fn a_new_product_is_taken_up_slowly() {
    let world = World::new(1, 1_500);
    let new_today = |number: &u32| {
        rows(&world, *number, "2026-02-02").is_empty()
            && !rows(&world, *number, "2026-03-02").is_empty()
    };
    let share = |today: &str| {
        let rows: Vec<_> = (0..1_500)
            .filter(new_today)
            .flat_map(|number| rows(&world, number, today))
            .collect();
        let active: u32 = rows.iter().map(|row| row.active).sum();
        let qualified: u32 = rows.iter().map(|row| row.qualified).sum();
        assert!(qualified > 0);
        f64::from(active) / f64::from(qualified)
    };
    assert!(share("2026-03-02") < share("2026-06-02"));
}

#[test]
fn a_processed_date_is_the_same_whether_newest_or_asked_for_later() {
    let world = World::new(1, 60);
    let newest = |today: &str| {
        world
            .calendar
            .snapshot(Dataset::Usage, None, date(today), None)
    };
    let office = world
        .calendar
        .newest(Dataset::Usage, Service::Office, date("2026-05-04"));
    let later = world
        .calendar
        .snapshot(Dataset::Usage, Some(office), date("2026-08-01"), None);
    let too_early = world
        .calendar
        .snapshot(Dataset::Usage, Some(office), office, None);
    for number in 0..60 {
        let mut then = world.usage(number, &newest("2026-05-04"));
        then.retain(|row| row.processed == office);
        assert_eq!(world.usage(number, &later), then);
        assert_eq!(world.usage(number, &too_early), []);
    }
}

#[test]
fn rows_come_in_the_order_in_which_they_are_counted() {
    let world = World::new(1, 300);
    let newest = world
        .calendar
        .snapshot(Dataset::Usage, None, date("2026-05-04"), None);
    for number in 0..300 {
        let counted: Vec<_> = world
            .reported(number, &newest)
            .flat_map(|(product, _)| product.workloads.iter().map(|it| (product.id, it.code)))
            .collect();
        let rows = world.usage(number, &newest);
        let rows = rows.iter().map(|row| (row.product.id, row.workload.code));
        assert_eq!(rows.collect::<Vec<_>>(), counted);
        let products: Vec<_> = world.reported(number, &newest).map(|it| it.0.id).collect();
        let sold = world.deployment(number, &newest);
        let sold: Vec<_> = sold.iter().map(|row| row.product.id).collect();
        assert_eq!(sold, products);
    }
}

#[test]
fn only_dates_published_before_the_correction_are_corrected() {
    let world = World::new(1, 40);
    let restatement = Restatement {
        from: date("2026-05-10"),
        share: 1.0,
    };
    let rows = |asked: &str, today: &str, restatement| -> Vec<Usage> {
        let snapshot =
            world
                .calendar
                .snapshot(Dataset::Usage, Some(date(asked)), date(today), restatement);
        (0..40)
            .flat_map(|number| world.usage(number, &snapshot))
            .collect()
    };
    let old = world
        .calendar
        .newest(Dataset::Usage, Service::Office, date("2026-05-05"));
    let old = old.to_string();
    let before = rows(&old, "2026-05-09", Some(&restatement));
    assert_eq!(before, rows(&old, "2026-05-09", None));
    let after = rows(&old, "2026-05-10", Some(&restatement));
    assert_eq!(before.len(), after.len());
    let moved = before.iter().zip(&after);
    let moved = moved.filter(|(before, after)| before != after).count();
    assert!(moved * 4 > before.len() && moved < before.len());
    let young = world
        .calendar
        .newest(Dataset::Usage, Service::Office, date("2026-05-20"));
    let young = young.to_string();
    assert_eq!(
        rows(&young, "2026-05-20", Some(&restatement)),
        rows(&young, "2026-05-20", None)
    );
}

/// The rows of thirty customers of a partner that varies around a day, some days after it.
fn varied(world: &World, from: &str, days_after: i64) -> Vec<Usage> {
    let today = date(from) + chrono::Duration::days(days_after);
    let newest = world.calendar.snapshot(Dataset::Usage, None, today, None);
    let newest = newest.varied(Some(date(from)));
    (0..30)
        .flat_map(|number| world.usage(number, &newest))
        .collect()
}

#[test]
fn a_varied_partner_has_twins_free_products_and_other_channels() {
    let world = World::new(1, 30);
    let rows = varied(&world, "2026-05-04", 20);
    let products: HashSet<_> = rows
        .iter()
        .map(|row| (row.product.id, row.product.name))
        .collect();
    let ids: HashSet<_> = products.iter().map(|(id, _)| id).collect();
    let names: HashSet<_> = products.iter().map(|(_, name)| name).collect();
    assert_eq!(ids.len(), products.len() - 1, "one id has two names");
    assert_eq!(names.len(), products.len() - 1, "one name has two ids");
    for word in ["Free", "Trial", "Exploratory", "Copilot"] {
        assert!(names.iter().any(|name| name.contains(word)), "{word}");
    }
    let channels: HashSet<_> = rows.iter().map(|row| row.channel).collect();
    assert_eq!(channels, HashSet::from(["reseller", "direct", "volume"]));
}

#[test]
fn customers_of_a_varied_partner_come_and_end() {
    let world = World::new(1, 30);
    let has_rows = |number: u32, days_after: i64| {
        let today = date("2026-05-04") + chrono::Duration::days(days_after);
        let newest = world.calendar.snapshot(Dataset::Usage, None, today, None);
        let newest = newest.varied(Some(date("2026-05-04")));
        !world.usage(number, &newest).is_empty()
    };
    assert!(has_rows(6, 10) && !has_rows(6, 30));
    assert!(!has_rows(8, 10) && has_rows(8, 30));
    // Without variety nothing of the kind happens.
    let plain = rows(&world, 6, "2026-06-03");
    assert!(!plain.is_empty() && plain.iter().all(|row| row.channel == "reseller"));
}
