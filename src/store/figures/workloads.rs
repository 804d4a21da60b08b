//! The lines of the workloads that are used most, by day and by month.

use chrono::NaiveDate;
use sqlx::PgConnection;

use super::{DayPoint, MonthPoint, WorkloadLine};

/// How many workloads have a line.
const LINES: i64 = 8;

pub(super) async fn select(
    connection: &mut PgConnection,
    newest: NaiveDate,
) -> Result<Vec<WorkloadLine>, sqlx::Error> {
    let days = sqlx::query!(
        r#"
        with total as materialized (
            select
                workload_name,
                date,
                seat_sum(sum(licenses_active)) as active,
                seat_sum(sum(licenses_qualified)) as qualified,
                2 * sum(customers_carried) >= sum(customers) as is_carried
            from license_usage_daily_total
            where date > $1::date - 90
            group by workload_name, date
        ),

        line as (
            select workload_name, row_number() over (order by active desc, workload_name) as place
            from total
            where date = $1
            order by place
            limit $2
        )

        select
            l.workload_name as "workload_name!",
            d.date::date as "date!",
            t.active,
            t.qualified,
            coalesce(t.is_carried, false) as "is_carried!"
        from line as l
        cross join generate_series($1::date - 89, $1::date::timestamp, interval '1 day') as d (date)
        left join total as t on t.workload_name = l.workload_name and t.date = d.date::date
        order by l.place, d.date
        "#,
        newest,
        LINES
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut lines: Vec<WorkloadLine> = days
        .chunk_by(|one, next| one.workload_name == next.workload_name)
        .map(|days| WorkloadLine {
            workload_name: days[0].workload_name.clone(),
            days: days
                .iter()
                .map(|day| DayPoint {
                    date: day.date,
                    active: day.active,
                    qualified: day.qualified,
                    is_carried: day.is_carried,
                })
                .collect(),
            months: Vec::new(),
        })
        .collect();
    select_months(connection, newest, &mut lines).await?;
    Ok(lines)
}

async fn select_months(
    connection: &mut PgConnection,
    newest: NaiveDate,
    lines: &mut [WorkloadLine],
) -> Result<(), sqlx::Error> {
    let names: Vec<String> = lines
        .iter()
        .map(|line| line.workload_name.clone())
        .collect();
    let months = sqlx::query!(
        r#"
        with newest as (select date_trunc('month', $1::date::timestamp) as month),

        total as (
            select
                workload_name::varchar(255) as workload_name,
                month,
                seat_sum(sum(licenses_active)) as active,
                seat_sum(sum(licenses_qualified)) as qualified
            from license_usage_total
            where month >= (select month - interval '12 months' from newest)
            group by 1, 2
        )

        select
            l.workload_name as "workload_name!",
            m.month::date as "month!",
            t.active,
            t.qualified,
            $1::date >= (m.month + interval '1 month - 1 day')::date as "is_over!"
        from unnest($2::varchar[]) as l (workload_name)
        cross join newest as n
        cross join generate_series(n.month - interval '12 months', n.month, interval '1 month')
            as m (month)
        left join total as t on t.workload_name = l.workload_name and t.month = m.month::date
        order by m.month
        "#,
        newest,
        &names
    )
    .fetch_all(connection)
    .await?;
    for month in months {
        let line = lines
            .iter_mut()
            .find(|line| line.workload_name == month.workload_name);
        if let Some(line) = line {
            line.months.push(MonthPoint {
                month: month.month,
                active: month.active,
                qualified: month.qualified,
                is_over: month.is_over,
            });
        }
    }
    Ok(())
}
