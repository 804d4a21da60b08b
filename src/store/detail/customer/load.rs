//! Reads a customer's figures and puts them together.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::NaiveDate;
use sqlx::PgConnection;
use uuid::Uuid;

use super::queries::{
    self, DailyUse, Deployed, select_daily, select_days, select_deployed, select_facts,
    select_holdings, select_products_now, select_restatements, select_uses_now,
};
use super::{
    CustomerDetail, DetailDays, HeldProduct, LedgerDates, ProductSeats, Renamed, UseLine,
    WorkloadUse,
};
use crate::ledger::CustomerId;
use crate::store::{Store, StoreError};

/// The dates that the ledger has; none while it is empty.
///
/// # Errors
/// When Postgres is away or refuses.
pub(crate) async fn load_ledger_dates(
    connection: &mut PgConnection,
) -> Result<Option<LedgerDates>, sqlx::Error> {
    queries::select_ledger_dates(connection).await
}

/// Whether the ledger has a customer.
///
/// # Errors
/// When Postgres is away or refuses.
pub(crate) async fn knows_customer(
    connection: &mut PgConnection,
    id: CustomerId,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select exists (select from customer where customer_id = $1)")
        .bind(id.as_uuid())
        .fetch_one(connection)
        .await
}

/// Products that seem to have been renamed, at which customers. Takes longer the more customers
/// there are.
///
/// # Errors
/// When Postgres is away or refuses.
pub(crate) async fn load_renamed(
    connection: &mut PgConnection,
) -> Result<Vec<Renamed>, sqlx::Error> {
    queries::select_renamed(connection).await
}

/// A customer with its figures of `days`; none if the ledger does not know it.
///
/// # Errors
/// When Postgres is away or refuses.
pub(crate) async fn load_customer_detail(
    connection: &mut PgConnection,
    id: CustomerId,
    days: &DetailDays,
    renamed: &[Renamed],
) -> Result<Option<CustomerDetail>, sqlx::Error> {
    let customer = id.as_uuid();
    let Some(facts) = select_facts(connection, customer).await? else {
        return Ok(None);
    };
    let daily = select_daily(connection, customer, days).await?;
    let (mut seats, mut uses) = if days.is_now {
        let seats = select_products_now(connection, customer).await?;
        let uses = select_uses_now(connection, customer).await?;
        (seats, uses_with_past(uses, &daily, days))
    } else {
        let of_day = daily.iter().filter(|row| row.date == days.until);
        let of_day: Vec<DailyUse> = of_day.cloned().collect();
        let deployed = select_deployed(connection, customer, days.until).await?;
        let seats = products_of(&of_day, deployed);
        (seats, uses_with_past(of_day, &daily, days))
    };
    // Paid products first, and the largest.
    seats.sort_by_cached_key(|it| {
        (
            !it.is_paid(),
            -it.paid().unwrap_or(0),
            it.product_name.clone(),
        )
    });
    let order: HashMap<&str, usize> = seats
        .iter()
        .enumerate()
        .map(|(place, it)| (it.product_name.as_str(), place))
        .collect();
    uses.sort_by_cached_key(|it| {
        let place = order.get(it.product_name.as_str()).copied();
        let place = place.unwrap_or(usize::MAX);
        (
            place,
            it.product_name.clone(),
            -it.active,
            it.workload_name.clone(),
        )
    });
    let mut holdings = select_holdings(connection, customer, days.until).await?;
    name_replaced(&mut holdings, customer, renamed);
    if !days.is_now {
        holdings.retain(|it| it.last_date >= days.since);
        for holding in &mut holdings {
            holding.last_date = holding.last_date.min(days.until);
        }
    }
    let (restatements, restated) = select_restatements(connection, customer, days).await?;
    Ok(Some(CustomerDetail {
        customer: facts,
        seats,
        uses,
        lines: lines_of(&daily, days),
        days: select_days(connection, customer, days).await?,
        restatements,
        restated,
        holdings,
    }))
}

impl Store {
    /// The dates that the ledger has, for a report.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub(crate) async fn load_ledger_dates(&self) -> Result<Option<LedgerDates>, StoreError> {
        self.read("reading the ledger's dates", load_ledger_dates)
            .await
    }

    /// All customers of which the ledger has usage, by name.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub(crate) async fn load_reported_customers(&self) -> Result<Vec<CustomerId>, StoreError> {
        self.read("reading the customers", async |connection| {
            queries::select_customers(connection).await
        })
        .await
    }

    /// Products that seem to have been renamed, for reports.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub(crate) async fn load_renamed(&self) -> Result<Vec<Renamed>, StoreError> {
        self.read("reading which products were renamed", load_renamed)
            .await
    }

    /// A customer for its report, from one state of the ledger; none if it is not known.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub(crate) async fn load_customer_detail(
        &self,
        id: CustomerId,
        days: &DetailDays,
        renamed: &[Renamed],
    ) -> Result<Option<CustomerDetail>, StoreError> {
        self.read("reading a customer's figures", async |connection| {
            let one_state = "set transaction isolation level repeatable read";
            sqlx::raw_sql(one_state).execute(&mut *connection).await?;
            load_customer_detail(connection, id, days, renamed).await
        })
        .await
    }
}

