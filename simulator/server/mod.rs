//! The server: binds, announces its address, accepts connections until a signal or the end of its
//! parent stops it, and then lets the connections end.

mod connection;
mod ordinary;
mod scripted;
mod socket;

use std::{
    io::{self, Read as _, Write as _},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::simulator::Simulator;

/// How long the end of the server waits for open connections.
const CLOSING_TIMEOUT: Duration = Duration::from_secs(2);

/// Serves until stopped.
///
/// # Errors
/// When the address cannot be bound or announced: the reason in words for a person.
pub(crate) async fn run(simulator: Arc<Simulator>, listen: SocketAddr) -> io::Result<()> {
    // Before the announcement, because a signal may arrive as soon as that has been read.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|error| in_words(&error, listen))?;
    let address = listener.local_addr()?;
    writeln!(io::stdout(), "listening on http://{address}")?;
    io::stdout().flush()?;

    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            () = simulator.stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(connection::serve(Arc::clone(&simulator), stream));
            }
            // Most likely out of file descriptors, of which some will be closed.
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
    simulator.stop.cancel();
    connections.close();
    // Connections that are still open are cut off when the runtime ends.
    let _ = timeout(CLOSING_TIMEOUT, connections.wait()).await;
    Ok(())
}

/// Why `listen` cannot be bound, and what to do about it.
fn in_words(error: &io::Error, listen: SocketAddr) -> io::Error {
    let advice = "choose another port with --listen, or 0 for a free one";
    let words = match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("another program already listens on {listen}; stop that one, or {advice}")
        }
        io::ErrorKind::PermissionDenied => {
            format!("this user may not listen on {listen}; {advice}")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("this machine does not have the address {}", listen.ip())
        }
        _ => format!("{listen} cannot be listened on: {error}"),
    };
    io::Error::new(error.kind(), words)
}

/// Stops the server when standard input ends.
pub(crate) fn stop_with_parent(stop: CancellationToken) {
    // A thread of its own, because a read of standard input cannot be cancelled and would hold up
    // the end of the runtime.
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        while input.read(&mut [0; 64]).is_ok_and(|count| count > 0) {}
        stop.cancel();
    });
}
