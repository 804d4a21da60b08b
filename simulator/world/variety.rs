//! A partner in whose figures everything happens that a ledger has to cope with: products that are
//! renamed or share a name, free and trial products, several channels, customers that come and end.
//! All of it is told in days before and after one day, so that any stretch of time can have it.

use chrono::{Duration, NaiveDate};

use super::{
    calendar::day_number,
    catalog::{
        APPS, CRM, EXCHANGE, EXTRAS, Product, SHAREPOINT, SUITES, Service, TEAMS, Workload, YAMMER,
        workload,
    },
    draw::Draw,
    holding::{CHANNELS, Holding},
};

/// The products that are renamed: how many days after the day, the old name and the new one.
const RENAMED: [(i64, &str, &str); 2] = [
    (
        -120,
        "Microsoft 365 Business Standard",
        "Microsoft 365 Business Standard (no Teams)",
    ),
    (0, "Office 365 E3", "Office 365 E3 (no Teams)"),
];

static AUTOMATE: Workload = workload("FLOW", "Power Automate", 0.004, 0.0);

const fn product(
    id: &'static str,
    name: &'static str,
    service: Service,
    workloads: &'static [&'static Workload],
) -> Product {
    Product {
        id,
        name,
        service,
        workloads,
        fits: (0.0, 1.0e9),
        weight: 1.0,
        retiring: false,
    }
}

/// Nobody pays for these. Each has its number of seats.
static FREE: [(f64, Product); 3] = [
    (
        10_000.0,
        product(
            "F30DB892-07E9-47E9-837C-80727F46FD3D",
            "Microsoft Power Automate Free",
            Service::Office,
            &[&AUTOMATE],
        ),
    ),
    (
        100.0,
        product(
            "710779E8-3D4A-4C88-ADB9-386C958D1FDF",
            "Microsoft Teams Exploratory",
            Service::Office,
            &[&SHAREPOINT, &TEAMS],
        ),
    ),
    (
        25.0,
        product(
            "DCB1A3AE-B33F-4487-846A-A640262FADF4",
            "Microsoft Power Apps Plan 2 Trial",
            Service::Dynamics,
            &[&CRM],
        ),
    ),
];

const PREMIUM: &str = "Microsoft 365 Business Premium";

/// An older name of the product of that name, still on some subscriptions.
static SECOND_NAME: Product = product(
    "CBDC14AB-D96C-4C30-B9F4-6ADA7CDC1D46",
    "Microsoft 365 Business",
    Service::Office,
    &[&EXCHANGE, &SHAREPOINT, &TEAMS, &YAMMER, &APPS],
);

/// Another product than the one of the catalogue that has this name.
static SAME_NAME: Product = product(
    "B214FE43-F5A3-4703-BEEB-FA97188220FC",
    "Microsoft 365 Apps for business",
    Service::Office,
    &[&APPS],
);

/// A product that more customers buy.
static BOUGHT: Product = product(
    "639DEC6B-BB19-468B-871C-C5C441C4B0CB",
    "Microsoft 365 Copilot",
    Service::Office,
    &[&APPS, &TEAMS],
);

/// The old and the new name of each product that is renamed by `today`.
pub(super) fn renamed(
    from: NaiveDate,
    today: NaiveDate,
) -> impl Iterator<Item = (&'static str, &'static str)> {
    let is_over = move |after: i64| today >= from + Duration::days(after);
    RENAMED
        .iter()
        .filter(move |(after, ..)| is_over(*after))
        .map(|(_, old, new)| (*old, *new))
}

/// Changes what the customer with this number holds, so that of ten customers each has a part of
/// its own. The first three of ten only have other channels and free products.
pub(super) fn vary(holdings: &mut Vec<Holding>, draw: Draw, number: u32, from: NaiveDate) {
    let day = day_number(from);
    let part = number % 10;
    let Some((size, joined)) = holdings.first().map(|main| (main.seats, main.bought)) else {
        return;
    };
    let last = holdings.len() - 1;
    let holds = |name: &str| holdings.iter().any(|held| held.product.name == name);
    let mut added: Vec<(&'static Product, f64, i64)> = Vec::new();
    let free = (0..).zip(&FREE);
    let free = free.filter(|(topic, _)| draw.on(*topic).chance(0.5));
    added.extend(free.map(|(_, (seats, product))| (product, *seats, joined)));
    if part == 4 || part == 5 {
        added.push((&BOUGHT, size * 0.3, day + 7));
    }
    let twins: [(&str, &'static Product, u32, i64); 2] = [
        (SAME_NAME.name, &SAME_NAME, 7, day),
        (PREMIUM, &SECOND_NAME, 9, joined),
    ];
    for (name, twin, forced, bought) in twins {
        let first = SUITES.iter().chain(&EXTRAS).find(|it| it.name == name);
        if part == forced && !holds(name) {
            added.extend(first.map(|first| (first, size * 0.5, joined)));
        }
        if part == forced || holds(name) {
            added.push((twin, size * 0.2, bought));
        }
    }
    for (topic, (product, seats, bought)) in (10..).zip(added) {
        holdings.push(Holding {
            product,
            channel: CHANNELS[0],
            draw: draw.on(topic),
            seats: seats.max(1.0),
            bought,
            cancelled: None,
        });
    }
    for (topic, holding) in (50..).zip(&mut *holdings) {
        holding.channel = match draw.on(topic).unit() {
            ..0.15 => CHANNELS[1],
            ..0.2 => CHANNELS[2],
            _ => CHANNELS[0],
        };
    }
    // What is cancelled is reported for two months more.
    let ending = day - 45;
    match part {
        3 => end(&mut holdings[last], ending),
        6 => holdings.iter_mut().for_each(|held| end(held, ending)),
        8 => holdings.iter_mut().for_each(|held| held.bought = day + 10),
        _ => {}
    }
}

fn end(holding: &mut Holding, day: i64) {
    holding.cancelled = Some(holding.cancelled.unwrap_or(day).min(day));
}
