//! Every parameter that may follow the question mark of an address: all of libpq's, and those that
//! people bring along from other clients. Each is supported, or refused with advice on what to
//! write instead. No message holds a value.

/// What becomes of a parameter.
pub(super) enum ParameterSupport {
    Supported(Parameter),
    /// Has no effect: the program always behaves as these values ask. Any other value is refused
    /// with the advice; with an empty list, every value is accepted.
    OnlyValues(&'static [&'static str], &'static str),
    /// Refused with the advice.
    Refused(&'static str),
}

/// A supported parameter.
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

use ParameterSupport::{OnlyValues, Refused, Supported};

const POOL: &str = "is unknown here; the number of connections is database.max_connections in the \
     configuration";
const SESSION_SETTING: &str = "is not a parameter of Postgres addresses; write it into options, \
    as in \
     options=-csearch_path%3Dledger";
const KERBEROS: &str = "is not supported, because there is no Kerberos here; remove it, or let the \
     role sign in by password or certificate";
const KEEPALIVE: &str = "is not needed: a cut connection is noticed within 20 seconds on both \
     sides; remove it, or set the server's side by options=-ctcp_user_timeout%3D15000";
const REVOCATION: &str = "is not supported: certificate revocation lists are not read; remove it";
const PROTOCOL: &str = "is not supported: the protocol's version is 3.0; remove it";
const SCRAM: &str = "is not supported; give the password";
const SERVICE: &str = "is not supported: the address has to be complete; write host, database and \
     user out";
const NOT_PASSWORD: &str = "is not a parameter of Postgres; write password, or better \
     user:password@ before the host";
const NOT_USER: &str = "is not a parameter of Postgres; write user, or better user:password@ \
    before \
     the host";
const NOT_DATABASE: &str = "is not a parameter of Postgres; write the database after the host, or \
     as dbname";
const NOT_SSLMODE: &str = "is not a parameter of Postgres; write sslmode=verify-full, or \
     sslmode=disable for none";
const NOT_TIMEOUT: &str = "is not a parameter of Postgres; write connect_timeout, in seconds";
const UTF8: &str = "is not needed: the program uses UTF-8; remove it";

/// Groups of names with the same meaning, and what becomes of each group. Further names of a
/// supported parameter are those of the database driver.
const TABLE: &[(&[&str], ParameterSupport)] = &[
    (&["host"], Supported(Parameter::Host)),
    (&["hostaddr"], Supported(Parameter::HostAddress)),
    (&["port"], Supported(Parameter::Port)),
    (&["dbname"], Supported(Parameter::Database)),
    (&["user"], Supported(Parameter::User)),
    (&["password"], Supported(Parameter::Password)),
    (&["passfile"], Supported(Parameter::PassFile)),
    (&["sslmode", "ssl-mode"], Supported(Parameter::SslMode)),
    (
        &["sslrootcert", "ssl-root-cert", "ssl-ca"],
        Supported(Parameter::SslRootCert),
    ),
    (&["sslcert", "ssl-cert"], Supported(Parameter::SslCert)),
    (&["sslkey", "ssl-key"], Supported(Parameter::SslKey)),
    (&["application_name"], Supported(Parameter::ApplicationName)),
    (&["options"], Supported(Parameter::Options)),
    (&["connect_timeout"], Supported(Parameter::ConnectTimeout)),
    (
        &["target_session_attrs"],
        Supported(Parameter::TargetSessionAttrs),
    ),
    (
        &["statement_cache_capacity", "statement-cache-capacity"],
        Supported(Parameter::StatementCache),
    ),
    // Values that ask for what the program does anyway.
    (
        &["fallback_application_name"],
        OnlyValues(
            &[],
            "is not needed: the program has a name; remove it, or write application_name",
        ),
    ),
    (
        &["client_encoding"],
        OnlyValues(
            &["utf8", "utf-8", "unicode", "auto"],
            "must be UTF8, which the program uses; remove it",
        ),
    ),
    (
        &["channel_binding"],
        OnlyValues(
            &["prefer", "disable"],
            "may only be prefer or disable: channel binding is not supported; \
             sslmode=verify-full verifies the server by its certificate",
        ),
    ),
    (
        &["gssencmode"],
        OnlyValues(
            &["disable", "prefer"],
            "may only be disable or prefer: there is no Kerberos here; use sslmode=verify-full",
        ),
    ),
    (
        &["sslnegotiation"],
        OnlyValues(
            &["postgres"],
            "may only be postgres: TLS is negotiated in Postgres' own way; remove it",
        ),
    ),
    (
        &["sslcompression"],
        OnlyValues(
            &["0"],
            "may only be 0: compression inside TLS is unsafe; remove it",
        ),
    ),
    (
        &["sslsni"],
        OnlyValues(
            &["1"],
            "may only be 1: the host name is always sent to the server; remove it",
        ),
    ),
    (
        &["sslcertmode"],
        OnlyValues(
            &["allow"],
            "may only be allow; remove it, and give a certificate by sslcert and sslkey or none",
        ),
    ),
    (
        &["ssl_min_protocol_version"],
        OnlyValues(
            &["tlsv1", "tlsv1.1", "tlsv1.2"],
            "may be TLSv1.2 at most: TLSv1.2 and TLSv1.3 are supported; remove it",
        ),
    ),
    (
        &["ssl_max_protocol_version"],
        OnlyValues(&["tlsv1.3"], "may only be TLSv1.3; remove it"),
    ),
    (
        &["load_balance_hosts"],
        OnlyValues(
            &["disable"],
            "may only be disable: hosts are tried in their order; remove it",
        ),
    ),
    (
        &["replication"],
        OnlyValues(
            &["false", "off", "no", "0"],
            "may not be on: the ledger needs an ordinary session; remove it",
        ),
    ),
    (&["keepalives"], OnlyValues(&["0", "1"], KEEPALIVE)),
    // Parameters of libpq that are not supported.
    (
        &[
            "keepalives_idle",
            "keepalives_interval",
            "keepalives_count",
            "tcp_user_timeout",
        ],
        Refused(KEEPALIVE),
    ),
    (
        &["sslpassword"],
        Refused(
            "is not supported, because an encrypted key cannot be read; decrypt it into a file \
             that only this user may read (openssl pkey -in KEY -out NEW), and remove sslpassword",
        ),
    ),
    (&["sslcrl", "sslcrldir"], Refused(REVOCATION)),
    (
        &["sslkeylogfile"],
        Refused("is not supported: TLS keys are not written anywhere; remove it"),
    ),
    (
        &["requiressl"],
        Refused(
            "is no longer a parameter of Postgres; write sslmode=require or, better, verify-full",
        ),
    ),
    (
        &["requirepeer"],
        Refused(
            "is not supported: everybody who may write to a socket's folder is trusted; remove it",
        ),
    ),
    (
        &["require_auth"],
        Refused(
            "is not supported: the server chooses the authentication method; \
             sslmode=verify-full verifies the server",
        ),
    ),
    (
        &["min_protocol_version", "max_protocol_version"],
        Refused(PROTOCOL),
    ),
    (&["scram_client_key", "scram_server_key"], Refused(SCRAM)),
    (&["service", "servicefile"], Refused(SERVICE)),
    (
        &["krbsrvname", "gsslib", "gssdelegation"],
        Refused(KERBEROS),
    ),
    // Parameters of other clients.
    (&["passwd", "pass", "pwd"], Refused(NOT_PASSWORD)),
    (&["username", "uid"], Refused(NOT_USER)),
    (&["database", "db"], Refused(NOT_DATABASE)),
    (&["ssl", "tls"], Refused(NOT_SSLMODE)),
    (
        &["ssltls"],
        Refused("is unknown; write sslmode=verify-full"),
    ),
    (
        &["sslfactory"],
        Refused("belongs to JDBC; remove it and write sslmode=verify-full"),
    ),
    (
        &["sslaccept"],
        Refused(
            "belongs to Prisma; write sslmode=verify-full, or sslmode=require for any certificate",
        ),
    ),
    (
        &["sslidentity"],
        Refused("belongs to Prisma; write sslcert and sslkey, two PEM files"),
    ),
    (
        &["trust server certificate"],
        Refused("belongs to .NET; write sslmode=require for any certificate"),
    ),
    (
        &["schema", "currentschema", "search_path", "searchpath"],
        Refused(SESSION_SETTING),
    ),
    (
        &["statement_timeout", "lock_timeout"],
        Refused("is not needed: every transaction has its own; remove it"),
    ),
    (
        &["timezone"],
        Refused("is not needed: the session's time zone is UTC; remove it"),
    ),
    (&["charset", "encoding"], Refused(UTF8)),
    (&["timeout", "connecttimeout"], Refused(NOT_TIMEOUT)),
    (
        &["sockettimeout"],
        Refused(
            "is not needed: no answer is waited for longer than two minutes, and none over a cut \
             connection longer than 20 seconds; remove it",
        ),
    ),
    (
        &["targetservertype"],
        Refused("belongs to JDBC; write target_session_attrs=read-write"),
    ),
    (
        &["pgbouncer"],
        Refused(
            "belongs to Prisma; remove it, and let the pooler assign whole sessions \
             (pool_mode = session)",
        ),
    ),
    (
        &[
            "pool",
            "pooling",
            "poolsize",
            "pool_size",
            "pool_mode",
            "pool_timeout",
            "pool_max_conns",
            "max_pool_size",
            "minpoolsize",
            "maxpoolsize",
            "connection_limit",
            "max_connections",
        ],
        Refused(POOL),
    ),
    (
        &["endpoint"],
        Refused(
            "is not a parameter of Postgres; write it into options, as in \
             options=endpoint%3Dep-name",
        ),
    ),
];

/// What becomes of a parameter; none if its name is unknown. Letter case counts, as in libpq,
/// except for the names of other clients, some of which are capitalized.
pub(super) fn find(name: &str) -> Option<&'static ParameterSupport> {
    let exact = |name: &str| {
        let entry = TABLE.iter().find(|(names, _)| names.contains(&name));
        entry.map(|(_, support)| support)
    };
    exact(name).or_else(|| {
        exact(&name.to_ascii_lowercase()).filter(|support| matches!(support, Refused(_)))
    })
}

/// The supported name that is closest to a misspelt one, if any is close.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    TABLE
        .iter()
        .filter(|(_, support)| matches!(support, Supported(_)))
        .flat_map(|(names, _)| names.iter().copied())
        .map(|known| (strsim::damerau_levenshtein(known, &name), known))
        .min()
        .filter(|(distance, known)| *distance <= 2 && *distance < known.len() / 2)
        .map(|(_, known)| known)
}
