use std::collections::HashSet;

use serde_json::Value;

use super::*;
use crate::{settings::SimulatorSettings, traffic::Endpoint, wire::HttpRequest, world::World};

/// The partner-wide collections on a fixed day.
struct TestCollections {
    partner: Partner,
    cache: RowIndexCache,
    settings: SimulatorSettings,
    today: chrono::NaiveDate,
}

impl TestCollections {
    fn new(customers: u32) -> Self {
        Self {
            partner: Partner::new(World::new(1, customers)),
            cache: RowIndexCache::default(),
            settings: SimulatorSettings::default(),
            today: "2026-05-04".parse().unwrap(),
        }
    }

    fn page(&self, dataset: Dataset, query: &str) -> Result<Value, u16> {
        let target = format!("GET /v1/analytics/commercial/usage/license/?{query} HTTP/1.1");
        let head = format!("{target}\r\nHost: localhost:1\r\n\r\n");
        let context = RequestContext {
            request: &HttpRequest::parse_head(head.as_bytes()).unwrap(),
            endpoint: Endpoint::PartnerWideUsage,
            path_id: "",
            settings: &self.settings,
            today: self.today,
        };
        let page = page(&self.partner, &self.cache, dataset, &context);
        let page = page.map_err(|fault| fault.status)?;
        Ok(serde_json::from_slice(&page.body).unwrap())
    }

    fn rows(&self, query: &str) -> Vec<Value> {
        let page = self.page(Dataset::Usage, query).unwrap();
        page["Value"].as_array().unwrap().clone()
    }

    fn change(&mut self, patch: &str) {
        self.settings = self.settings.merged(patch.as_bytes()).unwrap();
    }
}

#[test]
fn pages_of_any_size_make_up_the_same_list() {
    let collections = TestCollections::new(20);
    for filter in ["", "&filter=workloadCode+eq+'EXO'+or+serviceCode+eq+'crm'"] {
        let whole = collections.rows(filter);
        assert!(whole.len() > 20);
        for top in [1, 7, 100] {
            let mut paged = Vec::new();
            while paged.len() < whole.len() {
                let query = format!("top={top}&skip={}{filter}", paged.len());
                let page = collections.rows(&query);
                assert!(!page.is_empty() && page.len() <= top);
                paged.extend(page);
            }
            assert_eq!(paged, whole);
        }
        let beyond = format!("skip={}{filter}", whole.len());
        assert!(collections.rows(&beyond).is_empty());
    }
}

#[test]
fn the_rows_are_those_of_the_customers_own_collections() {
    let collections = TestCollections::new(40);
    let world = &collections.partner.world;
    let snapshot = world
        .calendar
        .snapshot(Dataset::Usage, None, collections.today, None);
    let mut own = Vec::new();
    for number in 0..40 {
        let id = world.id(number).to_string().to_uppercase();
        for row in world.usage(number, &snapshot) {
            let product = row.product.id;
            own.push((id.clone(), product, row.workload.name, row.active));
        }
    }
    let listed = collections.rows("");
    assert_eq!(listed.len(), own.len());
    for (row, own) in listed.iter().zip(own) {
        assert_eq!(row["customerTenantId"], own.0);
        assert_eq!(row["productId"], own.1);
        assert_eq!(row["workloadName"], own.2);
        assert_eq!(row["licensesActive"], own.3);
    }
    let deployed = collections.page(Dataset::Deployment, "").unwrap();
    let columns = deployed["Value"][0].as_object().unwrap();
    assert!(columns.contains_key("licensesSold") && !columns.contains_key("workloadCode"));
}

#[test]
fn a_date_is_matched_exactly_and_must_be_within_reach() {
    let mut collections = TestCollections::new(20);
    let on = |collections: &TestCollections, date: &str| {
        let found = collections.rows(&format!("processedDateTime={date}"));
        let dates: HashSet<String> = found
            .iter()
            .map(|row| row["processedDateTime"].to_string())
            .collect();
        (found.len(), dates)
    };
    let (count, dates) = on(&collections, "2026-04-21T00:00:00%2B00:00");
    assert!(count > 0);
    assert_eq!(dates, HashSet::from(["\"2026-04-21T00:00:00\"".to_owned()]));
    assert_eq!(on(&collections, "2026-05-04").0, 0);
    assert_eq!(on(&collections, "2026-02-02").0, 0);
    collections.change(r#"{"reach_days":120}"#);
    assert!(on(&collections, "2026-02-02").0 > 0);
}

#[test]
fn a_parameter_that_is_not_valid_is_refused() {
    let collections = TestCollections::new(5);
    for query in [
        "top=all",
        "top=0",
        "skip=-1",
        "filter=channel",
        "groupby=channel",
        "processedDateTime=yesterday",
    ] {
        assert_eq!(collections.page(Dataset::Usage, query), Err(400), "{query}");
    }
}

#[test]
fn the_rows_of_a_customer_that_is_gone_are_missing() {
    let collections = TestCollections::new(20);
    let id = collections.partner.world.id(1);
    let query = format!("filter=customerTenantId+eq+'{id}'");
    let (all, own) = (collections.rows("").len(), collections.rows(&query).len());
    collections.partner.set_gone(1, true);
    assert_eq!(collections.rows(&query).len(), 0);
    assert_eq!(collections.rows("").len(), all - own);
    collections.partner.set_gone(1, false);
    assert_eq!(collections.rows("").len(), all);
}

#[test]
fn the_next_link_leads_on_in_every_form() {
    let mut collections = TestCollections::new(20);
    let mut link = |form: &str| {
        collections.change(&format!(r#"{{"commercial_next_link":"{form}"}}"#));
        let query = "top=3&filter=channel+ne+'x'";
        let page = collections.page(Dataset::Usage, query).unwrap();
        page["@nextLink"].as_str().unwrap().to_owned()
    };
    let path = "analytics/commercial/usage/license/?top=3&skip=3&filter=channel+ne+%27x%27";
    assert_eq!(link("absolute"), format!("http://localhost:1/v1/{path}"));
    assert_eq!(link("with_v1"), format!("/v1/{path}"));
    assert_eq!(link("without_v1"), format!("/{path}"));
    assert!(link("repeat").contains("skip=0&"));
}
