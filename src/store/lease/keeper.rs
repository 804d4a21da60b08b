//! Takes the leases of a process, and renews them over one connection of its own. Its renewals also
//! show whether the server still answers: a cut cable, or a host that vanished, gives no sign.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{Mutex, Notify, watch};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use super::super::error::StoreError;
use super::super::pool::Store;
use super::session::KeeperSession;
use super::{Attempt, Held, Instance, Lease, LeaseName, LeaseRecord, LeaseTimes};
use crate::causes::with_causes;
use crate::shutdown::waits;

/// The pause after a renewal that failed.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// Keeps the leases of one process.
#[derive(Debug)]
pub struct Keeper {
    store: Store,
    instance: Instance,
    times: LeaseTimes,
    tasks: TaskTracker,
    state: Mutex<KeeperState>,
    wake: Notify,
    /// How often the server has not answered for as long as a lease lasts.
    silences: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct KeeperState {
    /// Taken out for each operation, so that one that fails, or is dropped, closes it.
    session: Option<KeeperSession>,
    held: Vec<Arc<Held>>,
    /// Whether the task that renews is there.
    is_keeping: bool,
}

impl Keeper {
    /// Opens nothing yet. `tasks` waits for the task that renews leases, which ends when the last
    /// of them has been resigned or dropped.
    #[must_use]
    pub fn new(
        store: Store,
        instance: Instance,
        times: LeaseTimes,
        tasks: TaskTracker,
    ) -> Arc<Self> {
        Arc::new(Self {
            store,
            instance,
            times,
            tasks,
            state: Mutex::default(),
            wake: Notify::new(),
            silences: watch::Sender::new(0),
        })
    }

    /// The process whose leases it keeps.
    #[must_use]
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// Completes when, from now on, the server has not answered for as long as a lease lasts, or
    /// another server answers in its place. Never while no lease is held.
    pub async fn silence(&self) {
        let mut silences = self.silences.subscribe();
        // The keeper holds the sender.
        let _changed = silences.changed().await;
    }

    /// Does `work` on the database, and gives it up if the server falls silent meanwhile: what was
    /// sent into a cable that is cut is never answered.
    ///
    /// # Errors
    /// With the error of `work`. [`StoreError::TimedOut`] if the server falls silent.
    pub async fn attend<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        tokio::select! {
            biased;
            done = work => done,
            () = self.silence() => Err(StoreError::TimedOut {
                operation: "the connection is taken for cut, and another opened".into(),
            }),
        }
    }

