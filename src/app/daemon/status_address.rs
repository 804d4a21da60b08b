//! The status address of the daemon: it answers throughout a reload that leaves it where it is.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::lifecycle::Lifecycle;
use crate::status::{self, Leader, StatusInputs, StatusParts};
use crate::sync::Progress;

/// Serves with the parts of one configuration after the other.
pub(super) struct StatusAddress<'a> {
    lifecycle: &'a Lifecycle,
    clock: Arc<dyn Clock>,
    host: String,
    /// The daemon that does the ticks, as it was last seen.
    pub(super) leader: watch::Sender<Option<Leader>>,
    /// How far the run of this process is; none between runs.
    pub(super) progress: watch::Sender<Option<watch::Receiver<Progress>>>,
    served: Option<Served>,
}

struct Served {
    address: SocketAddr,
    parts: watch::Sender<Arc<StatusParts>>,
    stop: CancellationToken,
}

impl<'a> StatusAddress<'a> {
    /// Serves nothing yet.
    pub(super) fn new(lifecycle: &'a Lifecycle, clock: Arc<dyn Clock>, host: String) -> Self {
        Self {
            lifecycle,
            clock,
            host,
            leader: watch::Sender::new(None),
            progress: watch::Sender::new(None),
            served: None,
        }
    }

    /// Serves `parts` at `listen`; nothing if there is no such address.
    pub(super) fn serve(&mut self, listen: Option<SocketAddr>, parts: StatusParts) {
        let parts = Arc::new(parts);
        if let Some(served) = &self.served {
            if Some(served.address) == listen {
                served.parts.send_replace(parts);
                return;
            }
            served.stop.cancel();
        }
        self.served = listen.map(|address| {
            let parts = watch::Sender::new(parts);
            let shutdown = &self.lifecycle.shutdown;
            let stop = shutdown.graceful.child_token();
            let inputs = StatusInputs {
                parts: parts.subscribe(),
                clock: Arc::clone(&self.clock),
                metrics: self.lifecycle.metrics.clone(),
                pulse: shutdown.pulse.clone(),
                host: self.host.clone(),
                leader: self.leader.subscribe(),
                progress: self.progress.subscribe(),
            };
            status::start(address, inputs, stop.clone(), &self.lifecycle.tasks);
            Served {
                address,
                parts,
                stop,
            }
        });
    }
}
