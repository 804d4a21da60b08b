//! The status address: probes, pages for people, JSON for programs, and the metrics. Probes,
//! metrics and the front page come from memory, so that they are answered at once, whatever hangs.
//! Reads the store, changes nothing, and shows no secret.
//!
//! It has a thread of its own: what keeps the program's thread busy, or blocks it, must not keep a
//! probe from telling so.

mod badges;
mod data;
mod figures;
mod host;
mod html;
mod observer;
mod routes;
mod server;
mod site;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info};

use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::partner_center::{Client, ConsentFile};
use crate::schedule::Schedule;
use crate::store::{Downloads, PageReader, Store};
use crate::sync::{Progress, UpgradeWait};
use crate::watchdog::Pulse;
use observer::Observer;

/// How often an address that cannot be served is tried again.
const BIND_INTERVAL: Duration = Duration::from_secs(5);

/// After how long a thread of the address that has failed is started again.
const THREAD_INTERVAL: Duration = Duration::from_secs(15);

/// What the status address is made from.
#[derive(Clone)]
pub(crate) struct StatusInputs {
    /// What follows from the configuration. A reload sends other parts.
    pub(crate) parts: watch::Receiver<Arc<StatusParts>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Metrics,
    /// By which a program that is stuck is noticed.
    pub(crate) pulse: Pulse,
    /// The name of this host.
    pub(crate) host: String,
    /// The daemon that does the ticks, from memory, so that it is known while the database is away.
    pub(crate) leader: watch::Receiver<Option<Leader>>,
    /// How far the run of this process is; none between runs.
    pub(crate) progress: watch::Receiver<Option<watch::Receiver<Progress>>>,
}

/// What of it follows from the configuration.
pub(crate) struct StatusParts {
    pub(crate) store: Store,
    /// For pages that need more than is known.
    pub(crate) reader: PageReader,
    pub(crate) downloads: Downloads,
    pub(crate) schedule: Schedule,
    /// From the ticker, which knows how the clock was set.
    pub(crate) next_run: watch::Receiver<Option<DateTime<Utc>>>,
    /// What the migrations at the start wait for.
    pub(crate) upgrade: watch::Receiver<Option<UpgradeWait>>,
    pub(crate) client: Arc<Client>,
    /// None if no person signs in.
    pub(crate) consent: Option<ConsentFile>,
    /// What stands before every path behind a reverse proxy: empty, or without a slash at its end.
    pub(crate) path_prefix: String,
    /// Whether what holds names of customers is served.
    pub(crate) has_pages: bool,
    /// `Host` names that are accepted besides those of this machine.
    pub(crate) hosts: Vec<String>,
}

/// The daemon that does the ticks of a schedule that daemons on several hosts share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Leader {
    /// Its host.
    pub(crate) host: String,
    /// Since when it leads, by the database's clock.
    pub(crate) since: DateTime<Utc>,
    /// Whether it is this process.
    pub(crate) is_this_process: bool,
}

/// Serves `address` from a thread of its own until `shutdown`, also after a panic there. `tasks`
/// waits for its end.
pub(crate) fn start(
    address: SocketAddr,
    inputs: StatusInputs,
    shutdown: CancellationToken,
    tasks: &TaskTracker,
) {
    tasks.spawn(async move {
        loop {
            match start_thread(address, inputs.clone(), shutdown.clone()) {
                // Nothing is sent: the sender is dropped.
                Ok(ended) => drop(ended.await),
                Err(error) => error!(%error, "The status address has no thread"),
            }
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(THREAD_INTERVAL) => {}
            }
            error!("The thread of the status address has ended and is started again");
        }
    });
}

/// Completes what it returns when the thread ends.
fn start_thread(
    address: SocketAddr,
    inputs: StatusInputs,
    shutdown: CancellationToken,
) -> io::Result<oneshot::Receiver<()>> {
    let (ends, ended) = oneshot::channel::<()>();
    let serving = move || {
        let _ends = ends;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        match runtime {
            Ok(runtime) => {
                runtime.block_on(serve(address, inputs, shutdown));
                // A read of a disk that hangs cannot be cancelled.
                runtime.shutdown_background();
            }
            Err(error) => error!(%error, "The status address has no runtime"),
        }
    };
    let thread = thread::Builder::new().name("status".to_owned());
    thread.spawn(serving).map(|_detached| ended)
}

async fn serve(address: SocketAddr, inputs: StatusInputs, shutdown: CancellationToken) {
    let observer = Arc::new(Observer::new(inputs));
    let answering = async {
        if let Some(listener) = bind(address, &shutdown).await {
            let router = routes::router(Arc::clone(&observer), address.ip());
            server::run(listener, router, shutdown.clone()).await;
        }
    };
    tokio::join!(answering, observer.run(&shutdown));
}

/// None if the program stops before the address is free.
async fn bind(address: SocketAddr, shutdown: &CancellationToken) -> Option<TcpListener> {
    let mut was_refused = false;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => {
                let address = listener.local_addr().unwrap_or(address);
                info!(%address, "Serving the status address");
                return Some(listener);
            }
            Err(error) if !was_refused => {
                was_refused = true;
                error!(
                    %address,
                    %error,
                    "The status address {address} cannot be served and is tried again every {} s; \
                     set status.listen to a free address, or to \"\"",
                    BIND_INTERVAL.as_secs()
                );
            }
            Err(_) => {}
        }
        tokio::select! {
            () = shutdown.cancelled() => return None,
            () = sleep(BIND_INTERVAL) => {}
        }
    }
}
