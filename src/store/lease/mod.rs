//! Who may write to the ledger, and which daemon does the ticks. A lease is a row that its holder
//! renews, and that another process takes when the holder has resigned, is known to be gone, or has
//! not renewed it in time by the database's clock. Each takeover counts the row's epoch up, and
//! whoever writes proves its own epoch first, so that a holder that was cut off, or stood still,
//! cannot write after a takeover.

mod instance;
mod keeper;
mod record;
mod session;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::Serialize;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use instance::Instance;
pub use keeper::Keeper;
pub(super) use record::load_loss;
pub(super) use record::select_leases;
pub use record::{LeaseRecord, LeaseState};

/// What a process may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaseName {
    /// The right to write to the ledger: one run at a time.
    Run,
    /// The duty to run at the ticks of the schedule: one daemon of several.
    Leader,
}

impl LeaseName {
    /// The name in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Leader => "leader",
        }
    }
}

impl fmt::Display for LeaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How often leases are renewed, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct LeaseTimes {
    /// From one renewal to the next.
    pub renew_every: Duration,
    /// From a renewal to the moment at which others may take the lease.
    pub lasts: Duration,
}

impl Default for LeaseTimes {
    fn default() -> Self {
        Self {
            renew_every: Duration::from_secs(5),
            lasts: Duration::from_secs(15),
        }
    }
}

impl LeaseTimes {
    /// How long an answer of the database is waited for: a renewal that begins in time and is not
    /// answered by then is given up when the lease expires.
    fn patience(self) -> Duration {
        self.lasts.saturating_sub(self.renew_every)
    }
}

/// What a transaction proves: that a lease is still its holder's.
#[derive(Debug, Clone, Copy)]
pub(super) struct LeaseClaim {
    pub(super) name: &'static str,
    pub(super) epoch: i64,
    pub(super) holder: Uuid,
}

/// How the lease became free for its present holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Previous {
    /// Nobody had ever held it.
    Free,
    /// The holder before had resigned.
    Resigned,
    /// The session of the holder before had ended.
    Gone,
    /// The holder before had not renewed it in time.
    Expired,
}

impl Previous {
    /// Whether the holder before was cut off in its work.
    #[must_use]
    pub fn is_cut_off(self) -> bool {
        matches!(self, Self::Gone | Self::Expired)
    }
}

/// The result of an attempt to take a lease.
#[derive(Debug)]
pub enum Attempt {
    /// It is this process's now, and is being renewed.
    Acquired(Lease),
    /// Another has it.
    Held(LeaseRecord),
}

/// How a lease was lost.
#[derive(Debug, Clone)]
pub struct Loss {
    /// The lease.
    pub name: LeaseName,
    /// The epoch under which it was held.
    pub epoch: i64,
    /// The lease as it is now; none if its row was deleted.
    pub now: Option<LeaseRecord>,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name;
        match &self.now {
            None => write!(f, "the row {name} of the table lease was deleted"),
            Some(now) if now.epoch <= self.epoch => write!(
                f,
                "the row {name} of the table lease was changed by hand, or the database server \
                 that had it was replaced"
            ),
            Some(now) if now.holder.is_none() => write!(
                f,
                "another process took over the lease {name}, which this one did not renew in time, \
                 and has given it back: {now}"
            ),
            Some(now) => write!(
                f,
                "another process has taken over the lease {name}, which this one did not renew in \
                 time: {now}"
            ),
        }
    }
}

/// A lease that this process holds. It is renewed until it is resigned, dropped or lost.
#[derive(Debug)]
pub struct Lease {
    held: Arc<Held>,
    previous: Previous,
    keeper: Arc<Keeper>,
}

/// What the keeper and the owner of a lease share.
#[derive(Debug)]
struct Held {
    name: LeaseName,
    epoch: i64,
    lost: CancellationToken,
    loss: OnceLock<Loss>,
    /// The keeper gives it back.
    is_abandoned: AtomicBool,
}

impl Held {
    fn new(name: LeaseName, epoch: i64) -> Arc<Self> {
        Arc::new(Self {
            name,
            epoch,
            lost: CancellationToken::new(),
            loss: OnceLock::new(),
            is_abandoned: AtomicBool::new(false),
        })
    }

    /// Whether it is this lease, and neither lost nor to be given back.
    fn is_kept(&self, name: LeaseName) -> bool {
        let is_over = self.lost.is_cancelled() || self.is_abandoned.load(Ordering::Relaxed);
        self.name == name && !is_over
    }

    fn lose(&self, now: Option<LeaseRecord>) {
        let (name, epoch) = (self.name, self.epoch);
        let _first = self.loss.set(Loss { name, epoch, now });
        self.lost.cancel();
    }
}

impl Lease {
    /// Which lease it is.
    #[must_use]
    pub fn name(&self) -> LeaseName {
        self.held.name
    }

    pub(super) fn claim(&self) -> LeaseClaim {
        LeaseClaim {
            name: self.held.name.as_str(),
            epoch: self.held.epoch,
            holder: self.holder(),
        }
    }

    /// Counts up with each takeover.
    #[must_use]
    pub fn epoch(&self) -> i64 {
        self.held.epoch
    }

    /// The process that holds it.
    #[must_use]
    pub fn holder(&self) -> Uuid {
        self.keeper.instance().id
    }

    /// How it became free.
    #[must_use]
    pub fn previous(&self) -> Previous {
        self.previous
    }

    /// Is cancelled when it is known that another has taken the lease.
    #[must_use]
    pub fn lost(&self) -> &CancellationToken {
        &self.held.lost
    }

    /// Who took the lease, once it is lost.
    #[must_use]
    pub fn loss(&self) -> Option<&Loss> {
        self.held.loss.get()
    }

    /// Gives the lease back, so that another may take it at once. If the database is away, it
    /// expires instead.
    pub async fn resign(&self) {
        self.keeper.resign(&self.held).await;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.keeper.abandon(&self.held);
    }
}
