//! Whether the collections of each service and day are there.

use chrono::NaiveDate;
use sqlx::PgConnection;

use super::{ServiceDay, ServiceStrip};

/// The services of which figures were expected within these days, those of most customers first.
/// There are few services; the limit is for a list that does not grow whatever comes.
const SERVICES: i64 = 12;

pub(super) async fn select(
    connection: &mut PgConnection,
    newest: NaiveDate,
) -> Result<Vec<ServiceStrip>, sqlx::Error> {
    let days = sqlx::query!(
        r#"
        with day as materialized (
            select *
            from data_completeness
            where date > $1::date - 91
        ),

        strip as (
            select
                service,
                row_number() over (order by max(customers_expected) desc, service) as place
            from day
            group by service
            having max(customers_expected) > 0
            order by place
            limit $2
        )

        select
            d.service as "service!",
            d.date as "date!",
            d.state as "state!",
            d.customers_expected as "expected!",
            d.customers_stored as "stored!"
        from strip as s
        inner join day as d on d.service = s.service
        order by s.place, d.date
        "#,
        newest,
        SERVICES
    )
    .fetch_all(connection)
    .await?;
    let strips = days.chunk_by(|one, next| one.service == next.service);
    let strips = strips.map(|days| ServiceStrip {
        service: days[0].service.clone(),
        days: days
            .iter()
            .map(|day| ServiceDay {
                date: day.date,
                state: day.state.clone(),
                expected: day.expected,
                stored: day.stored,
            })
            .collect(),
    });
    Ok(strips.collect())
}
