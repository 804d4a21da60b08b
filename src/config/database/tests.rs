use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::parse::parse;
use super::*;

fn read(url: &str) -> DatabaseAddress {
    parse(url).unwrap_or_else(|problem| panic!("{url}: {problem}"))
}

fn hosts(url: &str) -> Vec<String> {
    let hosts = read(url).hosts;
    hosts.iter().map(ToString::to_string).collect()
}

fn password(url: &str) -> Option<String> {
    let password = read(url).password;
    password.map(|password| password.expose_secret().to_owned())
}

#[test]
fn an_address_is_read_as_libpq_reads_it() {
    for (url, expected) in [
        ("postgres://u@h/d", "h:5432"),
        ("postgresql://u@h:6432/d", "h:6432"),
        ("PostgreSQL://u@h/d", "h:5432"),
        ("postgres://u@h:/d", "h:5432"),
        ("postgres://u@[::1]/d", "[::1]:5432"),
        (
            "postgres://u@[2001:db8::7]:1/d?sslmode=require",
            "[2001:db8::7]:1",
        ),
        (
            "postgres://u@[fe80::1%25eth0]:1/d?sslmode=disable",
            "[fe80::1%eth0]:1",
        ),
        (
            "postgres://u@[fe80::1%eth0]/d?sslmode=disable",
            "[fe80::1%eth0]:5432",
        ),
        (
            "postgres:///d?user=u&host=/run/pg",
            "the socket /run/pg/.s.PGSQL.5432",
        ),
        (
            "postgres://u@%2Frun%2Fpg:6/d",
            "the socket /run/pg/.s.PGSQL.6",
        ),
        (
            "postgres://u@localhost:7/d?host=%2Frun%2Fpg",
            "the socket /run/pg/.s.PGSQL.7",
        ),
        (
            "postgres://u@/d?host=/run/pg&port=8",
            "the socket /run/pg/.s.PGSQL.8",
        ),
        ("postgres://u@a:1,b:2,[::1]:3,d/d", "a:1|b:2|[::1]:3|d:5432"),
        ("postgres://u@/d?host=a,b&port=9", "a:9|b:9"),
        ("postgres://u@/d?host=a,b&port=1,2", "a:1|b:2"),
        (
            "postgres://u@/d?hostaddr=10.0.0.1,::1",
            "10.0.0.1:5432|[::1]:5432",
        ),
        ("postgres://u@my_db.internal-1/d", "my_db.internal-1:5432"),
    ] {
        assert_eq!(hosts(url).join("|"), expected, "{url}");
    }
    let address = read("postgres://me%40here:p%3Aq@h/my%20ledger");
    assert_eq!(
        (address.user.as_str(), address.database.as_str()),
        ("me@here", "my ledger")
    );
    assert_eq!(
        password("postgres://u:a:b[+]%25c@h").as_deref(),
        Some("a:b[+]%c")
    );
    assert_eq!(
        password("postgres://u@h?password=a+b").as_deref(),
        Some("a+b")
    );
    assert_eq!(password("postgres://u:@h"), None);
    assert_eq!(read("postgres://u@h").database, "u", "named like the user");
    assert_eq!(read("postgres://u@h/").database, "u");
    assert_eq!(read("postgres://h/d?user=me@here").user, "me@here");
    assert_eq!(
        read(
            "postgres://u@h/d?options=-c%20search_path%3Da,b%20--lock_timeout%3D5s&options[jit]=off"
        )
        .options,
        [
            ("search_path", "a,b"),
            ("lock_timeout", "5s"),
            ("jit", "off")
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    assert_eq!(
        read("postgres://u@h/d?connect_timeout=3").connect_timeout,
        Some(Duration::from_secs(3))
    );
}

#[test]
fn a_remote_host_is_verified_unless_the_address_says_otherwise() {
    for (url, expected) in [
        ("postgres://u@db.example/d", SslMode::VerifyFull),
        ("postgres://u@10.1.2.3/d", SslMode::VerifyFull),
        ("postgres://u@[2001:db8::1]/d", SslMode::VerifyFull),
        ("postgres://u@localhost.example/d", SslMode::VerifyFull),
        ("postgres://u@localhost/d", SslMode::Prefer),
        ("postgres://u@LocalHost/d", SslMode::Prefer),
        ("postgres://u@127.9.9.9/d", SslMode::Prefer),
        ("postgres://u@[::1]/d", SslMode::Prefer),
        ("postgres://u@[::ffff:127.0.0.1]/d", SslMode::Prefer),
        ("postgres://u@%2Frun/d", SslMode::Prefer),
        (
            "postgres://u@localhost/d?sslrootcert=system",
            SslMode::VerifyFull,
        ),
        ("postgres://u@h/d?sslmode=disable", SslMode::Disable),
        ("postgres://u@h/d?sslmode=allow", SslMode::Prefer),
        ("postgres://u@h/d?sslmode=require", SslMode::Require),
        (
            "postgres://u@h/d?sslmode=require&sslrootcert=ca",
            SslMode::VerifyCa,
        ),
        ("postgres://u@h/d?sslmode=verify-ca", SslMode::VerifyCa),
    ] {
        let address = read(url);
        assert_eq!(address.tls.mode_for(&address.hosts[0]), expected, "{url}");
    }
}

/// Pieces of passwords, none of which may be in a message.
const PIECES: [&str; 4] = ["Hunter", "tWo", "s3cr", "Wort"];

#[test]
fn a_password_with_unescaped_characters_is_recognised_and_no_piece_of_it_shown() {
    for url in [
        "postgres://me@Hunter:tWo@h/db",
        "postgres://me/Hunter:tWo@h/db",
        "postgres://me?Hunter:tWo@h/db",
        "postgres://me#Hunter:tWo@h/db",
        "postgres://me%Hunter:tWo@h/db",
    ] {
        refused(url, "%");
    }
    for password in [
        "Hunter?tWo",
        "Hunter/tWo",
        "Hunter#tWo",
        "Hunter@tWo",
        "Hunter tWo",
        "Hunter%tWo",
        "7?Hunter",
        "7/Hunter",
        "7#Hunter",
        "7?Hunter=tWo",
        "7?a=Hunter",
        "7?Hunter&tWo=s3cr",
        "7?sslmode=Hunter",
        "7?host=Hunter",
        "7?password=Hunter",
        "7?application_name=Hunter",
        "7/Hunter?tWo",
        "7?Hunter/tWo",
        "Hunter?tWo=s3cr&Wort",
        "Hunter/tWo?s3cr=Wort",
        "Hunter:tWo/s3cr",
        "Hunter@tWo?s3cr",
        "Hunter@tWo/s3cr",
        "Hunter?",
        "?Hunter",
        "/Hunter",
        "@Hunter",
        "#Hunter",
        "Hunter%",
        "Hunter%4",
        "Hunter%zz",
        "7?port=Hunter",
        "7?options=Hunter",
        "Hunter\ttWo",
        "Hunter\u{a0}tWo",
        "7?options[Hunter]=x",
        "7?Hunter?tWo=1",
    ] {
        for url in [
            format!("postgres://u:{password}@h/db"),
            format!("postgres://u:{password}@h:5432/db?sslmode=require"),
            format!("postgresql://u:{password}@h1,h2/db"),
        ] {
            let problem = parse(&url).map(drop).expect_err(&url);
            assert!(
                problem.contains("percent-encode") || problem.contains('%'),
                "{url}: {problem}"
            );
            for piece in PIECES {
                assert!(!problem.contains(piece), "{url}: {problem}");
            }
        }
    }
}

fn refused(url: &str, said: &str) {
    let problem = parse(url).map(drop).expect_err(url);
    assert!(problem.contains(said), "{url}: {problem}");
    for piece in PIECES {
        assert!(!problem.contains(piece), "{url}: {problem}");
    }
}

#[test]
fn no_fault_shows_a_value() {
    for (url, said) in [
        (
            "postgres://u@h/d?passwd=s3cr",
            "parameter passwd, which is not a parameter of Postgres; write password",
        ),
        (
            "postgres://u@h/d?sslmodus=s3cr",
            "parameter sslmodus, which is unknown; is sslmode meant?",
        ),
        ("postgres://u@h/d?SSLMode=s3cr", "is sslmode meant?"),
        (
            "postgres://u@h/d?frobnicate=s3cr",
            "parameter frobnicate, which is unknown",
        ),
        (
            "postgres://u@h/d?channel_binding=require",
            "has the parameter channel_binding",
        ),
        ("postgres://u@h/d?gssencmode=s3cr", "gssencmode"),
        ("postgres://u@h/d?sslnegotiation=direct", "sslnegotiation"),
        (
            "postgres://u@h/d?pool_timeout=s3cr",
            "database.max_connections",
        ),
        (
            "postgres://u@h/d?currentSchema=s3cr",
            "options=-csearch_path%3D",
        ),
        ("postgres://u@h/d?keepalives_idle=s3cr", "keepalives_idle"),
        (
            "postgres://u@h/d?sslmode=verify_full",
            "is verify-full meant?",
        ),
        (
            "postgres://u@h/d?sslmode=s3cr",
            "must be one of disable, allow, prefer, require, verify-ca, verify-full",
        ),
        (
            "postgres://u@h/d?sslmode=require&sslmode=disable",
            "gives sslmode twice",
        ),
        ("postgres://u@h/d?ssl-mode=require&sslmode=disable", "twice"),
        ("postgres://u:s3cr@h/d?password=tWo", "gives password both"),
        ("postgres://u@h/d?dbname=e", "gives dbname both"),
        ("postgres://u@h/d?user=v", "gives user both"),
        ("postgres://u@h/d?sslcert=s3cr", "sslcert without sslkey"),
        (
            "postgres://u@h/d?sslrootcert=system&sslmode=require",
            "verify-full",
        ),
        (
            "postgres://u@h/d?target_session_attrs=standby",
            "the ledger is written to",
        ),
        (
            "postgres://u@h/d?target_session_attrs=s3cr",
            "any, read-write, primary",
        ),
        ("postgres://u@h/d?connect_timeout=5s", "seconds"),
        ("postgres://u@h/d?port=0", "from 1 to 65535"),
        ("postgres://u@h:0/d", "from 1 to 65535"),
        ("postgres://u@h:65536/d", "from 1 to 65535"),
        ("postgres://u:s3cr/d", "@ and the host are missing"),
        ("postgres://u@::1/d", "in brackets"),
        ("postgres://u@[::1/d", "["),
        ("postgres://u@[s3cr]/d", "brackets"),
        ("postgres://u@h,,i/d", "empty name"),
        ("postgres://u@h/d/e", "%2F"),
        ("postgres://u@h/d?sslmode", "name=value"),
        ("postgres://u@h/d?a?sslmode=require", "?"),
        (
            "postgres://u@h/d?sslmode=require?connect_timeout=1",
            "second ?",
        ),
        ("postgres://u@[fe80::1%25e]/d", "zone"),
        ("postgres://u:%00s3cr@h/d", "%00"),
        ("postgres://u:%e4s3cr@h/d", "UTF-8"),
        ("postgres://u@h/d?options=s3cr", "-c name=value"),
        (
            "postgres://u@/d?host=a,b&port=1,2,3",
            "as many ports as hosts",
        ),
        ("postgres://u@/d?hostaddr=s3cr", "IP address"),
        ("postgres://u@/d?host=a&hostaddr=::1", "keep one"),
    ] {
        refused(url, said);
    }
}

#[test]
fn other_kinds_of_addresses_are_recognised() {
    for (url, said) in [
        ("jdbc:postgresql://h/d?user=u&password=s3cr", "JDBC"),
        ("postgresql+psycopg2://u:s3cr@h/d", "SQLAlchemy"),
        ("postgres+asyncpg://u:s3cr@h/d", "SQLAlchemy"),
        ("host=h user=u password=s3cr", "keywords and values"),
        ("dbname = ledger", "keywords and values"),
        ("Host=h;Username=u;Password=s3cr", ".NET"),
        ("Server=h;Port=5432;User Id=u;Password=s3cr;", ".NET"),
        ("mysql://u:s3cr@h/d", "must start with postgres://"),
        ("u:s3cr@h:5432/d", "must start with postgres://"),
        ("DATABASE_URL=postgres://u:s3cr@h/d", "name of a variable"),
        (
            "export DATABASE_URL=postgres://u:s3cr@h/d",
            "name of a variable",
        ),
        ("\"postgres://u:s3cr@h/d\"", "quotes"),
        ("psql 'postgres://u:s3cr@h/d'", "command"),
        ("postgres:/u:s3cr@h/d", "slashes"),
        ("", "must start with"),
    ] {
        refused(url, said);
    }
}

#[test]
fn parameters_that_change_nothing_are_accepted() {
    let _read = read(
        "postgres://u@h/d?channel_binding=prefer&gssencmode=disable&sslnegotiation=postgres\
         &sslcompression=0&sslsni=1&client_encoding=UTF8&ssl_min_protocol_version=TLSv1.2\
         &load_balance_hosts=disable&fallback_application_name=x&statement_cache_capacity=0\
         &application_name=y&target_session_attrs=any&sslmode=verify-full&",
    );
}

#[test]
fn several_hosts_mean_a_writable_one() {
    assert_eq!(read("postgres://u@a/d").target, Target::Any);
    assert_eq!(read("postgres://u@a,b/d").target, Target::ReadWrite);
    assert_eq!(
        read("postgres://u@a,b/d?target_session_attrs=any").target,
        Target::Any
    );
    assert_eq!(
        read("postgres://u@a/d?target_session_attrs=primary").target,
        Target::Primary
    );
}

#[test]
fn neither_debug_nor_display_shows_a_password() {
    let address = read("postgres://u:s3cr@a:1,[::1]:2/d?sslmode=require");
    assert!(!format!("{address:?}").contains("s3cr"));
    assert_eq!(address.to_string(), "a:1, [::1]:2, database \"d\"");
}

proptest::proptest! {
    /// A part may contain any characters if they are percent-encoded.
    #[test]
    fn percent_encoded_parts_are_decoded(
        user in "\\PC{1,12}",
        password in "\\PC{1,12}",
        database in "\\PC{1,12}",
    ) {
        let encoded = |text: &str| {
            let bytes: Vec<String> = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
            bytes.concat()
        };
        let url = format!(
            "postgres://{}:{}@h/{}?sslmode=disable",
            encoded(&user),
            encoded(&password),
            encoded(&database)
        );
        let address = read(&url);
        proptest::prop_assert_eq!((&address.user, &address.database), (&user, &database));
        let read = address.password.map(|password| password.expose_secret().to_owned());
        proptest::prop_assert_eq!(read, Some(password));
    }

    /// No text makes the parser panic, and no fault shows a part of the text.
    #[test]
    fn any_text_is_parsed_or_refused(
        before in "(postgres://)?[a-z:@/?#%&=,;\\[\\]. ]{0,40}",
        after in "[a-z:@/?#%&=,;\\[\\]. ]{0,40}",
    ) {
        let text = format!("{before}Hunter2{after}");
        if let Err(problem) = parse(&text) {
            let is_shown = problem.contains("Hunter2") && !text.contains("Hunter2=");
            proptest::prop_assert!(!is_shown, "{}", problem);
        }
    }
}
