//! What the front page shows of the ledger. Computed once a run and kept, so that a page costs no
//! query. Every figure comes from a view of the BI layer.

mod completeness;
mod load;
mod product_list;
mod seats;
mod suspects;
mod tables;
mod workloads;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use sqlx::FromRow;

use super::attention::Attention;
use super::detail::Renamed;
use crate::ledger::CustomerId;
pub(crate) use product_list::{ProductLine, ProductList};
pub(crate) use tables::FrontTable;

/// The figures of the front page. All lists have a bound, whatever the number of customers.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Figures {
    /// When they were computed.
    pub as_of: DateTime<Utc>,
    /// The newest processed date of any customer's usage; none while the ledger is empty.
    pub newest_date: Option<NaiveDate>,
    /// The customers that need a person, worst first.
    pub attention: Attention,
    /// Pairs of products that may be one, for a person to confirm, those of most customers first.
    pub rename_suspects: Vec<RenameSuspect>,
    /// Seats of paid products.
    pub tiles: Tiles,
    /// The partner's seats of each workload in paid products, most active seats first.
    pub workloads: Vec<WorkloadLine>,
    /// Whether the collections of each service and day are there.
    pub completeness: Vec<ServiceStrip>,
    /// What changed most within the week before the newest date, one workload for each customer and
    /// product, without products that seem to have been renamed.
    pub movers: Vec<Mover>,
    /// Paid products with most unused seats.
    pub waste: Vec<WasteLine>,
    /// How many customers and products have unused seats of paid products in all.
    pub waste_total: WasteTotal,
    /// Products that were renamed, began or ended within the last 91 days, newest first.
    pub product_events: Vec<ProductEvent>,
    /// All suspected renamings with their customers, for the pages of these.
    #[serde(skip)]
    pub(crate) renamed: Vec<Renamed>,
}

/// Two product names that may stand for one product.
#[derive(Debug, Clone, Serialize, FromRow)]
pub struct RenameSuspect {
    /// The name that went.
    pub old_product_name: String,
    /// The name that came.
    pub new_product_name: String,
    /// Customers that changed in one collection.
    pub customers: i64,
    /// Which part of the holders of the old name that is, 0 to 1.
    pub share_of_holders: Option<f64>,
    /// When the first of them changed.
    pub since: Option<NaiveDate>,
    /// The statement that makes them one; none if the old product has an id, whose name follows it.
    pub alias_statement: Option<String>,
}

/// The four figures over all customers.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Tiles {
    /// Seats of the subscriptions; without a figure if deployment is not fetched.
    pub sold: Tile,
    /// Seats that a user has; likewise.
    pub assigned: Tile,
    /// Active seats of each product's most used workload.
    pub active: Tile,
    /// Unused seats of products that have some.
    pub unused: Tile,
}

/// A figure with its past.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Tile {
    /// The figure now; none if it is not known.
    pub now: Option<i64>,
    /// The figure at the end of each of the last 13 months that are over, oldest first.
    pub months: Vec<(NaiveDate, Option<i64>)>,
}

/// A workload's seats over all customers.
#[derive(Debug, Clone, Serialize)]
pub struct WorkloadLine {
    /// The workload's present name.
    pub workload_name: String,
    /// Each of the last 90 calendar days, oldest first.
    pub days: Vec<DayPoint>,
    /// The last day of each of 13 months, oldest first; of the last month its newest day.
    pub months: Vec<MonthPoint>,
}

/// A day of a workload.
#[derive(Debug, Clone, Copy, Serialize, FromRow)]
pub struct DayPoint {
    /// The day (UTC).
    pub date: NaiveDate,
    /// Active seats in force on that day; none if the ledger has none.
    pub active: Option<i64>,
    /// Qualified seats in force on that day.
    pub qualified: Option<i64>,
    /// Whether half of the customers' figures or more are carried forward from days before.
    pub is_carried: bool,
}

/// A month of a workload.
#[derive(Debug, Clone, Copy, Serialize, FromRow)]
pub struct MonthPoint {
    /// The first day of the month (UTC).
    pub month: NaiveDate,
    /// Active seats in force on its last day.
    pub active: Option<i64>,
    /// Qualified seats in force on that day.
    pub qualified: Option<i64>,
    /// Whether the month is over: its last day is known.
    pub is_over: bool,
}

/// A service's days.
#[derive(Debug, Clone, Serialize)]
pub struct ServiceStrip {
    /// The service, such as o365.
    pub service: String,
    /// Each of the last 91 calendar days at most, oldest first.
    pub days: Vec<ServiceDay>,
}

/// A day of a service.
#[derive(Debug, Clone, Serialize, FromRow)]
pub struct ServiceDay {
    /// The processed date (UTC).
    pub date: NaiveDate,
    /// `complete`, `partial` or `no_figures`, as in `data_completeness`.
    pub state: String,
    /// Customers that were to have figures.
    pub expected: i64,
    /// Customers that have them.
    pub stored: i64,
}

/// A customer's use of a workload that changed.
#[derive(Debug, Clone, Serialize, FromRow)]
pub struct Mover {
    /// The customer.
    #[sqlx(try_from = "uuid::Uuid")]
    pub customer_id: CustomerId,
    /// Its name, once the API gave one.
    pub customer_name: Option<String>,
    /// The product's present name.
    pub product_name: String,
    /// The workload's present name.
    pub workload_name: String,
    /// Active seats a week before the newest date.
    pub from: i64,
    /// Active seats now.
    pub to: i64,
}

/// A customer's paid product with unused seats.
#[derive(Debug, Clone, Serialize, FromRow)]
pub struct WasteLine {
    /// The customer.
    #[sqlx(try_from = "uuid::Uuid")]
    pub customer_id: CustomerId,
    /// Its name, once the API gave one.
    pub customer_name: Option<String>,
    /// The product's present name.
    pub product_name: String,
    /// Seats sold, or qualified ones where none are known to be sold.
    pub seats: Option<i64>,
    /// Active seats of the most used workload.
    pub active: Option<i64>,
    /// Unused seats.
    pub unused: i64,
}

/// All unused seats.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct WasteTotal {
    /// Customers with unused seats.
    pub customers: i64,
    /// Unused seats of paid products.
    pub unused: i64,
}

/// A product that was renamed, began or ended.
#[derive(Debug, Clone, Serialize, FromRow)]
pub struct ProductEvent {
    /// The first date with the product or with its new name; of one that ended, its last date.
    pub date: NaiveDate,
    /// What happened.
    pub kind: ProductEventKind,
    /// The product's present name; of a renaming the name that it then got.
    pub product_name: String,
    /// Its name before, if it was renamed.
    pub old_product_name: Option<String>,
    /// Customers that hold or held it.
    pub customers: i64,
}

/// What happened to a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ProductEventKind {
    /// An id has another name.
    Renamed,
    /// No customer had it before.
    Began,
    /// No customer has it any more.
    Ended,
}
