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

/// Whether a column contains the text, in any letter case. `ilike` would follow the database's
/// locale: C has cases for the letters of ASCII only, and in Turkish "i" is no small "I".
pub(super) fn contains(column: &str, text: &str) -> String {
    let pattern: String = text.chars().map(in_any_case).collect();
    format!("{column} ~* {}", literal(&pattern))
}

/// A regular expression for a character. Postgres itself ignores the letter case of ASCII, in every
/// locale.
fn in_any_case(character: char) -> String {
    match character {
        '^' | '\\' => format!("\\{character}"),
        '.' | '*' | '+' | '?' | '(' | ')' | '[' | '{' | '|' | '$' => format!("[{character}]"),
        _ if character.is_ascii() => character.into(),
        _ => {
            // A form of several letters, such as "SS", is left out.
            let forms = [
                single(character.to_lowercase()),
                single(character.to_uppercase()),
            ];
            let other = forms.into_iter().flatten().find(|form| *form != character);
            other.map_or_else(|| character.into(), |other| format!("[{character}{other}]"))
        }
    }
}

/// The character, if it is the only one.
fn single(mut characters: impl Iterator<Item = char>) -> Option<char> {
    let first = characters.next();
    first.filter(|_| characters.next().is_none())
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
    fn a_search_is_a_pattern_of_characters_in_any_case() {
        for (text, pattern) in [
            ("50%_a!b'", r"'50%_a!b'''"),
            ("(a.b)", r"'[(]a[.]b[)]'"),
            (r"^\", r"E'\\^\\\\'"),
            (
                "M\u{fc}\u{c4}\u{df}",
                "'M[\u{fc}\u{dc}][\u{c4}\u{e4}]\u{df}'",
            ),
            ("\u{738b}", "'\u{738b}'"),
        ] {
            assert_eq!(contains("domain", text), format!("domain ~* {pattern}"));
        }
    }
}
