//! Accepts connections to the status address within bounds: few at a time, one request each, a
//! short time for the request and the answer. Whatever clients do, the daemon goes on.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::shutdown::waits;

/// Connections at a time. Probes and a few browsers need a handful; each takes a file descriptor
/// and some KiB.
const MAX_CONNECTIONS: usize = 64;

/// How long a request's header may take. A client that sends nothing would hold its connection.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a connection may last, whatever the client does.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a connection may last in addition if its answer is a [`LongAnswer`].
const LONG_TIMEOUT: Duration = Duration::from_mins(1);

/// The bounds of a header, in bytes and in lines. Beyond them the answer is 431.
const MAX_HEADER_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;

/// How long, and for how many bytes, input is discarded after the answer. If the connection were
/// closed with unread input it would be reset, and the client would lose the answer.
const LINGER: Duration = Duration::from_secs(1);
const MAX_LINGER_BYTES: usize = 256 * 1024;

/// The pause after a connection that could not be accepted, for example for want of a file
/// descriptor. Without it the loop would spin.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// Marks an answer, in its extensions, that a client may take longer to read. There must be few at
/// a time: each takes one of the connections for a minute.
#[derive(Debug, Clone, Copy)]
pub(super) struct LongAnswer;

/// A turn of a page, in the extensions of its answer. Held until the client has all of the answer.
#[derive(Debug, Clone)]
pub(super) struct PageTurn {
    _permit: Arc<OwnedSemaphorePermit>,
}

impl PageTurn {
    pub(super) fn new(permit: OwnedSemaphorePermit) -> Self {
        Self {
            _permit: Arc::new(permit),
        }
    }
}

/// What has become of a connection.
#[derive(Debug, Default)]
struct AnswerProgress {
    /// A request has come.
    has_request: AtomicBool,
    /// The whole answer is sent; only input is still discarded.
    is_sent: AtomicBool,
    is_long: AtomicBool,
}

impl AnswerProgress {
    /// Whether closing the connection costs nobody an answer.
    fn can_close(&self) -> bool {
        !self.has_request.load(Ordering::Relaxed) || self.is_sent.load(Ordering::Relaxed)
    }
}

/// An open connection.
struct Connection {
    task: AbortHandle,
    progress: Arc<AnswerProgress>,
}

/// Serves until `shutdown`.
pub(super) async fn run(listener: TcpListener, router: Router, shutdown: CancellationToken) {
    let mut tasks = JoinSet::new();
    let mut open: Vec<Connection> = Vec::new();
    loop {
        let stream = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    pause_after(&error, &shutdown).await;
                    continue;
                }
            }
        };
        // A panic has ended only the connection in which it occurred, and was printed.
        while tasks.try_join_next().is_some() {}
        open.retain(|connection| !connection.task.is_finished());
        if open.len() >= MAX_CONNECTIONS {
            make_room(&mut open, &mut tasks).await;
        }
        let progress = Arc::<AnswerProgress>::default();
        let task = tasks.spawn(bounded(stream, router.clone(), Arc::clone(&progress)));
        open.push(Connection { task, progress });
        // A flood of connections must not keep open ones from being answered, nor a run from going
        // on.
        tokio::task::yield_now().await;
    }
    drop(listener);
    for connection in &open {
        if connection.progress.can_close() {
            connection.task.abort();
        }
    }
    let _ended = timeout(waits::LAST_ANSWERS, async {
        while tasks.join_next().await.is_some() {}
    })
    .await;
}

/// Closes the oldest connection that owes no answer. If all do, waits until one of them has given
/// it. That takes no time: pages, which may wait, hold only some of the connections.
async fn make_room(open: &mut Vec<Connection>, tasks: &mut JoinSet<()>) {
    let idle = open
        .iter()
        .position(|connection| connection.progress.can_close());
    if let Some(idle) = idle {
        open.remove(idle).task.abort();
    } else {
        let _ended = tasks.join_next().await;
        open.retain(|connection| !connection.task.is_finished());
    }
}

async fn pause_after(error: &io::Error, shutdown: &CancellationToken) {
    // The client had gone before its connection was accepted.
    if matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    ) {
        return;
    }
    warn!(%error, "The status address cannot take a connection and tries again");
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = sleep(ACCEPT_PAUSE) => {}
    }
}

async fn bounded(stream: TcpStream, router: Router, progress: Arc<AnswerProgress>) {
    let mut serving = pin!(serve(stream, router, Arc::clone(&progress)));
    let mut ended = timeout(CONNECTION_TIMEOUT, &mut serving).await;
    if ended.is_err() && progress.is_long.load(Ordering::Relaxed) {
        ended = timeout(LONG_TIMEOUT, serving).await;
    }
    if ended.is_err() {
        debug!("A connection to the status address took too long");
    }
}

async fn serve(stream: TcpStream, router: Router, progress: Arc<AnswerProgress>) {
    let service = TowerToHyperService::new(router);
    let turn = Arc::<OnceLock<PageTurn>>::default();
    let (answering, taken) = (Arc::clone(&progress), Arc::clone(&turn));
    let answer = service_fn(move |request: Request<Incoming>| {
        answering.has_request.store(true, Ordering::Relaxed);
        // The body is dropped unread.
        let answer = service.call(request.map(drop).map(|()| axum::body::Body::empty()));
        let (progress, taken) = (Arc::clone(&answering), Arc::clone(&taken));
        async move {
            let mut answer = answer.await?;
            let is_long = answer.extensions().get::<LongAnswer>().is_some();
            progress.is_long.store(is_long, Ordering::Relaxed);
            if let Some(turn) = answer.extensions_mut().remove::<PageTurn>() {
                let _first = taken.set(turn);
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER_BYTES)
        .max_headers(MAX_HEADERS)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answer)
        .without_shutdown();
    let served = connection.await.map(|parts| parts.io.into_inner());
    // The client has all of the answer, or has left.
    drop(turn);
    match served {
        Ok(stream) => linger(stream, &progress).await,
        Err(error) => debug!(%error, "A connection to the status address ended in a fault"),
    }
}

/// Ends the answer, and gives the client a moment to read it.
async fn linger(mut stream: TcpStream, progress: &AnswerProgress) {
    let drained = timeout(LINGER, async {
        stream.shutdown().await?;
        progress.is_sent.store(true, Ordering::Relaxed);
        let mut discarded = 0;
        let mut buffer = [0; 4096];
        while discarded < MAX_LINGER_BYTES {
            match stream.read(&mut buffer).await? {
                0 => break,
                length => discarded += length,
            }
        }
        io::Result::Ok(())
    });
    // If the client closes first, it has the answer.
    let _drained = drained.await;
}
