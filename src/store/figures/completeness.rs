//! Whether the collections of each service and day are there: of the services of which figures were
//! expected within the last 91 days, those of most customers first.

use sqlx::{FromRow, PgConnection};

use super::{Figures, FrontTable, ServiceDay, ServiceStrip};

#[derive(FromRow)]
struct Row {
    service: String,
    #[sqlx(flatten)]
    day: ServiceDay,
}

pub(super) async fn select(
    connection: &mut PgConnection,
    figures: &Figures,
) -> Result<Vec<ServiceStrip>, sqlx::Error> {
    let rows: Vec<Row> = FrontTable::Completeness
        .query(figures)
        .all(connection)
        .await?;
    let strips = rows.chunk_by(|one, next| one.service == next.service);
    let strips = strips.map(|rows| ServiceStrip {
        service: rows[0].service.clone(),
        days: rows.iter().map(|row| row.day.clone()).collect(),
    });
    Ok(strips.collect())
}
