//! A link to a database server on which packets are lost, in one direction or in both. Neither side
//! is told. What was lost arrives once the link is mended, because TCP sends it again, unless the
//! link was broken meanwhile.

use std::path::Path;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use url::Url;

use crate::support::{PATIENCE, spawn};

/// What only the connection of a run sends.
const WRITES: [&[u8]; 3] = [
    b"insert into sync_run",
    b"update sync_run",
    b"copy sync_customer",
];

/// Listens on a port of its own and passes connections on to a server. It ends with this value, and
/// with it all of its connections.
pub(crate) struct Link {
    url: Url,
    state: State,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct State {
    lost: watch::Sender<Lost>,
    /// How often the link was broken.
    breaks: watch::Sender<u64>,
    /// How often the link has forgotten the connections of the time.
    lapses: watch::Sender<u64>,
}

/// What is lost at present.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    /// From the program to the server.
    pub(crate) requests: bool,
    /// From the server to the program.
    pub(crate) answers: bool,
    /// The answers are lost from the next commit of a run on, which still reaches the server.
    pub(crate) from_commit: bool,
}

impl Lost {
    pub(crate) const REQUESTS: Self = Self {
        requests: true,
        answers: false,
        from_commit: false,
    };
    pub(crate) const ANSWERS: Self = Self {
        requests: false,
        answers: true,
        from_commit: false,
    };
    pub(crate) const BOTH: Self = Self {
        requests: true,
        ..Self::ANSWERS
    };
    pub(crate) const FROM_COMMIT: Self = Self {
        requests: false,
        answers: false,
        from_commit: true,
    };
}

impl Link {
    /// To the server of this address.
    pub(crate) async fn to(database_url: &str) -> Self {
        let mut url: Url = database_url.parse().unwrap();
        let port = url.port().unwrap_or(5432);
        let socket = url.query_pairs().find(|(key, _)| key == "host");
        let server = match socket {
            Some((_, folder)) => format!("{folder}/.s.PGSQL.{port}"),
            None => format!("{}:{port}", url.host_str().unwrap()),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(listener.local_addr().unwrap().port()))
            .unwrap();
        // The proxy could not look for a commit in what is encrypted.
        url.set_query(Some("sslmode=disable"));
        let state = State {
            lost: watch::Sender::new(Lost::default()),
            breaks: watch::Sender::new(0),
            lapses: watch::Sender::new(0),
        };
        let task = spawn(listen(listener, server, state.clone()));
        Self { url, state, task }
    }

    /// The address that leads over the link.
    pub(crate) fn url(&self) -> &str {
        self.url.as_str()
    }

    pub(crate) fn lose(&self, lost: Lost) {
        self.state.lost.send_replace(lost);
    }

    /// Delivers what was lost, and loses nothing more.
    pub(crate) fn mend(&self) {
        self.lose(Lost::default());
    }

    /// Ends all connections on both sides, without delivering what was lost.
    pub(crate) fn break_connections(&self) {
        self.state.breaks.send_modify(|breaks| *breaks += 1);
    }

    /// Loses for good all that is sent over the connections that are open now, as a firewall does
    /// that has forgotten them. New ones work.
    pub(crate) fn forget_open(&self) {
        self.state.lapses.send_modify(|lapses| *lapses += 1);
    }

    /// Waits until a commit has been sent whose answer is lost.
    pub(crate) async fn commit_sent(&self) {
        let mut lost = self.state.lost.subscribe();
        let sent = lost.wait_for(|lost| lost.answers);
        tokio::time::timeout(PATIENCE, sent)
            .await
            .expect("a commit is sent over the link")
            .unwrap();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(listener: TcpListener, server: String, state: State) {
    // Dropped, and with it the connections, when this task is aborted.
    let mut connections = JoinSet::new();
    loop {
        let (program, _) = listener.accept().await.unwrap();
        program.set_nodelay(true).unwrap();
        let (server, lost) = (server.clone(), state.lost.clone());
        let (mut breaks, mut lapses) = (state.breaks.subscribe(), state.lapses.subscribe());
        connections.spawn(async move {
            let connected = async {
                // A server that is away ends the connection, as a host does that has no such port.
                if Path::new(&server).is_absolute() {
                    if let Ok(server) = UnixStream::connect(&server).await {
                        connect(program, server, &lost).await;
                    }
                } else if let Ok(server) = TcpStream::connect(&server).await {
                    server.set_nodelay(true).unwrap();
                    connect(program, server, &lost).await;
                }
            };
            // Kept, so that a forgotten connection stays open at both ends.
            let mut connected = std::pin::pin!(connected);
            tokio::select! {
                () = &mut connected => {}
                _broken = breaks.changed() => {}
                _forgotten = lapses.changed() => std::future::pending().await,
            }
        });
    }
}

async fn connect(
    program: TcpStream,
    server: impl AsyncRead + AsyncWrite,
    lost: &watch::Sender<Lost>,
) {
    let (from_program, to_program) = program.into_split();
    let (from_server, to_server) = split(server);
    tokio::join!(
        pass_on(from_program, to_server, lost, |lost| lost.requests),
        pass_on(from_server, to_program, lost, |lost| lost.answers),
    );
}

/// Passes on what comes, including the end of the connection, and holds it back while it is lost.
async fn pass_on(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    lost: &watch::Sender<Lost>,
    is_lost: fn(&Lost) -> bool,
) {
    let mut mended = lost.subscribe();
    let mut buffer = vec![0; 64 * 1024];
    // Others commit, too: the one that renews leases, and those that read.
    let mut is_of_run = false;
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        let bytes = &buffer[..read];
        if mended.wait_for(|lost| !is_lost(lost)).await.is_err() {
            return;
        }
        let has = |text: &[u8]| bytes.windows(text.len()).any(|bytes| bytes == text);
        is_of_run |= WRITES.iter().any(|write| has(write));
        if is_of_run && has(b"COMMIT\0") {
            lost.send_if_modified(|lost| {
                let is_due = lost.from_commit;
                if is_due {
                    *lost = Lost::ANSWERS;
                }
                is_due
            });
        }
        if bytes.is_empty() || to.write_all(bytes).await.is_err() {
            let _closed = to.shutdown().await;
            return;
        }
    }
}
