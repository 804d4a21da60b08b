//! The tables of the front page: their rows, from the figures as they were computed, and the
//! queries that give the same to a person with a tool of their own.

use serde_json::{Map, Value};

use super::Figures;
use super::suspects::{names_of_late, new_names, old_names};
use super::workloads::month_ends;
use crate::store::detail::{TableQuery, array, literal};

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

    /// The query that gives its rows: what the ledger is asked, and what a page shows. Of the
    /// figures it takes the newest date and the suspected renamings.
    pub(crate) fn query(self, figures: &Figures) -> TableQuery {
        let newest = figures.newest_date;
        let suspects = &figures.rename_suspects;
        let further = match self {
            Self::Movers => vec![names_of_late(suspects, newest)],
            Self::ProductEvents => vec![old_names(suspects), new_names(suspects)],
            Self::WorkloadMonths => vec![month_ends(newest)],
            _ => vec![],
        };
        let newest = newest.map_or("null".to_owned(), |date| literal(&date.to_string()));
        let further = further.iter().map(|values| array(values));
        let values: Vec<String> = [newest].into_iter().chain(further).collect();
        TableQuery::new(filled(self.template(), &values))
    }

    /// The query with `$1` for the newest date, and `$2` and `$3` for arrays.
    fn template(self) -> &'static str {
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
                "alias_statement",
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

/// The text with its values in place of `$1`, `$2` and so on. In one pass, since a value may hold
/// such a text itself.
fn filled(template: &str, values: &[String]) -> String {
    let mut parts = template.trim_end().split('$');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (number, rest) = part.split_at(1);
        let value = number.parse().ok().and_then(|n: usize| values.get(n - 1));
        text.push_str(value.expect("each number in the queries has a value"));
        text.push_str(rest);
    }
    text
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::RenameSuspect;

    fn figures(newest: Option<&str>, old: &str) -> Figures {
        Figures {
            newest_date: newest.map(|date| date.parse().unwrap()),
            rename_suspects: vec![RenameSuspect {
                old_product_name: old.to_owned(),
                new_product_name: "New".to_owned(),
                customers: 5,
                share_of_holders: None,
                since: newest.map(|date| date.parse().unwrap()),
                alias_statement: None,
            }],
            ..Figures::default()
        }
    }

    #[test]
    fn a_query_has_its_values_whatever_they_hold() {
        for table in FrontTable::ALL {
            for newest in [None, Some("2026-11-27")] {
                let query = table.query(&figures(newest, "Old"));
                assert!(!query.sql().contains('$'), "{}", query.sql());
            }
        }
        let hostile = figures(Some("2026-11-27"), r"$3'$1\");
        let events = FrontTable::ProductEvents.query(&hostile);
        let expected = r"product_name <> all(array[E'$3''$1\\']::varchar[])";
        assert!(events.sql().contains(expected), "{}", events.sql());
        assert!(events.sql().contains("all(array['New']::varchar[])"));
        assert!(events.sql().contains("date > '2026-11-27'::date - 91"));
        let movers = FrontTable::Movers.query(&hostile);
        let expected = r"product_name <> all(array[E'$3''$1\\', 'New']::varchar[])";
        assert!(movers.sql().contains(expected), "{}", movers.sql());
    }
}
