//! Products of one name lose no seats to each other: each is a series of its own for good.

use serde_json::{Value, json};

use crate::support::answers::{answer, collection, item_with};
use crate::support::{Simulator, World};

const DAY: &str = "2026-04-01";
const NEXT_DAY: &str = "2026-04-02";

/// A product of a customer on a date.
#[derive(Clone, Copy)]
struct Seats<'a> {
    customer: &'a str,
    id: &'a str,
    name: &'a str,
    date: &'a str,
    active: u32,
}

impl Seats<'_> {
    fn usage(self) -> Value {
        json!({
            "processedDateTime": format!("{}T00:00:00", self.date),
            "workloadCode": "EXO", "workloadName": "Exchange",
            "serviceCode": "o365", "customerTenantId": self.customer,
            "productId": self.id, "productName": self.name,
            "licensesActive": self.active, "licensesQualified": 10,
        })
    }

    fn deployment(self) -> Value {
        json!({
            "processedDateTime": format!("{}T00:00:00", self.date),
            "serviceCode": "o365", "customerTenantId": self.customer,
            "productId": self.id, "productName": self.name,
            "licensesDeployed": self.active, "licensesSold": 10,
        })
    }
}

async fn world(customers: usize) -> (World, Vec<String>) {
    let mut world = World::commercial(customers).await;
    world.set("partner_center.datasets", "usage");
    let customers = world.simulator.customers().await;
    (world, customers)
}

async fn script(simulator: &Simulator, target: &str, items: &[Value]) {
    let page = json!([{ "json": { "Value": items, "TotalCount": items.len() } }]);
    simulator.script_for_ever(target, page).await;
}

