//! What can go wrong with Postgres, and what it means for the run.

mod sqlstate;

use std::borrow::Cow;
use std::fmt;

use sqlx::migrate::MigrateError;

use super::lease::Loss;
use crate::causes::with_causes;
use crate::config;
use crate::retry::{Classify, Disposition, Remedy};
use sqlstate::{ConnectionPhase, Verdict};

/// An operation on the database failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Postgres is away, overloaded or out of space for now.
    #[error("the database is not available: {operation}{}", code(source))]
    Unavailable {
        /// What was being done.
        operation: Cow<'static, str>,
        /// Why it failed.
        #[source]
        source: Box<Cause>,
    },
    /// No answer within the operation's time limit.
    #[error("the database gave no answer in time: {operation}")]
    TimedOut {
        /// What was being done.
        operation: Cow<'static, str>,
    },
    /// Postgres refuses this data.
    #[error("the database refused: {operation}{}", code(source))]
    Refused {
        /// What was being done.
        operation: Cow<'static, str>,
        /// Why it failed.
        #[source]
        source: Box<Cause>,
    },
    /// Postgres refuses the login, or its tables, rights or settings do not fit.
    #[error("the database cannot be used: {operation}{}", code(source))]
    Unusable {
        /// What was being done.
        operation: Cow<'static, str>,
        /// Why it failed.
        #[source]
        source: Box<Cause>,
    },
    /// The server's certificate is not trusted, or TLS is not possible as the address asks.
    #[error("the connection to the database at {host} cannot be made safe: {problem}")]
    Untrusted {
        /// The server.
        host: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The address asks for a server that accepts writes, and this one does not.
    #[error(
        "the database at {host} only reads: it is a standby, or default_transaction_read_only is on"
    )]
    ReadOnly {
        /// The server.
        host: String,
    },
    /// The server, the database or the role lacks what a run needs.
    #[error("the database cannot be used: {problem}")]
    Unfit {
        /// What is wrong, and what to do.
        problem: String,
        /// Whether time, a person or the configuration mends it.
        remedy: Remedy,
    },
    /// A certificate file that the address names cannot be used.
    #[error("database.url {0}")]
    File(#[from] config::FileFault),
    /// The address names no host.
    #[error("database.url names no host")]
    NoHost,
    /// None of several hosts can be used.
    #[error("none of the hosts of database.url can be used: {}", each(.0))]
    NoUsableHost(Vec<StoreError>),
    /// The program has not run on this database yet.
    #[error("there are no tables yet: the first run makes them, or: seatledger migrate")]
    NoTables,
    /// A newer version of the program has migrated the tables.
    #[error(
        "this program is older than the database: its tables were brought up to date by a newer \
         version (migration {migration}), which has to be installed here, too"
    )]
    NewerSchema {
        /// A migration that this program does not know.
        migration: i64,
    },
    /// Another build of the program has migrated the tables.
    #[error(
        "the database's tables were brought up to date by another build of this program (migration \
         {migration} is not the one known here); install the release that did so, or restore the \
         tables from a backup"
    )]
    OtherSchema {
        /// A migration that differs from the program's own.
        migration: i64,
    },
    /// The migrations cannot be applied.
    #[error("the database's tables cannot be brought up to date")]
    Migrate(#[source] Box<MigrateError>),
    /// Another session held a lock that a migration needs. It has its own waits.
    #[error("the database's tables cannot be brought up to date while other sessions use them")]
    Locked,
    /// Views that are not the ledger's use what a migration removes.
    #[error(
        "the database's tables cannot be brought up to date, and nothing was changed, because \
         views of others use what a migration removes: {views}; of each, keep its text (select \
         pg_get_viewdef('VIEW'::regclass)), drop it, start again, and make it anew, best on the \
         ledger's views, which no migration removes"
    )]
    ForeignViews {
        /// The views, their owners and what they use.
        views: String,
    },
    /// The run lease is another process's now.
    #[error("this run was cut off: {0}")]
    Superseded(Box<Loss>),
    /// A role cannot be given the right to read.
    #[error("the role {role:?} {problem}")]
    Role {
        /// The role.
        role: String,
        /// What is wrong, and what to do.
        problem: String,
    },
}

