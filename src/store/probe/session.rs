//! Whether a session is one. A pooler that hands out transactions gives each to whichever
//! connection is free: settings and locks of a run would be somebody else's. It is told by two
//! sessions of ours, which must not meet.

use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::super::{Store, StoreError};
use crate::retry::{Classify as _, Remedy};

const OPERATION: &str = "trying whether a session is one";

/// What a session is known by: its process, and a setting that only it has.
const WHO: &str = "select pg_backend_pid(), current_setting('seatledger.session', true)";

pub(super) async fn prove(store: &Store, first: &mut PgConnection) -> Result<(), StoreError> {
    let during = || StoreError::during(OPERATION);
    let mark = Uuid::new_v4().to_string();
    let set = format!("select set_config('seatledger.session', '{mark}', false)");
    sqlx::raw_sql(sqlx::AssertSqlSafe(set))
        .execute(&mut *first)
        .await
        .map_err(during())?;
    let (before, marked) = who(first).await.map_err(during())?;
    let mut other = match store.connect().await {
        Ok(other) => other,
        // As many as are allowed are there already: that is no pooler's doing.
        Err(error) if error.remedy() == Remedy::Time => return Ok(()),
        Err(error) => return Err(error),
    };
    // Within a transaction it keeps the connection that it was given, so that the first one is
    // given another.
    sqlx::raw_sql("begin")
        .execute(&mut other)
        .await
        .map_err(during())?;
    let (beside, _) = who(&mut other).await.map_err(during())?;
    let (after, still_marked) = who(first).await.map_err(during())?;
    // Nothing was done in it.
    let _ended = sqlx::raw_sql("rollback").execute(&mut other).await;
    let _closed = sqlx::Connection::close(other).await;
    let mark = Some(mark);
    if before != after || before == beside || marked != mark || still_marked != mark {
        return Err(StoreError::Unfit {
            remedy: Remedy::Person,
            problem: "a session is not one: a pooler between hands out single transactions, and a run's lock and \
                      settings would be lost; have it hand out sessions (pool_mode = session), or connect to Postgres \
                      itself"
                .to_owned(),
        });
    }
    Ok(())
}

async fn who(connection: &mut PgConnection) -> Result<(i32, Option<String>), sqlx::Error> {
    let row = sqlx::raw_sql(WHO).fetch_one(connection).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}