    /// Takes a lease if it is free, or if its holder is gone or has not renewed it in time.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn try_acquire(self: &Arc<Self>, name: LeaseName) -> Result<Attempt, StoreError> {
        const OPERATION: &str = "taking a lease";
        let mut state = self.state.lock().await;
        let is_own = state.held.iter().any(|held| held.is_kept(name));
        let mut opened = state.session.take();
        let (instance, times) = (&self.instance, self.times);
        let attempt = async {
            let session = self.open(&mut opened).await?;
            let work = async {
                let mut found = session.look(name, times).await?;
                if found.is_none() {
                    session.mend(name).await?;
                    found = session.look(name, times).await?;
                }
                let found = found.ok_or(sqlx::Error::RowNotFound)?;
                let previous = KeeperSession::judge(&found, instance).filter(|_| !is_own);
                let Some(previous) = previous else {
                    return Ok((found, None));
                };
                if found.holder.is_some() {
                    session.end_sessions(name).await;
                }
                let epoch = session.take(&found, instance, times).await?;
                Ok((found, epoch.map(|epoch| (previous, epoch))))
            };
            work.await.map_err(StoreError::during(OPERATION))
        };
        let (found, taken) = self.in_time(OPERATION, attempt).await?;
        state.session = opened;
        let Some((previous, epoch)) = taken else {
            return Ok(Attempt::Held(found));
        };
        if previous.is_cut_off() {
            warn!(
                lease = name.as_str(),
                lease.epoch = epoch,
                "Took over the lease {name:?} from {found}"
            );
        }
        let held = Held::new(name, epoch);
        state.held.push(Arc::clone(&held));
        if !state.is_keeping {
            state.is_keeping = true;
            self.tasks.spawn(Arc::clone(self).keep());
        }
        Ok(Attempt::Acquired(Lease {
            held,
            previous,
            keeper: Arc::clone(self),
        }))
    }

    /// Has the lease given back as soon as possible.
    pub(super) fn abandon(&self, held: &Held) {
        // It is already, after a resignation.
        if !held.is_abandoned.swap(true, Ordering::Relaxed) {
            self.wake.notify_one();
        }
    }

    pub(super) async fn resign(&self, held: &Arc<Held>) {
        // Ends a renewal that waits for an answer.
        self.abandon(held);
        let mut state = self.state.lock().await;
        self.resign_within(&mut state, held).await;
    }

    async fn resign_within(&self, state: &mut KeeperState, held: &Arc<Held>) {
        const OPERATION: &str = "giving a lease back";
        let known = state.held.len();
        state.held.retain(|other| !Arc::ptr_eq(other, held));
        if state.held.len() == known || held.lost.is_cancelled() {
            return;
        }
        let mut opened = state.session.take();
        let resignation = async {
            let session = self.open(&mut opened).await?;
            let resigned = session.resign(held, &self.instance).await;
            resigned.map_err(StoreError::during(OPERATION))
        };
        // Boxed, because every future that contains this large one would become as large.
        let resigned = tokio::time::timeout(waits::RESIGN, Box::pin(resignation)).await;
        match resigned {
            Ok(Ok(())) => state.session = opened,
            Ok(Err(error)) => {
                let error = with_causes(&error);
                debug!(error, "A lease was not given back and ends by itself");
            }
            Err(_) => debug!("A lease was not given back in time and ends by itself"),
        }
    }

    /// The session that is open, or a new one.
    async fn open<'s>(
        &self,
        session: &'s mut Option<KeeperSession>,
    ) -> Result<&'s mut KeeperSession, StoreError> {
        let open = match session.take() {
            Some(open) => open,
            None => KeeperSession::open(&self.store).await?,
        };
        Ok(session.insert(open))
    }

    async fn in_time<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        // Boxed, because every future that contains this large one would become as large.
        let done = tokio::time::timeout(self.times.patience(), Box::pin(work)).await;
        done.unwrap_or(Err(StoreError::TimedOut {
            operation: operation.into(),
        }))
    }

    /// Renews the leases until none is left.
    async fn keep(self: Arc<Self>) {
        let mut contact = Contact::default();
        let mut pause = self.times.renew_every;
        loop {
            tokio::select! {
                () = self.wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
            let mut state = self.state.lock().await;
            let is_abandoned = |held: &&Arc<Held>| held.is_abandoned.load(Ordering::Relaxed);
            let abandoned: Vec<_> = state.held.iter().filter(is_abandoned).cloned().collect();
            for held in abandoned {
                self.resign_within(&mut state, &held).await;
            }
            state.held.retain(|held| !held.lost.is_cancelled());
            if state.held.is_empty() {
                state.is_keeping = false;
                if let Some(session) = state.session.take() {
                    session.close().await;
                }
                return;
            }
            let began = Instant::now();
            let renewed = tokio::select! {
                biased;
                renewed = self.renew(&mut state) => renewed,
                // A lease is given back, which must not wait for a database that is away.
                () = self.wake.notified() => {
                    pause = Duration::ZERO;
                    continue;
                }
            };
            drop(state);
            pause = match renewed {
                Ok(server) => {
                    self.note_answer(&mut contact, server);
                    self.times.renew_every
                }
                Err(error) => {
                    self.note_failure(&mut contact, began, &error);
                    RETRY_INTERVAL.min(self.times.renew_every)
                }
            };
        }
    }

    /// Renews the leases. Returns when the server was started that has renewed them.
    async fn renew(&self, state: &mut KeeperState) -> Result<ServerStart, StoreError> {
        const OPERATION: &str = "renewing a lease";
        let mut opened = state.session.take();
        let held = &state.held;
        let renewal = async {
            let session = self.open(&mut opened).await?;
            let work = async {
                let renewed = session.renew(held, &self.instance, self.times).await?;
                let mut lost = Vec::new();
                for held in held {
                    let is_same = |(name, epoch): &(String, i64)| {
                        name == held.name.as_str() && *epoch == held.epoch
                    };
                    if !renewed.iter().any(is_same) {
                        lost.push((Arc::clone(held), session.look(held.name, self.times).await?));
                    }
                }
                Ok((session.server_started_at(), lost))
            };
            work.await.map_err(StoreError::during(OPERATION))
        };
        let (server, lost) = self.in_time(OPERATION, renewal).await?;
        for (held, now) in lost {
            lose(&held, now);
        }
        state.session = opened;
        Ok(server)
    }

    fn note_answer(&self, contact: &mut Contact, server: ServerStart) {
        if contact.is_silent {
            info!("The database answers again");
        }
        let is_other = contact.server.is_some_and(|known| known != server);
        *contact = Contact {
            server: Some(server),
            ..Contact::default()
        };
        if is_other {
            // What the other server was asked is never answered.
            self.silences.send_modify(|silences| *silences += 1);
        }
    }

    /// `began` is when the attempt began that has failed.
    fn note_failure(&self, contact: &mut Contact, began: Instant, error: &StoreError) {
        let error = with_causes(error);
        debug!(error, "A lease was not renewed");
        let since = *contact.failing_since.get_or_insert(began);
        // The last answer came one interval before, so that the lease ends now.
        if since.elapsed() < self.times.patience() {
            return;
        }
        if !contact.is_silent {
            contact.is_silent = true;
            let (database, seconds) = (self.store.address(), self.times.lasts.as_secs());
            warn!(
                database,
                error,
                "The database {database} has not answered for {seconds} s, and another process may \
                 take over meanwhile: {error}"
            );
        }
        self.silences.send_modify(|silences| *silences += 1);
    }
}

type ServerStart = DateTime<Utc>;

/// What the last attempts to renew have shown.
#[derive(Default)]
struct Contact {
    /// When the server was started that answered last.
    server: Option<ServerStart>,
    /// When the first attempt began since then.
    failing_since: Option<Instant>,
    is_silent: bool,
}

fn lose(held: &Held, now: Option<LeaseRecord>) {
    held.lose(now);
    if let Some(loss) = held.loss.get() {
        warn!(
            lease = held.name.as_str(),
            lease.epoch = held.epoch,
            "Lost the lease: {loss}"
        );
    }
}