/// The driver's error. For an error of Postgres it shows the message alone: the driver would add
/// where in Postgres' source code the error was raised.
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

/// The SQLSTATE, for the reader to search for, and advice.
fn code(cause: &Cause) -> String {
    let error = cause.0.as_database_error();
    let code = error.and_then(sqlx::error::DatabaseError::code);
    match code.as_deref() {
        None => String::new(),
        Some(code) => format!(" (SQLSTATE {code}{})", sqlstate::advice(code)),
    }
}

/// The failures of several hosts in one line, in the order in which they were tried.
fn each(failures: &[StoreError]) -> String {
    let each: Vec<String> = failures.iter().map(with_causes).collect();
    each.join("; ")
}

impl StoreError {
    /// For `map_err`: chooses the variant by SQLSTATE.
    pub(crate) fn during(operation: impl Into<Cow<'static, str>>) -> impl Fn(sqlx::Error) -> Self {
        Self::judged(operation.into(), ConnectionPhase::Connected)
    }

    /// As [`StoreError::during`], for an attempt to connect: until the login has succeeded, servers
    /// and poolers use some codes with other meanings.
    pub(super) fn connecting(
        operation: impl Into<Cow<'static, str>>,
    ) -> impl Fn(sqlx::Error) -> Self {
        Self::judged(operation.into(), ConnectionPhase::Connecting)
    }

    fn judged(
        operation: Cow<'static, str>,
        phase: ConnectionPhase,
    ) -> impl Fn(sqlx::Error) -> Self {
        move |error| {
            let operation = operation.clone();
            let verdict = sqlstate::verdict(&error, phase);
            let source = Box::new(Cause(error));
            match verdict {
                Verdict::Unavailable => Self::Unavailable { operation, source },
                Verdict::Unusable => Self::Unusable { operation, source },
                Verdict::Refused => Self::Refused { operation, source },
            }
        }
    }

    /// Whether the server was reached and refused the password.
    pub(super) fn is_refused_password(&self) -> bool {
        let (Self::Unavailable { source, .. }
        | Self::Refused { source, .. }
        | Self::Unusable { source, .. }) = self
        else {
            return false;
        };
        refuses_password(&source.0)
    }

    /// Whether a table is not there.
    pub(super) fn is_of_a_missing_table(&self) -> bool {
        let Self::Unusable { source, .. } = self else {
            return false;
        };
        let error = source.0.as_database_error();
        error.and_then(sqlx::error::DatabaseError::code).as_deref() == Some("42P01")
    }

    /// Whether a lock of another session was waited for in vain.
    pub(super) fn is_of_a_lock(&self) -> bool {
        // Lock timeout, deadlock, and the statement timeout while locks are taken.
        self.has_code(&["55P03", "40P01", "57014"])
    }

    /// Whether a lock of another session was held for longer than a transaction waits.
    pub(crate) fn is_lock_timeout(&self) -> bool {
        self.has_code(&["55P03"])
    }

    fn has_code(&self, codes: &[&str]) -> bool {
        let Self::Unavailable { source, .. } = self else {
            return false;
        };
        let error = source.0.as_database_error();
        let code = error.and_then(sqlx::error::DatabaseError::code);
        code.is_some_and(|code| codes.contains(&&*code))
    }

    pub(super) fn migrating(error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                Self::during("applying the migrations")(error)
            }
            MigrateError::VersionMissing(migration) => Self::NewerSchema { migration },
            MigrateError::VersionMismatch(migration) => Self::OtherSchema { migration },
            error => Self::Migrate(Box::new(error)),
        }
    }
}

pub(super) fn refuses_password(error: &sqlx::Error) -> bool {
    let error = error.as_database_error();
    error.and_then(sqlx::error::DatabaseError::code).as_deref() == Some("28P01")
}

