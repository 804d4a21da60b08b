//! What Postgres, a pooler before it or the driver means by an error: come again, not these data,
//! or not at all.

use std::io;

use sqlx::postgres::PgDatabaseError;

use crate::tls;

/// What an error says of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may pass by itself.
    Unavailable,
    /// These data are not taken.
    Refused,
    /// Nothing is taken before a person has acted.
    Unusable,
}

/// When an error came: before we are let in, servers and poolers say other things by the same
/// codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum During {
    Connecting,
    Work,
}

/// What the driver itself says of a server that is no Postgres, or wants what it does not know.
const HOPELESS_PROTOCOLS: [&str; 3] = [
    "unsupported authentication method",
    "unsupported SASL authentication mechanisms",
    "unexpected response from SSLRequest",
];

/// What `PgBouncer` says of our own credentials, by the code for any breach of the protocol. What
/// it says by the same code of its server, such as "server login failed", may be a server that
/// starts.
const REFUSED_BY_A_POOLER: [&str; 5] = [
    "password authentication failed",
    "SASL authentication failed",
    "no such user",
    "no such database",
    "no authentication method",
];

/// Connection, serialization and deadlock, resources (too many connections and a full disk among
/// them), operator intervention (starting up, shutting down, cancelled), system error.
const PASSING: [&str; 5] = ["08", "40", "53", "57", "58"];

/// Authorization, no such database, no such schema, a feature that this server does not have, a
/// statement that a pooler has taken away, and all of what our statements presume of tables and
/// rights. None speaks of data.
const FOR_GOOD: [&str; 6] = ["28", "3D", "3F", "0A", "26", "42"];

pub(super) fn verdict(error: &sqlx::Error, during: During) -> Verdict {
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().unwrap_or_default();
            let routine = error
                .try_downcast_ref::<PgDatabaseError>()
                .and_then(PgDatabaseError::routine);
            of_code(&code, error.message(), routine, during)
        }
        // Of a handshake that only broke the driver says that in- or output failed. A type or
        // column that is missing means tables that are others than ours.
        sqlx::Error::Configuration(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::TypeNotFound { .. }
        | sqlx::Error::ColumnNotFound(_) => Verdict::Unusable,
        sqlx::Error::Io(_) if tls::fault(error).is_some() => Verdict::Unusable,
        // The socket's, which is nobody's bad day. A socket that is not there is a server that is
        // not up.
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
        // Whatever else is not Postgres' own word is the connection to it.
        _ => Verdict::Unavailable,
    }
}

fn of_code(code: &str, message: &str, routine: Option<&str>, during: During) -> Verdict {
    match code {
        // Read-only: a standby, or for a moment a server that is switched over. A transaction that
        // took too long. A lock that was not to be had, an object in use, a snapshot that
        // is too old.
        "25006" | "25P03" | "25P04" | "55P03" | "55006" | "72000" => return Verdict::Unavailable,
        // A statement that was prepared before a table changed, and is prepared anew on the next
        // connection.
        "0A000" if routine == Some("RevalidateCachedQuery") => return Verdict::Unavailable,
        "08P01"
            if REFUSED_BY_A_POOLER
                .iter()
                .any(|words| message.starts_with(words)) =>
        {
            return Verdict::Unusable;
        }
        // Data or an index are damaged.
        "XX001" | "XX002" => return Verdict::Unusable,
        _ => {}
    }
    let class = code.get(..2).unwrap_or_default();
    if PASSING.contains(&class) {
        return Verdict::Unavailable;
    }
    if FOR_GOOD.contains(&class) {
        return Verdict::Unusable;
    }
    match during {
        // Poolers say by an internal error that they have no server at hand, and servers by these
        // that they are closed for now or cannot read their settings. What is new to us
        // there is not called dead.
        During::Connecting => Verdict::Unavailable,
        During::Work => Verdict::Refused,
    }
}

/// What to do about a code that one can do something about.
pub(super) fn advice(code: &str) -> &'static str {
    match code {
        "42P01" | "42703" => "; tables are brought up to date with: seatledger migrate",
        "42501" => "; grant the role that right, or make it the owner of the ledger's tables",
        "28000" | "28P01" => {
            "; compare user and password with database.url, and what the server's pg_hba.conf admits"
        }
        "3D000" => "; create that database, or name another in database.url",
        "26000" | "42P05" => {
            "; a pooler in transaction mode takes prepared statements away: connect to Postgres itself, or to a pooler in session mode"
        }
        "25006" => "; the server is a standby, or being switched over",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(code: &str, during: During) -> Verdict {
        of_code(code, "", None, during)
    }

    #[test]
    fn what_passes_by_itself_is_never_called_dead() {
        for code in [
            "57P03", "57P01", "57P02", "57P05", "57014", "25006", "53300", "53100", "53200",
            "53400", "08006", "08001", "08P01", "40001", "40P01", "40003", "55P03", "58030",
            "58P01", "72000",
        ] {
            for during in [During::Connecting, During::Work] {
                assert_eq!(judged(code, during), Verdict::Unavailable, "{code}");
            }
        }
        for code in ["XX000", "F0000", "55000", "HV00N", ""] {
            assert_eq!(judged(code, During::Connecting), Verdict::Unavailable);
        }
        let stale = of_code("0A000", "", Some("RevalidateCachedQuery"), During::Work);
        assert_eq!(stale, Verdict::Unavailable);
        let starting = "server login failed: FATAL the database system is starting up";
        let starting = of_code("08P01", starting, None, During::Connecting);
        assert_eq!(starting, Verdict::Unavailable);
    }

    #[test]
    fn what_no_waiting_mends_is_not_waited_for() {
        for code in [
            "28000", "28P01", "3D000", "3F000", "42501", "42P01", "42703", "42883", "42601",
            "42P05", "26000", "0A000", "XX001",
        ] {
            for during in [During::Connecting, During::Work] {
                assert_eq!(judged(code, during), Verdict::Unusable, "{code}");
            }
        }
        for words in REFUSED_BY_A_POOLER {
            let refused = of_code("08P01", words, None, During::Connecting);
            assert_eq!(refused, Verdict::Unusable, "{words}");
        }
    }

    #[test]
    fn data_that_are_not_taken_are_nobodys_fault_but_theirs() {
        for code in [
            "22021", "22P05", "23505", "23514", "54000", "P0001", "XX000",
        ] {
            assert_eq!(judged(code, During::Work), Verdict::Refused, "{code}");
        }
    }
}
