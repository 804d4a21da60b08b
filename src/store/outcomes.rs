//! Stores what became of customers: rows, rejections and outcomes, several customers in one
//! transaction, each whole or not at all.

use std::collections::HashMap;
use std::future::ready;

use chrono::{DateTime, Utc};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::copy::CopyIn;
use super::payload::storable;
use super::runs::{RunLock, count, uncount};
use super::{StoreError, bounded, deployment, digest, usage};
use crate::ledger::{CustomerId, CustomerOutcome, Dataset, Rejection, Row, RowCounts};

/// After so much of refused items everybody else has a turn: they are read as JSON once more, and
/// may be many megabytes.
const BYTES_IN_A_ROW: usize = 256 * 1024;

/// How many rows of each customer were inserted and updated.
pub(super) type Written = HashMap<Uuid, (u64, u64)>;

impl RunLock {
    /// Stores all of `outcomes` or none. No customer may be among them twice.
    /// Returns what became of the rows, in the order of `outcomes`.
    ///
    /// # Errors
    /// When Postgres is away or refuses; nothing is stored then, unless the connection broke while
    /// it was being committed: see [`RunLock::load_recorded`].
    pub async fn record(
        &mut self,
        run_id: i64,
        outcomes: &[CustomerOutcome],
        now: DateTime<Utc>,
    ) -> Result<Vec<RowCounts>, StoreError> {
        let (names, partitions, sets) = (&mut self.names, &mut self.partitions, &mut self.sets);
        let recorded = bounded("storing customers", async {
            let mut transaction = self.connection.begin().await?;
            let customers = upsert_customers(&mut transaction, run_id, outcomes, now);
            let mut customers = Box::pin(customers);
            // Sent first, so that Postgres is at work while the rows are put in order.
            let done = tokio::select! {
                biased;
                done = &mut customers => Some(done),
                () = ready(()) => None,
            };
            let (mut spelt, are_known) = usage::spell(names, outcomes);
            let mut dated = digest::dated(&spelt);
            match done {
                Some(done) => drop((customers, done?)),
                None => customers.await?,
            }
            if !are_known {
                usage::learn_names(&mut transaction, names, outcomes).await?;
                (spelt, _) = usage::spell(names, outcomes);
                dated = digest::dated(&spelt);
            }
            let stored = usage::upsert(&mut transaction, partitions, sets, run_id, &dated, now);
            let mut written = Box::pin(stored).await?;
            let rows = outcomes.iter().flat_map(|outcome| &outcome.usage.rows);
            names.record_ids(&mut transaction, run_id, rows).await?;
            let deployed =
                deployment::upsert(&mut transaction, names, run_id, outcomes, now).await?;
            for (id, (inserted, updated)) in deployed {
                let sums = written.entry(id).or_default();
                sums.0 += inserted;
                sums.1 += updated;
            }
            let counts: Vec<RowCounts> = outcomes
                .iter()
                .map(|outcome| row_counts(outcome, &written))
                .collect();
            for (dataset, rejections) in rejections(outcomes) {
                insert_rejections(&mut transaction, run_id, dataset, &rejections, now).await?;
            }
            insert_outcomes(&mut transaction, run_id, outcomes, &counts).await?;
            transaction.commit().await?;
            Ok(counts)
        })
        .await;
        if recorded.is_err() {
            // What was learned within the transaction may have gone with it.
            self.names.forget();
            self.partitions.forget();
            self.sets.forget();
        }
        recorded
    }

