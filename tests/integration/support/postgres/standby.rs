//! A database server and its standby, which can take its place.

use std::path::Path;

use sqlx::PgPool;

use super::server::Server;
use crate::support::until;

/// Two servers, the second of which follows the first and confirms its commits.
pub(crate) struct Replicated {
    pub(crate) primary: Server,
    pub(crate) standby: Server,
}

impl Replicated {
    pub(crate) async fn start() -> Self {
        let (primary, standby) = (Server::start(), Server::start());
        primary.stop();
        standby.stop();
        let hba = "local all all trust\nlocal replication all trust\n";
        std::fs::write(primary.data().join("pg_hba.conf"), hba).unwrap();
        copy_data(&primary.data(), &standby.data());
        std::fs::write(standby.data().join("standby.signal"), "").unwrap();
        primary.start_with(&["synchronous_standby_names=*"]);
        let source = format!("primary_conninfo=host={} user=seatledger", primary.socket());
        let own = format!("unix_socket_directories={}", standby.socket());
        standby.start_with(&[&source, &own]);
        let pool = primary.pool();
        until("the standby confirms commits", async || {
            let streaming = "select count(*) from pg_stat_replication where sync_state = 'sync'";
            let streaming: i64 = sqlx::query_scalar(streaming)
                .fetch_one(&pool)
                .await
                .unwrap();
            (streaming > 0).then_some(())
        })
        .await;
        Self { primary, standby }
    }

    /// The address that leads to whichever of the two takes writes.
    pub(crate) fn url(&self) -> String {
        let hosts = format!("{},{}", self.primary.socket(), self.standby.socket());
        format!(
            "postgres://seatledger@localhost/postgres?host={hosts}&target_session_attrs=read-write"
        )
    }

    /// Makes the standby take writes. Returns a pool for the test.
    pub(crate) async fn promote(&self) -> PgPool {
        let pool = self.standby.pool();
        let promoted: bool = sqlx::query_scalar("select pg_promote()")
            .fetch_one(&pool)
            .await
            .unwrap();
        assert!(promoted);
        pool
    }
}

/// Replaces the data of a server that is stopped.
fn copy_data(from: &Path, to: &Path) {
    std::fs::remove_dir_all(to).unwrap();
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .args([from, to])
        .status();
    assert!(copied.unwrap().success());
}
