//! The copy of each host's consent that `status` reads: a row per host, replaced by newer dates
//! only.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::error::StoreError;
use super::pool::Store;
use crate::consent::Consent;

/// The consent behind one host's refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostConsent {
    /// The host that keeps the token.
    pub host: String,
    /// The dates as the host's last run or sign-in stored them.
    pub consent: Consent,
    /// The sign-in that was refused since, if one was.
    pub refusal: Option<SignInRefusal>,
}

/// A sign-in that failed because a person has to act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInRefusal {
    /// When it failed.
    pub at: DateTime<Utc>,
    /// Why.
    pub reason: String,
}

impl Store {
    /// Stores the dates of this host's consent, unless those stored are of a newer token.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn record_consent(&self, host: &str, consent: &Consent) -> Result<(), StoreError> {
        let query = sqlx::query!(
            "
            insert into consent (
                host, signed_in_at, first_used_at, token_issued_at, token_expires_at
            )
            values ($1, $2, $3, $4, $5)
            on conflict on constraint consent_pkey do update
            set signed_in_at = excluded.signed_in_at,
                first_used_at = excluded.first_used_at,
                token_issued_at = excluded.token_issued_at,
                token_expires_at = excluded.token_expires_at,
                refused_at = null,
                refusal = null
            where consent.token_issued_at < excluded.token_issued_at
            ",
            host,
            consent.signed_in_at,
            consent.first_used_at,
            consent.token_issued_at,
            consent.token_expires_at
        );
        self.write_aside("recording the consent", async |connection| {
            query.execute(connection).await.map(drop)
        })
        .await
    }

    /// Records that a sign-in of this host was refused. Does nothing for a host that never had a
    /// token.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn record_refusal(
        &self,
        host: &str,
        refusal: &SignInRefusal,
    ) -> Result<(), StoreError> {
        let query = sqlx::query!(
            "update consent set refused_at = $2, refusal = $3 where host = $1",
            host,
            refusal.at,
            refusal.reason
        );
        self.write_aside("recording the refusal", async |connection| {
            query.execute(connection).await.map(drop)
        })
        .await
    }

    /// The consent of every host, the one whose token was issued last first.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn load_consents(&self) -> Result<Vec<HostConsent>, StoreError> {
        self.read("reading the consents", async |connection| {
            select_consents(connection).await
        })
        .await
    }
}

pub(super) async fn select_consents(
    connection: &mut PgConnection,
) -> Result<Vec<HostConsent>, sqlx::Error> {
    let rows = sqlx::query!(
        "
        select
            host, signed_in_at, first_used_at, token_issued_at, token_expires_at,
            refused_at, refusal
        from consent
        order by token_issued_at desc, host
        "
    )
    .fetch_all(connection)
    .await?;
    let consents = rows.into_iter().map(|row| HostConsent {
        host: row.host,
        consent: Consent {
            signed_in_at: row.signed_in_at,
            first_used_at: row.first_used_at,
            token_issued_at: row.token_issued_at,
            token_expires_at: row.token_expires_at,
        },
        refusal: row
            .refused_at
            .zip(row.refusal)
            .map(|(at, reason)| SignInRefusal { at, reason }),
    });
    Ok(consents.collect())
}