    /// Keeps the items of a partner-wide collection that name no customer, all of a run's at once
    /// and once only: after a connection broke nobody knows whether they are there already.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn record_strays(
        &mut self,
        run_id: i64,
        dataset: Dataset,
        strays: &[Rejection],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let strays: Vec<_> = strays.iter().map(|stray| (None, stray)).collect();
        bounded(
            "storing rejected items",
            insert_rejections(&mut self.connection, run_id, dataset, &strays, now),
        )
        .await
    }

    /// Which of `customers` the run has recorded already, with their counts. Asked after a
    /// connection broke, when nobody knows whether the last transaction was committed.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn load_recorded(
        &mut self,
        run_id: i64,
        customers: &[CustomerId],
    ) -> Result<HashMap<CustomerId, RowCounts>, StoreError> {
        let ids: Vec<Uuid> = customers.iter().map(|id| id.as_uuid()).collect();
        let query = sqlx::query!(
            "
            select customer_id, rows_received, rows_inserted, rows_updated, rows_unchanged, rows_rejected
            from sync_customer
            where run_id = $1
                and customer_id = any($2)
            ",
            run_id,
            &ids
        );
        let rows = bounded(
            "looking customers up",
            query.fetch_all(&mut self.connection),
        )
        .await?;
        let recorded = rows.into_iter().map(|row| {
            let counts = RowCounts {
                received: uncount(row.rows_received),
                inserted: uncount(row.rows_inserted),
                updated: uncount(row.rows_updated),
                unchanged: uncount(row.rows_unchanged),
                rejected: uncount(row.rows_rejected),
            };
            (CustomerId::from(row.customer_id), counts)
        });
        Ok(recorded.collect())
    }
}

fn row_counts(outcome: &CustomerOutcome, written: &Written) -> RowCounts {
    let id = outcome.customer.id.as_uuid();
    let (inserted, updated) = written.get(&id).copied().unwrap_or_default();
    let (received, rejected) = (outcome.received(), outcome.rejected());
    RowCounts {
        received,
        inserted,
        updated,
        unchanged: received - inserted - updated - rejected,
        rejected,
    }
}

