//! A partner at random: customers with products, and what Partner Center has of them.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, NaiveDate, Utc};
use seatledger::ledger::{
    Attributes, Collection, CustomerId, DeploymentKey, DeploymentRow, Name, Rejection,
    RejectionReason, Source, UsageKey, UsageRow,
};
use uuid::Uuid;

use crate::support::Draw;

/// Service codes, which are the names in source "customer", and names in source "commercial".
const SERVICES: [(&str, &str); 2] = [("o365", "Microsoft Office 365"), ("crm", "Dynamics 365")];

/// Products with their service and the first and the last of their workloads.
const PRODUCTS: [(&str, usize, usize, usize); 8] = [
    ("Office 365 E3", 0, 0, 3),
    ("Microsoft 365 Business Premium", 0, 0, 2),
    ("Exchange Online Plan 1", 0, 0, 1),
    ("Teams Exploratory Trial", 0, 1, 2),
    ("Visio Plan 2", 0, 3, 4),
    ("Dynamics 365 Sales", 1, 4, 5),
    ("Power Automate Free", 1, 4, 6),
    ("Dynamics 365 Finance", 1, 5, 6),
];

/// Products that every new customer has, so that a renaming can be suspected.
const WIDELY_HELD: std::ops::Range<usize> = 0..2;

const WORKLOADS: [&str; 6] = ["Exchange", "Teams", "SharePoint", "Visio", "Sales", "Flow"];

const CHANNELS: [&str; 3] = ["reseller", "direct", "volume"];

/// A product or a workload.
struct Named {
    id: String,
    name: String,
    /// Some customers' rows still have this name.
    other_name: Option<String>,
}

/// A customer's seats of a product.
struct Holding {
    channel: &'static str,
    qualified: i64,
    /// By workload.
    active: Vec<i64>,
    sold: i64,
}

pub(super) struct PartnerCustomer {
    pub(super) id: CustomerId,
    pub(super) name: String,
    /// By product.
    holdings: BTreeMap<usize, Holding>,
    /// Whether the partner's list names it.
    pub(super) is_listed: bool,
    /// By how many days its figures lag behind its services' dates.
    pub(super) lag: i64,
}

pub(super) struct Partner {
    pub(super) customers: Vec<PartnerCustomer>,
    products: Vec<Named>,
    workloads: Vec<Named>,
    pub(super) today: NaiveDate,
    /// The moment of each service's newest figures.
    pub(super) services: [DateTime<Utc>; 2],
}

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    day.and_hms_opt(0, 0, 0).unwrap().and_utc()
}

impl Partner {
    pub(super) fn new(draw: &mut Draw) -> Self {
        let today =
            NaiveDate::from_ymd_opt(2025, 3, 3).unwrap() + Duration::days(draw.between(0, 200));
        let named = |name: &str, id: String| Named {
            id,
            name: name.to_owned(),
            other_name: None,
        };
        let products = PRODUCTS.iter().enumerate();
        let workloads = WORKLOADS.iter().enumerate();
        let mut partner = Self {
            customers: Vec::new(),
            products: products
                .map(|(number, product)| named(product.0, format!("product-{number}")))
                .collect(),
            workloads: workloads
                .map(|(number, name)| named(name, format!("W{number}")))
                .collect(),
            today,
            services: [midnight(today); 2],
        };
        for _ in 0..draw.between(6, 8) {
            partner.add_customer(draw);
        }
        partner
    }

    pub(super) fn add_customer(&mut self, draw: &mut Draw) {
        let number = self.customers.len();
        // Not in the order in which they were added.
        let id = Uuid::from_u128(0x4000_8000_0000_0000_0000 + (number as u128 * 7 % 16) * 0x1111);
        let mut customer = PartnerCustomer {
            id: CustomerId::from(id),
            name: format!("Customer {number}"),
            holdings: BTreeMap::new(),
            is_listed: true,
            lag: 0,
        };
        for product in 0..PRODUCTS.len() {
            if WIDELY_HELD.contains(&product) || draw.one_in(3) {
                customer
                    .holdings
                    .insert(product, Holding::new(draw, product));
            }
        }
        self.customers.push(customer);
    }

