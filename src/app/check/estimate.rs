//! Estimates what a full run would take. Pure.

use std::time::Duration;

use chrono::TimeDelta;

use crate::config::PartnerCenter;
use crate::ledger::Source;
use crate::span::{counted, span};
use crate::store::Experience;

/// Customers on one page of the partner's customer list.
const CUSTOMERS_PER_PAGE: usize = 500;

/// Rows on one page of a partner-wide collection.
const ROWS_PER_PAGE: f64 = 10_000.0;

/// The shortest duration of a call that is assumed. With a measured duration of zero the rate would
/// be infinite.
const MIN_CALL_DURATION: Duration = Duration::from_millis(1);

/// What is known before the run.
pub(super) struct EstimateInput<'a> {
    pub(super) settings: &'a PartnerCenter,
    pub(super) customers: usize,
    /// The customer list is fetched from the API.
    pub(super) discover: bool,
    /// Rows of the customer that was just fetched.
    pub(super) probed_rows: usize,
    /// How long that call took.
    pub(super) call_duration: Duration,
    pub(super) experience: Experience,
}

/// The estimate as a sentence.
pub(super) fn describe(input: &EstimateInput<'_>) -> String {
    let (calls, rows) = (calls(input), rows(input));
    let (rate, rate_basis) = rate(input);
    let rows_basis = match input.experience.rows_per_customer {
        Some(_) => "earlier runs",
        None => "this one customer",
    };
    // A second at least: nothing takes no time.
    let time = Duration::try_from_secs_f64((to_f64(calls) / rate).max(1.0)).ok();
    let time = time.and_then(|time| TimeDelta::from_std(time).ok());
    let time = span(time.unwrap_or(TimeDelta::MAX));
    format!(
        "a full run takes about {}, {time} at {rate:.1} requests a second \
         ({rate_basis}), and brings about {rows:.0} rows (going by {rows_basis})",
        counted(calls, "call")
    )
}

fn rows(input: &EstimateInput<'_>) -> f64 {
    let per_customer = input.experience.rows_per_customer;
    to_f64(input.customers) * per_customer.unwrap_or(to_f64(input.probed_rows))
}

fn calls(input: &EstimateInput<'_>) -> usize {
    let for_each_dataset = match input.settings.source {
        Source::Customer => input.customers,
        Source::Commercial => pages(rows(input)),
    };
    let for_the_list = if input.discover {
        input.customers.div_ceil(CUSTOMERS_PER_PAGE)
    } else {
        0
    };
    for_each_dataset * input.settings.datasets.len() + for_the_list
}

/// Requests a second, and what the figure is based on.
fn rate(input: &EstimateInput<'_>) -> (f64, &'static str) {
    let duration = input.call_duration.max(MIN_CALL_DURATION);
    let unthrottled = to_f64(input.settings.max_concurrency) / duration.as_secs_f64();
    let configured = input.settings.max_requests_per_second;
    match (input.experience.learned_rate, configured) {
        (Some(learned), _) => {
            let rate = configured.map_or(learned, |configured| configured.min(learned));
            (rate, "as the last run learned")
        }
        (None, Some(configured)) if configured < unthrottled => (configured, "as configured"),
        (None, _) => (unthrottled, "if nothing is throttled"),
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the last digit of an estimate does not matter"
)]
fn to_f64(count: usize) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the number of pages is whole and positive"
)]
fn pages(rows: f64) -> usize {
    ((rows / ROWS_PER_PAGE).ceil() as usize).max(1)
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::config::Cloud;
    use crate::ledger::Dataset;

    fn settings(source: Source) -> PartnerCenter {
        PartnerCenter {
            cloud: Cloud::Worldwide,
            base_url: Url::parse("https://api.example.com").unwrap(),
            source,
            datasets: vec![Dataset::Usage, Dataset::Deployment],
            locale: "en-US".to_owned(),
            allow_locale_change: false,
            max_concurrency: 8,
            max_requests_per_second: None,
            request_timeout: Duration::from_mins(1),
            connect_timeout: Duration::from_secs(10),
            max_response_bytes: 1 << 20,
        }
    }

    fn input(settings: &PartnerCenter) -> EstimateInput<'_> {
        EstimateInput {
            settings,
            customers: 1_200,
            discover: false,
            probed_rows: 20,
            call_duration: Duration::from_millis(200),
            experience: Experience::default(),
        }
    }

    #[test]
    fn each_customer_is_a_call_and_each_page_of_the_list() {
        let settings = settings(Source::Customer);
        let mut input = input(&settings);
        assert_eq!(calls(&input), 2_400);
        input.discover = true;
        assert_eq!(calls(&input), 2_403);
    }

    #[test]
    fn partner_wide_collections_take_a_call_for_each_page() {
        let settings = settings(Source::Commercial);
        let mut input = input(&settings);
        assert_eq!(calls(&input), 2 * 3, "24,000 rows");
        input.customers = 0;
        assert_eq!(calls(&input), 2, "the first page is always fetched");
    }

    #[test]
    fn the_rate_is_learned_or_configured_or_that_of_the_last_call() {
        let learned = Experience {
            learned_rate: Some(5.0),
            ..Experience::default()
        };
        for (experience, configured, rate, basis) in [
            (Experience::default(), None, "40.0", "if nothing"),
            (Experience::default(), Some(50.0), "40.0", "if nothing"),
            (Experience::default(), Some(10.0), "10.0", "as configured"),
            (learned, None, "5.0", "the last run"),
            (learned, Some(50.0), "5.0", "the last run"),
            (learned, Some(2.0), "2.0", "the last run"),
        ] {
            let mut settings = settings(Source::Customer);
            settings.max_requests_per_second = configured;
            let mut input = input(&settings);
            input.experience = experience;
            let said = describe(&input);
            assert!(said.contains(&format!("at {rate} requests")), "{said}");
            assert!(said.contains(basis), "{said}");
        }
    }

    #[test]
    fn rows_are_those_of_earlier_runs_or_of_the_one_customer() {
        let settings = settings(Source::Customer);
        let mut input = input(&settings);
        let said = describe(&input);
        assert!(said.contains("about 24000 rows (going by this"), "{said}");
        input.experience.rows_per_customer = Some(1.5);
        let said = describe(&input);
        assert!(said.contains("about 1800 rows (going by earlier"), "{said}");
    }

    #[test]
    fn a_call_that_took_no_time_gives_a_finite_rate() {
        let settings = settings(Source::Customer);
        let mut input = input(&settings);
        input.call_duration = Duration::ZERO;
        assert!(describe(&input).contains("at 8000.0 requests"));
    }
}
