//! What a migration does to tables and views that exist, read from its text. Pure.
//!
//! Postgres could only tell by doing it. The text is read roughly, also inside of functions and
//! literals: a lock too many closes a view for the length of a migration, and one too few is taken
//! by the statement itself.

use std::collections::BTreeSet;

/// What is read from the texts of migrations.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Effects {
    /// Tables, views and indexes that are locked against readers.
    pub(super) closed: BTreeSet<String>,
    /// What other views must not use: a table, view or column that is dropped, or a column that
    /// gets another type. Without a column it is the whole.
    pub(super) removed: BTreeSet<(String, Option<String>)>,
}

/// Reads one migration.
pub(super) fn read(sql: &str) -> Effects {
    let text = without_comments(sql);
    let mut effects = Effects::default();
    for statement in text.split(';') {
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        let words: Vec<&str> = statement
            .split(|c: char| !is_part(c))
            // Words that may be left out, and a schema, say nothing about what is done.
            .filter(|word| !matches!(*word, "" | "if" | "exists" | "only" | "column"))
            .map(|word| word.rsplit('.').next().unwrap_or(word))
            .collect();
        for at in 0..words.len() {
            effects.add(&words[at..]);
        }
    }
    effects
}

impl Effects {
    /// Adds the effect of the command that begins with the first word, if one does.
    fn add(&mut self, words: &[&str]) {
        let is_list = |word: &&&str| !matches!(**word, "cascade" | "restrict" | "in");
        match words {
            // These do not block readers, and may take long.
            ["alter", "table", _, "attach" | "validate", ..]
            | ["drop", "index", "concurrently", ..] => {}
            ["alter", "table", table, rest @ ..] => {
                self.close(table);
                for at in 0..rest.len() {
                    if let Some(column) = removed_column(&rest[at..]) {
                        self.removed
                            .insert(((*table).to_owned(), Some(column.to_owned())));
                    }
                }
            }
            ["alter", "view", view, ..] | ["create", "or", "replace", "view", view, ..] => {
                self.close(view);
            }
            ["drop", "table" | "view", names @ ..] => {
                for name in names.iter().take_while(is_list) {
                    self.close(name);
                    self.removed.insert(((*name).to_owned(), None));
                }
            }
            ["drop", "index", names @ ..]
            | ["truncate" | "lock", "table", names @ ..]
            | ["truncate", names @ ..] => {
                for name in names.iter().take_while(is_list) {
                    self.close(name);
                }
            }
            ["drop", "trigger" | "rule" | "policy", _, "on", table, ..] => self.close(table),
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        self.closed.insert(name.to_owned());
    }
}

/// The column that a part of "alter table" drops or gives another type.
fn removed_column<'a>(words: &[&'a str]) -> Option<&'a str> {
    match words {
        [
            "drop",
            "constraint" | "default" | "not" | "expression" | "identity",
            ..,
        ] => None,
        ["drop", column, ..]
        | ["alter", column, "type", ..]
        | ["alter", column, "set", "data", "type", ..] => Some(column),
        _ => None,
    }
}

/// The text in lower case, without what follows "--" in a line.
fn without_comments(sql: &str) -> String {
    let lines = sql.lines().map(|line| line.split("--").next());
    let lines: Vec<&str> = lines.map(Option::unwrap_or_default).collect();
    lines.join("\n").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(sql: &str) -> String {
        let names: Vec<String> = read(sql).closed.into_iter().collect();
        names.join(" ")
    }

    fn removed(sql: &str) -> String {
        let names = read(sql).removed.into_iter();
        let names = names.map(|(name, column)| match column {
            Some(column) => format!("{name}.{column}"),
            None => name,
        });
        names.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_is_closed_to_readers_is_read_from_a_migration() {
        for (sql, names) in [
            (
                "alter table license_usage add column note text",
                "license_usage",
            ),
            (
                "ALTER TABLE IF EXISTS ONLY public.customer\n add x int",
                "customer",
            ),
            (
                "create or replace view coverage as select 1 from customer",
                "coverage",
            ),
            ("drop view a, b cascade; drop table if exists c", "a b c"),
            ("truncate table a, b; truncate c", "a b c"),
            ("lock table a in share mode", "a"),
            (
                "drop index customer_idx; alter view v set (security_barrier)",
                "customer_idx v",
            ),
            (
                "drop trigger if exists follow on license_usage",
                "license_usage",
            ),
            (
                "do $$ begin execute 'alter table consent add x int'; end $$",
                "consent",
            ),
            // Readers do not wait for these.
            (
                "-- alter table customer add x int;\ncreate table new (x int)",
                "",
            ),
            (
                "alter table license_usage attach partition p for values in (1)",
                "",
            ),
            ("alter table license_usage validate constraint c", ""),
            (
                "create index i on license_usage (x); comment on table customer is 'x'",
                "",
            ),
            (
                "drop index concurrently i; update customer set domain = null",
                "",
            ),
            ("create view v as select * from customer", ""),
        ] {
            assert_eq!(closed(sql), names, "{sql}");
        }
    }

    #[test]
    fn what_other_views_must_not_use_is_read_from_a_migration() {
        for (sql, names) in [
            (
                "alter table customer drop column domain, add column x int",
                "customer.domain",
            ),
            (
                "alter table customer drop domain, drop constraint c",
                "customer.domain",
            ),
            (
                "alter table t alter column a type bigint, alter b set data type text",
                "t.a t.b",
            ),
            (
                "alter table t alter a drop not null, alter a set default 1",
                "",
            ),
            ("drop table if exists t, u", "t u"),
            ("drop view v", "v"),
            ("create or replace view v as select 1", ""),
        ] {
            assert_eq!(removed(sql), names, "{sql}");
        }
    }
}
