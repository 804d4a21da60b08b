//! Products that were renamed, began or ended.

use chrono::NaiveDate;
use sqlx::PgConnection;

use super::{ProductEvent, ProductEventKind, RenameSuspect};

/// How many suspected renamings are shown.
pub(super) const SHOWN_SUSPECTS: usize = 10;

/// How many are looked at. A partner with more has changed the language of its ledger.
const SUSPECTS: i64 = 1_000;

const EVENTS: i64 = 15;

/// The suspected renamings, those of most customers first.
pub(super) async fn select_suspects(
    connection: &mut PgConnection,
) -> Result<Vec<RenameSuspect>, sqlx::Error> {
    sqlx::query_as!(
        RenameSuspect,
        r#"
        select
            old_product_name as "old_product_name!",
            new_product_name as "new_product_name!",
            customers as "customers!",
            share_of_holders,
            since
        from product_rename_suspect
        order by customers desc, old_product_name
        limit $1
        "#,
        SUSPECTS
    )
    .fetch_all(connection)
    .await
}

/// What happened within the 91 days up to `newest`. Products that are suspected to be one under two
/// names neither begin nor end. A product that a service had within its first fortnight in the
/// ledger may be older than the ledger.
pub(super) async fn select_events(
    connection: &mut PgConnection,
    newest: NaiveDate,
    suspects: &[RenameSuspect],
) -> Result<Vec<ProductEvent>, sqlx::Error> {
    let old: Vec<String> = suspects
        .iter()
        .map(|it| it.old_product_name.clone())
        .collect();
    let new: Vec<String> = suspects
        .iter()
        .map(|it| it.new_product_name.clone())
        .collect();
    let events = sqlx::query!(
        r#"
        with product as materialized (
            select
                product_name,
                count(*) as customers,
                min(first_date) as first_date,
                max(last_date) as last_date,
                bool_or(is_current) as is_current,
                min(min(first_date)) over (partition by max(service)) as first_of_service
            from license_holding
            group by product_name
        ),

        -- Several ids may change from one name to another.
        renamed as (
            select old_name, product_name, min(first_date) as date
            from (
                select
                    product_name,
                    first_processed_date as first_date,
                    lag(product_name) over (
                        partition by product_id order by first_processed_date_time, run_id
                    ) as old_name
                from product_name_history
            ) as name
            where old_name is not null
            group by old_name, product_name
        ),

        event as (
            select
                r.date,
                'renamed' as kind,
                r.product_name::varchar(255) as product_name,
                r.old_name::varchar(255) as old_name,
                coalesce(p.customers, 0) as customers
            from renamed as r
            left join product as p on p.product_name = r.product_name::varchar(255)
            union all
            select first_date, 'began', product_name, null, customers
            from product
            where first_date > first_of_service + 14
                and product_name <> all($3::varchar[])
            union all
            select last_date, 'ended', product_name, null, customers
            from product
            where not is_current
                and product_name <> all($2::varchar[])
        )

        select
            date as "date!",
            kind as "kind!",
            product_name as "product_name!",
            old_name,
            customers as "customers!"
        from event
        where date > $1::date - 91
        order by date desc, customers desc, product_name, kind
        limit $4
        "#,
        newest,
        &old,
        &new,
        EVENTS
    )
    .fetch_all(connection)
    .await?;
    let events = events.into_iter().map(|event| ProductEvent {
        date: event.date,
        kind: match event.kind.as_str() {
            "renamed" => ProductEventKind::Renamed,
            "began" => ProductEventKind::Began,
            _ => ProductEventKind::Ended,
        },
        product_name: event.product_name,
        old_product_name: event.old_name,
        customers: event.customers,
    });
    Ok(events.collect())
}
