//! A database for each test, on the server that the tests share. It is a copy of one that has all
//! migrations, because copying takes a third of the time of applying them.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use futures_util::FutureExt as _;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, query_scalar, raw_sql};
use tokio::sync::OnceCell;
use url::Url;

use super::citus;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// The name of the database that the others are copied from.
static TEMPLATE: OnceCell<String> = OnceCell::const_new();

/// A database of a test's own. Deleted with this value, unless the test failed.
pub(crate) struct Database {
    name: String,
    pool: PgPool,
}

impl Database {
    /// With all migrations applied.
    pub(crate) async fn migrated() -> Self {
        let template = TEMPLATE.get_or_init(template).await;
        Self::create(&format!("template {template}")).await
    }

    /// Without any table.
    pub(crate) async fn empty() -> Self {
        Self::create("").await
    }

    async fn create(how: &str) -> Self {
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        citus::on_every_node(&format!("create database {name} {how}")).await;
        let pool = PgPoolOptions::new()
            .max_connections(5)
            .connect_lazy_with(options(&name));
        Self { name, pool }
    }

    pub(crate) fn pool(&self) -> PgPool {
        self.pool.clone()
    }

    pub(crate) fn url(&self) -> String {
        url_of(&self.name).to_string()
    }

    /// Deletes the database without blocking the thread.
    pub(crate) async fn delete(mut self) {
        self.pool.close().await;
        let name = std::mem::take(&mut self.name);
        citus::on_every_node(&format!("drop database {name} with (force)")).await;
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if std::thread::panicking() || self.name.is_empty() {
            return;
        }
        // Otherwise `drop … with (force)` would have to end these connections, and would check only
        // every tenth of a second whether they are gone.
        let _in_use = self.pool.close().now_or_never();
        let drop = format!("drop database {} with (force)", self.name);
        // A thread of its own, because `drop` cannot block on the runtime that it is called from.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(citus::on_every_node(&drop));
        });
        dropping.join().unwrap();
    }
}

/// Creates the template unless the server has it already. Returns its name, which contains a hash
/// of its migrations' checksums.
async fn template() -> String {
    // Hashed, because Postgres cuts names after 63 bytes.
    let mut checksums = DefaultHasher::new();
    citus::DISTRIBUTE.hash(&mut checksums);
    for migration in MIGRATIONS.iter() {
        migration.checksum.hash(&mut checksums);
    }
    let name = format!("template_{:016x}", checksums.finish());
    let mut connection = connect("postgres").await;
    // Held until the connection is closed, because another process may create it at the same time.
    raw_sql("select pg_advisory_lock(7328)")
        .execute(&mut connection)
        .await
        .unwrap();
    let exists: bool = query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(&name)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    if !exists {
        // Under another name first, so that an unfinished template is never copied.
        let unfinished = format!("unfinished_{}", uuid::Uuid::new_v4().simple());
        citus::on_every_node(&format!("create database {unfinished}")).await;
        let mut inside = connect(&unfinished).await;
        MIGRATIONS.run(&mut inside).await.unwrap();
        citus::distribute(&mut inside, &unfinished).await;
        inside.close().await.unwrap();
        citus::end_sessions(&unfinished).await;
        let rename = format!("alter database {unfinished} rename to {name}");
        citus::on_every_node(&rename).await;
    }
    connection.close().await.unwrap();
    name
}

async fn connect(database: &str) -> PgConnection {
    options(database).connect().await.unwrap()
}

fn options(database: &str) -> PgConnectOptions {
    url_of(database).as_str().parse().unwrap()
}

/// The address of a database on the server that the tests share.
pub(super) fn url_of(database: &str) -> Url {
    #[expect(
        clippy::disallowed_methods,
        reason = "the server of the tests is handed over in the environment"
    )]
    let url = std::env::var("DATABASE_URL");
    let url = url.expect("the tests run under `make test`, which starts a private Postgres");
    let mut url = Url::parse(&url).unwrap();
    url.set_path(database);
    url
}
