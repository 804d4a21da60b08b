//! Every parameter that may follow the question mark of an address: libpq's all, and those that
//! people bring along from other clients. Each is supported, or refused by its name with what to do
//! instead. Values are never repeated.

/// What becomes of a parameter.
pub(super) enum Known {
    /// Has a meaning here.
    Supported(Parameter),
    /// Asks for what holds anyway, if its value is one of these; any other is refused with the
    /// advice.
    Only(&'static [&'static str], &'static str),
    /// Cannot be had here.
    Refused(&'static str),
}

/// A parameter that has a meaning here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Parameter {
    Host,
    HostAddress,
    Port,
    Database,
    User,
    Password,
    PassFile,
    SslMode,
    SslRootCert,
    SslCert,
    SslKey,
    ApplicationName,
    Options,
    ConnectTimeout,
    TargetSessionAttrs,
    StatementCache,
}

use Known::{Only, Refused, Supported};

const ELSEWHERE: &str =
    "is not known here; the number of connections is database.max_connections in the configuration";
const IN_OPTIONS: &str = "is not a parameter of Postgres' own addresses; write it into options, \
    as in \
     options=-csearch_path%3Dledger";
const KERBEROS: &str = "is not supported: there is no Kerberos here; leave it away, or let the \
    role sign in by password or certificate";
const KEEPALIVE: &str = "is not supported: the system's own settings for TCP hold, and no answer \
    is waited for longer \
     than two minutes; leave it away";

