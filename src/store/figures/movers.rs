//! What changed most within the week before the newest date.

use chrono::{Days, NaiveDate};
use sqlx::PgConnection;

use super::{Mover, RenameSuspect};

const MOVERS: i64 = 12;

/// A renaming within the week, or within the fortnight before it, whose figures may be carried,
/// looks like seats that were lost and won.
const RENAMED_WITHIN: Days = Days::new(21);

/// Of each customer and product the workload that changed most: the others usually change with it.
pub(super) async fn select(
    connection: &mut PgConnection,
    newest: NaiveDate,
    suspects: &[RenameSuspect],
) -> Result<Vec<Mover>, sqlx::Error> {
    let renamed: Vec<String> = suspects
        .iter()
        .filter(|suspect| {
            suspect
                .since
                .is_some_and(|since| since + RENAMED_WITHIN > newest)
        })
        .flat_map(|suspect| [&suspect.old_product_name, &suspect.new_product_name])
        .cloned()
        .collect();
    let movers = sqlx::query!(
        r#"
        select
            customer_id as "customer_id!",
            customer_name,
            product_name as "product_name!",
            workload_name as "workload_name!",
            licenses_active_7d_ago as "from!",
            licenses_active as "to!"
        from (
            select distinct on (customer_id, product_name) *
            from license_growth
            where coalesce(days_behind, 0) <= 14
                and licenses_active_change_7d <> 0
                and product_name <> all($1::varchar[])
            order by
                customer_id, product_name, abs(licenses_active_change_7d) desc, workload_name
        ) as mover
        order by abs(licenses_active_change_7d) desc, customer_id, product_name
        limit $2
        "#,
        &renamed,
        MOVERS
    )
    .fetch_all(connection)
    .await?;
    let movers = movers.into_iter().map(|mover| Mover {
        customer_id: mover.customer_id.into(),
        customer_name: mover.customer_name,
        product_name: mover.product_name,
        workload_name: mover.workload_name,
        from: mover.from,
        to: mover.to,
    });
    Ok(movers.collect())
}
