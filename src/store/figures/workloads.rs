//! The lines of the workloads that are used most, by day and by month. Paid products only, as
//! everywhere on the page: seats that cost nothing would hide how those are used that do.

use chrono::{Datelike as _, Days, Months, NaiveDate};
use sqlx::{FromRow, PgConnection};

use super::{DayPoint, Figures, FrontTable, MonthPoint, WorkloadLine};

#[derive(FromRow)]
struct Row<P> {
    workload_name: String,
    #[sqlx(flatten)]
    point: P,
}

pub(super) async fn select(
    connection: &mut PgConnection,
    figures: &Figures,
) -> Result<Vec<WorkloadLine>, sqlx::Error> {
    let days = FrontTable::Workloads.query(figures);
    let days: Vec<Row<DayPoint>> = days.all(connection).await?;
    let months = FrontTable::WorkloadMonths.query(figures);
    let months: Vec<Row<MonthPoint>> = months.all(connection).await?;
    let lines = days.chunk_by(|one, next| one.workload_name == next.workload_name);
    let lines = lines.map(|days| {
        let name = &days[0].workload_name;
        let months = months.iter().filter(|row| row.workload_name == *name);
        WorkloadLine {
            workload_name: name.clone(),
            days: days.iter().map(|row| row.point).collect(),
            months: months.map(|row| row.point).collect(),
        }
    });
    Ok(lines.collect())
}

/// The last days of 13 months up to that of the newest date, which stands for its month's last day.
/// As texts; none without a newest date.
pub(super) fn month_ends(newest: Option<NaiveDate>) -> Vec<String> {
    let Some(newest) = newest else {
        return Vec::new();
    };
    let first_of_month = newest - Days::new(newest.day0().into());
    let last = |ago| first_of_month + Months::new(1) - Months::new(ago) - Days::new(1);
    let ends = (0..13).rev().map(|ago| newest.min(last(ago)));
    ends.map(|end| end.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirteen_months_end_with_the_newest_day() {
        let ends = |date: &str| month_ends(Some(date.parse().unwrap()));
        let shown = |ends: &[String]| [0, 8, 11, 12].map(|place| ends[place].clone());
        let open = ends("2024-10-15");
        assert_eq!(open.len(), 13);
        assert_eq!(
            shown(&open),
            ["2023-10-31", "2024-06-30", "2024-09-30", "2024-10-15"]
        );
        let over = ends("2024-10-31");
        assert_eq!(over[12], "2024-10-31");
        assert_eq!(open[..12], over[..12]);
        assert_eq!(ends("2025-03-30")[11], "2025-02-28");
    }
}
