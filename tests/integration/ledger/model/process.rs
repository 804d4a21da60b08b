//! What a process of a host does to the ledger in a run, through the library's store. When it loses
//! its connection, it opens another and goes on, as a run of the program does.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use seatledger::ledger::{Customer, CustomerId, CustomerOutcome};
use seatledger::shutdown::Shutdown;
use seatledger::store::{
    Begun, DayTotals, FinishedRun, Keeper, Lease, NewRun, RunAttempt, RunLease, Store, StoreError,
};

/// The pause after a connection was lost.
const PAUSE: Duration = Duration::from_millis(20);

/// A batch of customers.
pub(super) type Batch = Arc<Vec<CustomerOutcome>>;

/// Another process has taken over, and this one has noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Superseded;

pub(super) struct Process {
    store: Store,
    keeper: Arc<Keeper>,
    run: Option<Run>,
}

struct Run {
    id: i64,
    lease: Arc<Lease>,
    /// None while its connection is lost.
    connection: Option<RunLease>,
}

/// The end of a run.
pub(super) struct End {
    pub(super) record: FinishedRun,
    pub(super) next_date: Option<NaiveDate>,
    /// Whether the totals of days are computed.
    pub(super) has_totals: bool,
}

impl Process {
    pub(super) fn new(store: Store, keeper: Arc<Keeper>) -> Self {
        Self {
            store,
            keeper,
            run: None,
        }
    }

    /// Begins a run, or goes on with the one that this run is to finish. None while another process
    /// has the ledger, or when the database was too slow.
    pub(super) async fn begin(
        &mut self,
        new: &NewRun,
        interrupted: DateTime<Utc>,
    ) -> Option<Begun> {
        match self.try_begin(new, interrupted).await {
            Err(error @ StoreError::Refused { .. }) => panic!("{error:?}"),
            begun => begun.ok().flatten(),
        }
    }

    async fn try_begin(
        &mut self,
        new: &NewRun,
        interrupted: DateTime<Utc>,
    ) -> Result<Option<Begun>, StoreError> {
        let attempt = self.store.try_lease_run(&self.keeper).await?;
        let RunAttempt::Acquired(mut connection) = attempt else {
            return Ok(None);
        };
        connection.mark_interrupted(interrupted).await?;
        let host = &self.keeper.instance().host;
        let begun = connection.begin_run(new, host, false).await?;
        match begun {
            Begun::TickDone(_) => connection.release().await,
            Begun::Run { run_id: id, .. } => {
                self.run = Some(Run {
                    id,
                    lease: Arc::clone(connection.lease().unwrap()),
                    connection: Some(connection),
                });
            }
        }
        Ok(Some(begun))
    }

    /// Does `work` under the lease, and repeats it while the connection is lost. The third argument
    /// of `work` is whether it had to be opened again.
    async fn under_lease<T>(
        &mut self,
        mut work: impl AsyncFnMut(&mut RunLease, i64, bool) -> Result<T, StoreError>,
    ) -> Result<T, Superseded> {
        let Some(run) = &mut self.run else {
            return Err(Superseded);
        };
        loop {
            let attempt = async {
                let (mut connection, is_new) = match run.connection.take() {
                    Some(connection) => (connection, false),
                    None => (self.store.attach(&run.lease).await?, true),
                };
                let done = work(&mut connection, run.id, is_new).await?;
                Ok((done, connection))
            };
            match attempt.await {
                Ok((done, connection)) => {
                    run.connection = Some(connection);
                    return Ok(done);
                }
                Err(StoreError::Superseded(_)) => return Err(Superseded),
                Err(error @ StoreError::Refused { .. }) => panic!("{error:?}"),
                Err(_away) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Records the partner's list, if the run fetches it, and returns which customers are due.
    pub(super) async fn list(
        &mut self,
        listed: Option<&[Customer]>,
        (customers, resumes): (&[CustomerId], Option<i64>),
        now: DateTime<Utc>,
    ) -> Result<HashSet<CustomerId>, Superseded> {
        let due = self.under_lease(async |connection, run_id, _| {
            if let Some(listed) = listed {
                connection
                    .record_partner_list(listed, &HashSet::new(), now)
                    .await?;
            }
            let due = connection.load_due(customers, resumes).await?;
            connection.record_total(run_id, due.len() as u64).await?;
            Ok(due)
        });
        let place = |index: i32| usize::try_from(index).unwrap();
        Ok(due
            .await?
            .iter()
            .map(|due| customers[place(due.index)])
            .collect())
    }

    /// Stores a batch, unless it is found to be stored.
    pub(super) async fn record(
        &mut self,
        batch: &Batch,
        now: DateTime<Utc>,
    ) -> Result<(), Superseded> {
        self.under_lease(async |connection, run_id, is_new| {
            if is_new {
                let ids: Vec<CustomerId> = batch.iter().map(CustomerOutcome::id).collect();
                if connection.load_recorded(run_id, &ids).await?.len() == ids.len() {
                    return Ok(());
                }
            }
            connection.record(run_id, batch, now).await.map(drop)
        })
        .await
    }

    /// Records the end of the run and gives the lease back.
    pub(super) async fn end(&mut self, end: &End) -> Result<(), Superseded> {
        let shutdown = Shutdown::default();
        self.under_lease(async |connection, run_id, is_new| {
            let totals = (end.has_totals && !is_new).then_some(DayTotals {
                next_date: end.next_date,
                shutdown: &shutdown,
            });
            connection.finish_run(run_id, &end.record, totals).await
        })
        .await?;
        self.give_up().await;
        Ok(())
    }

    /// Gives the lease back, if it has it, and forgets the run.
    pub(super) async fn give_up(&mut self) {
        if let Some(connection) = self.run.take().and_then(|run| run.connection) {
            connection.release().await;
        }
    }

    /// Waits until it knows that another has taken its lease.
    pub(super) async fn notices(&mut self) {
        if let Some(run) = &self.run {
            run.lease.lost().cancelled().await;
        }
    }
}