/// One run that receives these rows of usage. Returns its counts.
async fn store(world: &World, seats: &[Seats<'_>]) -> Value {
    let items: Vec<Value> = seats.iter().map(|seats| seats.usage()).collect();
    script(&world.simulator, "commercial_usage", &items).await;
    let finished = world.backfill().await;
    finished.assert_code(0);
    finished.summary()["rows"].clone()
}

/// What the ledger has of each date.
async fn stored(world: &World) -> Vec<String> {
    world
        .lines(
            "select to_char(processed_date_time at time zone 'UTC', 'DD'), product_name, \
                product_id, licenses_active from license_usage
             order by processed_date_time, customer_id, product_name collate \"C\"",
        )
        .await
}

/// The names as the API gives them.
async fn names(world: &World) -> Vec<String> {
    world
        .lines("select product_id, product_name from product_name_history order by 1, 2")
        .await
}

#[tokio::test]
async fn two_products_that_come_at_once_under_one_name_are_both_stored() {
    let (world, customers) = world(1).await;
    let seats = |id, name, date, active| Seats {
        customer: &customers[0],
        id,
        name,
        date,
        active,
    };
    for is_a_first in [true, false] {
        world.empty_the_ledger().await;
        let both = |date| {
            let mut both = [seats("A", "Plan", date, 1), seats("B", "PLAN ", date, 2)];
            if !is_a_first {
                both.reverse();
            }
            both
        };
        for date in [DAY, NEXT_DAY] {
            let rows = store(&world, &both(date)).await;
            assert_eq!(
                (&rows["inserted"], &rows["rejected"]),
                (&json!(2), &json!(0))
            );
            // Each run is a program that has just been started.
            let again = store(&world, &both(date)).await;
            assert_eq!(again["unchanged"], 2);
        }
        let plain = "PLAN";
        let expected = [
            format!("01|{plain}|A|1"),
            format!("01|{plain} (B)|B|2"),
            format!("02|{plain}|A|1"),
            format!("02|{plain} (B)|B|2"),
        ];
        assert_eq!(stored(&world).await, expected);
        assert_eq!(names(&world).await, ["A|PLAN", "B|PLAN"]);
        let presented = "select product_id, product_name, sum(licenses_active) from \
            license_usage_series group by 1, 2 order by 1";
        assert_eq!(world.lines(presented).await, ["A|PLAN|2", "B|PLAN|4"]);
    }
    // The duplicate rule holds for each product by itself.
    let rows = store(
        &world,
        &[
            seats("A", "Plan", NEXT_DAY, 5),
            seats("B", "Plan", NEXT_DAY, 2),
            seats("A", "plan", NEXT_DAY, 6),
        ],
    )
    .await;
    assert_eq!(
        (&rows["updated"], &rows["rejected"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        stored(&world).await[2..],
        ["02|PLAN|A|6", "02|PLAN (B)|B|2"]
    );
}

#[tokio::test]
async fn the_product_that_had_a_name_first_keeps_it_plain() {
    let (world, customers) = world(2).await;
    let seats = |customer: usize, id, name, date, active| Seats {
        customer: &customers[customer],
        id,
        name,
        date,
        active,
    };
    store(&world, &[seats(0, "B", "Plan", DAY, 1)]).await;
    // The other product of the name comes with another customer, and from an earlier date.
    store(&world, &[seats(1, "A", "Plan", "2026-03-31", 2)]).await;
    let all = [
        seats(0, "A", "Plan", NEXT_DAY, 3),
        seats(0, "B", "Plan", NEXT_DAY, 4),
        seats(0, "C", "Other", NEXT_DAY, 5),
    ];
    store(&world, &all).await;
    assert_eq!(store(&world, &all).await["unchanged"], 3);
    // A product leaves its name, and another takes it.
    let renamed = [
        seats(0, "C", "Third", "2026-04-03", 6),
        seats(0, "A", "Other", "2026-04-03", 7),
    ];
    store(&world, &renamed).await;
    assert_eq!(
        stored(&world).await,
        [
            "31|Plan (A)|A|2",
            "01|Plan|B|1",
            "02|Other|C|5",
            "02|Plan|B|4",
            "02|Plan (A)|A|3",
            "03|Other (A)|A|7",
            "03|Third|C|6",
        ]
    );
    let presented = "select distinct product_id, product_name from license_usage_series order by 1";
    assert_eq!(
        world.lines(presented).await,
        ["A|Other", "B|Plan", "C|Third"]
    );
}

#[tokio::test]
async fn products_of_one_name_are_told_apart_across_the_transactions_of_a_run() {
    // One transaction holds 256 customers at most. Which of two customers comes first depends on
    // the hashes of their ids.
    let (world, mut customers) = world(300).await;
    customers.sort_unstable();
    let seats = |customer: usize, id, active| Seats {
        customer: &customers[customer],
        id,
        name: "Plan",
        date: DAY,
        active,
    };
    let both = [seats(0, "B", 1), seats(299, "A", 2), seats(299, "B", 3)];
    assert_eq!(store(&world, &both).await["inserted"], 3);
    let stored = stored(&world).await;
    assert!(
        stored == ["01|Plan|B|1", "01|Plan|B|3", "01|Plan (A)|A|2"]
            || stored == ["01|Plan (B)|B|1", "01|Plan|A|2", "01|Plan (B)|B|3"],
        "{stored:?}"
    );
    assert_eq!(store(&world, &both).await["unchanged"], 3);
}

#[tokio::test]
async fn a_series_that_began_without_an_id_goes_on_as_that_of_one_product() {
    let (mut world, customers) = world(1).await;
    world.want(&customers[..1]);
    let seats = |id, date, active| Seats {
        customer: &customers[0],
        id,
        name: "Plan",
        date,
        active,
    };
    let own = |date: &str, active: &str| {
        item_with(&[
            ("productName", "\"Plan\""),
            ("licensesActive", active),
            ("processedDateTime", &json!(date).to_string()),
        ])
    };
    let own_usage = async |world: &World, items: &[String]| {
        let answers = json!([answer(collection(items), json!({}))]);
        world.simulator.script_for_ever("usage", answers).await;
        let finished = world.backfill().await;
        finished.assert_code(0);
        finished.summary()["rows"].clone()
    };
    world.use_source_customer();
    own_usage(&world, &[own(DAY, "2")]).await;
    world.use_source_commercial();
    for date in [DAY, NEXT_DAY] {
        store(&world, &[seats("B", date, 1), seats("A", date, 2)]).await;
    }
    let both = [
        "01|Plan|A|2",
        "01|Plan (B)|B|1",
        "02|Plan|A|2",
        "02|Plan (B)|B|1",
    ];
    assert_eq!(stored(&world).await, both);
    world.use_source_customer();
    // It adds what only this source gives, such as the channel.
    assert_eq!(own_usage(&world, &[own(NEXT_DAY, "2")]).await["updated"], 1);
    own_usage(&world, &[own("2026-04-03", "3")]).await;
    assert_eq!(stored(&world).await[4..], ["03|Plan|-|3"]);
}

#[tokio::test]
async fn the_deployment_of_two_products_of_one_name_stands_beside_their_usage() {
    let (mut world, customers) = world(1).await;
    world.set("partner_center.datasets", "usage,deployment");
    let seats = |id, active| Seats {
        customer: &customers[0],
        id,
        name: "Plan",
        date: DAY,
        active,
    };
    let deployed = [seats("C", 7), seats("B", 8), seats("A", 9)].map(Seats::deployment);
    script(&world.simulator, "commercial_deployment", &deployed).await;
    for inserted in [5, 0] {
        let rows = store(&world, &[seats("B", 1), seats("A", 2)]).await;
        assert_eq!(rows["inserted"], inserted);
        assert_eq!(rows["rejected"], 0);
    }
    let side_by_side = "select product_id, product_name, licenses_active, licenses_assigned from \
        license_seats order by 1";
    assert_eq!(
        world.lines(side_by_side).await,
        ["A|Plan|2|9", "B|Plan (B)|1|8", "C|Plan (C)|-|7"]
    );
    assert_eq!(names(&world).await, ["A|Plan", "B|Plan", "C|Plan"]);
}

#[tokio::test]
async fn a_shared_name_may_be_as_long_as_the_ledger_holds() {
    let (world, customers) = world(1).await;
    let id = |number: usize| format!("f245ecc8-75af-4f8e-b61f-27d8114de5f{number}");
    let ids = [id(1), id(2), "\u{20ac}".repeat(500)];
    for (number, name) in [(0, "x".repeat(512)), (1, "\u{20ac}".repeat(512))] {
        let all: Vec<Seats<'_>> = (1..)
            .zip(&ids)
            .map(|(active, id)| Seats {
                customer: &customers[0],
                id,
                name: &name,
                date: DAY,
                active,
            })
            .collect();
        assert_eq!(store(&world, &all).await["inserted"], 3);
        assert_eq!(store(&world, &all).await["unchanged"], 3);
        let plain = format!("select product_id from license_usage where product_name = '{name}'");
        assert_eq!(world.lines(&plain).await, [id(1)]);
        let series: i64 = world
            .value("select count(distinct (product_name, product_id)) from license_usage")
            .await;
        assert_eq!(series, 3 * (number + 1));
    }
}

#[tokio::test]
async fn one_product_under_two_names_at_the_same_time_is_two_rows_and_one_product() {
    let (world, customers) = world(1).await;
    let seats = |name, date, active| Seats {
        customer: &customers[0],
        id: "A",
        name,
        date,
        active,
    };
    for (date, active) in [(DAY, 1), (NEXT_DAY, 3)] {
        let both = [
            seats("Plan", date, active),
            seats("Plan for business", date, active + 1),
        ];
        assert_eq!(store(&world, &both).await["inserted"], 2);
        assert_eq!(store(&world, &both).await["unchanged"], 2);
    }
    assert_eq!(
        stored(&world).await,
        [
            "01|Plan|A|1",
            "01|Plan for business|A|2",
            "02|Plan|A|3",
            "02|Plan for business|A|4",
        ]
    );
    assert_eq!(names(&world).await, ["A|Plan", "A|Plan for business"]);
    let presented = "select product_name, licenses_active, licenses_qualified from \
        license_usage_series order by processed_date_time";
    assert_eq!(world.lines(presented).await, ["Plan|3|20", "Plan|7|20"]);
    // A corrected figure changes nothing about that.
    let restated = [
        seats("Plan", NEXT_DAY, 9),
        seats("Plan for business", NEXT_DAY, 4),
    ];
    assert_eq!(store(&world, &restated).await["updated"], 1);
    assert_eq!(world.lines(presented).await, ["Plan|3|20", "Plan|13|20"]);
}

#[tokio::test]
async fn of_a_partner_with_such_products_every_row_is_stored() {
    let (mut world, _) = world(20).await;
    world.set("partner_center.datasets", "usage,deployment");
    let varied = json!({ "varied_from": "2026-04-20" });
    world.simulator.patch(varied).await;
    let finished = world.backfill().await;
    finished.assert_code(0);
    let rows = &finished.summary()["rows"];
    assert_eq!(rows["inserted"], rows["received"]);
    let of_one = |several: &str, one: &str| {
        format!(
            "select max({one}) from product_name_history group by {one} having count({several}) > 1"
        )
    };
    assert_eq!(
        world.lines(&of_one("product_id", "product_name")).await,
        ["Microsoft 365 Apps for business"]
    );
    assert_eq!(
        world.lines(&of_one("product_name", "product_id")).await,
        ["cbdc14ab-d96c-4c30-b9f4-6ada7cdc1d46"]
    );
    let channels = "select distinct channel from license_usage order by 1";
    assert_eq!(
        world.lines(channels).await,
        ["direct", "reseller", "volume"]
    );
    let again = world.backfill().await;
    assert_eq!(again.summary()["rows"]["unchanged"], rows["received"]);
}
