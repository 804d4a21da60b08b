//! What a comparison found. The JSON form is an interface.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::compare::{ComparedRows, Difference, DifferenceKind};
use crate::ledger::{CustomerId, TrafficCounts};
use crate::printable::{isolated, printable};
use crate::sync::FailedCustomer;

/// Differences that are listed. A ledger in another language differs in every row, and a million
/// differences say no more than these.
const LISTED: usize = 1_000;

/// The customers that were asked for, by result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct VerifiedCustomers {
    /// All of them.
    pub total: u64,
    /// Every row that could be compared is equal.
    pub equal: u64,
    /// A row is not equal.
    pub different: u64,
    /// The API gave nothing of a date that the ledger has.
    pub not_compared: u64,
    /// They could not be asked for.
    pub failed: u64,
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verified {
    /// Grows when a member changes its meaning or goes.
    pub version: u32,
    /// Which family of collections was asked.
    pub source: &'static str,
    /// Which one the ledger is filled from.
    pub ledger_source: &'static str,
    /// The customers, by result.
    pub customers: VerifiedCustomers,
    /// The rows, by result.
    pub rows: ComparedRows,
    /// Calls to the API.
    pub http: TrafficCounts,
    /// The first thousand rows that are not equal.
    pub differences: Vec<Difference>,
    /// Further ones.
    pub differences_left_out: u64,
    /// The customers that could not be asked for.
    pub failures: Vec<FailedCustomer>,
}

impl Verified {
    /// Whether every customer could be asked for and nothing differs.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.customers.different == 0 && self.customers.failed == 0
    }

    /// Adds what was found of a customer.
    pub(super) fn add(&mut self, rows: ComparedRows, differences: Vec<Difference>) {
        self.rows += rows;
        let fate = if rows.differing() > 0 {
            &mut self.customers.different
        } else if rows.equal > 0 {
            &mut self.customers.equal
        } else {
            &mut self.customers.not_compared
        };
        *fate += 1;
        let listed = differences.len().min(LISTED - self.differences.len());
        self.differences_left_out += (differences.len() - listed) as u64;
        self.differences
            .extend(differences.into_iter().take(listed));
    }

    /// Removes the names of customers, for output that may be stored in a log.
    pub fn hide_names(&mut self) {
        for difference in &mut self.differences {
            difference.customer_name = None;
            for field in &mut difference.fields {
                if field.field == "customer_name" {
                    (field.ledger, field.api) = (Value::Null, Value::Null);
                }
            }
        }
        for failure in &mut self.failures {
            failure.customer_name = None;
        }
    }
}

/// For a person: a line for each difference and failure, and a summary.
impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for difference in &self.differences {
            writeln!(f, "{difference}")?;
        }
        if self.differences_left_out > 0 {
            writeln!(f, "and {} more", self.differences_left_out)?;
        }
        for failure in &self.failures {
            write_customer(f, failure.customer_id, failure.customer_name.as_deref())?;
            let reason = failure.reason.as_str();
            let detail = printable(&failure.detail);
            writeln!(f, "  could not be asked for: {reason}: {detail}")?;
        }
        let Self {
            customers, rows, ..
        } = self;
        let listed = self.differences.len() + self.failures.len();
        if listed > 0 {
            writeln!(f)?;
        }
        let verdict = match (self.is_equal(), rows.compared()) {
            (true, 0) => "Nothing could be compared",
            (true, _) => "The ledger has what the API gives",
            (false, _) if customers.different == 0 => "Not every customer could be asked for",
            (false, _) => "The ledger differs from what the API gives",
        };
        writeln!(f, "{verdict} (source \"{}\")", self.source)?;
        writeln!(
            f,
            "  customers  {} asked for: {} equal, {} different, {} without a row to compare, {} \
             failed",
            customers.total,
            customers.equal,
            customers.different,
            customers.not_compared,
            customers.failed
        )?;
        writeln!(
            f,
            "  rows       {} compared: {} equal, {} different, {} missing in the ledger, {} only \
             in the ledger",
            rows.compared(),
            rows.equal,
            rows.different,
            rows.missing,
            rows.not_given
        )?;
        writeln!(
            f,
            "  besides    {} rows of dates that the ledger does not have yet, {} rejected items",
            rows.newer, rows.rejected
        )
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_customer(f, self.customer_id, self.customer_name.as_deref())?;
        let date = self.processed_date_time.date_naive();
        let product = isolated(&printable(&self.product_name));
        write!(f, "  {} of {date}, {product}", self.dataset)?;
        if let Some(workload) = &self.workload_name {
            write!(f, ", {}", isolated(&printable(workload)))?;
        }
        match self.kind {
            DifferenceKind::Missing => return write!(f, ": missing in the ledger"),
            DifferenceKind::NotGiven => return write!(f, ": only in the ledger"),
            DifferenceKind::Different => {}
        }
        for (place, field) in self.fields.iter().enumerate() {
            let separator = if place == 0 { ": " } else { "; " };
            write!(f, "{separator}{}", field.field)?;
            if field.ledger.is_null() && field.api.is_null() {
                write!(f, " differs")?;
            } else {
                let (ledger, api) = (shown(&field.ledger), shown(&field.api));
                write!(f, " is {ledger} in the ledger and {api} at the API")?;
            }
        }
        Ok(())
    }
}

fn write_customer(f: &mut fmt::Formatter<'_>, id: CustomerId, name: Option<&str>) -> fmt::Result {
    write!(f, "{id}")?;
    match name {
        Some(name) => write!(f, " ({})", isolated(name)),
        None => Ok(()),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "empty".to_owned(),
        Value::String(text) => format!("\"{}\"", isolated(&printable(text))),
        value => value.to_string(),
    }
}
