//! The tables of the front page: their rows, from the figures as they were computed, and the
//! queries that give the same to a person with a tool of their own.

use serde_json::{Map, Value};

use super::Figures;

/// A table of the front page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrontTable {
    Completeness,
    Movers,
    ProductEvents,
    RenameSuspects,
    Waste,
    WorkloadMonths,
    Workloads,
}

impl FrontTable {
    pub(crate) const ALL: [Self; 7] = [
        Self::Completeness,
        Self::Movers,
        Self::ProductEvents,
        Self::RenameSuspects,
        Self::Waste,
        Self::WorkloadMonths,
        Self::Workloads,
    ];

    /// The name of its files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Completeness => "completeness",
            Self::Movers => "movers",
            Self::ProductEvents => "product_events",
            Self::RenameSuspects => "rename_suspects",
            Self::Waste => "waste",
            Self::WorkloadMonths => "workload_months",
            Self::Workloads => "workloads",
        }
    }

    /// The query that gives its rows.
    pub(crate) fn sql(self) -> &'static str {
        match self {
            Self::Completeness => include_str!("sql/completeness.sql"),
            Self::Movers => include_str!("sql/movers.sql"),
            Self::ProductEvents => include_str!("sql/product_events.sql"),
            Self::RenameSuspects => include_str!("sql/rename_suspects.sql"),
            Self::Waste => include_str!("sql/waste.sql"),
            Self::WorkloadMonths => include_str!("sql/workload_months.sql"),
            Self::Workloads => include_str!("sql/workloads.sql"),
        }
    }

    /// Its columns, in the order of the query.
    pub(crate) fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Completeness => &["service", "date", "state", "expected", "stored"],
            Self::Movers => &[
                "customer_id",
                "customer_name",
                "product_name",
                "workload_name",
                "from",
                "to",
            ],
            Self::ProductEvents => &[
                "date",
                "kind",
                "product_name",
                "old_product_name",
                "customers",
            ],
            Self::RenameSuspects => &[
                "old_product_name",
                "new_product_name",
                "customers",
                "share_of_holders",
                "since",
            ],
            Self::Waste => &[
                "customer_id",
                "customer_name",
                "product_name",
                "seats",
                "active",
                "unused",
            ],
            Self::WorkloadMonths => &["workload_name", "month", "active", "qualified", "is_over"],
            Self::Workloads => &["workload_name", "date", "active", "qualified", "is_carried"],
        }
    }

    /// Its rows as objects.
    ///
    /// # Errors
    /// Never: every figure has a form in JSON.
    pub(crate) fn rows(
        self,
        figures: &Figures,
    ) -> Result<Vec<Map<String, Value>>, serde_json::Error> {
        let rows = match self {
            Self::Movers => serde_json::to_value(&figures.movers)?,
            Self::ProductEvents => serde_json::to_value(&figures.product_events)?,
            Self::RenameSuspects => serde_json::to_value(&figures.rename_suspects)?,
            Self::Waste => serde_json::to_value(&figures.waste)?,
            Self::Completeness => {
                return Ok(spread(serde_json::to_value(&figures.completeness)?, "days"));
            }
            Self::WorkloadMonths => {
                return Ok(spread(serde_json::to_value(&figures.workloads)?, "months"));
            }
            Self::Workloads => {
                return Ok(spread(serde_json::to_value(&figures.workloads)?, "days"));
            }
        };
        serde_json::from_value(rows)
    }
}

/// A row for each of the `points` of each line, with the line's own fields.
fn spread(lines: Value, points: &str) -> Vec<Map<String, Value>> {
    let mut rows = Vec::new();
    let Value::Array(lines) = lines else {
        return rows;
    };
    for line in lines {
        let Value::Object(mut line) = line else {
            continue;
        };
        if let Some(Value::Array(points)) = line.remove(points) {
            for point in points {
                let mut row = line.clone();
                if let Value::Object(point) = point {
                    row.extend(point);
                }
                rows.push(row);
            }
        }
    }
    rows
}
