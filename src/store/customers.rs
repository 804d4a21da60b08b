//! What the ledger knows of customers before they are fetched: who is due first, who has gone, who
//! has returned.

use std::collections::HashSet;
use std::future::ready;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt as _;
use sqlx::Connection as _;
use uuid::Uuid;

use super::run_lock::RunLock;
use super::{StoreError, bounded, from_db};
use crate::ledger::{Customer, CustomerId};

/// What the partner's own list has changed since it was last asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listing {
    /// Customers that are no longer on it, and those that are on it again.
    Changed {
        /// Marked as gone from now on.
        gone: Vec<CustomerId>,
        /// No longer marked as gone.
        returned: Vec<CustomerId>,
    },
    /// It has lost over half of its customers at once, which is taken for a fault: nobody was
    /// marked.
    Shrunk {
        /// Customers that it had.
        known: u64,
        /// Those among them that it still has.
        left: u64,
    },
}

/// How urgently a customer should be fetched: the lesser the sooner.
/// Those without figures of the newest processed date come first, and among equals those that wait
/// the longest.
///
/// Of one that is not known it is the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Urgency(u64);

impl Urgency {
    const HAS_NEWEST_DATE: u64 = 1 << 63;
    const WAS_REFUSED: u64 = 1;

    /// In one number, since there may be very many.
    fn new(
        has_newest_date: bool,
        last_success_at: Option<DateTime<Utc>>,
        was_refused: bool,
    ) -> Self {
        let waits_since = last_success_at.map_or(0, |at| at.timestamp_micros().clamp(1, 1 << 60));
        let mut bits = waits_since.unsigned_abs() << 1;
        if has_newest_date {
            bits |= Self::HAS_NEWEST_DATE;
        }
        if was_refused {
            bits |= Self::WAS_REFUSED;
        }
        Self(bits)
    }

    /// Whether the ledger has the customer's figures of the newest processed date that it has of
    /// anybody.
    #[must_use]
    pub fn has_newest_date(&self) -> bool {
        self.0 & Self::HAS_NEWEST_DATE != 0
    }

    /// Whether the customer was refused when it was last asked for.
    #[must_use]
    pub fn was_refused(&self) -> bool {
        self.0 & Self::WAS_REFUSED != 0
    }
}

impl RunLock {
    /// Tells how urgent each known customer is, or only those among `customers`.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn load_urgency(
        &mut self,
        customers: Option<&[CustomerId]>,
        mut tell: impl FnMut(CustomerId, Urgency),
    ) -> Result<(), StoreError> {
        let customers: Option<Vec<Uuid>> =
            customers.map(|customers| customers.iter().map(|id| id.as_uuid()).collect());
        let query = sqlx::query!(
            r#"
            select
                f.customer_id as "customer_id!",
                f.last_success_at,
                coalesce(
                    (f.last_processed_date_time at time zone 'UTC')::date
                    = (select max(processed_date) from ledger_date),
                    false
                ) as "has_newest_date!",
                coalesce(
                    c.last_failure_is_refusal
                    and (f.last_success_at is null or f.last_success_at < f.last_failure_at),
                    false
                ) as "was_refused!"
            from customer_freshness as f
            inner join customer as c on c.customer_id = f.customer_id
            where $1::uuid[] is null
                or f.customer_id = any($1)
            "#,
            customers.as_deref()
        );
        // One by one: there may be very many.
        let told = query.fetch(&mut self.connection).try_for_each(|row| {
            let urgency = Urgency::new(row.has_newest_date, row.last_success_at, row.was_refused);
            tell(CustomerId::from(row.customer_id), urgency);
            ready(Ok(()))
        });
        bounded("looking up who is due first", told).await
    }

    /// Compares the partner's own list with what it was, and notes who has gone and who has
    /// returned. Customers that `excluded` names are on the list, and not made known by it.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn record_listing(
        &mut self,
        listed: &[Customer],
        excluded: &HashSet<CustomerId>,
        now: DateTime<Utc>,
    ) -> Result<Listing, StoreError> {
        let ids: Vec<Uuid> = listed.iter().map(|c| c.id.as_uuid()).collect();
        let mut wanted: Vec<&Customer> = listed.iter().collect();
        wanted.retain(|customer| !excluded.contains(&customer.id));
        wanted.sort_by_key(|customer| customer.id);
        let wanted_ids: Vec<Uuid> = wanted.iter().map(|c| c.id.as_uuid()).collect();
        let names: Vec<Option<&str>> = wanted.iter().map(|c| c.name.as_deref()).collect();
        let domains: Vec<Option<&str>> = wanted.iter().map(|c| c.domain.as_deref()).collect();
        bounded("recording the partner's list", async {
            let mut transaction = self.connection.begin().await?;
            let counts = sqlx::query!(
                r#"
                select
                    count(*) as "known!",
                    count(*) filter (where customer_id = any($1)) as "left!"
                from customer
                where listed_at is not null
                    and gone_since is null
                "#,
                &ids
            )
            .fetch_one(&mut *transaction)
            .await?;
            let returned = sqlx::query_scalar!(
                "
                update customer
                set absent_since = gone_since,
                    gone_since = null,
                    returned_at = $2
                where gone_since is not null
                    and customer_id = any($1)
                returning customer_id
                ",
                &ids,
                now
            )
            .fetch_all(&mut *transaction)
            .await?;
            let (known, left) = (from_db(counts.known), from_db(counts.left));
            let shrunk = left * 2 < known;
            let gone = if shrunk {
                Vec::new()
            } else {
                sqlx::query_scalar!(
                    "
                    update customer
                    set gone_since = $2
                    where listed_at is not null
                        and gone_since is null
                        and customer_id <> all($1)
                    returning customer_id
                    ",
                    &ids,
                    now
                )
                .fetch_all(&mut *transaction)
                .await?
            };
            sqlx::query!(
                "
                insert into customer as c (customer_id, customer_name, domain, first_seen_at, last_seen_at, listed_at)
                select i.id, i.name, i.domain, $4, $4, $4
                from unnest($1::uuid[], $2::varchar[], $3::varchar[]) as i (id, name, domain)
                left join customer as k on k.customer_id = i.id
                -- Of whom there is nothing new, nothing is written. Of a list that has shrunk a person will want to know who
                -- is on it.
                where $5
                    or k.listed_at is null
                    or coalesce(i.name, k.customer_name) is distinct from k.customer_name
                    or coalesce(i.domain, k.domain) is distinct from k.domain
                on conflict (customer_id) do update
                set customer_name = coalesce(excluded.customer_name, c.customer_name),
                    domain = coalesce(excluded.domain, c.domain),
                    listed_at = excluded.listed_at
                ",
                &wanted_ids,
                &names as _,
                &domains as _,
                now,
                shrunk
            )
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            let customers = |ids: Vec<Uuid>| ids.into_iter().map(CustomerId::from).collect();
            Ok(if shrunk {
                Listing::Shrunk { known, left }
            } else {
                Listing::Changed {
                    gone: customers(gone),
                    returned: customers(returned),
                }
            })
        })
        .await
    }
}
