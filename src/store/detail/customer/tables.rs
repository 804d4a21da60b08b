//! The tables of a customer's page as queries, for their files and for people who want to ask them
//! themselves.

use super::DetailDays;
use crate::ledger::CustomerId;
use crate::store::detail::query::TableQuery;

/// A table of a customer's page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CustomerTable {
    /// Today's seats of each product.
    Seats,
    /// Use of each workload now and before.
    Uses,
    /// Active seats of each workload day by day.
    Lines,
    /// The processed dates with their state.
    Days,
    /// Figures that were corrected.
    Restatements,
    /// Products that are or were held.
    Holdings,
}

impl CustomerTable {
    const ALL: [Self; 6] = [
        Self::Seats,
        Self::Uses,
        Self::Lines,
        Self::Days,
        Self::Restatements,
        Self::Holdings,
    ];

    /// The name in the address of its files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Seats => "seats",
            Self::Uses => "uses",
            Self::Lines => "lines",
            Self::Days => "days",
            Self::Restatements => "restatements",
            Self::Holdings => "holdings",
        }
    }

    /// The table of this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }

    /// The rows of a customer, all of them.
    pub(crate) fn query(self, customer: CustomerId, days: &DetailDays) -> TableQuery {
        let of = format!("where customer_id = '{customer}'");
        let between = format!("between '{}' and '{}'", days.since, days.until);
        TableQuery::new(match self {
            Self::Seats => format!(
                "\
select product_name, product_kind, licenses_sold, licenses_assigned, licenses_qualified,
    licenses_active, licenses_unused, active_ratio, most_used_workload, processed_date,
    deployment_processed_date
from license_product
{of}
order by product_kind <> 'paid', coalesce(licenses_sold, licenses_qualified) desc, product_name"
            ),
            Self::Uses => uses(&of, days),
            Self::Lines => format!(
                "\
select workload_name, date, seat_sum(sum(licenses_active)) as licenses_active
from license_usage_daily
{of} and date {between}
group by workload_name, date
order by workload_name, date"
            ),
            Self::Days => format!(
                "\
select processed_date, state, reason, detail
from coverage
{of} and processed_date {between}
order by processed_date desc"
            ),
            Self::Restatements => format!(
                "\
select restated_at, processed_date, product_name, workload_name, old_licenses_active,
    new_licenses_active, old_licenses_qualified, new_licenses_qualified
from license_usage_restatement
{of} and processed_date {between}
order by restated_at desc, restatement_id desc"
            ),
            Self::Holdings => format!(
                "\
select product_name, product_kind, first_date, last_date, is_current, is_from_the_start, replaces
from license_holding
{of}
order by first_date desc, product_name"
            ),
        })
    }
}

/// The rows that `license_growth` has of a customer. That view reads the figures of all customers
/// whatever is asked of it; these two read one customer's.
fn uses(of: &str, days: &DetailDays) -> String {
    let (mut dates, mut past, mut shown) = (Vec::new(), Vec::new(), Vec::new());
    for day in &days.past {
        let column = format!("licenses_active_{}d_ago", (days.until - *day).num_days());
        if days.reaches(*day) {
            dates.push(format!("'{day}'"));
            past.push(format!(
                ",\n        max(licenses_active) filter (where date = '{day}') as {column}"
            ));
            shown.push(format!("\n    coalesce(p.{column}, 0) as {column},"));
        } else {
            shown.push(format!("\n    null::bigint as {column},"));
        }
    }
    let (dates, past, shown) = (dates.join(", "), past.concat(), shown.concat());
    format!(
        "\
with past as (
    select product_name, workload_name, max(product_kind) as product_kind{past}
    from license_usage_daily
    {of} and date = any(array[{dates}]::date[])
    group by product_name, workload_name
)

select product_name, workload_name, coalesce(u.product_kind, p.product_kind) as product_kind,
    coalesce(u.licenses_qualified, 0) as licenses_qualified,
    coalesce(u.licenses_active, 0) as licenses_active,{shown}
    u.processed_date
from (select * from license_usage_current {of}) as u
full join past as p using (product_name, workload_name)
order by product_name, licenses_active desc, workload_name"
    )
}