async fn upsert_customers(
    connection: &mut PgConnection,
    run_id: i64,
    outcomes: &[CustomerOutcome],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let mut sorted: Vec<&CustomerOutcome> = outcomes.iter().collect();
    sorted.sort_by_key(|outcome| outcome.customer.id);
    macro_rules! column {
        ($of:expr) => {
            sorted.iter().map($of).collect::<Vec<_>>()
        };
    }
    let failed = |outcome: &CustomerOutcome| outcome.failure.is_some();
    sqlx::query_file!(
        "src/store/upsert_customers.sql",
        &column!(|o| o.customer.id.as_uuid()),
        &column!(|o| newest_name(o)) as _,
        &column!(|o| o.customer.domain.as_deref()) as _,
        &column!(|o| (!failed(o)).then_some(o.finished_at)) as _,
        &column!(|o| o
            .usage
            .rows
            .iter()
            .map(|row| row.key.processed_date_time)
            .max()) as _,
        &column!(|o| failed(o).then_some(o.finished_at)) as _,
        &column!(|o| o.failure.as_ref().map(|f| f.reason.as_str())) as _,
        &column!(|o| o.failure.as_ref().map(|f| printable(&f.detail))) as _,
        now,
        run_id
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Postgres holds no U+0000.
fn printable(detail: &str) -> String {
    detail.replace('\0', "\u{fffd}")
}

/// The list of customers knows the name best; else the newest row that has one.
fn newest_name(outcome: &CustomerOutcome) -> Option<&str> {
    fn newest<R: Row>(rows: &[R]) -> Option<&str> {
        rows.iter()
            .filter_map(|row| {
                Some((
                    row.processed_date_time(),
                    row.attributes().customer_name.as_deref()?,
                ))
            })
            .max_by_key(|(date, _)| *date)
            .map(|(_, name)| name)
    }
    let name = outcome.customer.name.as_deref();
    name.or_else(|| newest(&outcome.usage.rows))
        .or_else(|| newest(&outcome.deployment.rows))
}

type Rejected<'a> = Vec<(Option<Uuid>, &'a Rejection)>;

fn rejections(outcomes: &[CustomerOutcome]) -> [(Dataset, Rejected<'_>); 2] {
    let of = |rejections: fn(&CustomerOutcome) -> &[Rejection]| {
        let each = |outcome| {
            let id = Some(CustomerOutcome::id(outcome).as_uuid());
            rejections(outcome).iter().map(move |r| (id, r))
        };
        outcomes.iter().flat_map(each).collect()
    };
    [
        (Dataset::Usage, of(|o| &o.usage.rejections)),
        (Dataset::Deployment, of(|o| &o.deployment.rejections)),
    ]
}

async fn insert_rejections(
    connection: &mut PgConnection,
    run_id: i64,
    dataset: Dataset,
    rejections: &[(Option<Uuid>, &Rejection)],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if rejections.is_empty() {
        return Ok(());
    }
    let mut payloads = Vec::with_capacity(rejections.len());
    let mut bytes = 0;
    for (_, rejection) in rejections {
        bytes += rejection.payload.len();
        if bytes > BYTES_IN_A_ROW {
            bytes = 0;
            tokio::task::yield_now().await;
        }
        payloads.push(storable(&rejection.payload).get().to_owned());
    }
    macro_rules! column {
        ($of:expr) => {
            rejections.iter().map($of).collect::<Vec<_>>()
        };
    }
    sqlx::query!(
        "
        insert into rejected_row (run_id, dataset, customer_id, reason, detail, payload, rejected_at)
        select $1, $2::varchar, id, reason, detail, payload::jsonb, $7
        from unnest($3::uuid[], $4::varchar[], $5::text[], $6::text[]) as t (id, reason, detail, payload)
        where id is not null
            or not exists (
                select
                from rejected_row as r
                where r.run_id = $1
                    and r.customer_id is null
                    and r.dataset = $2
            )
        ",
        run_id,
        dataset.as_str(),
        &column!(|(id, _)| *id) as _,
        &column!(|(_, r)| r.reason.as_str()) as _,
        &column!(|(_, r)| r.detail.as_str()) as _,
        &payloads,
        now
    )
    .execute(connection)
    .await
    .map(drop)
}

/// By COPY: it writes a page's rows to the log at once, and this is the one table that a run writes
/// to even where nothing is new.
async fn insert_outcomes(
    connection: &mut PgConnection,
    run_id: i64,
    outcomes: &[CustomerOutcome],
    counts: &[RowCounts],
) -> Result<(), sqlx::Error> {
    let mut copy = CopyIn::begin(
        connection,
        "
        copy sync_customer (
            run_id, customer_id, outcome, reason, fault_code, detail, http_status, attempts, finished_at,
            rows_received, rows_inserted, rows_updated, rows_unchanged, rows_rejected
        )
        from stdin (format binary)
        ",
    )
    .await?;
    for (outcome, counts) in outcomes.iter().zip(counts) {
        let failure = outcome.failure.as_ref();
        let code = failure.and_then(|failure| failure.code.as_deref());
        let code: Option<String> =
            code.map(|code| code.chars().filter(|c| *c != '\0').take(64).collect());
        let detail = match failure {
            Some(failure) => Some(printable(&failure.detail)),
            None => outcome
                .usage
                .note
                .clone()
                .or_else(|| outcome.deployment.note.clone()),
        };
        let row = copy.row().await?;
        row.put(run_id)?;
        row.put(outcome.id().as_uuid())?;
        row.put(failure.map_or("succeeded", |_| "failed"))?;
        row.put(failure.map(|failure| failure.reason.as_str()))?;
        row.put(code)?;
        row.put(detail)?;
        row.put(outcome.http_status.map(i32::from))?;
        row.put(i32::try_from(outcome.attempts).unwrap_or(i32::MAX))?;
        row.put(outcome.finished_at)?;
        for number in [
            counts.received,
            counts.inserted,
            counts.updated,
            counts.unchanged,
            counts.rejected,
        ] {
            row.put(count(number))?;
        }
    }
    copy.finish().await.map(drop)
}