impl Classify for StoreError {
    fn disposition(&self) -> Disposition {
        match self {
            Self::Refused { .. } => Disposition::SkipCustomer(Remedy::Person),
            // A standby may be about to become the primary.
            Self::Unavailable { .. } | Self::TimedOut { .. } | Self::ReadOnly { .. } => {
                Disposition::Retry { after: None }
            }
            Self::Unfit { remedy, .. } => match remedy {
                Remedy::Time => Disposition::Retry { after: None },
                Remedy::Person | Remedy::Configuration => Disposition::AbortRun(*remedy),
            },
            Self::File(fault) if fault.passes => Disposition::Retry { after: None },
            Self::NoUsableHost(failures) => of_hosts(failures),
            Self::Unusable { .. }
            | Self::Untrusted { .. }
            | Self::NoTables
            | Self::NewerSchema { .. }
            | Self::OtherSchema { .. }
            | Self::ForeignViews { .. }
            | Self::Role { .. }
            | Self::Migrate(_) => Disposition::AbortRun(Remedy::Person),
            Self::Locked | Self::Superseded(_) => Disposition::AbortRun(Remedy::Time),
            Self::File(_) | Self::NoHost => Disposition::AbortRun(Remedy::Configuration),
        }
    }
}

/// Of the failures of several hosts: if one may pass by itself, all hosts are tried again.
fn of_hosts(failures: &[StoreError]) -> Disposition {
    let mut each = failures.iter().map(StoreError::disposition);
    let first = each.next();
    each.chain(first)
        .find(|disposition| matches!(disposition, Disposition::Retry { .. }))
        .or(first)
        .unwrap_or(Disposition::AbortRun(Remedy::Configuration))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timed_out() -> StoreError {
        StoreError::TimedOut {
            operation: "connecting".into(),
        }
    }

    fn unfit(remedy: Remedy) -> StoreError {
        let problem = "the server is too old".to_owned();
        StoreError::Unfit { problem, remedy }
    }

    #[test]
    fn errors_of_the_driver_are_classified_by_what_they_ask_for() {
        let during = StoreError::during("storing");
        let connecting = StoreError::connecting("connecting");
        for error in [
            during(sqlx::Error::WorkerCrashed),
            connecting(sqlx::Error::PoolTimedOut),
        ] {
            assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
            assert_eq!(error.disposition(), Disposition::Retry { after: None });
        }
        let refused = during(sqlx::Error::Encode("too long".into()));
        assert!(matches!(refused, StoreError::Refused { .. }));
        assert_eq!(
            refused.disposition(),
            Disposition::SkipCustomer(Remedy::Person)
        );
        let unusable = during(sqlx::Error::ColumnNotFound("digest".to_owned()));
        assert!(matches!(unusable, StoreError::Unusable { .. }));
        assert_eq!(
            unusable.disposition(),
            Disposition::AbortRun(Remedy::Person)
        );
    }

    #[test]
    fn a_migration_that_is_unknown_or_differs_needs_a_person() {
        let newer = StoreError::migrating(MigrateError::VersionMissing(7));
        assert!(matches!(newer, StoreError::NewerSchema { migration: 7 }));
        let other = StoreError::migrating(MigrateError::VersionMismatch(7));
        assert!(matches!(other, StoreError::OtherSchema { migration: 7 }));
        for error in [newer, other, StoreError::migrating(MigrateError::Dirty(7))] {
            assert_eq!(error.remedy(), Remedy::Person, "{error}");
        }
        // The database that goes away in the middle of a migration is waited for.
        let away = MigrateError::Execute(sqlx::Error::WorkerCrashed);
        assert_eq!(StoreError::migrating(away).remedy(), Remedy::Time);
    }

    #[test]
    fn all_hosts_are_tried_again_if_one_of_them_may_become_usable() {
        let person = || unfit(Remedy::Person);
        for (failures, remedy) in [
            (vec![person(), timed_out()], Remedy::Time),
            (vec![timed_out(), person()], Remedy::Time),
            (vec![person(), unfit(Remedy::Configuration)], Remedy::Person),
            (
                vec![unfit(Remedy::Configuration), person()],
                Remedy::Configuration,
            ),
        ] {
            let error = StoreError::NoUsableHost(failures);
            assert_eq!(error.remedy(), remedy, "{error}");
        }
    }

    #[test]
    fn a_missing_host_is_a_fault_of_the_configuration() {
        let remedy = StoreError::NoHost.remedy();
        assert_eq!(remedy, Remedy::Configuration);
    }
}