/// The uses of the last day, and those of a past day that are no longer held, as `license_growth`
/// has them.
fn uses_with_past(last: Vec<DailyUse>, daily: &[DailyUse], days: &DetailDays) -> Vec<WorkloadUse> {
    let mut uses: BTreeMap<(String, String), WorkloadUse> = BTreeMap::new();
    let not_held = |row: &DailyUse| WorkloadUse {
        product_name: row.product_name.clone(),
        workload_name: row.workload_name.clone(),
        product_kind: row.product_kind.clone(),
        qualified: 0,
        active: 0,
        is_held: false,
        past: days
            .past
            .iter()
            .map(|day| days.reaches(*day).then_some(0))
            .collect(),
    };
    for row in last {
        let found = uses.entry(row.key()).or_insert_with(|| not_held(&row));
        found.qualified = row.qualified;
        found.active = row.active;
        found.is_held = true;
    }
    for row in daily {
        let place = days.past.iter().position(|day| *day == row.date);
        if let Some(place) = place {
            let found = uses.entry(row.key()).or_insert_with(|| not_held(row));
            found.past[place] = Some(row.active);
        }
    }
    uses.into_values().collect()
}

/// Seats of products at the end of a day, by the rules of `license_product`.
fn products_of(uses: &[DailyUse], deployed: Vec<Deployed>) -> Vec<ProductSeats> {
    let mut products: BTreeMap<&str, ProductSeats> = BTreeMap::new();
    for row in uses {
        let found = products
            .entry(&row.product_name)
            .or_insert_with(|| ProductSeats {
                product_name: row.product_name.clone(),
                product_kind: row.product_kind.clone(),
                sold: None,
                assigned: None,
                qualified: None,
                active: None,
            });
        found.qualified = found.qualified.max(Some(row.qualified));
        found.active = found.active.max(Some(row.active));
    }
    let mut without_use = Vec::new();
    for row in deployed {
        let (sold, assigned) = (Some(row.sold), Some(row.assigned));
        match products.get_mut(row.product_name.as_str()) {
            Some(found) => (found.sold, found.assigned) = (sold, assigned),
            None => without_use.push(ProductSeats {
                product_name: row.product_name,
                product_kind: row.product_kind,
                sold,
                assigned,
                qualified: None,
                active: None,
            }),
        }
    }
    products.into_values().chain(without_use).collect()
}

/// The sum over products of each workload and day.
fn lines_of(daily: &[DailyUse], days: &DetailDays) -> Vec<UseLine> {
    let mut sums: BTreeMap<&str, HashMap<NaiveDate, i64>> = BTreeMap::new();
    for row in daily {
        let line = sums.entry(&row.workload_name).or_default();
        let sum = line.entry(row.date).or_default();
        *sum = sum.saturating_add(row.active);
    }
    let mut lines: Vec<UseLine> = sums
        .into_iter()
        .map(|(workload_name, sums)| UseLine {
            workload_name: workload_name.to_owned(),
            points: days
                .line
                .iter()
                .map(|day| (*day, sums.get(day).copied()))
                .collect(),
        })
        .collect();
    lines.retain(|line| line.points.iter().any(|(_, active)| active.is_some()));
    let last = |line: &UseLine| line.points.last().and_then(|(_, active)| *active);
    lines.sort_by_cached_key(|line| (std::cmp::Reverse(last(line)), line.workload_name.clone()));
    lines
}

/// Says which product each of a customer's replaces. What was renamed may have been read before a
/// person confirmed it, and then the old name is none of the customer's products any more.
fn name_replaced(holdings: &mut [HeldProduct], customer: Uuid, renamed: &[Renamed]) {
    let names: HashSet<String> = holdings.iter().map(|it| it.product_name.clone()).collect();
    let of_customer: HashMap<&str, &str> = renamed
        .iter()
        .filter(|it| it.customers.binary_search(&customer).is_ok() && names.contains(&it.old_name))
        .map(|it| (it.new_name.as_str(), it.old_name.as_str()))
        .collect();
    for holding in holdings {
        let old = of_customer.get(holding.product_name.as_str());
        holding.replaces = old.map(|old| (*old).to_owned());
    }
}
