//! `PgBouncer` in front of a server, in a pool mode that a test chooses.

use std::os::unix::fs::MetadataExt as _;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::support::until;

/// A running pooler. Killed when dropped.
pub(crate) struct Pooler {
    url: url::Url,
    _process: Child,
    _folder: TempDir,
}

impl Pooler {
    /// In front of the server at `database_url`, a socket's address, with a role `seatledger` that
    /// needs no password. `settings` are lines of its configuration.
    pub(crate) async fn start(database_url: &str, mode: &str, settings: &str) -> Self {
        let mut url = url::Url::parse(database_url).unwrap();
        let (_, socket) = url.query_pairs().find(|(name, _)| name == "host").unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        // Beside the server's socket, and as its user: nobody else reaches the socket, and the
        // pooler does not run as root.
        let owner = std::fs::metadata(&*socket).unwrap();
        let folder = TempDir::new().unwrap();
        let config = folder.path().join("pgbouncer.ini");
        let text = format!(
            "[databases]\n* = host={socket} user=seatledger\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = {mode}\n\
             ignore_startup_parameters = extra_float_digits\n{settings}\n"
        );
        std::fs::write(&config, text).unwrap();
        for path in [folder.path(), &config] {
            std::os::unix::fs::chown(path, Some(owner.uid()), Some(owner.gid())).unwrap();
        }
        let mut process = Command::new(program());
        process
            .arg(&config)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true);
        if std::fs::metadata("/proc/self").unwrap().uid() == 0 {
            process.uid(owner.uid()).gid(owner.gid());
        }
        let process = process
            .spawn()
            .expect("pgbouncer is installed, as by scripts/need pgbouncer");
        until("the pooler listens", async || {
            TcpStream::connect(("127.0.0.1", port)).await.ok()
        })
        .await;
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(port)).unwrap();
        url.set_query(Some("sslmode=disable"));
        Self {
            url,
            _process: process,
            _folder: folder,
        }
    }

    /// The address of a database through the pooler.
    pub(crate) fn url(&self) -> &str {
        self.url.as_str()
    }
}

/// Another than the system's may be named, such as a newer one.
fn program() -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "the tests are told in the environment which pooler to use"
    )]
    let named = std::env::var("SEATLEDGER_PGBOUNCER");
    // Debian's folder is not in an ordinary user's PATH.
    named.unwrap_or_else(|_| "/usr/sbin/pgbouncer".to_owned())
}
