//! Whether the server keeps one session for each connection of the program. A pooler in transaction
//! mode gives every transaction to any free server connection, so that a run's lock and settings
//! would end up on another. Two connections show it: they must not share a server process.

use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::super::error::StoreError;
use super::super::pool::Store;
use crate::retry::{Classify as _, Remedy};

const OPERATION: &str = "checking whether sessions are kept";

/// What identifies a session: its server process, and a setting that only this session has.
const IDENTIFY: &str = "select pg_backend_pid(), current_setting('seatledger.session', true)";

pub(super) async fn prove(store: &Store, first: &mut PgConnection) -> Result<(), StoreError> {
    let during = || StoreError::during(OPERATION);
    let mark = Uuid::new_v4().to_string();
    let set = format!("select set_config('seatledger.session', '{mark}', false)");
    sqlx::raw_sql(sqlx::AssertSqlSafe(set))
        .execute(&mut *first)
        .await
        .map_err(during())?;
    let (before, marked) = identify(first).await.map_err(during())?;
    let mut other = match store.connect().await {
        Ok(other) => other,
        // Such as too many connections, which does not mean that there is a pooler.
        Err(error) if error.remedy() == Remedy::Time => return Ok(()),
        Err(error) => return Err(error),
    };
    // A pooler reserves a server connection for the open transaction, so that the first connection
    // is given another.
    sqlx::raw_sql("begin")
        .execute(&mut other)
        .await
        .map_err(during())?;
    let (beside, _) = identify(&mut other).await.map_err(during())?;
    let (after, still_marked) = identify(first).await.map_err(during())?;
    let _ended = sqlx::raw_sql("rollback").execute(&mut other).await;
    let _closed = sqlx::Connection::close(other).await;
    let mark = Some(mark);
    if before != after || before == beside || marked != mark || still_marked != mark {
        return Err(StoreError::Unfit {
            remedy: Remedy::Person,
            problem: "sessions are not kept: a pooler between the program and the server assigns \
                      single transactions, so that a run would lose its lock and settings; have \
                      it assign sessions (pool_mode = session), or connect to Postgres itself"
                .to_owned(),
        });
    }
    Ok(())
}

async fn identify(connection: &mut PgConnection) -> Result<(i32, Option<String>), sqlx::Error> {
    let row = sqlx::raw_sql(IDENTIFY).fetch_one(connection).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}
