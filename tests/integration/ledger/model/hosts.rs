//! Hosts that do the runs of a history. Each is a thread with a runtime of its own, so that it can
//! be killed or stopped as a whole: its run, what renews its lease, and its connections. These lead
//! over a link of its own, which can lose packets.

use std::pin::Pin;
use std::sync::mpsc as blocking;
use std::time::Duration;

use seatledger::config;
use seatledger::store::{Instance, Keeper, LeaseTimes, Store};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use super::process::Process;
use crate::support::Link;

/// Short, so that a takeover takes little time, and long enough for a busy machine.
const TIMES: LeaseTimes = LeaseTimes {
    renew_every: Duration::from_millis(200),
    lasts: Duration::from_secs(1),
};

type Work =
    Box<dyn for<'a> FnOnce(&'a mut Process) -> Pin<Box<dyn Future<Output = ()> + 'a>> + Send>;

/// Ends, and all of its connections with it, when it is dropped.
pub(super) struct Host {
    pub(super) link: Link,
    work: mpsc::UnboundedSender<Work>,
    runtime: Handle,
    /// While it stands still.
    standing: Option<blocking::Sender<()>>,
    /// Its end ends the thread, whatever the host is doing.
    _alive: oneshot::Sender<()>,
}

impl Host {
    pub(super) async fn start(name: &'static str, database_url: &str) -> Self {
        let link = Link::to(database_url).await;
        let folder = std::env::temp_dir();
        let settings = config::Database::try_new(link.url(), &folder, 3).unwrap();
        let (work, mut works) = mpsc::unbounded_channel::<Work>();
        let (alive, ended) = oneshot::channel::<()>();
        let (tell, told) = oneshot::channel();
        std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            let _told = tell.send(runtime.handle().clone());
            runtime.block_on(async {
                let store = Store::new(&settings).unwrap();
                let tasks = TaskTracker::new();
                let keeper = Keeper::new(store.clone(), Instance::new(name), TIMES, tasks);
                let mut process = Process::new(store, keeper);
                let working = async {
                    while let Some(work) = works.recv().await {
                        work(&mut process).await;
                    }
                };
                tokio::select! {
                    () = working => {}
                    _dead = ended => {}
                }
            });
        });
        Self {
            link,
            work,
            runtime: told.await.unwrap(),
            standing: None,
            _alive: alive,
        }
    }

    /// Has the host do `work`. The result never comes if the host is killed meanwhile.
    pub(super) fn begin<T: Send + 'static>(
        &self,
        work: impl AsyncFnOnce(&mut Process) -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (tell, told) = oneshot::channel();
        let work: Work = Box::new(move |process| {
            Box::pin(async move {
                let _told = tell.send(work(process).await);
            })
        });
        assert!(self.work.send(work).is_ok(), "the host lives");
        told
    }

    /// Has the host do `work`, and waits for the result.
    pub(super) async fn does<T: Send + 'static>(
        &self,
        work: impl AsyncFnOnce(&mut Process) -> T + Send + 'static,
    ) -> T {
        self.begin(work).await.expect("the host lives")
    }

    /// Stops the whole host wherever it is, as SIGSTOP does. Its connections stay open.
    pub(super) async fn freeze(&mut self) {
        let (thaw, thawed) = blocking::channel::<()>();
        let (tell, told) = oneshot::channel();
        self.runtime.spawn(async move {
            let _told = tell.send(());
            // Blocks the only thread.
            let _thawed = thawed.recv();
        });
        told.await.unwrap();
        self.standing = Some(thaw);
    }

    pub(super) fn thaw(&mut self) {
        self.standing = None;
    }

    /// Ends the host, and keeps its link.
    pub(super) fn into_link(self) -> Link {
        self.link
    }
}
