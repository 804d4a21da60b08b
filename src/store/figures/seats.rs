//! Seats of paid products over all customers, now and at the ends of months.

use chrono::NaiveDate;
use sqlx::PgConnection;

use super::{Tile, Tiles, WasteTotal};

pub(super) async fn select(
    connection: &mut PgConnection,
    newest: NaiveDate,
) -> Result<(Tiles, WasteTotal), sqlx::Error> {
    let now = sqlx::query!(
        r#"
        select
            case when count(licenses_sold) > 0 then seat_sum(sum(licenses_sold)) end as sold,
            case when count(licenses_assigned) > 0 then seat_sum(sum(licenses_assigned)) end
                as assigned,
            case when count(licenses_active) > 0 then seat_sum(sum(licenses_active)) end
                as active,
            case when count(licenses_unused) > 0 then
                seat_sum(sum(licenses_unused) filter (where licenses_unused > 0))
            end as unused,
            count(distinct customer_id) filter (where licenses_unused > 0) as "wasting_customers!"
        from license_product
        where product_kind = 'paid'
        "#
    )
    .fetch_one(&mut *connection)
    .await?;
    let tile = |now| Tile {
        now,
        months: Vec::new(),
    };
    let mut tiles = Tiles {
        sold: tile(now.sold),
        assigned: tile(now.assigned),
        active: tile(now.active),
        unused: tile(now.unused),
    };
    select_months(connection, newest, &mut tiles).await?;
    let waste = WasteTotal {
        customers: now.wasting_customers,
        unused: now.unused.unwrap_or_default(),
    };
    Ok((tiles, waste))
}

/// Of months that are over, up to `newest`: a month that is not has figures of its beginning, and
/// the figure of now says more.
async fn select_months(
    connection: &mut PgConnection,
    newest: NaiveDate,
    tiles: &mut Tiles,
) -> Result<(), sqlx::Error> {
    let months = sqlx::query!(
        r#"
        with month as materialized (
            select
                month,
                case when count(licenses_sold) > 0 then seat_sum(sum(licenses_sold)) end as sold,
                case when count(licenses_assigned) > 0 then seat_sum(sum(licenses_assigned)) end
                    as assigned,
                case when count(licenses_active) > 0 then seat_sum(sum(licenses_active)) end
                    as active,
                case when count(licenses_unused) > 0 then
                    seat_sum(sum(licenses_unused) filter (where licenses_unused > 0))
                end as unused
            from license_product_monthly
            where product_kind = 'paid'
                and month > ($1::date + 1 - interval '14 months')::date
                and month <= ($1::date + 1 - interval '1 month')::date
            group by month
        )

        select m.month::date as "month!", f.sold, f.assigned, f.active, f.unused
        from generate_series(
            (select min(month)::timestamp from month),
            $1::date + 1 - interval '1 month',
            interval '1 month'
        ) as m (month)
        left join month as f on f.month = m.month::date
        order by m.month
        "#,
        newest
    )
    .fetch_all(connection)
    .await?;
    for month in months {
        tiles.sold.months.push((month.month, month.sold));
        tiles.assigned.months.push((month.month, month.assigned));
        tiles.active.months.push((month.month, month.active));
        tiles.unused.months.push((month.month, month.unused));
    }
    Ok(())
}
