//! What stands below each table: its files, and the query behind it.

use askama::Template;

use super::layout::Layout;

/// The links to a table's CSV and JSON, and its SQL. A template shows it with `|safe`: its own
/// template has escaped it.
#[derive(Template)]
#[template(path = "data.html")]
pub(crate) struct DataLinks {
    csv: String,
    json: String,
    sql: String,
    /// Whether the page shows a part of the rows, and the files have all.
    is_whole: bool,
    /// What the query needs besides the views; empty if nothing.
    note: &'static str,
}

impl DataLinks {
    /// `path` is that of the files, without the prefix of the pages and the extension; `query` is
    /// what follows the question mark, encoded.
    pub(crate) fn new(layout: &Layout, path: &str, query: &str, sql: &str) -> Self {
        let mark = if query.is_empty() { "" } else { "?" };
        let file = |kind| format!("{}{path}.{kind}{mark}{query}", layout.prefix);
        Self {
            csv: file("csv"),
            json: file("json"),
            sql: sql.to_owned(),
            is_whole: false,
            note: "",
        }
    }

    /// The page shows a hundred of the rows.
    pub(crate) fn of_a_list(self) -> Self {
        Self {
            is_whole: true,
            ..self
        }
    }

    /// The query reads tables on which a role for BI tools has no right.
    pub(crate) fn of_tables(self) -> Self {
        let note = "It reads tables of the program: ask it as the owner of the ledger.";
        Self { note, ..self }
    }
}
