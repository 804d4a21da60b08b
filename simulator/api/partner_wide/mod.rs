//! The partner-wide collections of usage and deployment, which supersede those of each
//! customer: the same figures, all customers in one list, with ids and codes. A page is
//! made when it is asked for; what is kept is only where each customer's rows begin.

mod filter;
mod index;
mod rows;

use chrono::NaiveDate;
use url::form_urlencoded;

use crate::{
    api::fault,
    api::partner_wide::filter::Filter,
    settings::{NextLink, Settings},
    simulator::Simulator,
    wire::http::{JSON, Request, Response},
    world::product_names::Names,
    world::{Snapshot, Subject},
};

pub(crate) use self::index::Indexes;

const CHANNEL: &str = "reseller";

/// What one call asks for.
struct Query<'a> {
    simulator: &'a Simulator,
    settings: &'a Settings,
    subject: Subject,
    names: Names<'a>,
    /// `None` when no such date can be had.
    snapshot: Option<Snapshot>,
    filter: Option<Filter>,
    filter_text: String,
    date_text: Option<String>,
    top: usize,
    skip: usize,
}

/// Answers a call for one page.
///
/// # Errors
/// When a parameter can't be understood: the fault as a response.
pub(crate) fn page(
    simulator: &Simulator,
    settings: &Settings,
    subject: Subject,
    request: &Request,
) -> Result<Response, Response> {
    let query = Query::read(simulator, settings, subject, request)?;
    let index = query.index();
    let total = index.last().map_or(0, |(_, end)| *end);
    let upto = query.skip.saturating_add(query.top).min(total);
    let mut body = Vec::with_capacity(512 + 420 * upto.saturating_sub(query.skip));
    body.extend_from_slice(format!("{{\"{}\":[", settings.rows_member).as_bytes());
    query.write_rows(&index, upto, &mut body);
    body.push(b']');
    if settings.next_member != "none" {
        let next = match settings.commercial_next_link {
            NextLink::Repeat => Some(query.skip),
            _ => (upto < total).then_some(upto),
        };
        let link = next.map(|skip| query.link(request, skip));
        let link = serde_json::json!(link);
        body.extend_from_slice(format!(",\"{}\":{link}", settings.next_member).as_bytes());
    }
    body.extend_from_slice(format!(",\"{}\":{total}}}", settings.total_member).as_bytes());
    Ok(Response::new(200, JSON, body))
}

impl<'a> Query<'a> {
    fn read(
        simulator: &'a Simulator,
        settings: &'a Settings,
        subject: Subject,
        request: &Request,
    ) -> Result<Self, Response> {
        let refused = |text: &str| fault(400, "3000", text);
        let number = |name: &str, usual: usize| match request.query_value(name) {
            None => Ok(usual),
            Some(text) => text
                .parse::<usize>()
                .map_err(|_| refused(&format!("{name} is not a number of rows."))),
        };
        let top = number("top", settings.max_top)?.min(settings.max_top);
        let skip = number("skip", 0)?;
        if top == 0 {
            return Err(refused("top is not a number of rows."));
        }
        if request.query_value("groupby").is_some() {
            return Err(refused("groupby is not part of the simulation."));
        }
        let filter_text = request.query_value("filter").unwrap_or_default();
        let filter = match &*filter_text {
            "" => None,
            text => Some(Filter::parse(text, subject).map_err(|fault| refused(&fault))?),
        };
        let date_text = request.query_value("processedDateTime");
        let asked = match &date_text {
            None => None,
            Some(text) => Some(date_of(text).ok_or_else(|| {
                refused("processedDateTime is not a date, with or without a time.")
            })?),
        };
        let today = simulator.today();
        let reach = chrono::Days::new(settings.reach_days.into());
        let earliest = today.checked_sub_days(reach).unwrap_or(NaiveDate::MIN);
        let in_reach = asked.is_none_or(|date| date >= earliest);
        let world = &simulator.world;
        let snapshot = || world.snapshot(subject, asked, today, settings.restate.as_ref());
        Ok(Self {
            simulator,
            settings,
            subject,
            names: Names::new(settings, request.header("x-locale"), today),
            snapshot: in_reach.then(snapshot),
            filter,
            filter_text,
            date_text,
            top,
            skip,
        })
    }

    /// A link to the page that begins at `skip`, under the same path.
    fn link(&self, request: &Request, skip: usize) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("top", &self.top.to_string());
        query.append_pair("skip", &skip.to_string());
        if self.filter.is_some() {
            query.append_pair("filter", &self.filter_text);
        }
        if let Some(date) = &self.date_text {
            query.append_pair("processedDateTime", date);
        }
        let path = request.path.trim_start_matches('/');
        let words = if path.starts_with("partner/") { 2 } else { 1 };
        let slash = path.match_indices('/').nth(words - 1);
        let (version, rest) = slash.map_or(("v1", path), |(at, _)| (&path[..at], &path[at + 1..]));
        let rest = format!("{rest}?{}", query.finish());
        let form = self.settings.commercial_next_link;
        form.link(self.settings, &request.origin(), version, &rest)
    }
}

/// A customer as its rows show it.
struct Customer {
    number: u32,
    tenant_id: String,
    name: String,
}

impl Customer {
    fn new(simulator: &Simulator, number: u32) -> Self {
        let customer = simulator.world.customer(number);
        Self {
            number,
            tenant_id: format!("{:X}", customer.id),
            name: customer.name,
        }
    }
}

