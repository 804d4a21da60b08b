//! The database's address: checked as a whole before connecting, several hosts tried in turn, and
//! no part of a password in any output.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{Server, World, until};

const PIECES: [&str; 3] = ["Hunter", "tWo", "s3cret"];

#[tokio::test]
async fn a_faulty_address_is_reported_without_any_part_of_its_password() {
    let mut world = World::with_customers(1).await;
    world.set("log.filter", "trace");
    for (url, said) in [
        ("postgres://u:7?Hunter@h/db", "percent-encode"),
        ("postgres://u:7/Hunter@h/db", "percent-encode"),
        ("postgres://u:Hunter#tWo@h/db", "percent-encode"),
        ("postgres://u:Hunter@tWo@h/db", "percent-encode"),
        ("postgres://u:Hunter tWo@h/db", "percent-encode"),
        ("postgres://u:7?Hunter=tWo@h/db", "percent-encode"),
        ("postgres://u:s3cret/db", "the host"),
        ("postgres://u@h/db?passwd=s3cret", "parameter passwd"),
        (
            "postgres://u@h/db?pool_secret=s3cret",
            "parameter pool_secret",
        ),
        (
            "postgres://u:s3cret@h/db?sslmode=verify_full",
            "is verify-full meant?",
        ),
        ("jdbc:postgresql://h/db?user=u&password=s3cret", "JDBC"),
        ("host=h user=u password=s3cret", "keywords"),
    ] {
        world.set("database.url", url);
        for arguments in [&["check"][..], &["--backfill"], &["status"], &[]] {
            let finished = world.run(arguments).await;
            finished.assert_code(78);
            let text = finished.stdout + &finished.stderr;
            assert!(text.contains(said), "{url}: {text}");
            for piece in PIECES {
                assert!(!text.contains(piece), "{url} {arguments:?}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn the_environment_does_not_change_the_address() {
    let mut world = World::with_customers(1).await;
    world.backfill().await.assert_code(0);
    let elsewhere = [
        ("PGHOST", "/nowhere"),
        ("PGHOSTADDR", "192.0.2.1"),
        ("PGPORT", "1"),
        ("PGUSER", "nobody"),
        ("PGPASSWORD", "s3cret"),
        ("PGDATABASE", "nothing"),
        ("PGSSLMODE", "verify-full"),
        ("PGSSLROOTCERT", "/nowhere"),
        ("PGAPPNAME", "another"),
    ];
    for (name, value) in elsewhere {
        world.set_variable(name, value);
    }
    world.run(&["check"]).await.assert_code(0);
    world.set_variable("PGOPTIONS", "-c search_path=s3cret");
    let check = world.run(&["check"]).await;
    check.assert_code(78);
    assert!(
        check.stderr.contains("PGOPTIONS") && !check.stderr.contains("s3cret"),
        "{}",
        check.stderr
    );
}

#[tokio::test]
async fn an_unverified_remote_server_learns_nothing_but_that_tls_is_wanted() {
    let server = Server::start();
    let mut world = World::on_server(&server, 1).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    // An address of this machine that does not look like one, so the server counts as remote.
    world.set(
        "database.url",
        &format!("postgres://me:s3cret@0.0.0.0:{port}/ledger"),
    );
    let running = world.start(&["check"]);
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut wish = [0; 8];
    stream.read_exact(&mut wish).await.unwrap();
    assert_eq!(wish, [0, 0, 0, 8, 4, 210, 22, 47], "the wish for TLS");
    stream.write_all(b"N").await.unwrap();
    let mut more = Vec::new();
    // The client may end the connection with a reset.
    let _end = stream.read_to_end(&mut more).await;
    assert_eq!(more, b"");
    let check = running.finish().await;
    check.assert_code(4);
    let last = check.stdout.lines().last().unwrap();
    for said in [
        &format!("0.0.0.0:{port}"),
        "offers no TLS",
        "sslmode=disable",
    ] {
        assert!(last.contains(said), "{last}");
    }
}

#[tokio::test]
async fn several_hosts_are_tried_in_turn_until_one_is_suitable() {
    let server = Server::start();
    let mut world = World::on_server(&server, 1).await;
    let socket = url::Url::parse(&server.url()).unwrap();
    let (_, socket) = socket.query_pairs().next().unwrap();
    let url =
        |hosts: &str, rest: &str| format!("postgres://seatledger@/postgres?host={hosts}{rest}");
    world.set("database.url", &url(&format!("/nowhere,{socket}"), ""));
    world.backfill().await.assert_code(0);
    let check = world.run(&["check"]).await;
    check.assert_code(0);

    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    world.set(
        "database.url",
        &url("/nowhere,127.0.0.1", &format!("&port={port}")),
    );
    for arguments in [&["check"][..], &["--backfill"]] {
        let finished = world.run(arguments).await;
        finished.assert_code(1);
        let text = finished.stdout + &finished.stderr;
        for host in [
            format!("/nowhere/.s.PGSQL.{port}"),
            format!("127.0.0.1:{port}"),
        ] {
            assert!(text.contains(&host), "{text}");
        }
    }

    world
        .execute("alter role seatledger set default_transaction_read_only = on")
        .await;
    world.set("database.url", &url(&format!("{socket},{socket}"), ""));
    let check = world.run(&["check"]).await;
    check.assert_code(1);
    assert!(check.stdout.contains("only reads"), "{}", check.stdout);
    world.set(
        "database.url",
        &url(
            &format!("{socket},{socket}"),
            "&target_session_attrs=primary",
        ),
    );
    let check = world.run(&["check"]).await;
    check.assert_code(4);
    assert!(
        check.stdout.contains("reset default_transaction_read_only"),
        "{}",
        check.stdout
    );
}

#[tokio::test]
async fn a_password_that_was_changed_meanwhile_is_read_again_from_its_file() {
    let server = Server::start();
    let mut world = World::on_server(&server, 1).await;
    world
        .execute("create role me login superuser password 'new'")
        .await;
    let hba = server.data().join("pg_hba.conf");
    let rules = std::fs::read_to_string(&hba).unwrap();
    std::fs::write(&hba, format!("local all me scram-sha-256\n{rules}")).unwrap();
    let _reloaded: bool = world.value("select pg_reload_conf()").await;
    let mut url = url::Url::parse(&server.url()).unwrap();
    url.set_username("me").unwrap();
    url.set_password(Some("old")).unwrap();
    let file = world.write("url", url.as_str());
    world.unset("database.url");
    world.set("database.url_file", &file);
    for arguments in [&["check"][..], &["--backfill"], &[]] {
        let finished = world.run(arguments).await;
        finished.assert_code(4);
        let text = finished.stdout + &finished.stderr;
        assert!(text.contains("28P01"), "{text}");
    }

    server.stop();
    let daemon = world.start(&[]);
    daemon.says("away and waited for").await;
    url.set_password(Some("new")).unwrap();
    world.write("url", url.as_str());
    server.start_again();
    daemon.says("Waiting for the next run").await;
    daemon.signal("TERM");
    daemon.finish().await.assert_code(0);
}

#[tokio::test]
async fn a_password_that_is_changed_while_the_daemon_runs_is_looked_up_anew_where_it_is_kept() {
    let server = Server::start();
    let mut world = World::on_server(&server, 1).await;
    world
        .execute("create role me login superuser password 'old'")
        .await;
    let hba = server.data().join("pg_hba.conf");
    let rules = std::fs::read_to_string(&hba).unwrap();
    std::fs::write(&hba, format!("local all me scram-sha-256\n{rules}")).unwrap();
    let _reloaded: bool = world.value("select pg_reload_conf()").await;
    let mut url = url::Url::parse(&server.url()).unwrap();
    url.set_username("me").unwrap();
    world.set("schedule.cron", "* * * * * *");
    let file = world.write("url", "");
    world.unset("database.url");
    world.set("database.url_file", &file);
    let private = std::fs::Permissions::from_mode(0o600);
    for kept_in_passfile in [true, false] {
        world.execute("alter role me password 'old'").await;
        let keep = |password: &str| {
            let mut url = url.clone();
            if kept_in_passfile {
                let passfile = world.write("passfile", &format!("*:*:*:me:{password}\n"));
                std::fs::set_permissions(&passfile, private.clone()).unwrap();
                url.query_pairs_mut().append_pair("passfile", &passfile);
            } else {
                url.set_password(Some(password)).unwrap();
            }
            world.write("url", url.as_str());
        };
        keep("old");
        let daemon = world.start(&[]);
        daemon.says("Run ended").await;
        world.execute("alter role me password 'new'").await;
        keep("new");
        // All sessions of the role have to be opened anew.
        world
            .execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'me'")
            .await;
        let changed: i64 = world.value("select max(run_id) from sync_run").await;
        let later = format!(
            "select count(*) from sync_run where run_id > {changed} + 1 and outcome = 'succeeded'"
        );
        until("runs succeed with the new password", async || {
            (world.value::<i64>(&later).await > 0).then_some(())
        })
        .await;
        daemon.signal("TERM");
        daemon.finish().await.assert_code(0);
    }
}

/// Role and host, the address's parameters, and the exit code and output of `check`.
const AS_ASKED: &[(&str, &str, i32, &str)] = &[
    (
        "seatledger@localhost",
        "sslmode=verify-full&sslrootcert=ca.pem",
        0,
        "server verified",
    ),
    (
        "seatledger@localhost",
        "sslrootcert=ca.pem",
        0,
        "encrypted (TLSv1.3",
    ),
    (
        "seatledger@localhost",
        "sslmode=verify-full",
        4,
        "name the authority's file by sslrootcert",
    ),
    (
        "seatledger@localhost",
        "sslmode=verify-full&sslrootcert=other.pem",
        4,
        "other.pem",
    ),
    (
        "seatledger@127.0.0.1",
        "sslmode=verify-full&sslrootcert=ca.pem",
        4,
        "is for localhost and not for 127.0.0.1",
    ),
    (
        "seatledger@127.0.0.1",
        "sslmode=verify-ca&sslrootcert=ca.pem",
        0,
        "not the server's name",
    ),
    (
        "seatledger@127.0.0.1",
        "sslmode=require",
        0,
        "server not verified",
    ),
    (
        "seatledger@127.0.0.1",
        "sslmode=require&sslrootcert=other.pem",
        4,
        "other.pem",
    ),
    ("seatledger@127.0.0.1", "", 0, "server not verified"),
    (
        "seatledger@127.0.0.1",
        "sslmode=disable",
        0,
        "not encrypted, and within this machine",
    ),
    (
        "seatledger@0.0.0.0",
        "",
        4,
        "name the authority's file by sslrootcert",
    ),
    (
        "seatledger@localhost",
        "sslrootcert=gone.pem",
        78,
        "gone.pem as sslrootcert: there is no such file",
    ),
    (
        "seatledger@localhost",
        "sslrootcert=none.pem",
        78,
        "holds no certificate",
    ),
    (
        "me@localhost",
        "sslmode=verify-full&sslrootcert=ca.pem&sslcert=me.pem&sslkey=me.key",
        0,
        "as \"me\"",
    ),
    (
        "me@localhost",
        "sslmode=verify-full&sslrootcert=ca.pem",
        4,
        "connecting to localhost",
    ),
    (
        "me@localhost",
        "sslmode=verify-full&sslrootcert=ca.pem&sslcert=me.pem&sslkey=me.pem",
        78,
        "no private key",
    ),
];

#[tokio::test]
async fn the_server_is_verified_as_the_address_asks_and_check_says_so() {
    let (server, authority) = crate::support::server_with_tls();
    let mut world = World::at(server.pool(), &server.url(), 1).await;
    world.execute("create role me login superuser").await;
    world.write("ca.pem", &authority.pem);
    world.write("other.pem", &crate::support::Identity::new().certificate);
    world.write("none.pem", "no certificate");
    let identity = authority.certify_client("me");
    world.write("me.pem", &identity.certificate);
    world.write("me.key", &identity.key);
    let port = server.port;
    for (who, query, code, said) in AS_ASKED {
        world.set(
            "database.url",
            &format!("postgres://{who}:{port}/postgres?{query}"),
        );
        let check = world.run(&["check"]).await;
        check.assert_code(*code);
        let text = check.stdout + &check.stderr;
        assert!(text.contains(said), "{who} {query}: {text}");
    }
    let trusted = world.write("system.pem", &authority.pem);
    world.set_variable("SSL_CERT_FILE", &trusted);
    for query in ["sslmode=verify-full", "sslrootcert=system"] {
        world.set(
            "database.url",
            &format!("postgres://seatledger@localhost:{port}/postgres?{query}"),
        );
        let check = world.run(&["check"]).await;
        check.assert_code(0);
        assert!(check.stdout.contains("server verified"), "{}", check.stdout);
    }
}