    /// Lets days pass.
    pub(super) fn advance(&mut self, draw: &mut Draw) {
        let days = draw.pick(&[1, 1, 1, 1, 2, 3, 5, 7, 13, 14, 15, 16, 30, 61, 200]);
        self.today += Duration::days(days);
        for service in &mut self.services {
            let lag = draw.pick(&[0, 0, 0, 1, 2, 4]);
            let hour = draw.pick(&[0, 0, 0, 0, 5, 23]);
            let moment = midnight(self.today - Duration::days(lag)) + Duration::hours(hour);
            *service = moment.max(*service);
        }
    }

    /// Processes a service's figures again, on the same day.
    pub(super) fn process_again(&mut self, draw: &mut Draw) {
        let service = draw.below(self.services.len());
        self.services[service] =
            midnight(self.services[service].date_naive()) + Duration::hours(draw.between(6, 22));
    }

    /// Changes something of the partner, and says what.
    pub(super) fn change(&mut self, draw: &mut Draw) -> String {
        let customer = draw.below(self.customers.len());
        let product = draw.below(PRODUCTS.len());
        match draw.below(12) {
            0 | 1 => self.rename_any(draw),
            2 => {
                let workload = draw.below(WORKLOADS.len());
                let named = &mut self.workloads[workload];
                named.name.push_str(" now");
                format!("workload {workload} is {}", named.name)
            }
            3 => {
                let held = &mut self.customers[customer].holdings;
                let ended = held.keys().nth(draw.below(held.len())).copied();
                ended.map(|product| held.remove(&product));
                format!("customer {customer} ends {ended:?}")
            }
            4 => {
                self.customers[customer].holdings.clear();
                format!("customer {customer} ends everything")
            }
            5 | 6 => {
                let holding = Holding::new(draw, product);
                self.customers[customer].holdings.insert(product, holding);
                format!("customer {customer} has {product}")
            }
            7 | 8 => {
                let listed = &mut self.customers[customer].is_listed;
                *listed = !*listed;
                format!("customer {customer} is on the list: {listed}")
            }
            9 => {
                self.customers[customer].lag = draw.between(0, 3);
                format!(
                    "customer {customer} lags by {}",
                    self.customers[customer].lag
                )
            }
            10 => {
                self.customers[customer].name.push_str(" Ltd");
                format!("customer {customer} has another name")
            }
            _ => {
                self.add_customer(draw);
                "another customer".to_owned()
            }
        }
    }

    /// Renames a product: more often than others the one that most customers have.
    pub(super) fn rename_any(&mut self, draw: &mut Draw) -> String {
        let product = draw.below(PRODUCTS.len() + 2) % PRODUCTS.len();
        // A name belongs to one service.
        let same = |other: &usize| PRODUCTS[*other].1 == PRODUCTS[product].1;
        let others: Vec<usize> = (0..PRODUCTS.len()).filter(same).collect();
        let other = draw.pick(&others);
        let name = match draw.below(6) {
            // A name that another product has, or has had.
            0 => self.products[other].name.clone(),
            1 => PRODUCTS[other].0.to_owned(),
            2 => self.products[product].name.to_uppercase(),
            _ => format!("{} {}", PRODUCTS[product].0, draw.between(2, 9)),
        };
        let product = &mut self.products[product];
        let before = std::mem::replace(&mut product.name, name);
        product.other_name = draw.one_in(4).then(|| before.clone());
        format!(
            "{before} is {}, for some {:?}",
            product.name, product.other_name
        )
    }

    /// Renames products that most customers have, and says how.
    pub(super) fn rename_widely(&mut self, draw: &mut Draw) -> String {
        let first = draw.below(WIDELY_HELD.len());
        let mut renamed = Vec::new();
        for product in &mut self.products[first..WIDELY_HELD.end] {
            product.name = format!("{} {}", product.name, draw.between(2, 9));
            product.other_name = None;
            renamed.push(product.name.as_str());
        }
        format!("widely renamed: {renamed:?}")
    }

    /// Changes the figures of some holdings.
    pub(super) fn use_seats(&mut self, draw: &mut Draw, one_in: usize) {
        for customer in &mut self.customers {
            for holding in customer.holdings.values_mut() {
                if draw.one_in(one_in) {
                    holding.change(draw);
                }
            }
        }
    }

