//! One customer: what its page and its report show. The figures come from the views of the BI
//! layer. Each query names the customer, so that its cost does not grow with the ledger.

mod days;
mod load;
mod queries;
mod tables;

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use crate::ledger::CustomerId;

pub(crate) use days::{DetailDays, LedgerDates};
pub(crate) use load::{knows_customer, load_customer_detail, load_ledger_dates, load_renamed};
pub(crate) use tables::CustomerTable;

/// All that is shown of a customer.
#[derive(Debug, Clone)]
pub(crate) struct CustomerDetail {
    /// Who it is, and how fresh its figures are.
    pub(crate) customer: CustomerFacts,
    /// Seats of each product; paid products first, and the largest.
    pub(crate) seats: Vec<ProductSeats>,
    /// Use of each product's workloads now and on the past days, in the order of `seats`.
    pub(crate) uses: Vec<WorkloadUse>,
    /// Active seats of each workload over time, over all products.
    pub(crate) lines: Vec<UseLine>,
    /// The processed dates, oldest first.
    pub(crate) days: Vec<CoverageDay>,
    /// Figures that came again and differed, newest first, up to a bound.
    pub(crate) restatements: Vec<UsageRestatement>,
    /// How many there are in all.
    pub(crate) restated: i64,
    /// Products that the customer has or had, the newest first.
    pub(crate) holdings: Vec<HeldProduct>,
}

/// Who a customer is, and how fresh its figures are.
#[derive(Debug, Clone)]
pub(crate) struct CustomerFacts {
    /// The tenant id.
    pub(crate) id: CustomerId,
    /// The name, once the API gave one.
    pub(crate) name: Option<String>,
    /// The domain, if the partner's list of customers was fetched.
    pub(crate) domain: Option<String>,
    /// A word of `customer_freshness.state`.
    pub(crate) state: String,
    /// Why it is in that state; none if it is active.
    pub(crate) state_reason: Option<String>,
    /// When its collection was last stored.
    pub(crate) last_success_at: Option<DateTime<Utc>>,
    /// The newest processed date of its usage.
    pub(crate) last_processed_date: Option<NaiveDate>,
    /// Days since then.
    pub(crate) age_days: Option<i32>,
    /// When it came back to the partner's list, if it was gone.
    pub(crate) returned_at: Option<DateTime<Utc>>,
}

/// Seats of a product, as `license_product` has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProductSeats {
    /// The present name.
    pub(crate) product_name: String,
    /// `paid`, `free` or `trial`.
    pub(crate) product_kind: String,
    /// Seats sold, if that is known.
    pub(crate) sold: Option<i64>,
    /// Seats that a user has.
    pub(crate) assigned: Option<i64>,
    /// Qualified seats of the workload that has most.
    pub(crate) qualified: Option<i64>,
    /// Active seats of the most used workload.
    pub(crate) active: Option<i64>,
}

impl ProductSeats {
    /// Seats sold, or qualified ones where none are known to be sold.
    pub(crate) fn paid(&self) -> Option<i64> {
        self.sold.or(self.qualified)
    }

    /// Those of them that are not active; negative if more were.
    pub(crate) fn unused(&self) -> Option<i64> {
        Some(self.paid()? - self.active.unwrap_or(0))
    }

    /// Whether anybody pays for it, so that unused seats are waste.
    pub(crate) fn is_paid(&self) -> bool {
        self.product_kind == "paid"
    }
}

/// Use of a product's workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WorkloadUse {
    /// The product's present name.
    pub(crate) product_name: String,
    /// The workload's present name.
    pub(crate) workload_name: String,
    /// `paid`, `free` or `trial`.
    pub(crate) product_kind: String,
    /// Qualified seats.
    pub(crate) qualified: i64,
    /// Active seats.
    pub(crate) active: i64,
    /// Whether it is held on the last day: else it was on a past one.
    pub(crate) is_held: bool,
    /// Active seats on each of the past days: 0 where it was not held, none where the ledger does
    /// not reach back.
    pub(crate) past: Vec<Option<i64>>,
}

/// Active seats of a workload over time.
#[derive(Debug, Clone)]
pub(crate) struct UseLine {
    /// The workload's present name.
    pub(crate) workload_name: String,
    /// The days, oldest first, with the active seats in force: none where nothing is.
    pub(crate) points: Vec<(NaiveDate, Option<i64>)>,
}

/// Whether the ledger has a customer's figures of a processed date.
#[derive(Debug, Clone)]
pub(crate) struct CoverageDay {
    /// The processed date (UTC).
    pub(crate) date: NaiveDate,
    /// A word of `coverage.state`.
    pub(crate) state: String,
    /// Why the last try failed.
    pub(crate) reason: Option<String>,
    /// The failure in words.
    pub(crate) detail: Option<String>,
}

/// Figures that came again and differed.
#[derive(Debug, Clone)]
pub(crate) struct UsageRestatement {
    /// When the new figures were stored.
    pub(crate) restated_at: DateTime<Utc>,
    /// The processed date whose figures changed.
    pub(crate) date: NaiveDate,
    /// The product, as in the ledger.
    pub(crate) product_name: String,
    /// The workload, as in the ledger.
    pub(crate) workload_name: String,
    /// Active seats before.
    pub(crate) old_active: i64,
    /// Active seats since.
    pub(crate) new_active: i64,
    /// Qualified seats before.
    pub(crate) old_qualified: i64,
    /// Qualified seats since.
    pub(crate) new_qualified: i64,
}

/// A product that a customer has or had.
#[derive(Debug, Clone)]
pub(crate) struct HeldProduct {
    /// The present name.
    pub(crate) product_name: String,
    /// `paid`, `free` or `trial`.
    pub(crate) product_kind: String,
    /// The first date with usage.
    pub(crate) first_date: NaiveDate,
    /// The last date with usage.
    pub(crate) last_date: NaiveDate,
    /// Whether the customer has it now.
    pub(crate) is_current: bool,
    /// Whether the ledger of this customer begins with it, so that it may be older.
    pub(crate) is_from_the_start: bool,
    /// The old name, if it seems to be a renamed product.
    pub(crate) replaces: Option<String>,
}

/// A product that seems to have been renamed.
#[derive(Debug, Clone)]
pub(crate) struct Renamed {
    /// The name before.
    pub(crate) old_name: String,
    /// The name since.
    pub(crate) new_name: String,
    /// The customers at which it was, in ascending order.
    pub(crate) customers: Vec<Uuid>,
}
