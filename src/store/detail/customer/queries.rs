//! The queries of one customer.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{
    CoverageDay, CustomerFacts, DetailDays, HeldProduct, LedgerDates, ProductSeats, Renamed,
    UsageRestatement,
};
use crate::ledger::CustomerId;

/// How many corrections are listed.
const LISTED_RESTATEMENTS: i64 = 50;

pub(super) async fn select_ledger_dates(
    connection: &mut PgConnection,
) -> Result<Option<LedgerDates>, sqlx::Error> {
    let dates = sqlx::query!(
        "
        select min(processed_date) as oldest, max(processed_date) as newest
        from service_date
        where dataset = 'usage'
        "
    )
    .fetch_one(connection)
    .await?;
    let both = dates.oldest.zip(dates.newest);
    Ok(both.map(|(oldest, newest)| LedgerDates { oldest, newest }))
}

/// All customers of which the ledger has usage, by name.
pub(super) async fn select_customers(
    connection: &mut PgConnection,
) -> Result<Vec<CustomerId>, sqlx::Error> {
    let rows = sqlx::query_scalar!(
        r#"
        select customer_id as "customer_id!"
        from customer_freshness
        where last_processed_date is not null
        order by customer_name nulls last, customer_id
        "#
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(CustomerId::from).collect())
}

