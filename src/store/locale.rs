//! The locale in which the ledger's names were requested.

use chrono::{DateTime, Utc};

use super::run_lock::RunLock;
use super::{Store, StoreError, bounded};

impl Store {
    /// The locale that the ledger's names were asked for in; none where there are no names yet.
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
        bounded("reading the locale", query.fetch_optional(&self.pool)).await
    }
}

impl RunLock {
    /// Makes sure that names are asked for in the ledger's locale. Returns the one it has, where
    /// that is another and may not be changed.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn admit_locale(
        &mut self,
        locale: &str,
        may_change: bool,
        now: DateTime<Utc>,
    ) -> Result<Option<String>, StoreError> {
        bounded("comparing the locale", async {
            let known = sqlx::query!(
                r#"
                select locale, exists (select from series_name) as "has_names!"
                from ledger_locale
                order by since desc
                limit 1
                "#
            )
            .fetch_optional(&mut self.connection)
            .await?;
            match known {
                Some(known) if known.locale.eq_ignore_ascii_case(locale) => return Ok(None),
                // Without any name yet there is nothing that another locale would part.
                Some(known) if known.has_names && !may_change => return Ok(Some(known.locale)),
                Some(_) | None => {}
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
            .execute(&mut self.connection)
            .await?;
            Ok(None)
        })
        .await
    }
}
