//! The life of the server: binds, says where, accepts until it is told to stop by
//! a signal or by its parent's end, and then lets the connections go.

pub(crate) mod connection;

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

/// How long connections may take to end once the server is stopped.
const FAREWELL: Duration = Duration::from_secs(2);

/// Serves until stopped.
///
/// # Errors
/// When the address can't be bound, or its announcement can't be written: in words for a person.
pub(crate) async fn run(simulator: Arc<Simulator>, listen: SocketAddr) -> io::Result<()> {
    // Before the announcement, for a signal may come as soon as it is read.
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
            // Out of file handles, most likely: some will come free.
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
    simulator.stop.cancel();
    connections.close();
    // Those that still hang then are cut off with the runtime.
    let _ = timeout(FAREWELL, connections.wait()).await;
    Ok(())
}

/// Why `listen` can't be listened on, and what to do.
fn in_words(error: &io::Error, listen: SocketAddr) -> io::Error {
    let advice = "choose another port with --listen, or 0 for one that is free";
    let words = match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("another program listens on {listen} already; end that one, or {advice}")
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
    // A plain thread, since a read of standard input can't be called off and would
    // hold up the end of the runtime.
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        while input.read(&mut [0; 64]).is_ok_and(|count| count > 0) {}
        stop.cancel();
    });
}
