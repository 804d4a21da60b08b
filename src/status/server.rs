//! Connections to the status address, and what one of them may cost: few at a time, one request
//! each, a short time to ask and to be answered. Whatever is done to it, it goes on, and touches
//! nothing else of the daemon.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::shutdown::waits;

/// Connections at a time. A probe and a few browsers need a handful; each costs a file descriptor
/// and some KiB.
const MAX_CONNECTIONS: usize = 32;

/// A request's header is there within this time.
const HEADER_PATIENCE: Duration = Duration::from_secs(10);

/// No connection lasts longer, whatever its other end does.
const CONNECTION_PATIENCE: Duration = Duration::from_secs(15);

/// The header's bounds, in bytes and in lines. Beyond them the answer is 431.
const MAX_HEADER_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;

/// What is sent to us unasked after the answer is thrown away for this time and up to this length.
/// Closed at once, the connection would be reset, and the answer lost with it.
const LINGER: Duration = Duration::from_secs(1);
const MAX_LINGER_BYTES: usize = 256 * 1024;

/// After a connection that could not be taken: there may be no file descriptor for a while.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// A connection that is open.
struct Open {
    task: AbortHandle,
    /// Whether its request is there.
    is_answered: Arc<AtomicBool>,
}

/// Serves until `stop`, and calls `idle` whenever nobody has asked for a minute.
pub(super) async fn run<F: Future<Output = ()>>(
    listener: TcpListener,
    router: Router,
    shutdown: CancellationToken,
    idle: impl Fn() -> F,
) {
    const IDLE: Duration = Duration::from_mins(1);
    let mut tasks = JoinSet::new();
    let mut open: Vec<Open> = Vec::new();
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
            },
            () = sleep(IDLE) => {
                idle().await;
                continue;
            }
        };
        // A panic ended its own connection and is on standard error already.
        while tasks.try_join_next().is_some() {}
        open.retain(|connection| !connection.task.is_finished());
        if open.len() >= MAX_CONNECTIONS {
            make_room(&mut open, &mut tasks).await;
        }
        let is_answered = Arc::<AtomicBool>::default();
        let serving = serve(stream, router.clone(), Arc::clone(&is_answered));
        let task = tasks.spawn(async move {
            if timeout(CONNECTION_PATIENCE, serving).await.is_err() {
                debug!("A connection to the status address took too long");
            }
        });
        open.push(Open { task, is_answered });
        // A flood of connections must not keep those that are open from being answered, nor a run
        // from going on.
        tokio::task::yield_now().await;
    }
    drop(listener);
    for connection in &open {
        if !connection.is_answered.load(Ordering::Relaxed) {
            connection.task.abort();
        }
    }
    let _ended = timeout(waits::LAST_ANSWERS, async {
        while tasks.join_next().await.is_some() {}
    })
    .await;
}

/// Closes the connection that has asked nothing for the longest. Where all are being answered,
/// waits for one of them: an answer takes seconds at most.
async fn make_room(open: &mut Vec<Open>, tasks: &mut JoinSet<()>) {
    let silent = open
        .iter()
        .position(|connection| !connection.is_answered.load(Ordering::Relaxed));
    if let Some(silent) = silent {
        open.remove(silent).task.abort();
    } else {
        let _ended = tasks.join_next().await;
        open.retain(|connection| !connection.task.is_finished());
    }
}

async fn pause_after(error: &io::Error, shutdown: &CancellationToken) {
    // The other end was gone before we came to it.
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

async fn serve(stream: TcpStream, router: Router, is_answered: Arc<AtomicBool>) {
    let service = TowerToHyperService::new(router);
    let answer = service_fn(move |request: Request<Incoming>| {
        is_answered.store(true, Ordering::Relaxed);
        // The body is dropped unread.
        service.call(request.map(drop).map(|()| axum::body::Body::empty()))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_PATIENCE)
        .max_buf_size(MAX_HEADER_BYTES)
        .max_headers(MAX_HEADERS)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answer)
        .without_shutdown();
    match connection.await {
        Ok(parts) => linger(parts.io.into_inner()).await,
        Err(error) => debug!(%error, "A connection to the status address ended in a fault"),
    }
}

/// Says that the answer is whole, and gives the other end a moment to read it.
async fn linger(mut stream: TcpStream) {
    let drained = timeout(LINGER, async {
        stream.shutdown().await?;
        let mut thrown_away = 0;
        let mut buffer = [0; 4096];
        while thrown_away < MAX_LINGER_BYTES {
            match stream.read(&mut buffer).await? {
                0 => break,
                length => thrown_away += length,
            }
        }
        io::Result::Ok(())
    });
    // Whoever hangs up first has what they wanted.
    let _drained = drained.await;
}
