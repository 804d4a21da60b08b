//! Seats of paid products over all customers, as they are now.

use sqlx::PgConnection;

use super::{Tile, Tiles};

pub(super) async fn select_tiles(connection: &mut PgConnection) -> Result<Tiles, sqlx::Error> {
    let now = sqlx::query!(
        r#"
        select
            case when count(licenses_sold) > 0 then seat_sum(sum(licenses_sold)) end as sold,
            case when count(licenses_assigned) > 0 then seat_sum(sum(licenses_assigned)) end
                as assigned,
            case when count(licenses_active) > 0 then seat_sum(sum(licenses_active)) end
                as active,
            case when count(*) > 0 then
                seat_sum(sum(licenses_unused) filter (where licenses_unused > 0))
            end as unused
        from license_product
        where product_kind = 'paid'
        "#
    )
    .fetch_one(connection)
    .await?;
    let tile = |now| Tile {
        now,
        months: Vec::new(),
    };
    Ok(Tiles {
        sold: tile(now.sold),
        assigned: tile(now.assigned),
        active: tile(now.active),
        unused: tile(now.unused),
    })
}
