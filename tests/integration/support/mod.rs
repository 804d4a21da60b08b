//! The fixture of the tests: a database and a simulator for each test, and the real binary.

mod api;
mod certificate;
mod draw;
mod postgres;
mod program;
mod status;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::postgres::{PgPool, PgRow};
use tempfile::TempDir;

pub(crate) use api::{
    CertificateAuthority, Claims, H2Server, Simulator, TODAY, TlsFront, Turn, answers, item,
    queries, self_signed,
};
pub(crate) use certificate::Identity;
pub(crate) use draw::Draw;
pub(crate) use postgres::{
    Database, LATER, Link, Lost, Pooler, Replicated, Server, begin, lease_run, server_with_tls,
};
pub(crate) use program::{Finished, Running, send_signal, spawn};
pub(crate) use status::{computed, get};

/// The longest that a test waits for anything. Ten times as long as a program takes to stop, so
/// that a busy machine fails no test, and much less than the waits of ten minutes and more that a
/// program must cut short.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// A partner: customers at a simulator, a ledger, and a configuration.
pub(crate) struct World {
    pub(crate) pool: PgPool,
    pub(crate) simulator: Simulator,
    pub(crate) folder: TempDir,
    settings: BTreeMap<String, String>,
    /// Environment variables that are not settings of Seatledger.
    variables: BTreeMap<String, String>,
    one_thread: bool,
    /// Held so that it is deleted with the world. None if the ledger is on a server of the test's
    /// own.
    database: Option<Database>,
}

impl World {
    /// A partner with five customers, all configured by id, short retries, and a sign-in by refresh
    /// token.
    pub(crate) async fn new() -> Self {
        Self::with_customers(5).await
    }

    pub(crate) async fn with_customers(customers: usize) -> Self {
        let database = Database::migrated().await;
        Self::with_database(database, customers).await
    }

    /// A partner whose database has no tables yet.
    pub(crate) async fn before_migrations() -> Self {
        Self::with_database(Database::empty().await, 5).await
    }

    async fn with_database(database: Database, customers: usize) -> Self {
        let (pool, url) = (database.pool(), database.url());
        let mut world = Self::at(pool, &url, customers).await;
        world.database = Some(database);
        world
    }

    /// A partner whose ledger is on a server of its own.
    pub(crate) async fn on_server(server: &Server, customers: usize) -> Self {
        Self::at(server.pool(), &server.url(), customers).await
    }

    /// A partner whose ledger is in the database of `pool` and `database_url`.
    pub(crate) async fn at(pool: PgPool, database_url: &str, customers: usize) -> Self {
        let simulator = Simulator::start(&["--customers", &customers.to_string()]).await;
        let folder = TempDir::new().unwrap();
        std::fs::write(
            folder.path().join("config.toml"),
            "# all settings come from the environment\n",
        )
        .unwrap();
        let ids = simulator.customers().await;
        let mut world = Self {
            pool,
            simulator,
            folder,
            settings: BTreeMap::new(),
            variables: BTreeMap::new(),
            one_thread: false,
            database: None,
        };
        let base = world.simulator.base_url.clone();
        for (key, value) in [
            ("partner_center.base_url", base.as_str()),
            ("auth.authority", &base),
            ("auth.tenant_id", "contoso.onmicrosoft.com"),
            ("auth.client_id", "sim-client"),
            ("auth.client_secret", "sim-secret"),
            ("auth.refresh_token", "sim-refresh-0"),
            ("customers.ids", &ids.join(",")),
            ("retry.initial_interval", "10ms"),
            ("retry.max_interval", "40ms"),
            ("retry.max_elapsed_time", "1s"),
            ("database.url", database_url),
            ("status.listen", ""),
            ("log.format", "json"),
        ] {
            world.set(key, value);
        }
        world
    }

    /// Sets a key of the configuration, by its environment variable. Returns the previous value.
    pub(crate) fn set(&mut self, key: &str, value: &str) -> Option<String> {
        self.settings.insert(key.to_owned(), value.to_owned())
    }