/// The date of a date, or of a date and a time of any zone.
fn date_of(text: &str) -> Option<NaiveDate> {
    let (date, time) = text.split_once('T').unwrap_or((text, "00:00"));
    let is_time = time.len() >= 5 && time.starts_with(|first: char| first.is_ascii_digit());
    date.parse().ok().filter(|_| is_time)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::Value;

    use super::*;
    use crate::world::World;

    fn simulator(customers: u32) -> Simulator {
        let today = "2026-05-04".parse().unwrap();
        Simulator::new(
            World::new(1, customers),
            Settings::default(),
            Some(today),
            0,
        )
    }

    fn ask(simulator: &Simulator, subject: Subject, query: &str) -> Result<Value, u16> {
        let target = format!("GET /v1/analytics/commercial/usage/license/?{query} HTTP/1.1");
        let head = format!("{target}\r\nHost: localhost:1\r\n\r\n");
        let request = Request::parse_head(head.as_bytes()).unwrap();
        let answer = page(simulator, &simulator.settings(), subject, &request);
        let answer = answer.map_err(|fault| fault.status)?;
        Ok(serde_json::from_slice(&answer.body).unwrap())
    }

    fn rows(simulator: &Simulator, query: &str) -> Vec<Value> {
        let answer = ask(simulator, Subject::Usage, query).unwrap();
        answer["Value"].as_array().unwrap().clone()
    }

    #[test]
    fn pages_of_any_size_make_up_the_same_list() {
        let simulator = simulator(60);
        for filter in ["", "&filter=workloadCode+eq+'EXO'+or+serviceCode+eq+'crm'"] {
            let whole = rows(&simulator, filter);
            assert!(whole.len() > 40);
            for top in [1, 7, 100] {
                let mut paged = Vec::new();
                while paged.len() < whole.len() {
                    let query = format!("top={top}&skip={}{filter}", paged.len());
                    let page = rows(&simulator, &query);
                    assert!(!page.is_empty() && page.len() <= top);
                    paged.extend(page);
                }
                assert_eq!(paged, whole);
            }
            let beyond = format!("skip={}{filter}", whole.len());
            assert!(rows(&simulator, &beyond).is_empty());
        }
    }

    #[test]
    fn the_rows_are_those_of_the_customers_own_collections() {
        let simulator = simulator(40);
        let world = &simulator.world;
        let snapshot = world.snapshot(Subject::Usage, None, simulator.today(), None);
        let mut own = Vec::new();
        for number in 0..40 {
            let id = world.id(number).to_string().to_uppercase();
            for row in world.usage(number, &snapshot) {
                let product = row.product.id;
                own.push((id.clone(), product, row.workload.name, row.active));
            }
        }
        let listed = rows(&simulator, "");
        assert_eq!(listed.len(), own.len());
        for (row, own) in listed.iter().zip(own) {
            assert_eq!(row["customerTenantId"], own.0);
            assert_eq!(row["productId"], own.1);
            assert_eq!(row["workloadName"], own.2);
            assert_eq!(row["licensesActive"], own.3);
        }
        let deployed = ask(&simulator, Subject::Deployment, "").unwrap();
        let columns = deployed["Value"][0].as_object().unwrap();
        assert!(columns.contains_key("licensesSold") && !columns.contains_key("workloadCode"));
    }

    #[test]
    fn a_date_is_exact_and_reaches_back_so_far() {
        let simulator = simulator(20);
        let on = |date: &str| {
            let found = rows(&simulator, &format!("processedDateTime={date}"));
            let dates: HashSet<String> = found
                .iter()
                .map(|row| row["processedDateTime"].to_string())
                .collect();
            (found.len(), dates)
        };
        let (count, dates) = on("2026-04-21T00:00:00%2B00:00");
        assert!(count > 0);
        assert_eq!(dates, HashSet::from(["\"2026-04-21T00:00:00\"".to_owned()]));
        assert_eq!(on("2026-05-04").0, 0);
        assert_eq!(on("2026-02-02").0, 0);
        let wider = simulator.settings().merged(br#"{"reach_days":120}"#);
        simulator.set_settings(wider.unwrap());
        assert!(on("2026-02-02").0 > 0);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let simulator = simulator(5);
        for query in [
            "top=all",
            "top=0",
            "skip=-1",
            "filter=channel",
            "groupby=channel",
            "processedDateTime=yesterday",
        ] {
            assert_eq!(ask(&simulator, Subject::Usage, query), Err(400), "{query}");
        }
    }

    #[test]
    fn a_customer_that_goes_takes_its_rows_along() {
        let simulator = simulator(20);
        let id = simulator.world.id(1);
        let query = format!("filter=customerTenantId+eq+'{id}'");
        let (all, own) = (rows(&simulator, "").len(), rows(&simulator, &query).len());
        simulator.presence.set_gone(1, true);
        assert_eq!(rows(&simulator, &query).len(), 0);
        assert_eq!(rows(&simulator, "").len(), all - own);
        simulator.presence.set_gone(1, false);
        assert_eq!(rows(&simulator, "").len(), all);
    }

    #[test]
    fn the_next_link_leads_on_in_every_form() {
        let simulator = simulator(20);
        let link = |form: &str| {
            let patch = format!(r#"{{"commercial_next_link":"{form}"}}"#);
            let settings = simulator.settings().merged(patch.as_bytes()).unwrap();
            simulator.set_settings(settings);
            let query = "top=3&filter=channel+ne+'x'";
            let answer = ask(&simulator, Subject::Usage, query).unwrap();
            answer["@nextLink"].as_str().unwrap().to_owned()
        };
        let path = "analytics/commercial/usage/license/?top=3&skip=3&filter=channel+ne+%27x%27";
        assert_eq!(link("absolute"), format!("http://localhost:1/v1/{path}"));
        assert_eq!(link("with_v1"), format!("/v1/{path}"));
        assert_eq!(link("without_v1"), format!("/{path}"));
        assert!(link("repeat").contains("skip=0&"));
    }
}
