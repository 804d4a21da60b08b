//! A query as text, for tables whose rows leave the program in several forms.

use std::borrow::Cow;

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, FromRow, PgConnection};

/// How many rows of a list a page shows.
pub(crate) const PAGE_ROWS: u32 = 100;

/// The query of a table. The rows of a page and those of its files come from this one text, which
/// the page shows, so that a copy of it gives the same. `COPY` takes no parameters, so that values
/// are part of the text: as constants of SQL, made by [`literal`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableQuery(Cow<'static, str>);

impl TableQuery {
    /// The text must hold no value from outside but those that [`literal`] has made a constant.
    pub(in crate::store) fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self(text.into())
    }

    pub(crate) fn sql(&self) -> &str {
        &self.0
    }

    /// All rows.
    pub(in crate::store) async fn all<T>(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Vec<T>, sqlx::Error>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        select(connection, self.sql().to_owned()).await
    }

    /// The rows of a page, the first of which is 0.
    pub(super) async fn page<T>(
        &self,
        connection: &mut PgConnection,
        page: u32,
    ) -> Result<Vec<T>, sqlx::Error>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        select(connection, format!("{}\n{}", self.sql(), limit(page))).await
    }
}

/// The clause that leaves the rows of a page, the first of which is 0.
pub(super) fn limit(page: u32) -> String {
    let offset = u64::from(page) * u64::from(PAGE_ROWS);
    format!("limit {PAGE_ROWS} offset {offset}")
}

async fn select<T>(connection: &mut PgConnection, text: String) -> Result<Vec<T>, sqlx::Error>
where
    T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    // Not kept as a prepared statement: a search makes a text of its own.
    let query = sqlx::query_as(AssertSqlSafe(text)).persistent(false);
    query.fetch_all(connection).await
}

/// A text as a constant of SQL, whatever `standard_conforming_strings` is. A constant cannot hold
/// U+0000, which is left out.
pub(in crate::store) fn literal(text: &str) -> String {
    let quoted = text.replace('\0', "").replace('\'', "''");
    if quoted.contains('\\') {
        format!("E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

/// Texts as an array of constants.
pub(in crate::store) fn array(texts: &[String]) -> String {
    let constants: Vec<String> = texts.iter().map(|text| literal(text)).collect();
    format!("array[{}]", constants.join(", "))
}

/// Whether a column contains the text, in any letter case. `%` and `_` stand for themselves.
pub(super) fn contains(column: &str, text: &str) -> String {
    let mut pattern = String::from("%");
    for character in text.chars() {
        if matches!(character, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(character);
    }
    pattern.push('%');
    format!("{column} ilike {} escape '!'", literal(&pattern))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_constant_whatever_it_holds() {
        for (text, constant) in [
            ("", "''"),
            ("O'Neil", "'O''Neil'"),
            ("a\0b", "'ab'"),
            (r"\", r"E'\\'"),
            (
                r"\'; drop table customer; --",
                r"E'\\''; drop table customer; --'",
            ),
            ("'\u{2019}", "'''\u{2019}'"),
        ] {
            assert_eq!(literal(text), constant);
        }
    }

    #[test]
    fn wildcards_of_a_search_stand_for_themselves() {
        assert_eq!(
            contains("domain", "50%_a!b'"),
            "domain ilike '%50!%!_a!!b''%' escape '!'"
        );
    }
}
