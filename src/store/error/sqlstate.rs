//! Judges an error of Postgres, of a connection pooler or of the driver: whether to try again, to
//! leave out this data, or to wait for a person.

use std::io;

use sqlx::postgres::PgDatabaseError;

use crate::tls;

/// What an error means for the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may pass by itself.
    Unavailable,
    /// This data is refused; other data may be accepted.
    Refused,
    /// Nothing is accepted until a person has acted.
    Unusable,
}

/// When an error occurred: until the login has succeeded, servers and poolers use some codes with
/// other meanings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnectionPhase {
    Connecting,
    Connected,
}

/// Errors of the driver about a server that is not Postgres, or that wants a kind of authentication
/// which the driver does not have.
const HOPELESS_PROTOCOLS: [&str; 3] = [
    "unsupported authentication method",
    "unsupported SASL authentication mechanisms",
    "unexpected response from SSLRequest",
];

/// Messages with which `PgBouncer` refuses a client's credentials or parameters, under 08P01, its
/// code for any protocol violation. Under the same code it reports errors of the server behind it,
/// such as "server login failed", which may be a server that is starting.
const REFUSED_BY_A_POOLER: [&str; 6] = [
    "password authentication failed",
    "SASL authentication failed",
    "no such user",
    "no such database",
    "no authentication method",
    "unsupported startup parameter",
];

/// Classes of errors that may pass by themselves: connection, serialization and deadlock,
/// insufficient resources (such as too many connections or a full disk), operator intervention
/// (such as starting up, shutting down or cancelled), system error.
const TRANSIENT_CLASSES: [&str; 5] = ["08", "40", "53", "57", "58"];

/// Classes of errors that no data causes and no waiting mends: invalid authorization, no such
/// database, no such schema, feature not supported, no such prepared statement (a pooler has
/// dropped it), and syntax or access rule violation (such as a missing table or right).
const PERMANENT_CLASSES: [&str; 6] = ["28", "3D", "3F", "0A", "26", "42"];

pub(super) fn verdict(error: &sqlx::Error, phase: ConnectionPhase) -> Verdict {
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            let routine = error
                .try_downcast_ref::<PgDatabaseError>()
                .and_then(PgDatabaseError::routine);
            of_code(&code, error.message(), routine, phase)
        }
        // A handshake that was merely interrupted is an I/O error and not one of TLS. A missing
        // type or column means that the tables are not the program's.
        sqlx::Error::Configuration(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::TypeNotFound { .. }
        | sqlx::Error::ColumnNotFound(_) => Verdict::Unusable,
        sqlx::Error::Io(_) if tls::fault(error).is_some() => Verdict::Unusable,
        // A socket's permissions do not change by themselves. A missing socket, in contrast, means
        // that the server is not up.
        sqlx::Error::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Verdict::Unusable
        }
        sqlx::Error::Protocol(said)
            if HOPELESS_PROTOCOLS.iter().any(|words| said.contains(words)) =>
        {
            Verdict::Unusable
        }
        sqlx::Error::Encode(_) | sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => {
            Verdict::Refused
        }
        // Every other error of the driver is one of the connection.
        _ => Verdict::Unavailable,
    }
}

fn of_code(code: &str, message: &str, routine: Option<&str>, phase: ConnectionPhase) -> Verdict {
    match code {
        // Read-only transaction (a standby, or a server during a failover), idle or too long a
        // transaction, lock not available, object in use, snapshot too old.
        "25006" | "25P03" | "25P04" | "55P03" | "55006" | "72000" => return Verdict::Unavailable,
        // A statement that was prepared before its table changed. The next connection prepares it
        // again.
        "0A000" if routine == Some("RevalidateCachedQuery") => return Verdict::Unavailable,
        "08P01"
            if REFUSED_BY_A_POOLER
                .iter()
                .any(|words| message.starts_with(words)) =>
        {
            return Verdict::Unusable;
        }
        // A table or an index is corrupted.
        "XX001" | "XX002" => return Verdict::Unusable,
        _ => {}
    }
    let class = code.get(..2).unwrap_or_default();
    if TRANSIENT_CLASSES.contains(&class) {
        return Verdict::Unavailable;
    }
    if PERMANENT_CLASSES.contains(&class) {
        return Verdict::Unusable;
    }
    match phase {
        // A pooler without a server reports an internal error, and so do servers that are not
        // accepting connections yet. An unknown code is taken for one of these.
        ConnectionPhase::Connecting => Verdict::Unavailable,
        ConnectionPhase::Connected => Verdict::Refused,
    }
}

/// Advice about the codes that the reader can do something about.
pub(super) fn advice(code: &str) -> &'static str {
    match code {
        "42P01" | "42703" => "; tables are brought up to date with: seatledger migrate",
        "42501" => "; grant the role that right, or make it the owner of the ledger's tables",
        "28000" | "28P01" => {
            "; compare user and password with database.url, and what the server's pg_hba.conf \
             admits"
        }
        "3D000" => "; create that database, or name another in database.url",
        "26000" | "42P05" => {
            "; this address leads through a pooler in transaction mode, which takes prepared \
             statements away: have it assign sessions (pool_mode = session), or name the server's \
             own host and port"
        }
        "25006" => "; the server is a standby, or being switched over",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(code: &str, phase: ConnectionPhase) -> Verdict {
        of_code(code, "", None, phase)
    }

    #[test]
    fn a_transient_error_is_never_judged_permanent() {
        for code in [
            "57P03", "57P01", "57P02", "57P05", "57014", "25006", "53300", "53100", "53200",
            "53400", "08006", "08001", "08P01", "40001", "40P01", "40003", "55P03", "58030",
            "58P01", "72000",
        ] {
            for phase in [ConnectionPhase::Connecting, ConnectionPhase::Connected] {
                assert_eq!(judged(code, phase), Verdict::Unavailable, "{code}");
            }
        }
        for code in ["XX000", "F0000", "55000", "HV00N", ""] {
            assert_eq!(
                judged(code, ConnectionPhase::Connecting),
                Verdict::Unavailable
            );
        }
        let stale = of_code(
            "0A000",
            "",
            Some("RevalidateCachedQuery"),
            ConnectionPhase::Connected,
        );
        assert_eq!(stale, Verdict::Unavailable);
        let starting = "server login failed: FATAL the database system is starting up";
        let starting = of_code("08P01", starting, None, ConnectionPhase::Connecting);
        assert_eq!(starting, Verdict::Unavailable);
    }

    #[test]
    fn a_permanent_error_is_not_waited_for() {
        for code in [
            "28000", "28P01", "3D000", "3F000", "42501", "42P01", "42703", "42883", "42601",
            "42P05", "26000", "0A000", "XX001",
        ] {
            for phase in [ConnectionPhase::Connecting, ConnectionPhase::Connected] {
                assert_eq!(judged(code, phase), Verdict::Unusable, "{code}");
            }
        }
        for words in REFUSED_BY_A_POOLER {
            let refused = of_code("08P01", words, None, ConnectionPhase::Connecting);
            assert_eq!(refused, Verdict::Unusable, "{words}");
        }
    }

    #[test]
    fn refused_data_is_left_out() {
        for code in [
            "22021", "22P05", "23505", "23514", "54000", "P0001", "XX000",
        ] {
            assert_eq!(
                judged(code, ConnectionPhase::Connected),
                Verdict::Refused,
                "{code}"
            );
        }
    }
}
