//! Statements of other writers than a run, at random.

use chrono::{DateTime, Utc};

use crate::support::Draw;

/// A change to the ledger that a person makes.
pub(super) fn write(draw: &mut Draw, now: DateTime<Utc>) -> String {
    // Every so many rows in the order of the primary key.
    let (every, from) = (draw.pick(&[2, 3, 5, 17]), draw.below(17));
    let some = format!(
        "(processed_date_time, customer_id, product_name, workload_name) in (
             select processed_date_time, customer_id, product_name, workload_name
             from (
                 select *, row_number() over (order by processed_date_time, customer_id,
                     product_name collate \"C\", workload_name collate \"C\") as place
                 from license_usage
             ) as numbered
             where place % {every} = {from} % {every}
         )"
    );
    let days = draw.pick(&[-31, -9, -1, 0, 1, 3, 40]);
    // A name belongs to one id, so a row under another name has none, or the name is the id's own.
    let product = draw.pick(&[
        "product_name, workload_name, customer_name, product_id",
        "'Restored', workload_name, customer_name, null",
        "'Office 365 E3', workload_name, customer_name, null",
        "coalesce('Again ' || product_id, product_name), workload_name, customer_name, product_id",
    ]);
    let insert = format!(
        "insert into license_usage
         select processed_date_time + interval '{days} days', customer_id, {product},
             workload_code, service_name, service_code, channel, licenses_active + 1,
             licenses_qualified, null, '{now}', '{now}', run_id
         from license_usage
         where {some}
         on conflict do nothing"
    );
    // Whether a row meets another that has not been moved yet would depend on the order in which
    // they are stored.
    let moved = format!(
        "update license_usage as u
         set processed_date_time = processed_date_time + interval '{days} days',
             product_name = 'Moved ' || product_name, product_id = null
         where {some}
             and not exists (
                 select
                 from license_usage as o
                 where o.processed_date_time = u.processed_date_time + interval '{days} days'
                     and o.customer_id = u.customer_id
                     and o.product_name = 'Moved ' || u.product_name
                     and o.workload_name = u.workload_name
             )"
    );
    let newest = "(select max(processed_date_time) from license_usage)";
    let statement = match draw.below(12) {
        0..=3 => insert,
        4 => format!("update license_usage set licenses_active = licenses_active + 1 where {some}"),
        5 => format!("update license_usage set channel = 'direct' where {some}"),
        6 => moved,
        7 => format!("update license_usage set service_code = lower(service_code) where {some}"),
        8 => format!("delete from license_usage where {some}"),
        9 => format!("delete from license_usage where processed_date_time = {newest}"),
        10 => "delete from license_usage
               where customer_id = (select max(customer_id::text)::uuid from license_usage)"
            .to_owned(),
        _ if draw.one_in(4) => "truncate license_usage".to_owned(),
        _ => format!("delete from license_usage where {some}"),
    };
    let partitions = format!(
        "select add_license_usage_partitions(
             array_agg(processed_date_time + interval '{days} days')
         ) from license_usage"
    );
    let statement = match draw.below(5) {
        0 => deployment(draw, now),
        _ => statement,
    };
    if draw.one_in(3) {
        format!(
            "{partitions}; begin; set local seatledger.keeps_months = on; {statement}; commit;
             select reread_license_usage()"
        )
    } else {
        format!("{partitions}; {statement}")
    }
}

/// A change to deployment.
fn deployment(draw: &mut Draw, now: DateTime<Utc>) -> String {
    let (every, from) = (draw.pick(&[1, 2, 5]), draw.below(5));
    let some = format!(
        "(processed_date_time, customer_id, product_name) in (
             select processed_date_time, customer_id, product_name
             from (
                 select *, row_number() over (order by processed_date_time, customer_id,
                     product_name collate \"C\") as place
                 from license_deployment
             ) as numbered
             where place % {every} = {from} % {every}
         )"
    );
    let days = draw.pick(&[-31, -1, 1, 3]);
    match draw.below(4) {
        0 => format!(
            "insert into license_deployment
             select processed_date_time + interval '{days} days', customer_id, product_name,
                 customer_name, product_id, service_name, service_code, channel,
                 licenses_deployed, licenses_sold + 1, null, '{now}', '{now}', run_id
             from license_deployment
             where {some}
             on conflict do nothing"
        ),
        1 => format!(
            "update license_deployment as u
             set processed_date_time = processed_date_time + interval '{days} days'
             where {some}
                 and not exists (
                     select
                     from license_deployment as o
                     where o.processed_date_time = u.processed_date_time + interval '{days} days'
                         and o.customer_id = u.customer_id
                         and o.product_name = u.product_name
                 )"
        ),
        2 => {
            format!("update license_deployment set licenses_sold = licenses_sold + 1 where {some}")
        }
        _ => format!("delete from license_deployment where {some}"),
    }
}

/// A change to a table that people edit.
pub(super) fn edit(draw: &mut Draw) -> String {
    let names = [
        "Restored",
        "Office 365 E3",
        "Visio Plan 2",
        "Dynamics 365 Sales",
        "Dynamics 365 Finance 4",
        "Never sold",
    ];
    let (name, other) = (draw.pick(&names), draw.pick(&names));
    match draw.below(8) {
        0..=2 => format!(
            "insert into product_alias (product_name, present_name) values ('{name}', '{other}')
             on conflict (product_name) do update set present_name = excluded.present_name"
        ),
        3 => format!("delete from product_alias where product_name = '{name}'"),
        4 => format!(
            "insert into product_note (product_name, product_kind) values ('{name}', '{}')
             on conflict (product_name) do update set product_kind = excluded.product_kind",
            draw.pick(&["paid", "free", "trial"])
        ),
        5 => "delete from product_note".to_owned(),
        6 => format!(
            "insert into adoption_target (workload_name, target_ratio) values ('{}', {})
             on conflict (workload_name) do update set target_ratio = excluded.target_ratio",
            draw.pick(&["Exchange", "Teams", "Teams now"]),
            draw.pick(&[0.0, 0.25, 0.5, 1.0])
        ),
        _ => "delete from adoption_target".to_owned(),
    }
}