/// Products that seem to have been renamed, at which customers. Compares all customers.
pub(super) async fn select_renamed(
    connection: &mut PgConnection,
) -> Result<Vec<Renamed>, sqlx::Error> {
    sqlx::query_as!(
        Renamed,
        r#"
        select
            old_product_name as "old_name!",
            new_product_name as "new_name!",
            array_agg(customer_id order by customer_id) as "customers!"
        from product_rename_pair
        group by old_product_name, new_product_name
        "#
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn select_facts(
    connection: &mut PgConnection,
    customer: Uuid,
) -> Result<Option<CustomerFacts>, sqlx::Error> {
    sqlx::query_as!(
        CustomerFacts,
        r#"
        select
            f.customer_id as "id!",
            f.customer_name as name,
            c.domain,
            f.state as "state!",
            f.state_reason,
            f.last_success_at,
            f.last_processed_date,
            f.age_days,
            c.returned_at
        from customer_freshness as f
        inner join customer as c on c.customer_id = f.customer_id
        where f.customer_id = $1
        "#,
        customer
    )
    .fetch_optional(connection)
    .await
}

pub(super) async fn select_products_now(
    connection: &mut PgConnection,
    customer: Uuid,
) -> Result<Vec<ProductSeats>, sqlx::Error> {
    sqlx::query_as!(
        ProductSeats,
        r#"
        select
            product_name as "product_name!",
            product_kind as "product_kind!",
            licenses_sold as sold,
            licenses_assigned as assigned,
            licenses_qualified as qualified,
            licenses_active as active
        from license_product
        where customer_id = $1
        "#,
        customer
    )
    .fetch_all(connection)
    .await
}

/// A row of `license_usage_daily`.
#[derive(Debug, Clone)]
pub(super) struct DailyUse {
    pub(super) date: NaiveDate,
    pub(super) product_name: String,
    pub(super) workload_name: String,
    pub(super) product_kind: String,
    pub(super) active: i64,
    pub(super) qualified: i64,
}

impl DailyUse {
    pub(super) fn key(&self) -> (String, String) {
        (self.product_name.clone(), self.workload_name.clone())
    }
}

pub(super) async fn select_uses_now(
    connection: &mut PgConnection,
    customer: Uuid,
) -> Result<Vec<DailyUse>, sqlx::Error> {
    sqlx::query_as!(
        DailyUse,
        r#"
        select
            processed_date as "date!",
            product_name as "product_name!",
            workload_name as "workload_name!",
            product_kind as "product_kind!",
            licenses_active as "active!",
            licenses_qualified as "qualified!"
        from license_usage_current
        where customer_id = $1
        "#,
        customer
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn select_daily(
    connection: &mut PgConnection,
    customer: Uuid,
    days: &DetailDays,
) -> Result<Vec<DailyUse>, sqlx::Error> {
    let wanted = days.line.iter().chain(&days.past).copied();
    let wanted: BTreeSet<NaiveDate> = wanted.chain([days.until]).collect();
    let wanted: Vec<NaiveDate> = wanted.into_iter().collect();
    sqlx::query_as!(
        DailyUse,
        r#"
        select
            date as "date!",
            product_name as "product_name!",
            workload_name as "workload_name!",
            product_kind as "product_kind!",
            licenses_active as "active!",
            licenses_qualified as "qualified!"
        from license_usage_daily
        where customer_id = $1 and date = any($2)
        "#,
        customer,
        &wanted
    )
    .fetch_all(connection)
    .await
}

/// Sold and assigned seats of a product.
pub(super) struct Deployed {
    pub(super) product_name: String,
    pub(super) product_kind: String,
    pub(super) sold: i64,
    pub(super) assigned: i64,
}

/// What is sold at the end of a day: of each service the newest collection of the fortnight before,
/// by the rules of `license_product`, which has the seats of now only.
pub(super) async fn select_deployed(
    connection: &mut PgConnection,
    customer: Uuid,
    day: NaiveDate,
) -> Result<Vec<Deployed>, sqlx::Error> {
    sqlx::query_as!(
        Deployed,
        r#"
        with stored as (
            select distinct on (d.product_name, u.processed_date)
                d.product_name,
                d.product_id,
                d.licenses_sold,
                d.licenses_deployed,
                d.first_synced_at,
                u.processed_date,
                license_service(d.service_code, d.service_name) as service
            from license_deployment as d
            cross join lateral (
                select (d.processed_date_time at time zone 'UTC')::date as processed_date
            ) as u
            where d.customer_id = $1
                and d.processed_date_time >= ($2::date - 14)::timestamp at time zone 'UTC'
                and d.processed_date_time < ($2::date + 1)::timestamp at time zone 'UTC'
            order by d.product_name, u.processed_date, d.processed_date_time desc
        ),

        newest as (
            select
                *,
                max(processed_date) over (partition by service) as newest_date,
                max(first_synced_at) over (partition by service, processed_date, product_id)
                    as last_synced_at
            from stored
        ),

        present as (
            select
                coalesce(p.present_name, d.product_name)::varchar(255) as product_name,
                d.licenses_sold,
                d.licenses_deployed
            from newest as d
            left join present_name as p
                on p.kind = 'product' and p.key = name_key(d.product_id, d.product_name)
            where d.processed_date = d.newest_date
                and (d.product_id is null or d.first_synced_at = d.last_synced_at)
        )

        select
            d.product_name as "product_name!",
            product_kind(max(n.product_kind), d.product_name)::varchar(16) as "product_kind!",
            seat_sum(sum(d.licenses_sold)) as "sold!",
            seat_sum(sum(d.licenses_deployed)) as "assigned!"
        from present as d
        left join product_note as n on n.product_name = d.product_name
        group by d.product_name
        "#,
        customer,
        day
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn select_days(
    connection: &mut PgConnection,
    customer: Uuid,
    days: &DetailDays,
) -> Result<Vec<CoverageDay>, sqlx::Error> {
    sqlx::query_as!(
        CoverageDay,
        r#"
        select
            processed_date as "date!",
            state as "state!",
            reason,
            detail
        from coverage
        where customer_id = $1 and processed_date between $2 and $3
        order by processed_date
        "#,
        customer,
        days.since,
        days.until
    )
    .fetch_all(connection)
    .await
}

/// The corrections of the days, and how many there are.
pub(super) async fn select_restatements(
    connection: &mut PgConnection,
    customer: Uuid,
    days: &DetailDays,
) -> Result<(Vec<UsageRestatement>, i64), sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select
            restated_at as "restated_at!",
            processed_date as "date!",
            product_name as "product_name!",
            workload_name as "workload_name!",
            old_licenses_active as "old_active!",
            new_licenses_active as "new_active!",
            old_licenses_qualified as "old_qualified!",
            new_licenses_qualified as "new_qualified!",
            count(*) over () as "total!"
        from license_usage_restatement
        where customer_id = $1 and processed_date between $2 and $3
        order by restated_at desc, restatement_id desc
        limit $4
        "#,
        customer,
        days.since,
        days.until,
        LISTED_RESTATEMENTS
    )
    .fetch_all(connection)
    .await?;
    let total = rows.first().map_or(0, |row| row.total);
    let rows = rows.into_iter().map(|row| UsageRestatement {
        restated_at: row.restated_at,
        date: row.date,
        product_name: row.product_name,
        workload_name: row.workload_name,
        old_active: row.old_active,
        new_active: row.new_active,
        old_qualified: row.old_qualified,
        new_qualified: row.new_qualified,
    });
    Ok((rows.collect(), total))
}

/// Without `replaces`, for which Postgres would compare all customers: [`select_renamed`] has it.
pub(super) async fn select_holdings(
    connection: &mut PgConnection,
    customer: Uuid,
    until: NaiveDate,
) -> Result<Vec<HeldProduct>, sqlx::Error> {
    sqlx::query_as!(
        HeldProduct,
        r#"
        select
            product_name as "product_name!",
            product_kind as "product_kind!",
            first_date as "first_date!",
            last_date as "last_date!",
            is_current as "is_current!",
            is_from_the_start as "is_from_the_start!",
            null::varchar as replaces
        from license_holding
        where customer_id = $1 and first_date <= $2
        order by first_date desc, product_name
        "#,
        customer,
        until
    )
    .fetch_all(connection)
    .await
}
