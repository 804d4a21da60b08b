//! The one place that begins transactions. Every setting is `set local`, so that nothing relies on
//! a session that another may have the next moment.

use sqlx::{Connection as _, PgConnection, PgTransaction};

/// What holds for a transaction of a run, whatever the defaults of the server or the role are:
/// - `synchronous_commit`: what is recorded as stored survives a crash of the server;
/// - `force_custom_plan`: a generic plan assumes short arrays and is quadratic for a batch's;
/// - `jit`: compiling a plan costs more than it saves for a batch;
/// - `seatledger.keeps_months`: the triggers for other writers leave the run's rows alone;
/// - `citus.multi_shard_modify_mode`: a cluster that distributes the ledger writes over one
///   connection to each node, because a later statement could not read over one what was written
///   over several. Other servers have no such setting and take it for the name of a variable.
macro_rules! of_a_run {
    () => {
        "
        set local synchronous_commit = on;
        set local plan_cache_mode = force_custom_plan;
        set local jit = off;
        set local seatledger.keeps_months = on;
        set local citus.multi_shard_modify_mode = sequential
        "
    };
}

/// A statement, a wait for a lock and a transaction of a program that stands still, or was cut off,
/// end on the server by themselves. Not `read write`: a server whose disk is full makes
/// transactions read-only by default, and is waited for.
const WRITE: &str = concat!(
    "
    begin isolation level read committed;
    set local statement_timeout = '2min';
    set local lock_timeout = '1min';
    set local idle_in_transaction_session_timeout = '10s';
    ",
    of_a_run!()
);

const READ: &str = "
    begin isolation level read committed read only;
    set local statement_timeout = '15s';
    set local lock_timeout = '15s';
    set local idle_in_transaction_session_timeout = '10s';
    set local jit = off
";

/// For a page, which shows one state of the ledger however many statements it is made of.
const PAGE: &str = "
    begin isolation level repeatable read read only;
    set local statement_timeout = '5s';
    set local lock_timeout = '5s';
    set local idle_in_transaction_session_timeout = '10s';
    set local jit = off
";

/// For the figures of the front page, which nobody waits for: they take one processor at most.
const FIGURES: &str = "
    begin isolation level repeatable read read only;
    set local statement_timeout = '5min';
    set local lock_timeout = '15s';
    set local idle_in_transaction_session_timeout = '10s';
    set local jit = off;
    set local max_parallel_workers_per_gather = 0
";

/// What a file has as text does not depend on the defaults of the server, the database or the role.
macro_rules! of_a_file {
    () => {
        "
        set local timezone = 'UTC';
        set local datestyle = 'ISO, YMD';
        set local intervalstyle = 'postgres';
        set local extra_float_digits = 1
        "
    };
}

/// For a table as a file, which a slow client takes a while to read.
const DOWNLOAD: &str = concat!(
    "
    begin isolation level read committed read only;
    set local statement_timeout = '1min';
    set local lock_timeout = '5s';
    set local idle_in_transaction_session_timeout = '10s';
    set local jit = off;
    ",
    of_a_file!()
);

/// Shorter than a caller waits who is no run.
const ASIDE: &str = "
    begin isolation level read committed;
    set local statement_timeout = '15s';
    set local lock_timeout = '15s';
    set local idle_in_transaction_session_timeout = '10s'
";

/// The statement may take as long as those of a role for BI tools: a migration waits for it.
const EXPORT: &str = concat!(
    "
    begin isolation level repeatable read read only;
    set local statement_timeout = '10min';
    set local lock_timeout = '15s';
    set local idle_in_transaction_session_timeout = '10s';
    set local jit = off;
    ",
    of_a_file!()
);

/// Begins a transaction of a run. Within a transaction, such as a rehearsal, which has its own
/// bounds, a savepoint.
pub(super) async fn begin_write(
    connection: &mut PgConnection,
) -> Result<PgTransaction<'_>, sqlx::Error> {
    if !connection.is_in_transaction() {
        return connection.begin_with(WRITE).await;
    }
    let mut savepoint = connection.begin().await?;
    sqlx::raw_sql(of_a_run!()).execute(&mut *savepoint).await?;
    Ok(savepoint)
}

/// Begins a transaction that writes what is no part of a run.
pub(super) async fn begin_aside(
    connection: &mut PgConnection,
) -> Result<PgTransaction<'_>, sqlx::Error> {
    connection.begin_with(ASIDE).await
}

/// Begins a transaction that reads for `status` and the like.
pub(super) async fn begin_read(
    connection: &mut PgConnection,
) -> Result<PgTransaction<'_>, sqlx::Error> {
    connection.begin_with(READ).await
}

/// Begins a transaction that reads a page.
pub(super) async fn begin_page(
    connection: &mut PgConnection,
) -> Result<PgTransaction<'_>, sqlx::Error> {
    connection.begin_with(PAGE).await
}

/// Begins a transaction that computes the figures of the front page.
pub(super) async fn begin_figures(
    connection: &mut PgConnection,
) -> Result<PgTransaction<'_>, sqlx::Error> {
    connection.begin_with(FIGURES).await
}

/// Begins a transaction that reads a table for a file.
pub(super) async fn begin_download(
    connection: &mut PgConnection,
) -> Result<PgTransaction<'_>, sqlx::Error> {
    connection.begin_with(DOWNLOAD).await
}

/// Begins a transaction that reads a relation whole.
pub(super) async fn begin_export(
    connection: &mut PgConnection,
) -> Result<PgTransaction<'_>, sqlx::Error> {
    connection.begin_with(EXPORT).await
}
