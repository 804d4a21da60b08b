//! Opens connections as `database.url` says. The driver is given every option, so that it takes
//! none from the environment.

mod trust;

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, Row as _};
use tokio::time::Instant;

use super::error::{StoreError, refuses_password};
use crate::config::{Database, DatabaseAddress, Host, SslMode, Target};

/// Time for opening a connection, over all hosts. Without it a host that drops packets would be
/// waited for until TCP gives up, which takes minutes.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// How the server notices that this machine is gone, within 20 s: after 15 s when it has an answer
/// under way or has had nothing to do, and 2 s later when it works on a statement or waits for a
/// lock. Its own settings are usually two hours. Has no effect on a socket, except the last.
const NOTICE: [(&str, &str); 5] = [
    ("tcp_keepalives_idle", "5"),
    ("tcp_keepalives_interval", "5"),
    ("tcp_keepalives_count", "2"),
    ("tcp_user_timeout", "14000"),
    ("client_connection_check_interval", "2000"),
];

const IS_PRIMARY: &str = "select not pg_is_in_recovery()";

const IS_READ_WRITE: &str = "
    select not (
        pg_is_in_recovery()
        or current_setting('default_transaction_read_only')::boolean
    )
";

/// A connection, and what is needed to open further ones.
pub(super) struct Connected {
    pub(super) connection: PgConnection,
    /// Of the host that was reached.
    pub(super) options: PgConnectOptions,
    /// The settings, if they were read again.
    pub(super) renewed: Option<Database>,
}

/// Connects to the first suitable host. If the password is refused, the file that holds the
/// address is read again: the password may have been changed since.
pub(super) async fn connect(database: &Database) -> Result<Connected, StoreError> {
    match connect_any(&database.address).await {
        Err(error) if error.is_refused_password() => {
            let Some(renewed) = database.read_again() else {
                return Err(error);
            };
            let connected = connect_any(&renewed.address).await?;
            Ok(Connected {
                renewed: Some(renewed),
                ..connected
            })
        }
        connected => connected,
    }
}

async fn connect_any(address: &DatabaseAddress) -> Result<Connected, StoreError> {
    let deadline = Instant::now() + TIMEOUT;
    let mut failures = Vec::new();
    let mut left = address.hosts.len();
    for host in &address.hosts {
        // A host that does not answer must leave time for the others.
        let share =
            deadline.duration_since(Instant::now()) / u32::try_from(left.max(1)).unwrap_or(1);
        left = left.saturating_sub(1);
        let bound = address.connect_timeout.map_or(share, |own| own.min(share));
        match connect_host(address, host, bound).await {
            Ok(connected) => return Ok(connected),
            // As in libpq: a refused password is not tried at the other hosts.
            Err(error) if error.is_refused_password() => return Err(error),
            Err(error) => failures.push(error),
        }
    }
    Err(match failures.pop() {
        Some(only) if failures.is_empty() => only,
        last => StoreError::NoUsableHost(failures.into_iter().chain(last).collect()),
    })
}

async fn connect_host(
    address: &DatabaseAddress,
    host: &Host,
    bound: Duration,
) -> Result<Connected, StoreError> {
    let password = address.password(host);
    let options = options(address, host, password.as_ref())?;
    let operation = format!("connecting to {host}");
    let opened = tokio::time::timeout(bound, async {
        let mut connection = PgConnection::connect_with(&options).await?;
        make_noticing(&mut connection, &notice(address)).await?;
        let is_suitable = match address.target {
            Target::Any => true,
            Target::ReadWrite => ask(&mut connection, IS_READ_WRITE).await?,
            Target::Primary => ask(&mut connection, IS_PRIMARY).await?,
        };
        Ok::<_, sqlx::Error>((connection, is_suitable))
    });
    match opened.await {
        Err(_) => Err(StoreError::TimedOut {
            operation: operation.into(),
        }),
        Ok(Ok((connection, true))) => Ok(Connected {
            connection,
            options,
            renewed: None,
        }),
        Ok(Ok((connection, false))) => {
            let _closed = connection.close().await;
            Err(StoreError::ReadOnly {
                host: host.to_string(),
            })
        }
        Ok(Err(error)) => Err(match trust::problem(&error, &address.tls, host) {
            Some(problem) => StoreError::Untrusted {
                host: host.to_string(),
                problem,
            },
            None if password.is_none() && refuses_password(&error) => StoreError::connecting(
                format!("{operation} (database.url holds no password)"),
            )(error),
            None => StoreError::connecting(operation)(error),
        }),
    }
}

