//! Records of which customers, services and dates the ledger has rows.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::super::digest::CustomerDateRows;
use super::super::written::Stamp;

/// Records dates that the ledger had no rows of, and the newest day that the run has received.
pub(super) async fn insert(
    connection: &mut PgConnection,
    fresh: &[&CustomerDateRows<'_>],
    newest: NaiveDate,
    stamp: Stamp,
) -> Result<(), sqlx::Error> {
    let of_services: Vec<(&str, &CustomerDateRows<'_>)> = fresh
        .iter()
        .flat_map(|date| date.services().into_iter().map(|service| (service, *date)))
        .collect();
    macro_rules! column {
        ($value:expr) => {
            of_services.iter().map($value).collect::<Vec<_>>()
        };
    }
    sqlx::query!(
        "
        with incoming as (
            -- Two names of a service may differ in letter case only.
            select distinct on (1, 2, 3)
                date,
                customer_id,
                license_service(service, null) as service,
                seen_at,
                digest
            from
                unnest($1::timestamptz[], $2::uuid[], $3::varchar[], $4::timestamptz[], $5::bytea[])
                    as t (date, customer_id, service, seen_at, digest)
        ),

        dates as (
            insert into service_date as d (dataset, processed_date, service, first_seen_at)
            select
                'usage',
                processed_date,
                service,
                seen_at
            from (
                select
                    (date at time zone 'UTC')::date as processed_date,
                    service,
                    min(seen_at) as seen_at
                from incoming
                group by 1, 2
            ) as i
            where not exists (
                select
                from service_date as k
                where k.dataset = 'usage'
                    and k.processed_date = i.processed_date
                    and k.service = i.service
                    and k.first_seen_at <= i.seen_at
            )
            on conflict (dataset, processed_date, service) do update
            set first_seen_at = least(d.first_seen_at, excluded.first_seen_at)
        ),

        progress as (
            update sync_run as r
            set newest_processed_date = $7
            where r.run_id = $6
                and r.asked_date is null
                and (r.newest_processed_date is null or r.newest_processed_date < $7)
        )

        insert into license_usage_collection (
            processed_date_time, customer_id, service, run_id, first_seen_at, digest
        )
        select
            date,
            customer_id,
            service,
            $6,
            seen_at,
            digest
        from incoming
        -- A partition that was detached may have left its collections behind.
        on conflict (processed_date_time, customer_id, service) do update
        set digest = excluded.digest,
            has_later_rows = false
        ",
        &column!(|(_, date)| date.at),
        &column!(|(_, date)| date.customer),
        &column!(|(service, _)| *service) as _,
        &column!(|(_, date)| date.seen_at()) as _,
        &column!(|(_, date)| date.digest.as_ref()) as _,
        stamp.run_id,
        newest
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Records dates that the ledger had rows of. Their rows may be of other services now.
pub(super) async fn update(
    connection: &mut PgConnection,
    known: &[&CustomerDateRows<'_>],
) -> Result<(), sqlx::Error> {
    if known.is_empty() {
        return Ok(());
    }
    let times: Vec<DateTime<Utc>> = known.iter().map(|date| date.at).collect();
    let customers: Vec<Uuid> = known.iter().map(|date| date.customer).collect();
    let digests: Vec<&[u8]> = known.iter().map(|date| date.digest.as_ref()).collect();
    let seen_ats: Vec<Option<DateTime<Utc>>> = known.iter().map(|date| date.seen_at()).collect();
    sqlx::query!(
        r#"select collect_license_usage_collections($1, $2, $3) as "done: ()""#,
        &customers,
        &times,
        &seen_ats as _
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "
        update license_usage_collection as c
        set digest = i.digest
        from unnest($1::timestamptz[], $2::uuid[], $3::bytea[]) as i (date, customer_id, digest)
        where c.processed_date_time = i.date
            and c.customer_id = i.customer_id
        ",
        &times,
        &customers,
        &digests as _
    )
    .execute(connection)
    .await
    .map(drop)
}
