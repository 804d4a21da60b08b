//! The locale in which the ledger's names were requested, and whether a run may use another.

use chrono::{DateTime, Utc};

use super::error::StoreError;
use super::pool::Store;
use super::run::RunLease;

/// The locale of the ledger's names, if it keeps a run from requesting names in `wanted`: they
/// would begin every series again under other names. `known` is none while there are no names.
#[must_use]
pub fn conflicting_locale(known: Option<String>, wanted: &str, may_change: bool) -> Option<String> {
    known.filter(|known| !may_change && !known.eq_ignore_ascii_case(wanted))
}

impl Store {
    /// The locale in which the ledger's names were requested; none while there are no names.
    ///
    /// # Errors
    /// When Postgres is away or refuses, for example because there are no tables yet.
    pub async fn load_locale(&self) -> Result<Option<String>, StoreError> {
        let query = sqlx::query_scalar!(
            "
            select locale
            from ledger_locale
            where exists (select from series_name)
            order by since desc
            limit 1
            "
        );
        self.read("reading the locale", async |connection| {
            query.fetch_optional(connection).await
        })
        .await
    }
}

impl RunLease {
    /// Records that names are requested in `locale` from now on, unless that
    /// [conflicts](conflicting_locale) with the ledger's, which is returned then.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn admit_locale(
        &mut self,
        locale: &str,
        may_change: bool,
        now: DateTime<Utc>,
    ) -> Result<Option<String>, StoreError> {
        self.within("comparing the locale", async |connection| {
            let newest = sqlx::query!(
                r#"
                select
                    locale,
                    exists (select from series_name) as "has_names!"
                from ledger_locale
                order by since desc
                limit 1
                "#
            )
            .fetch_optional(&mut *connection)
            .await?;
            if let Some(newest) = newest {
                if newest.locale.eq_ignore_ascii_case(locale) {
                    return Ok(None);
                }
                let known = newest.has_names.then_some(newest.locale);
                if let Some(known) = conflicting_locale(known, locale, may_change) {
                    return Ok(Some(known));
                }
            }
            sqlx::query!(
                "
                insert into ledger_locale (locale, since)
                values ($1, $2)
                on conflict (since) do update
                set locale = excluded.locale
                ",
                locale,
                now
            )
            .execute(connection)
            .await?;
            Ok(None)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_locale_conflicts_and_only_where_it_may_not_change() {
        let known = || Some("de-DE".to_owned());
        assert_eq!(conflicting_locale(known(), "en-US", false), known());
        assert_eq!(conflicting_locale(known(), "de-de", false), None);
        assert_eq!(conflicting_locale(known(), "en-US", true), None);
        assert_eq!(conflicting_locale(None, "en-US", false), None);
    }
}
