//! Whether the server keeps one session for each connection of the program. A pooler in transaction
//! mode gives each transaction any free session. Rows are safe there: a lease and settings of the
//! transaction guard them. But prepared statements vanish, or meet those of other clients, and a
//! host whose session lives on in the pooler looks alive to the others.
//!
//! Two connections show it. Statements outside a transaction come first: they show a pooler with
//! one session, whose other connections would wait for the end of a transaction, and one in
//! statement mode, which refuses transactions.

use sqlx::{Connection as _, PgConnection, Row as _};
use uuid::Uuid;

use super::super::error::StoreError;
use super::super::pool::Store;
use crate::causes::with_causes;
use crate::retry::{Classify as _, Remedy};

const OPERATION: &str = "checking whether sessions are kept";

/// What identifies a session: its server process, and a setting that only this session has.
const IDENTIFY: &str = "select pg_backend_pid(), current_setting('seatledger.session', true)";

/// With what `PgBouncer` refuses a transaction in statement mode.
const STATEMENT_MODE: &str = "transaction blocks not allowed";

pub(super) async fn prove(store: &Store, first: &mut PgConnection) -> Result<(), StoreError> {
    let mut other = match store.connect().await {
        Ok(other) => other,
        Err(error) if error.remedy() == Remedy::Time => {
            return Err(StoreError::Unfit {
                remedy: Remedy::Time,
                problem: format!(
                    "a second connection is needed, also to prove that no pooler shares sessions: \
                     {}",
                    with_causes(&error)
                ),
            });
        }
        Err(error) => return Err(error),
    };
    let kept = are_kept(first, &mut other).await;
    let _closed = other.close().await;
    if kept.map_err(StoreError::during(OPERATION))? {
        return Ok(());
    }
    Err(StoreError::Unfit {
        remedy: Remedy::Person,
        problem: "this address leads through a pooler in transaction mode: it gives each \
                  transaction any free session of the server, and the program needs sessions that \
                  stay its own; have the pooler assign sessions to this database or role \
                  (pool_mode = session), or name the server's own host and port in database.url"
            .to_owned(),
    })
}

/// Whether each of the two connections has a session of its own.
async fn are_kept(first: &mut PgConnection, other: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let mark = Uuid::new_v4().to_string();
    let set = format!("select set_config('seatledger.session', '{mark}', false)");
    sqlx::raw_sql(sqlx::AssertSqlSafe(set))
        .execute(&mut *first)
        .await?;
    let own = identify(first).await?;
    let beside = identify(other).await?;
    let is_marked = |session: &(i32, Option<String>)| session.1.as_ref() == Some(&mark);
    if !is_marked(&own) || is_marked(&beside) || own.0 == beside.0 {
        return Ok(false);
    }
    // While the transaction is open, a pooler keeps its session from all others, so that the first
    // connection is given another if it was that one's.
    match sqlx::raw_sql("begin").execute(&mut *other).await {
        Ok(_) => {}
        Err(sqlx::Error::Database(error)) if error.message().starts_with(STATEMENT_MODE) => {
            return Ok(false);
        }
        Err(error) => return Err(error),
    }
    let kept = identify(other).await? == beside && identify(first).await? == own;
    sqlx::raw_sql("rollback").execute(other).await?;
    Ok(kept)
}

async fn identify(connection: &mut PgConnection) -> Result<(i32, Option<String>), sqlx::Error> {
    let row = sqlx::raw_sql(IDENTIFY).fetch_one(connection).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}
