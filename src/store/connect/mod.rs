//! Opens connections, as the address says and in no other way: the driver is told everything, so
//! that nothing is left that it would take from the environment.

mod trust;

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tokio::time::Instant;

use super::error::{StoreError, refuses_password};
use crate::config::{Address, Database, Host, SslMode, Target};

/// Opening a connection takes no longer on a database that is alive.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A connection, and how it was come by.
pub(super) struct Connected {
    pub(super) connection: PgConnection,
    /// Where further ones are to go.
    pub(super) options: PgConnectOptions,
    /// The address, where it is another than before.
    pub(super) renewed: Option<Database>,
}

/// A connection to the first host that will do. A password that is refused may have been changed
/// meanwhile, in the file that holds the address: it is looked at again then.
pub(super) async fn connect(database: &Database) -> Result<Connected, StoreError> {
    match to_any_host(&database.address).await {
        Err(error) if error.is_refused_password() => {
            let Some(renewed) = database.read_again() else {
                return Err(error);
            };
            let connected = to_any_host(&renewed.address).await?;
            Ok(Connected {
                renewed: Some(renewed),
                ..connected
            })
        }
        connected => connected,
    }
}

async fn to_any_host(address: &Address) -> Result<Connected, StoreError> {
    let ends = Instant::now() + PATIENCE;
    let mut failures = Vec::new();
    let mut left = address.hosts.len();
    for host in &address.hosts {
        // One that says nothing leaves the others their share.
        let share = ends.duration_since(Instant::now()) / u32::try_from(left.max(1)).unwrap_or(1);
        left = left.saturating_sub(1);
        let bound = address.connect_timeout.map_or(share, |own| own.min(share));
        match to_host(address, host, bound).await {
            Ok(connected) => return Ok(connected),
            // As libpq has it: who is refused by one is not let in by asking another.
            Err(error) if error.is_refused_password() => return Err(error),
            Err(error) => failures.push(error),
        }
    }
    Err(match failures.pop() {
        Some(only) if failures.is_empty() => only,
        last => StoreError::Nowhere(failures.into_iter().chain(last).collect()),
    })
}

async fn to_host(address: &Address, host: &Host, bound: Duration) -> Result<Connected, StoreError> {
    let password = address.password(host);
    let options = options(address, host, password.as_ref())?;
    let operation = format!("connecting to {host}");
    let opened = tokio::time::timeout(bound, async {
        let mut connection = PgConnection::connect_with(&options).await?;
        let fits = match address.target {
            Target::Any => true,
            Target::ReadWrite => {
                asked(&mut connection, "select not (pg_is_in_recovery() or current_setting('default_transaction_read_only')::boolean)").await?
            }
            Target::Primary => asked(&mut connection, "select not pg_is_in_recovery()").await?,
        };
        Ok::<_, sqlx::Error>((connection, fits))
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

async fn asked(connection: &mut PgConnection, question: &'static str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(question).fetch_one(connection).await
}

/// Everything that the driver would otherwise take from the environment is given.
pub(super) fn options(
    address: &Address,
    host: &Host,
    password: Option<&SecretString>,
) -> Result<PgConnectOptions, StoreError> {
    let mode = address.tls.mode_for(host);
    let options = PgConnectOptions::new_without_pgpass()
        .username(&address.user)
        // None is as good as an empty one: there is no other way to say that there is none.
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
        // Postgres has its best precision by itself since version 12, and poolers do not know the
        // parameter.
        .extra_float_digits(None)
        .options(address.options.iter().map(|(name, value)| (name, value)))
        .disable_statement_logging();
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