/// The settings of [`NOTICE`] that the address does not set itself, as calls.
pub(super) fn notice(address: &DatabaseAddress) -> Vec<String> {
    let own = |name: &str| address.options.iter().any(|(own, _)| own == name);
    let settings = NOTICE.iter().filter(|(name, _)| !own(name));
    let calls = settings.map(|(name, value)| format!("set_config('{name}', '{value}', false)"));
    calls.collect()
}

/// Makes the calls of [`notice`]. A server that refuses one, as some platforms and hosted servers
/// do, is left with its own setting.
pub(super) async fn make_noticing(
    connection: &mut PgConnection,
    calls: &[String],
) -> Result<(), sqlx::Error> {
    let mut select = async |calls: &str| {
        let select = sqlx::AssertSqlSafe(format!("select {calls}"));
        match sqlx::raw_sql(select).execute(&mut *connection).await {
            Ok(_) => Ok(true),
            Err(sqlx::Error::Database(_)) => Ok(false),
            Err(error) => Err(error),
        }
    };
    if !select(&calls.join(", ")).await? {
        for call in calls {
            select(call).await?;
        }
    }
    Ok(())
}

/// Not prepared: it comes before a pooler is recognised.
async fn ask(connection: &mut PgConnection, question: &'static str) -> Result<bool, sqlx::Error> {
    sqlx::raw_sql(question)
        .fetch_one(connection)
        .await?
        .try_get(0)
}

/// Gives every option that the driver would otherwise take from the environment.
pub(super) fn options(
    address: &DatabaseAddress,
    host: &Host,
    password: Option<&SecretString>,
) -> Result<PgConnectOptions, StoreError> {
    let mode = address.tls.mode_for(host);
    let options = PgConnectOptions::new_without_pgpass()
        .username(&address.user)
        // An empty password means none to the driver, which has no other way to say so.
        .password(password.map_or("", |password| password.expose_secret()))
        .database(&address.database)
        .application_name(address.application_name.as_deref().unwrap_or("seatledger"))
        .ssl_mode(match mode {
            SslMode::Disable => PgSslMode::Disable,
            SslMode::Prefer => PgSslMode::Prefer,
            SslMode::Require => PgSslMode::Require,
            SslMode::VerifyCa => PgSslMode::VerifyCa,
            SslMode::VerifyFull => PgSslMode::VerifyFull,
        })
        .ssl_root_cert_from_pem(trust::roots(&address.tls, mode, host)?)
        // Postgres prints floats exactly since version 12, and poolers do not know the parameter.
        .extra_float_digits(None)
        .disable_statement_logging();
    // Poolers refuse the parameter, even if it is empty.
    let options = if address.options.is_empty() {
        options
    } else {
        options.options(address.options.iter().map(|(name, value)| (name, value)))
    };
    let options = match address.tls.identity_pem()? {
        Some((certificate, key)) => options
            .ssl_client_cert_from_pem(certificate)
            .ssl_client_key_from_pem(key),
        None => options,
    };
    let options = match address.statement_cache {
        Some(capacity) => options.statement_cache_capacity(capacity),
        None => options,
    };
    Ok(match host {
        Host::Tcp(name, port) => options.host(name).port(*port),
        Host::Socket(folder, port) => options.host("localhost").socket(folder).port(*port),
    })
}
