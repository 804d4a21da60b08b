//! Databases that are distributed over a Citus cluster, for tests under `make test-citus`. The
//! server that the tests share is the coordinator; each worker has a database of the same name.

use std::env;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, query_scalar, raw_sql};
use url::Url;

use super::database::url_of;

/// The statements for operators that distribute a ledger.
pub(super) const DISTRIBUTE: &str = include_str!("../../../../docs/citus/distribute.sql");

/// The folders of the workers' sockets. None without a cluster.
fn workers() -> Vec<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "`scripts/citus` hands the workers over in the environment"
    )]
    let workers = env::var("SEATLEDGER_CITUS_WORKERS").unwrap_or_default();
    workers.split_whitespace().map(str::to_owned).collect()
}

/// Whether the tests run on a cluster.
pub(crate) fn is_used() -> bool {
    !workers().is_empty()
}

/// The addresses of a database on the shared server and on each worker.
fn nodes(database: &str) -> Vec<Url> {
    let shared = url_of(database);
    let of_worker = |worker: &String| {
        let mut url = shared.clone();
        url.query_pairs_mut().clear().append_pair("host", worker);
        url
    };
    let workers: Vec<Url> = workers().iter().map(of_worker).collect();
    std::iter::once(shared).chain(workers).collect()
}

async fn execute(url: &Url, statement: &str) {
    let options: PgConnectOptions = url.as_str().parse().unwrap();
    let mut connection = options.connect().await.unwrap();
    raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(&mut connection)
        .await
        .unwrap_or_else(|error| panic!("{statement}: {error}"));
    connection.close().await.unwrap();
}

/// Executes a statement about a database on every node: without a cluster on the shared server.
pub(super) async fn on_every_node(statement: &str) {
    for node in nodes("postgres") {
        execute(&node, statement).await;
    }
}

/// Distributes the ledger in a database of the coordinator, if there is a cluster.
pub(super) async fn distribute(inside: &mut PgConnection, database: &str) {
    let nodes = nodes(database);
    if nodes.len() == 1 {
        return;
    }
    for worker in &nodes[1..] {
        execute(worker, "create extension citus").await;
    }
    let add = |worker| format!("select citus_add_node('{worker}', 5432);");
    let others = workers().iter().map(add).collect::<Vec<_>>().concat();
    let statements = format!(
        "create extension citus; set citus.shard_count = 4;
         select citus_set_coordinator_host(
             split_part(current_setting('unix_socket_directories'), ',', 1), 5432
         );
         {others}"
    );
    for part in [&statements, DISTRIBUTE] {
        raw_sql(AssertSqlSafe(part.to_owned()))
            .execute(&mut *inside)
            .await
            .unwrap_or_else(|error| panic!("the ledger is not distributed: {error}"));
    }
}

/// Ends the sessions that Citus keeps in a database, so that it can be renamed and copied.
pub(super) async fn end_sessions(database: &str) {
    for node in nodes("postgres") {
        let options: PgConnectOptions = node.as_str().parse().unwrap();
        let mut connection = options.connect().await.unwrap();
        loop {
            let ended: i64 = query_scalar(
                "select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity
                 where datname = $1",
            )
            .bind(database)
            .fetch_one(&mut connection)
            .await
            .unwrap();
            if ended == 0 {
                break;
            }
        }
        connection.close().await.unwrap();
    }
}
