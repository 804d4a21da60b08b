//! Tells a dead man's switch and a webhook how runs end. Nothing here may fail a run or delay it:
//! messages are handed to a task for each target, whose every step is bounded. What is told has
//! counts and reasons, and neither customers nor words of the API.

mod delivery;
mod message;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::clock::Clock;
use crate::config::NotifySettings;
use crate::metrics::Metrics;
use crate::retry::Remedy;
use crate::shutdown::{Shutdown, waits};
use crate::store::RunKind;
use crate::sync::{Phase, Progress, Report, RunError};
use delivery::{NotifyTarget, Outgoing, deliver};
use message::{Message, Problem};

/// Messages that wait for a target. Each is tried for seconds and a run lasts longer, so that more
/// wait only if something is wrong.
const QUEUE_LENGTH: usize = 8;

/// For how long the database is away before that is told. Restarts and failovers take less.
const DATABASE_AWAY: Duration = Duration::from_mins(15);

/// How long the program, when it ends by itself, waits for its last messages.
const LAST_MESSAGES: Duration = Duration::from_secs(5);

/// Tells the configured targets.
#[derive(Clone)]
pub(crate) struct Notifier {
    host: Arc<str>,
    queues: Arc<[mpsc::Sender<Queued>]>,
    /// Ends deliveries under way.
    cut: CancellationToken,
    /// Ends the tasks when the last clone is dropped.
    _end: Arc<DropGuard>,
}

enum Queued {
    Message(Arc<Message>),
    /// Answered when everything before it has been handled.
    Flush(oneshot::Sender<()>),
}

impl Notifier {
    /// A notifier for the targets in `settings`; without one it does nothing.
    pub(crate) fn new(
        settings: &NotifySettings,
        host: &str,
        clock: &Arc<dyn Clock>,
        tasks: &TaskTracker,
        metrics: &Metrics,
    ) -> Self {
        let cut = CancellationToken::new();
        let queues = targets(settings)
            .into_iter()
            .map(|target| {
                let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
                let (clock, cut) = (Arc::clone(clock), cut.clone());
                let metrics = metrics.clone();
                tasks.spawn(async move {
                    cut.run_until_cancelled(work(&target, receiver, &*clock, &metrics))
                        .await
                });
                sender
            })
            .collect();
        Self {
            host: host.into(),
            queues,
            _end: Arc::new(cut.clone().drop_guard()),
            cut,
        }
    }

    /// Tells that a run has begun, once it has, and that the database has been away for long. To be
    /// awaited beside the run.
    pub(crate) async fn follow(
        &self,
        kind: RunKind,
        mut progress: watch::Receiver<Progress>,
    ) -> Infallible {
        let mut has_begun = false;
        loop {
            let phase = progress.borrow_and_update().phase;
            match phase {
                Phase::SigningIn | Phase::Listing | Phase::Fetching if !has_begun => {
                    has_begun = true;
                    self.tell(Message::started(&self.host, kind));
                }
                Phase::WaitingForDatabase => {
                    let changed =
                        progress.wait_for(|progress| progress.phase != Phase::WaitingForDatabase);
                    let _back = self.unless_away(changed).await;
                    continue;
                }
                _ => {}
            }
            if progress.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Does `work`, which waits for the database, and tells when that takes long.
    pub(crate) async fn unless_away<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        if let Ok(done) = tokio::time::timeout(DATABASE_AWAY, &mut work).await {
            return done;
        }
        self.tell(Message::problem(&self.host, "database", Problem::AWAY));
        work.await
    }

    /// Tells how a run has ended, if this process did it to its end.
    pub(crate) fn ended(&self, kind: RunKind, report: &Report) {
        if let Some(RunError::Superseded(_) | RunError::TickDone(_)) = report.fatal {
            return;
        }
        self.tell(Message::ended(&self.host, kind, report));
    }

    /// Tells that a run could not begin, or that the daemon ends.
    pub(crate) fn could_not_run(&self, error: &RunError) {
        let Some(problem) = Problem::of(error) else {
            return;
        };
        self.tell(Message::problem(&self.host, "program", problem));
    }

    /// Waits a bounded time until everything is told, and gives up the rest.
    pub(crate) async fn finish(&self, shutdown: &Shutdown) {
        let limit = if shutdown.graceful.is_cancelled() {
            waits::NOTIFY
        } else {
            LAST_MESSAGES
        };
        let flushed = self.queues.iter().map(|queue| async {
            let (told, all) = oneshot::channel();
            let _sent = queue.send(Queued::Flush(told)).await;
            let _handled = all.await;
        });
        let in_time = tokio::time::timeout(limit, join_all(flushed)).await;
        if in_time.is_err() {
            warn!("A notification was not delivered before the program ended, and is given up");
        }
        self.cut.cancel();
    }

    fn tell(&self, message: Message) {
        let message = Arc::new(message);
        for queue in &*self.queues {
            let queued = Queued::Message(Arc::clone(&message));
            if queue.try_send(queued).is_err() {
                warn!("A notification was dropped: too many wait for their target");
            }
        }
    }
}

/// Tries each target with a message that changes no state: the part of `seatledger check` that it
/// is, and what went wrong and mends it.
pub(crate) async fn probe(
    settings: &NotifySettings,
    host: &str,
    clock: &dyn Clock,
) -> Vec<(&'static str, Result<String, (String, Remedy)>)> {
    let message = &Message::test(host);
    let tried = targets(settings).into_iter().map(async |target| {
        let result = match message.to(&target) {
            Some(outgoing) => target.send(&outgoing, clock).await,
            None => Ok(()),
        };
        let said = result.map(|()| format!("{target} accepted a test message"));
        (
            target.part,
            said.map_err(|error| (format!("{target} {error}"), error.remedy())),
        )
    });
    join_all(tried).await
}

fn targets(settings: &NotifySettings) -> Vec<NotifyTarget> {
    let ping = settings.ping.as_ref().map(NotifyTarget::ping);
    let webhook = settings.webhook.as_ref().map(NotifyTarget::webhook);
    ping.into_iter().chain(webhook).collect()
}

/// Delivers one message after another.
async fn work(
    target: &NotifyTarget,
    mut queue: mpsc::Receiver<Queued>,
    clock: &dyn Clock,
    metrics: &Metrics,
) {
    while let Some(queued) = queue.recv().await {
        match queued {
            Queued::Flush(told) => {
                let _waiting = told.send(());
            }
            Queued::Message(message) => {
                let outgoing: Option<Outgoing> = message.to(target);
                if let Some(outgoing) = outgoing {
                    // For a switch only the newest state counts.
                    let is_outdated = || target.is_switch() && !queue.is_empty();
                    deliver(target, &outgoing, clock, metrics, is_outdated).await;
                }
            }
        }
    }
}
