//! The copy of the consent's dates that `status` reads: one row, replaced by newer dates only.

use sqlx::Connection as _;

use super::error::StoreError;
use super::pool::{Store, bounded};
use crate::consent::Consent;

impl Store {
    /// Stores the consent's dates, unless those stored are of a newer token.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn record_consent(&self, consent: &Consent) -> Result<(), StoreError> {
        let mut connection = self.connect().await?;
        let query = sqlx::query!(
            "
            insert into consent (signed_in_at, first_used_at, token_issued_at, token_expires_at)
            values ($1, $2, $3, $4)
            on conflict on constraint consent_pkey do update
            set signed_in_at = excluded.signed_in_at,
                first_used_at = excluded.first_used_at,
                token_issued_at = excluded.token_issued_at,
                token_expires_at = excluded.token_expires_at
            where consent.token_issued_at < excluded.token_issued_at
            ",
            consent.signed_in_at,
            consent.first_used_at,
            consent.token_issued_at,
            consent.token_expires_at
        );
        bounded("recording the consent", query.execute(&mut connection)).await?;
        let _closed = connection.close().await;
        Ok(())
    }

    /// The consent's dates as the last run or sign-in stored them.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn load_consent(&self) -> Result<Option<Consent>, StoreError> {
        let query = sqlx::query_as!(
            Consent,
            "
            select signed_in_at, first_used_at, token_issued_at, token_expires_at
            from consent
            "
        );
        bounded("reading the consent", query.fetch_optional(&self.pool)).await
    }
}
