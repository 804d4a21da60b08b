//! A Postgres server of a test's own, which the test can stop or kill in mid-run. See
//! `scripts/postgres`.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::support::certificate::Authority;
use crate::support::root;

/// A server in a folder of its own. It ends with the test, even if the test is killed.
pub(crate) struct Server {
    folder: PathBuf,
}

impl Server {
    pub(crate) fn start() -> Self {
        // The script deletes the folder. It is beside the folder of the shared server, because
        // there the unprivileged user that runs the servers for root can reach it.
        #[expect(
            clippy::disallowed_methods,
            reason = "the folder of the shared server is handed over in the environment"
        )]
        let shared = std::env::var_os("SEATLEDGER_PG_DIR");
        let shared = shared.expect("the tests run under `make test`");
        let folder = tempfile::Builder::new()
            .prefix("seatledger-test.")
            .tempdir_in(Path::new(&shared).parent().unwrap())
            .unwrap()
            .keep();
        let server = Self { folder };
        server.start_again();
        server
    }

    pub(crate) fn start_again(&self) {
        self.start_with(&[]);
    }

    /// Starts the server with further settings, each `NAME=VALUE`.
    pub(super) fn start_with(&self, settings: &[&str]) {
        let watched = std::process::id().to_string();
        let mut arguments = vec!["--watch-pid", &watched];
        // Commits must survive a crash of the processes, but need not survive one of the machine.
        for setting in ["fsync=off", "jit=off"].iter().chain(settings) {
            arguments.extend(["-c", setting]);
        }
        self.script("start", &arguments);
    }

    /// Stops the server in order, which ends every connection.
    pub(crate) fn stop(&self) {
        self.script("stop", &[]);
    }

    /// Kills every process of the server at once, as in a crash.
    pub(crate) fn kill(&self) {
        self.script("kill", &[]);
    }

    /// The process id of the server's main process.
    pub(crate) fn pid(&self) -> String {
        let lock = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        lock.lines().next().unwrap().to_owned()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub(crate) fn url(&self) -> String {
        self.script("url", &[])
    }

    /// The folder of the server's socket.
    pub(super) fn socket(&self) -> String {
        let folder = std::fs::read_to_string(self.folder.join("socket-folder")).unwrap();
        folder.trim_end().to_owned()
    }

    /// A connection pool for the test. Connects only when it is used.
    pub(crate) fn pool(&self) -> PgPool {
        PgPoolOptions::new().connect_lazy(&self.url()).unwrap()
    }

    fn script(&self, action: &str, arguments: &[&str]) -> String {
        run(&self.folder, action, arguments)
    }
}

/// A server that listens on a port too, with a certificate for `localhost`.
pub(crate) struct TlsServer {
    pub(crate) port: u16,
    _server: Server,
}

impl TlsServer {
    /// The address for the test itself, which connects without TLS.
    pub(crate) fn url(&self) -> String {
        format!(
            "postgres://seatledger@127.0.0.1:{}/postgres?sslmode=disable",
            self.port
        )
    }

    /// A connection pool for the test. Connects only when it is used.
    pub(crate) fn pool(&self) -> PgPool {
        PgPoolOptions::new().connect_lazy(&self.url()).unwrap()
    }
}

/// A server, and the authority that signed its certificate. The role `me` can connect only with a
/// client certificate of that authority.
pub(crate) fn server_with_tls() -> (TlsServer, Authority) {
    let server = Server::start();
    let authority = Authority::new();
    let identity = authority.certify_server("localhost");
    let data = server.data();
    let owner = std::fs::metadata(&data).unwrap();
    for (name, text) in [
        ("server.crt", &identity.certificate),
        ("server.key", &identity.key),
        ("authority.crt", &authority.pem),
    ] {
        let path = data.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    let hba = "local all all trust\nhostssl all me 127.0.0.1/32 cert\nhost all me 127.0.0.1/32 \
        reject\n\
               host all all 127.0.0.1/32 trust\n";
    std::fs::write(data.join("pg_hba.conf"), hba).unwrap();
    run(&server.folder, "stop", &[]);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let (watched, number) = (std::process::id().to_string(), format!("port={port}"));
    let mut arguments = vec!["--watch-pid", &watched];
    for setting in [
        "fsync=off",
        "listen_addresses=127.0.0.1",
        &number,
        "ssl=on",
        "ssl_ca_file=authority.crt",
    ] {
        arguments.extend(["-c", setting]);
    }
    run(&server.folder, "start", &arguments);
    let server = TlsServer {
        port,
        _server: server,
    };
    (server, authority)
}

impl Drop for Server {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.script("rm", &[]);
        }
        // After a failed test, the script's watcher deletes the folder once the tests have ended.
    }
}

fn run(folder: &Path, action: &str, arguments: &[&str]) -> String {
    let log = tempfile::NamedTempFile::new().unwrap();
    let output = Command::new(root().join("scripts/postgres"))
        .arg(action)
        .arg(folder)
        .args(arguments)
        // A file, not a pipe: the started server inherits it and would keep a pipe open.
        .stderr(log.reopen().unwrap())
        .output()
        .unwrap();
    let said = std::fs::read_to_string(log.path()).unwrap();
    assert!(output.status.success(), "postgres {action}: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
