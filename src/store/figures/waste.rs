//! Paid products with unused seats.

use sqlx::PgConnection;

use super::{WasteLine, WasteTotal};

const LINES: i64 = 12;

pub(super) async fn select(
    connection: &mut PgConnection,
) -> Result<(Vec<WasteLine>, WasteTotal), sqlx::Error> {
    let lines = sqlx::query!(
        r#"
        with waste as materialized (select * from license_waste),

        total as (
            select
                count(distinct customer_id) as customers,
                seat_sum(sum(licenses_unused)) as unused
            from waste
        )

        select
            w.customer_id as "customer_id!",
            w.customer_name,
            w.product_name as "product_name!",
            coalesce(w.licenses_sold, w.licenses_qualified) as seats,
            w.licenses_active as active,
            w.licenses_unused as "unused!",
            t.customers as "all_customers!",
            t.unused as "all_unused!"
        from waste as w
        cross join total as t
        order by w.licenses_unused desc, w.customer_id, w.product_name
        limit $1
        "#,
        LINES
    )
    .fetch_all(connection)
    .await?;
    let total = lines.first().map(|line| WasteTotal {
        customers: line.all_customers,
        unused: line.all_unused,
    });
    let lines = lines.into_iter().map(|line| WasteLine {
        customer_id: line.customer_id.into(),
        customer_name: line.customer_name,
        product_name: line.product_name,
        seats: line.seats,
        active: line.active,
        unused: line.unused,
    });
    Ok((lines.collect(), total.unwrap_or_default()))
}
