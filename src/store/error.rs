//! What can go wrong with Postgres, and what it asks of the run.

use std::fmt;

use crate::retry::{Disposition, Fails, Remedy};

/// An operation on the database failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Postgres is away, or too busy or too full to serve for now.
    #[error("the database is not available: {operation}{}", code(source))]
    Unavailable {
        /// What was being done.
        operation: &'static str,
        /// Why it failed.
        #[source]
        source: Box<Cause>,
    },
    /// No answer within the time an operation may take.
    #[error("the database gave no answer in time: {operation}")]
    TimedOut {
        /// What was being done.
        operation: &'static str,
    },
    /// Postgres refuses these data.
    #[error("the database refused: {operation}{}", code(source))]
    Refused {
        /// What was being done.
        operation: &'static str,
        /// Why it failed.
        #[source]
        source: Box<Cause>,
    },
    /// Postgres does not let us in, or is not set up as we need it.
    #[error("the database cannot be used: {operation}{}", code(source))]
    Unusable {
        /// What was being done.
        operation: &'static str,
        /// Why it failed.
        #[source]
        source: Box<Cause>,
    },
    /// The URL cannot be read. Not shown, since it may hold a password.
    #[error(
        "database.url cannot be read as a Postgres URL such as postgres://user@host:5432/name (not shown)"
    )]
    Url,
    /// The migrations cannot be applied.
    #[error("the database's tables cannot be brought up to date")]
    Migrate(#[source] Box<sqlx::migrate::MigrateError>),
}

/// What the driver says. Of Postgres' own errors only the message: the rest speaks of places in its sources.
#[derive(Debug)]
pub struct Cause(sqlx::Error);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_database_error() {
            Some(error) => f.write_str(error.message()),
            None => self.0.fmt(f),
        }
    }
}

impl std::error::Error for Cause {}

/// The SQLSTATE, which is what one searches for, and where tables or columns are missing the way to them.
fn code(cause: &Cause) -> String {
    let error = cause.0.as_database_error();
    let code = error.and_then(sqlx::error::DatabaseError::code);
    match code.as_deref() {
        None => String::new(),
        Some(code @ ("42P01" | "42703")) => {
            format!(" (SQLSTATE {code}; tables are brought up to date with: seatledger migrate)")
        }
        Some(code) => format!(" (SQLSTATE {code})"),
    }
}

impl StoreError {
    /// For `map_err`: classifies by SQLSTATE.
    pub(crate) fn during(operation: &'static str) -> impl Fn(sqlx::Error) -> Self {
        move |error| {
            let verdict = verdict(&error);
            let source = Box::new(Cause(error));
            match verdict {
                Verdict::Unavailable => Self::Unavailable { operation, source },
                Verdict::Unusable => Self::Unusable { operation, source },
                Verdict::Refused => Self::Refused { operation, source },
            }
        }
    }

    pub(super) fn migrating(error: sqlx::migrate::MigrateError) -> Self {
        match error {
            sqlx::migrate::MigrateError::Execute(error)
            | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => {
                Self::during("applying the migrations")(error)
            }
            error => Self::Migrate(Box::new(error)),
        }
    }
}

enum Verdict {
    Unavailable,
    Refused,
    Unusable,
}

fn verdict(error: &sqlx::Error) -> Verdict {
    let Some(database) = error.as_database_error() else {
        return match error {
            sqlx::Error::Configuration(_) | sqlx::Error::Tls(_) => Verdict::Unusable,
            sqlx::Error::Encode(_) | sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => {
                Verdict::Refused
            }
            // Whatever else is not Postgres' own word is the connection to it.
            _ => Verdict::Unavailable,
        };
    };
    let code = database.code().unwrap_or_default().into_owned();
    match code.as_str() {
        // Serialization failure, deadlock, lock not available, cancelled, read-only after a failover.
        "40001" | "40P01" | "55P03" | "57014" | "25006" => Verdict::Unavailable,
        // Undefined table or column, missing privilege.
        "42P01" | "42703" | "42501" => Verdict::Unusable,
        _ => match code.get(..2).unwrap_or_default() {
            // Connection, resources (a full disk among them), operator intervention, system error.
            "08" | "53" | "57" | "58" => Verdict::Unavailable,
            // Authorization, no such database, no such schema.
            "28" | "3D" | "3F" => Verdict::Unusable,
            _ => Verdict::Refused,
        },
    }
}

impl Fails for StoreError {
    fn disposition(&self) -> Disposition {
        match self {
            Self::Unavailable { .. } | Self::TimedOut { .. } => Disposition::Retry { after: None },
            Self::Refused { .. } => Disposition::SkipCustomer(Remedy::Person),
            Self::Unusable { .. } | Self::Migrate(_) => Disposition::AbortRun(Remedy::Person),
            Self::Url => Disposition::AbortRun(Remedy::Configuration),
        }
    }
}
