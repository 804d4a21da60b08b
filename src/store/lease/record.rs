//! A lease as its row has it.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use sqlx::{PgConnection, PgTransaction};
use uuid::Uuid;

use super::super::error::StoreError;
use super::super::pool::Store;
use super::{LeaseName, LeaseTimes, Loss, Previous};

/// Whether a lease may be taken, by the database's clock and its list of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum LeaseState {
    /// Nobody holds it.
    Free,
    /// Its holder has renewed it in time.
    Held,
    /// The session of its holder has ended.
    Gone,
    /// Its holder has not renewed it in time.
    Expired,
}

/// A row of `lease`.
#[derive(Debug, Clone, Serialize)]
pub struct LeaseRecord {
    /// `run` or `leader`.
    pub name: String,
    /// Counts up with each takeover.
    pub epoch: i64,
    /// The process that holds it; none: it is free.
    #[serde(skip)]
    pub holder: Option<Uuid>,
    /// The host of the holder, or of the last one; none if nobody ever held it.
    pub host: Option<String>,
    /// When the holder took it.
    pub acquired_at: Option<DateTime<Utc>>,
    /// When the holder last renewed it.
    pub renewed_at: Option<DateTime<Utc>>,
    /// When others may take it, unless it is renewed before.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether others may take it now.
    pub state: LeaseState,
}

impl LeaseRecord {
    /// How it becomes free for one who takes it now; none while it is held.
    pub(super) fn previous(&self) -> Option<Previous> {
        match self.state {
            LeaseState::Free if self.acquired_at.is_none() => Some(Previous::Free),
            LeaseState::Free => Some(Previous::Resigned),
            LeaseState::Gone => Some(Previous::Gone),
            LeaseState::Expired => Some(Previous::Expired),
            LeaseState::Held => None,
        }
    }
}

/// The holder, in words that go on a sentence.
impl fmt::Display for LeaseRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
        write!(f, "host {}", self.host.as_deref().unwrap_or("unknown"))?;
        if let Some(acquired_at) = self.acquired_at {
            write!(f, ", since {}", time(acquired_at))?;
        }
        match (self.state, self.expires_at) {
            (LeaseState::Gone, _) => f.write_str(", whose session has ended"),
            (LeaseState::Expired, Some(ended)) => {
                write!(f, ", whose lease ended at {}", time(ended))
            }
            _ => Ok(()),
        }
    }
}

impl Store {
    /// The leases, by name.
    ///
    /// # Errors
    /// When Postgres is away or refuses, for example because there are no tables yet.
    pub async fn load_leases(&self) -> Result<Vec<LeaseRecord>, StoreError> {
        self.read("reading the leases", async |connection| {
            select_leases(connection, None, LeaseTimes::default()).await
        })
        .await
    }
}

/// Reads the present holder of the run lease, within the transaction that found it lost.
pub(in super::super) async fn load_loss(
    mut transaction: PgTransaction<'_>,
    epoch: i64,
) -> Result<Loss, sqlx::Error> {
    let name = LeaseName::Run;
    let found = select_leases(&mut transaction, Some(name), LeaseTimes::default()).await?;
    transaction.rollback().await?;
    let now = found.into_iter().next();
    Ok(Loss { name, epoch, now })
}

/// The leases, or one of them.
pub(in super::super) async fn select_leases(
    connection: &mut PgConnection,
    name: Option<LeaseName>,
    times: LeaseTimes,
) -> Result<Vec<LeaseRecord>, sqlx::Error> {
    // A lease that was renewed in the future was renewed by a clock that has been set back.
    // Postgres hides the start of a session from a role without rights to it.
    sqlx::query_as!(
        LeaseRecord,
        r#"
        select
            l.name,
            l.epoch,
            l.holder,
            l.host,
            l.acquired_at,
            l.renewed_at,
            l.expires_at,
            case
                when l.holder is null then 'free'
                when l.expires_at <= clock_timestamp()
                    or l.renewed_at > clock_timestamp() + make_interval(secs => $2) then 'expired'
                when l.server_started_at = pg_postmaster_start_time()
                    and not exists (
                        select
                        from pg_stat_activity as a
                        where a.pid = l.keeper_pid
                            and coalesce(a.backend_start, l.keeper_started_at)
                                = l.keeper_started_at
                    ) then 'gone'
                else 'held'
            end as "state!: LeaseState"
        from lease as l
        where $1::varchar is null
            or l.name = $1
        order by l.name
        "#,
        name.map(LeaseName::as_str),
        times.lasts.as_secs_f64()
    )
    .fetch_all(connection)
    .await
}
