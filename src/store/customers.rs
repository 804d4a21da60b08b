//! What the ledger knows of customers before they are fetched: which are due first, and which have
//! left or returned to the partner's list.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::error::StoreError;
use super::pool::from_db;
use super::run::RunLease;
use crate::ledger::{Customer, CustomerId};

/// How the partner's own list differs from the list as it was last recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartnerListDiff {
    /// The differences, as they were recorded.
    Changed {
        /// Customers that are no longer on the list.
        gone: Vec<CustomerId>,
        /// Customers that were gone and are on the list again.
        returned: Vec<CustomerId>,
    },
    /// The list has lost over half of its customers at once. That is taken for a fault of the list,
    /// so no customer was marked as gone.
    Shrunk {
        /// The customers on the earlier list.
        known: u64,
        /// Those of them that are still on the list.
        left: u64,
    },
}

/// A customer of a run's list, as [`RunLease::load_due`] orders it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueCustomer {
    /// The customer's position in the list that was passed in.
    pub index: i32,
    /// Whether the ledger has its figures of the newest processed date of all customers.
    pub has_newest_date: bool,
    /// Whether the API refused it when it was last requested.
    pub was_refused: bool,
}

impl RunLease {
    /// Sorts customers by when they are due: first those without figures of the newest processed
    /// date, then the others; in each of the two groups by their last success, the longest ago
    /// first, and then by id. Customers that the run `resumes`, or a run that resumed it, has
    /// stored are left out.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn load_due(
        &mut self,
        customers: &[CustomerId],
        resumes: Option<i64>,
    ) -> Result<Vec<DueCustomer>, StoreError> {
        let customers: Vec<Uuid> = customers.iter().map(|id| id.as_uuid()).collect();
        let query = sqlx::query_as!(
            DueCustomer,
            r#"
            with newest as materialized (
                select max(processed_date) as date
                from service_date
                where dataset = 'usage'
            ),

            known as materialized (
                select
                    c.customer_id,
                    s.last_success_at,
                    (c.last_processed_date_time at time zone 'UTC')::date as processed_date,
                    c.last_failure_is_refusal
                    and (s.last_success_at is null or s.last_success_at < c.last_failure_at)
                        as was_refused
                from customer as c
                left join customer_success as s on s.customer_id = c.customer_id
                where c.customer_id = any($1)
            ),

            stored as materialized (
                select t.customer_id
                from sync_customer as t
                inner join sync_run as r on r.run_id = t.run_id
                where t.outcome = 'succeeded'
                    and (r.run_id = $2 or r.resumes = $2)
            )

            select
                (i.place - 1)::integer as "index!",
                coalesce(k.processed_date = n.date, false) as "has_newest_date!",
                coalesce(k.was_refused, false) as "was_refused!"
            from unnest($1::uuid[]) with ordinality as i (customer_id, place)
            cross join newest as n
            left join known as k on k.customer_id = i.customer_id
            where not exists (
                select
                from stored as t
                where t.customer_id = i.customer_id
            )
            order by 2, k.last_success_at nulls first, i.customer_id
            "#,
            &customers,
            resumes
        );
        self.within("looking up which customers are due", async |connection| {
            query.fetch_all(connection).await
        })
        .await
    }

    /// Compares the partner's own list with the recorded one, and records which customers have gone
    /// and which have returned. Customers in `excluded` do not count as gone if the list names
    /// them, but are not added to the ledger by it.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn record_partner_list(
        &mut self,
        listed: &[Customer],
        excluded: &HashSet<CustomerId>,
        now: DateTime<Utc>,
    ) -> Result<PartnerListDiff, StoreError> {
        let ids: Vec<Uuid> = listed.iter().map(|c| c.id.as_uuid()).collect();
        self.within("recording the partner's list", async |connection| {
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
            .fetch_one(&mut *connection)
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
            .fetch_all(&mut *connection)
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
                .fetch_all(&mut *connection)
                .await?
            };
            let mut wanted: Vec<&Customer> = listed.iter().collect();
            wanted.retain(|customer| !excluded.contains(&customer.id));
            wanted.sort_by_key(|customer| customer.id);
            // If the list has shrunk, listed_at tells the operator which customers it still names.
            upsert_listed(connection, &wanted, shrunk, now).await?;
            let customers = |ids: Vec<Uuid>| ids.into_iter().map(CustomerId::from).collect();
            Ok(if shrunk {
                PartnerListDiff::Shrunk { known, left }
            } else {
                PartnerListDiff::Changed {
                    gone: customers(gone),
                    returned: customers(returned),
                }
            })
        })
        .await
    }
}

/// Records names and domains of the customers on the partner's list. Without `even_unchanged`,
/// customers about which there is nothing new are not written.
async fn upsert_listed(
    connection: &mut PgConnection,
    listed: &[&Customer],
    even_unchanged: bool,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = listed.iter().map(|c| c.id.as_uuid()).collect();
    let names: Vec<Option<&str>> = listed.iter().map(|c| c.name.as_deref()).collect();
    let domains: Vec<Option<&str>> = listed.iter().map(|c| c.domain.as_deref()).collect();
    sqlx::query!(
        "
        insert into customer as c (
            customer_id, customer_name, domain, first_seen_at, last_seen_at, listed_at
        )
        select
            i.id,
            i.name,
            i.domain,
            $4,
            $4,
            $4
        from unnest($1::uuid[], $2::varchar[], $3::varchar[]) as i (id, name, domain)
        left join customer as s on s.customer_id = i.id
        where $5
            or s.listed_at is null
            or coalesce(i.name, s.customer_name) is distinct from s.customer_name
            or coalesce(i.domain, s.domain) is distinct from s.domain
        on conflict (customer_id) do update
        set customer_name = coalesce(excluded.customer_name, c.customer_name),
            domain = coalesce(excluded.domain, c.domain),
            listed_at = excluded.listed_at
        ",
        &ids,
        &names as _,
        &domains as _,
        now,
        even_unchanged
    )
    .execute(connection)
    .await
    .map(drop)
}