    /// A customer's usage with the figures of these moments, by service.
    pub(super) fn usage(
        &self,
        customer: usize,
        source: Source,
        moments: &[DateTime<Utc>],
        rejected: bool,
    ) -> Collection<UsageRow> {
        let owner = &self.customers[customer];
        let mut rows = Vec::new();
        for (&product, holding) in &owner.holdings {
            let (_, service, first, end) = PRODUCTS[product];
            for workload in first..end {
                let name = self.product_name(product, customer + workload);
                rows.push(UsageRow {
                    key: UsageKey {
                        processed_date_time: moments[service] - Duration::days(owner.lag),
                        product_name: Name::new(name).unwrap(),
                        workload_name: Name::new(&self.workloads[workload].name).unwrap(),
                    },
                    licenses_active: holding.active[workload - first],
                    licenses_qualified: holding.qualified,
                    usage_percent: None,
                    workload_code: (source == Source::Commercial)
                        .then(|| self.workloads[workload].id.as_str().into()),
                    attributes: self.attributes(customer, product, source),
                });
            }
        }
        let payloads = vec!["{}"; rows.len()];
        Collection::new(rows, &payloads, rejections(rejected))
    }

    /// A customer's deployment with the figures of these moments, by service.
    pub(super) fn deployment(
        &self,
        customer: usize,
        source: Source,
        moments: &[DateTime<Utc>],
        rejected: bool,
    ) -> Collection<DeploymentRow> {
        let owner = &self.customers[customer];
        let row = |(&product, holding): (&usize, &Holding)| DeploymentRow {
            key: DeploymentKey {
                processed_date_time: moments[PRODUCTS[product].1] - Duration::days(owner.lag),
                product_name: Name::new(self.product_name(product, customer)).unwrap(),
            },
            licenses_deployed: holding.sold - holding.sold / 3,
            licenses_sold: holding.sold,
            deployment_percent: None,
            attributes: self.attributes(customer, product, source),
        };
        // Not every product that is used was sold by the partner, nor the other way round.
        let sold = owner
            .holdings
            .iter()
            .filter(|(_, holding)| holding.sold > 0);
        let rows: Vec<_> = sold.map(row).collect();
        let payloads = vec!["{}"; rows.len()];
        Collection::new(rows, &payloads, rejections(rejected))
    }

    fn product_name(&self, product: usize, which: usize) -> &str {
        let product = &self.products[product];
        match &product.other_name {
            Some(other) if which % 2 == 1 => other,
            _ => &product.name,
        }
    }

    fn attributes(&self, customer: usize, product: usize, source: Source) -> Attributes {
        let owner = &self.customers[customer];
        let (code, name) = SERVICES[PRODUCTS[product].1];
        let of_customer = Attributes {
            customer_name: Some(owner.name.as_str().into()),
            service_name: Some(code.into()),
            channel: Some(owner.holdings[&product].channel.into()),
            ..Attributes::default()
        };
        match source {
            Source::Customer => of_customer,
            Source::Commercial => Attributes {
                product_id: Some(self.products[product].id.as_str().into()),
                service_name: Some(name.into()),
                service_code: Some(code.to_uppercase().into()),
                ..of_customer
            },
        }
    }
}

impl Holding {
    fn new(draw: &mut Draw, product: usize) -> Self {
        let (_, _, first, end) = PRODUCTS[product];
        let mut holding = Self {
            channel: draw.pick(&CHANNELS),
            qualified: 0,
            active: vec![0; end - first],
            sold: 0,
        };
        holding.change(draw);
        holding
    }

    fn change(&mut self, draw: &mut Draw) {
        self.qualified = draw.pick(&[0, 5, 10, 25, 40]);
        self.sold = draw.pick(&[0, 5, 10, 25, 30]);
        for active in &mut self.active {
            *active = draw.between(0, self.qualified + 3);
        }
    }
}

fn rejections(rejected: bool) -> Vec<Rejection> {
    let rejection = || Rejection {
        reason: RejectionReason::MissingField,
        detail: "item 1: licensesActive is missing".to_owned(),
        payload: "{}".to_owned(),
    };
    rejected.then(rejection).into_iter().collect()
}