/// The whole table. The second name of a few is what the driver called them.
const TABLE: &[(&str, Known)] = &[
    ("host", Supported(Parameter::Host)),
    ("hostaddr", Supported(Parameter::HostAddress)),
    ("port", Supported(Parameter::Port)),
    ("dbname", Supported(Parameter::Database)),
    ("user", Supported(Parameter::User)),
    ("password", Supported(Parameter::Password)),
    ("passfile", Supported(Parameter::PassFile)),
    ("sslmode", Supported(Parameter::SslMode)),
    ("ssl-mode", Supported(Parameter::SslMode)),
    ("sslrootcert", Supported(Parameter::SslRootCert)),
    ("ssl-root-cert", Supported(Parameter::SslRootCert)),
    ("ssl-ca", Supported(Parameter::SslRootCert)),
    ("sslcert", Supported(Parameter::SslCert)),
    ("ssl-cert", Supported(Parameter::SslCert)),
    ("sslkey", Supported(Parameter::SslKey)),
    ("ssl-key", Supported(Parameter::SslKey)),
    ("application_name", Supported(Parameter::ApplicationName)),
    ("options", Supported(Parameter::Options)),
    ("connect_timeout", Supported(Parameter::ConnectTimeout)),
    (
        "target_session_attrs",
        Supported(Parameter::TargetSessionAttrs),
    ),
    (
        "statement_cache_capacity",
        Supported(Parameter::StatementCache),
    ),
    (
        "statement-cache-capacity",
        Supported(Parameter::StatementCache),
    ),
    // What is the case anyway.
    (
        "fallback_application_name",
        Only(
            &[],
            "is not needed: the program has a name; leave it away, or write application_name",
        ),
    ),
    (
        "client_encoding",
        Only(
            &["utf8", "utf-8", "unicode", "auto"],
            "must be UTF8, which the program speaks; leave it away",
        ),
    ),
    (
        "channel_binding",
        Only(
            &["prefer", "disable"],
            "may only be prefer or disable: channel binding is not supported; \
        sslmode=verify-full makes sure of the server by its certificate",
        ),
    ),
    (
        "gssencmode",
        Only(
            &["disable", "prefer"],
            "may only be disable or prefer: there is no Kerberos here; use sslmode=verify-full",
        ),
    ),
    (
        "sslnegotiation",
        Only(
            &["postgres"],
            "may only be postgres: TLS is asked for in Postgres' own way; leave it away",
        ),
    ),
    (
        "sslcompression",
        Only(
            &["0"],
            "may only be 0: compression inside TLS is unsafe; leave it away",
        ),
    ),
    (
        "sslsni",
        Only(
            &["1"],
            "may only be 1: the server is always told the name that is asked for; leave it away",
        ),
    ),
    (
        "sslcertmode",
        Only(
            &["allow"],
            "may only be allow; leave it away, and give a certificate by sslcert and sslkey or \
             none",
        ),
    ),
    (
        "ssl_min_protocol_version",
        Only(
            &["tlsv1", "tlsv1.1", "tlsv1.2"],
            "may be TLSv1.2 at most: both TLSv1.2 and TLSv1.3 are spoken; leave it away",
        ),
    ),
    (
        "ssl_max_protocol_version",
        Only(&["tlsv1.3"], "may only be TLSv1.3; leave it away"),
    ),
    (
        "load_balance_hosts",
        Only(
            &["disable"],
            "may only be disable: hosts are tried in their order; leave it away",
        ),
    ),
    (
        "replication",
        Only(
            &["false", "off", "no", "0"],
            "may not be asked for: the ledger needs an ordinary session; leave it away",
        ),
    ),
    ("keepalives", Only(&["0"], KEEPALIVE)),
    // What there is not.
    ("keepalives_idle", Refused(KEEPALIVE)),
    ("keepalives_interval", Refused(KEEPALIVE)),
    ("keepalives_count", Refused(KEEPALIVE)),
    ("tcp_user_timeout", Refused(KEEPALIVE)),
    (
        "sslpassword",
        Refused(
            "is not supported: an encrypted key cannot be read; decrypt it into a file that only \
             this user may read \
        (openssl pkey -in KEY -out NEW), and take sslpassword away",
        ),
    ),
    (
        "sslcrl",
        Refused("is not supported: lists of revoked certificates are not looked at; take it away"),
    ),
    (
        "sslcrldir",
        Refused("is not supported: lists of revoked certificates are not looked at; take it away"),
    ),
    (
        "sslkeylogfile",
        Refused("is not supported: keys are written nowhere; take it away"),
    ),
    ("ssltls", Refused("is not known; write sslmode=verify-full")),
    (
        "requiressl",
        Refused("is no longer known to Postgres; write sslmode=require or, better, verify-full"),
    ),
    (
        "requirepeer",
        Refused(
            "is not supported: whoever may write to a socket's folder is trusted; take it away",
        ),
    ),
    (
        "require_auth",
        Refused(
            "is not supported: what the server asks for is what is done; sslmode=verify-full \
             makes sure of the server",
        ),
    ),
    (
        "min_protocol_version",
        Refused("is not supported: version 3.0 of the protocol is spoken; take it away"),
    ),
    (
        "max_protocol_version",
        Refused("is not supported: version 3.0 of the protocol is spoken; take it away"),
    ),
    (
        "scram_client_key",
        Refused("is not supported; give the password"),
    ),
    (
        "scram_server_key",
        Refused("is not supported; give the password"),
    ),
    (
        "service",
        Refused(
            "is not supported: the address has to say everything itself; write host, database and \
             user out",
        ),
    ),
    (
        "servicefile",
        Refused(
            "is not supported: the address has to say everything itself; write host, database and \
             user out",
        ),
    ),
    ("krbsrvname", Refused(KERBEROS)),
    ("gsslib", Refused(KERBEROS)),
    ("gssdelegation", Refused(KERBEROS)),
    // What other clients have.
    (
        "passwd",
        Refused(
            "is not a parameter of Postgres; write password, or better user:password@ before the \
             host",
        ),
    ),
    (
        "pass",
        Refused(
            "is not a parameter of Postgres; write password, or better user:password@ before the \
             host",
        ),
    ),
    (
        "pwd",
        Refused(
            "is not a parameter of Postgres; write password, or better user:password@ before the \
             host",
        ),
    ),
    (
        "username",
        Refused(
            "is not a parameter of Postgres; write user, or better user:password@ before the host",
        ),
    ),
    (
        "uid",
        Refused(
            "is not a parameter of Postgres; write user, or better user:password@ before the host",
        ),
    ),
    (
        "database",
        Refused("is not a parameter of Postgres; write the database behind the host, or as dbname"),
    ),
    (
        "db",
        Refused("is not a parameter of Postgres; write the database behind the host, or as dbname"),
    ),
    (
        "ssl",
        Refused(
            "is not a parameter of Postgres; write sslmode=verify-full, or sslmode=disable for \
             none",
        ),
    ),
    (
        "tls",
        Refused(
            "is not a parameter of Postgres; write sslmode=verify-full, or sslmode=disable for \
             none",
        ),
    ),
    (
        "sslfactory",
        Refused("belongs to JDBC; take it away and write sslmode=verify-full"),
    ),
    (
        "sslaccept",
        Refused(
            "belongs to Prisma; write sslmode=verify-full, or sslmode=require for any certificate",
        ),
    ),
    (
        "sslidentity",
        Refused("belongs to Prisma; write sslcert and sslkey, two PEM files"),
    ),
    (
        "trust server certificate",
        Refused("belongs to .NET; write sslmode=require for any certificate"),
    ),
    ("schema", Refused(IN_OPTIONS)),
    ("currentschema", Refused(IN_OPTIONS)),
    ("search_path", Refused(IN_OPTIONS)),
    ("searchpath", Refused(IN_OPTIONS)),
    ("statement_timeout", Refused(IN_OPTIONS)),
    ("lock_timeout", Refused(IN_OPTIONS)),
    (
        "timezone",
        Refused("is not needed: the program speaks UTC with the server; leave it away"),
    ),
    (
        "charset",
        Refused("is not needed: the program speaks UTF-8; leave it away"),
    ),
    (
        "encoding",
        Refused("is not needed: the program speaks UTF-8; leave it away"),
    ),
    (
        "timeout",
        Refused("is not a parameter of Postgres; write connect_timeout, in seconds"),
    ),
    (
        "connecttimeout",
        Refused("is not a parameter of Postgres; write connect_timeout, in seconds"),
    ),
    (
        "sockettimeout",
        Refused("is not needed: no answer is waited for longer than two minutes; leave it away"),
    ),
    (
        "targetservertype",
        Refused("belongs to JDBC; write target_session_attrs=read-write"),
    ),
    (
        "pgbouncer",
        Refused(
            "belongs to Prisma; take it away, and let the pooler give whole sessions (pool_mode = \
             session)",
        ),
    ),
    ("pool", Refused(ELSEWHERE)),
    ("pooling", Refused(ELSEWHERE)),
    ("poolsize", Refused(ELSEWHERE)),
    ("pool_size", Refused(ELSEWHERE)),
    ("pool_mode", Refused(ELSEWHERE)),
    ("pool_timeout", Refused(ELSEWHERE)),
    ("pool_max_conns", Refused(ELSEWHERE)),
    ("max_pool_size", Refused(ELSEWHERE)),
    ("minpoolsize", Refused(ELSEWHERE)),
    ("maxpoolsize", Refused(ELSEWHERE)),
    ("connection_limit", Refused(ELSEWHERE)),
    ("max_connections", Refused(ELSEWHERE)),
    (
        "endpoint",
        Refused(
            "is not a parameter of Postgres; write it into options, as in \
             options=endpoint%3Dep-name",
        ),
    ),
];

/// What is known of the name, which is compared as it is written: libpq minds letter case too.
pub(super) fn find(name: &str) -> Option<&'static Known> {
    let of = |name: &str| {
        TABLE
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, known)| known)
    };
    // Other clients write theirs in capitals here and there.
    of(name).or_else(|| match of(&name.to_ascii_lowercase()) {
        refused @ Some(Refused(_)) => refused,
        Some(Supported(_) | Only(..)) | None => None,
    })
}

/// The name that was meant, if one is near.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    TABLE
        .iter()
        .filter(|(_, known)| matches!(known, Supported(_)))
        .map(|(known, _)| (strsim::damerau_levenshtein(known, &name), *known))
        .min()
        .filter(|(distance, known)| *distance <= 2 && *distance < known.len() / 2)
        .map(|(_, known)| known)
}