    /// Sets an environment variable that is not a setting of Seatledger.
    pub(crate) fn set_variable(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    pub(crate) fn unset_variable(&mut self, name: &str) {
        self.variables.remove(name);
    }

    pub(crate) fn unset(&mut self, key: &str) {
        self.settings.remove(key);
    }

    /// Makes runs request one customer at a time, exactly in the order of the run's list.
    pub(crate) fn ask_in_order(&mut self) {
        self.set("partner_center.max_concurrency", "1");
        self.one_thread = true;
    }

    /// The customers whose usage was requested, in the order of the requests.
    pub(crate) async fn asked(&self) -> Vec<String> {
        let requests = self.simulator.requests("usage").await;
        let ids = requests.iter().map(|request| {
            let path = request["path"].as_str().unwrap();
            path.split('/').nth(3).unwrap().to_owned()
        });
        ids.collect()
    }

    /// The address of the ledger's database.
    pub(crate) fn database_url(&self) -> &str {
        &self.settings["database.url"]
    }

    pub(crate) fn config_path(&self) -> PathBuf {
        self.folder.path().join("config.toml")
    }

    pub(crate) fn refresh_token_path(&self) -> PathBuf {
        self.folder.path().join("refresh_token")
    }

    /// Writes a file into the folder and returns its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The settings as environment variables.
    pub(crate) fn environment(&self) -> impl Iterator<Item = (String, String)> {
        let settings = self.settings.iter().map(|(key, value)| {
            let variable = format!("SEATLEDGER__{}", key.to_uppercase().replace('.', "__"));
            (variable, value.clone())
        });
        // Two threads could take customers in one order and request them in another.
        let threads = ("TOKIO_WORKER_THREADS".to_owned(), "1".to_owned());
        let others = self.variables.clone();
        settings
            .chain(self.one_thread.then_some(threads))
            .chain(others)
    }

    /// Starts the program with the configuration and `arguments`.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        Running::start(&self.config_path(), self.environment(), arguments)
    }

    /// As [`World::start`], on a host of this name.
    pub(crate) fn start_on(&self, host: &str, arguments: &[&str]) -> Running {
        Running::start_on(host, &self.config_path(), self.environment(), arguments)
    }

    /// As [`World::start`], with the connections that it tries in the file `trace`.
    pub(crate) fn start_traced(&self, trace: &Path, arguments: &[&str]) -> Running {
        Running::start_traced(trace, &self.config_path(), self.environment(), arguments)
    }

    /// Runs the program to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Finished {
        self.start(arguments).finish().await
    }

    /// Runs `--backfill --json` to its end.
    pub(crate) async fn backfill(&self) -> Finished {
        self.run(&["--backfill", "--json"]).await
    }

    /// The single value of a query.
    pub(crate) async fn value<T>(&self, sql: &str) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
    {
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned()))
            .fetch_one(&self.pool)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    pub(crate) async fn rows(&self, sql: &str) -> Vec<PgRow> {
        sqlx::query(sqlx::AssertSqlSafe(sql.to_owned()))
            .fetch_all(&self.pool)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The rows of a query as text, with columns joined by `|`.
    pub(crate) async fn lines(&self, sql: &str) -> Vec<String> {
        let sql = format!(
            "with q as materialized ({sql}) select concat_ws('|', variadic array(\
                select coalesce(value, '-') from json_each_text(to_json(q)) \
                    with ordinality as t (key, value, n) order by n)) from q"
        );
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql.clone()))
            .fetch_all(&self.pool)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    pub(crate) async fn execute(&self, sql: &str) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))
            .execute(&self.pool)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// A distributed ledger has no triggers that follow what a test writes by hand.
    pub(crate) async fn reread_if_distributed(&self) {
        if postgres::is_distributed() {
            self.execute("select reread_license_usage()").await;
        }
    }

    /// Waits until the database has no connection of a program that has ended.
    pub(crate) async fn database_left(&self) {
        let left = "select count(*) from pg_stat_activity where application_name = 'seatledger' \
            and datname = current_database()";
        until("Postgres has ended the program's work", async || {
            (self.value::<i64>(left).await == 0).then_some(())
        })
        .await;
    }

    /// Everything that a run stores in the ledger, without the columns that differ from run to run.
    pub(crate) async fn ledger(&self) -> Vec<String> {
        self.lines(
            "select customer_id, product_name, workload_name, processed_date_time, customer_name, \
                licenses_active,
                    licenses_qualified, usage_percent, service_name, channel
             from license_usage
             order by processed_date_time, customer_id, product_name, workload_name",
        )
        .await
    }
}

/// Waits until `condition` returns a value. `what` describes it in the message of a failure.
pub(crate) async fn until<T>(what: &str, condition: impl AsyncFnMut() -> Option<T>) -> T {
    try_until(condition)
        .await
        .unwrap_or_else(|| panic!("waited in vain until {what}"))
}

/// Waits until `condition` returns a value; None if it does not.
pub(crate) async fn try_until<T>(mut condition: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Some(value) = condition().await {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    waited.await.ok()
}

/// The repository's own folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
