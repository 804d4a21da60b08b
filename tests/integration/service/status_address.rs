//! Hostile requests to the status address: it stays available, and so does the daemon.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Link, Lost, PATIENCE, Running, Server, World, get, send_signal, until};

/// An answer takes a millisecond or two. A busy machine may take longer, but no wait for the
/// database is as short.
const AT_ONCE: Duration = Duration::from_secs(1);

const PROBE: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// An idle daemon, and its status address.
async fn start(world: &mut World) -> (Running, String) {
    world.set("status.listen", "127.0.0.1:0");
    let daemon = world.start(&[]);
    let url = daemon.idle_address().await;
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    (daemon, address.to_owned())
}

async fn stop(daemon: Running) {
    daemon.signal("TERM");
    daemon.finish().await.assert_code(0);
}

async fn connect(address: &str) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

/// Everything received until the other end closes or resets the connection.
async fn read(stream: &mut TcpStream) -> String {
    let mut came = Vec::new();
    let read = async {
        let mut buffer = [0; 4096];
        while let Ok(length) = stream.read(&mut buffer).await
            && length > 0
        {
            came.extend_from_slice(&buffer[..length]);
        }
    };
    let read = tokio::time::timeout(PATIENCE, read).await;
    let came = String::from_utf8_lossy(&came).into_owned();
    assert!(read.is_ok(), "the connection stays open after {came:?}");
    came
}

/// The answer to `request`, up to the end of the connection.
async fn ask(address: &str, request: impl AsRef<[u8]>) -> String {
    let mut stream = connect(address).await;
    // The answer may come, and the connection go, while the request is still being sent.
    let _cut_off = stream.write_all(request.as_ref()).await;
    read(&mut stream).await
}

fn assert_status(answer: &str, status: u16) {
    let start = format!("HTTP/1.1 {status} ");
    let old = format!("HTTP/1.0 {status} ");
    assert!(
        answer.starts_with(&start) || answer.starts_with(&old),
        "{answer}"
    );
}

#[tokio::test]
async fn a_request_for_another_host_is_refused_and_a_configured_name_is_answered() {
    let mut world = World::new().await;
    world.set("status.hosts", "Seatledger.Example, metrics");
    let (daemon, address) = start(&mut world).await;
    let get = |path: &str, host: &str| format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    for path in ["/", "/healthz", "/readyz", "/health", "/metrics"] {
        for host in [
            "localhost:9464",
            &address,
            "seatledger.example",
            "metrics:80",
            "[::1]:1",
        ] {
            assert_status(&ask(&address, get(path, host)).await, 200);
        }
        for host in [
            "evil.example",
            "evil.example:9464",
            "localhost.evil.example",
            "192.0.2.1",
        ] {
            let answer = ask(&address, get(path, host)).await;
            assert_status(&answer, 421);
            assert!(answer.contains("status.hosts"), "{answer}");
            assert!(!answer.contains("next_run"), "{answer}");
        }
    }
    assert_status(&ask(&address, "GET / HTTP/1.1\r\n\r\n").await, 400);
    assert_status(&ask(&address, "GET / HTTP/1.0\r\n\r\n").await, 200);
    let twice = "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n";
    assert_status(&ask(&address, twice).await, 400);
    let absolute = "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_status(&ask(&address, absolute).await, 421);
    // Requests with guessed host names do not fill the log.
    let warnings = daemon.stderr().matches("was refused: ").count();
    assert_eq!(warnings, 1);
    stop(daemon).await;
}

#[tokio::test]
async fn only_reading_is_answered_and_a_body_is_never_waited_for() {
    let mut world = World::new().await;
    let (daemon, address) = start(&mut world).await;
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"] {
        let request = format!(
            "{method} /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: \
                1000000000000\r\n\r\nhalf a"
        );
        let answer = ask(&address, request).await;
        assert_status(&answer, 405);
        assert!(
            answer.to_lowercase().contains("allow: get, head"),
            "{answer}"
        );
    }
    let body = "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n";
    assert_status(&ask(&address, body).await, 200);
    let head = ask(&address, PROBE.replace("GET", "HEAD")).await;
    assert_status(&head, 200);
    assert!(head.ends_with("\r\n\r\n"), "{head}");
    assert_status(
        &ask(&address, PROBE.replace("/ ", "/elsewhere ")).await,
        404,
    );
    // Only the first request on a connection is answered.
    let answers = ask(&address, PROBE.repeat(50)).await;
    assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{answers}");
    // A client that goes on sending is cut off.
    let mut stream = connect(&address).await;
    let endless = "PUT / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(endless.as_bytes()).await.unwrap();
    let chunk = format!("1000\r\n{}\r\n", "0".repeat(0x1000));
    until("the endless body is cut off", async || {
        stream.write_all(chunk.as_bytes()).await.err().map(drop)
    })
    .await;
    stop(daemon).await;
}

#[tokio::test]
async fn silent_connections_do_not_block_a_probe() {
    let mut world = World::new().await;
    let (daemon, address) = start(&mut world).await;
    let mut silent = Vec::new();
    for number in 0..80 {
        let mut stream = connect(&address).await;
        if number % 2 == 0 {
            stream
                .write_all(b"GET / HTTP/1.1\r\nHost: loc")
                .await
                .unwrap();
        }
        silent.push(stream);
    }
    let asked = Instant::now();
    assert_status(&ask(&address, PROBE).await, 200);
    // The probe did not have to wait until the silent connections timed out.
    assert!(
        asked.elapsed() < Duration::from_secs(9),
        "{:?}",
        asked.elapsed()
    );
    // The oldest were closed to make room, and the others time out because no complete header
    // comes.
    for stream in &mut silent {
        assert!(!read(stream).await.contains(" 200 "));
    }
    assert_status(&ask(&address, PROBE).await, 200);
    stop(daemon).await;
}

#[tokio::test]
async fn a_header_sent_byte_by_byte_is_cut_off() {
    let mut world = World::new().await;
    let (daemon, address) = start(&mut world).await;
    let mut stream = connect(&address).await;
    stream.write_all(b"GET / HTTP/1.1\r\nX: ").await.unwrap();
    until("the slow header is cut off", async || {
        stream.write_all(b"x").await.err().map(drop)
    })
    .await;
    stop(daemon).await;
}

#[tokio::test]
async fn the_daemon_survives_hostile_requests() {
    let mut world = World::new().await;
    world.set("schedule.cron", "* * * * * *");
    let (daemon, address) = start(&mut world).await;
    let mut hostile: Vec<Vec<u8>> = vec![
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"\0".repeat(100_000),
        (0..=255).cycle().take(70_000).collect(),
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n".to_vec(),
        b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n".to_vec(),
        b"GET /\r\n\r\n".to_vec(),
        b"\r\n".repeat(50_000),
        "GET /%00%ff/../../etc/passwd?a=%zz HTTP/1.1\r\nHost: localhost\r\n\r\n".into(),
        "GET / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
            .into(),
        "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
            .into(),
    ];
    hostile.push(format!("GET /{} HTTP/1.1\r\n", "a".repeat(2_000_000)).into());
    hostile.push(format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(2_000_000)).into());
    hostile.push(format!("GET / HTTP/1.1\r\n{}\r\n", "X: a\r\n".repeat(10_000)).into());
    for request in hostile {
        let shown = String::from_utf8_lossy(&request[..request.len().min(40)]).into_owned();
        let answer = ask(&address, &request).await;
        assert!(!answer.contains(" 500 "), "{shown}: {answer}");
        assert_status(&ask(&address, PROBE).await, 200);
    }
    // A thousand connections, most of them silent. The client closes none.
    let mut flood = Vec::new();
    for number in 0..1_000 {
        let mut stream = connect(&address).await;
        if number % 10 == 0 {
            // It may be closed already.
            let _sent = stream.write_all(PROBE.as_bytes()).await;
        }
        flood.push(stream);
    }
    assert_status(&ask(&address, PROBE).await, 200);
    let open = std::fs::read_dir(format!("/proc/{}/fd", daemon.id()))
        .unwrap()
        .count();
    assert!(open < 100, "{open} files are open");
    let runs = "select count(*) from sync_run where outcome = 'succeeded'";
    let before: i64 = world.value(runs).await;
    until("two further runs succeed", async || {
        (world.value::<i64>(runs).await > before + 1).then_some(())
    })
    .await;
    drop(flood);
    assert!(!daemon.stderr().contains("panicked"), "{}", daemon.stderr());
    stop(daemon).await;
}

/// Asserts that nothing that is asked waits for a database that hangs.
async fn assert_answers_at_once(address: &str) {
    let get = |path: &str| PROBE.replace("GET / ", &format!("GET {path} "));
    until("the database is known to hang", async || {
        let asked = Instant::now();
        let answer = ask(address, get("/readyz")).await;
        assert!(asked.elapsed() < AT_ONCE, "{:?}", asked.elapsed());
        answer.starts_with("HTTP/1.1 503 ").then_some(())
    })
    .await;
    for (path, status, words) in [
        ("/healthz", 200, "alive"),
        ("/readyz", 503, r#""waiting_for":"the database""#),
        ("/health", 503, r#""error":"no answer","ok":false"#),
        ("/", 503, r#""database":"no answer""#),
        ("/metrics", 200, "\nseatledger_database_up 0\n"),
    ] {
        let questions = (0..20).map(|_| async {
            let asked = Instant::now();
            (ask(address, get(path)).await, asked.elapsed())
        });
        for (answer, took) in futures_util::future::join_all(questions).await {
            assert_status(&answer, status);
            assert!(answer.contains(words), "{path}: {answer}");
            assert!(took < AT_ONCE, "{path}: {took:?}");
        }
    }
}

async fn assert_available_again(address: &str) {
    until("the database is told to be available again", async || {
        ask(address, PROBE)
            .await
            .contains(r#""database":"available""#)
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_locked_table_is_reported_at_once_and_costs_the_run_nothing() {
    let mut world = World::new().await;
    world.set("database.max_connections", "1");
    let (daemon, address) = start(&mut world).await;
    assert_status(&ask(&address, PROBE).await, 200);
    let mut holder = world.pool.begin().await.unwrap();
    sqlx::raw_sql("lock table sync_run")
        .execute(&mut *holder)
        .await
        .unwrap();
    assert_answers_at_once(&address).await;
    // Questions that were given up do not stay in the database.
    until("at most one question waits in the database", async || {
        let waiting: i64 = world
            .value(
                "select count(*) from pg_stat_activity where application_name = 'seatledger' \
                and datname = current_database() and wait_event_type = 'Lock'",
            )
            .await;
        (waiting <= 1).then_some(())
    })
    .await;
    drop(holder);
    assert_available_again(&address).await;
    stop(daemon).await;
}

#[tokio::test]
async fn a_frozen_database_keeps_no_probe_waiting() {
    let server = Server::start();
    let mut world = World::on_server(&server, 3).await;
    let (daemon, address) = start(&mut world).await;
    assert_status(&ask(&address, PROBE).await, 200);
    let session: i32 = world
        .value(
            "select pid from pg_stat_activity where query like '%last_processed_date%' \
             and pid <> pg_backend_pid() or query = 'ROLLBACK' limit 1",
        )
        .await;
    // The server accepts nobody, and the session that is asked answers nothing.
    let frozen = [server.pid(), session.to_string()];
    for pid in &frozen {
        assert!(send_signal("STOP", pid));
    }
    assert_answers_at_once(&address).await;
    for pid in &frozen {
        assert!(send_signal("CONT", pid));
    }
    assert_available_again(&address).await;
    stop(daemon).await;
}

#[tokio::test]
async fn a_database_behind_a_black_hole_keeps_no_probe_waiting() {
    let server = Server::start();
    let link = Link::to(&server.url()).await;
    let mut world = World::at(server.pool(), link.url(), 3).await;
    let (daemon, address) = start(&mut world).await;
    assert_status(&ask(&address, PROBE).await, 200);
    link.lose(Lost::BOTH);
    assert_answers_at_once(&address).await;
    link.mend();
    assert_available_again(&address).await;
    stop(daemon).await;
}

#[tokio::test]
async fn pages_that_wait_for_the_database_keep_no_probe_waiting() {
    let server = Server::start();
    let link = Link::to(&server.url()).await;
    let mut world = World::at(server.pool(), link.url(), 3).await;
    let (daemon, address) = start(&mut world).await;
    link.lose(Lost::BOTH);
    let page = "GET /customers HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n";
    let mut pages = Vec::new();
    for _ in 0..48 {
        let mut stream = connect(&address).await;
        stream.write_all(page.as_bytes()).await.unwrap();
        pages.push(stream);
    }
    let probe = PROBE.replace("GET / ", "GET /healthz ");
    assert_status(&ask(&address, probe).await, 200);
    let first = pages[0].try_read(&mut [0; 64]);
    let is_waiting = first.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
    assert!(is_waiting, "the probe waited until a page was given up");
    let answers = futures_util::future::join_all(pages.iter_mut().map(read)).await;
    for answer in &answers {
        assert_status(answer, 503);
    }
    assert!(answers.iter().any(|it| it.contains("too many pages")));
    link.mend();
    assert_available_again(&address).await;
    stop(daemon).await;
}

#[tokio::test]
async fn clients_that_keep_an_answered_connection_open_keep_no_probe_waiting() {
    let mut world = World::new().await;
    let (daemon, address) = start(&mut world).await;
    // Again on a machine that is busy just then. Each 64 of them would otherwise take a second.
    until(
        "800 clients and a probe are answered within 8 s",
        async || {
            let asked = Instant::now();
            let mut kept = Vec::new();
            for _ in 0..800 {
                let mut stream = connect(&address).await;
                stream.write_all(PROBE.as_bytes()).await.unwrap();
                kept.push(stream);
            }
            assert_status(&ask(&address, PROBE).await, 200);
            (asked.elapsed() < Duration::from_secs(8)).then_some(())
        },
    )
    .await;
    stop(daemon).await;
}

#[tokio::test]
async fn before_the_database_is_there_the_daemon_lives_and_says_what_it_waits_for() {
    let server = Server::start();
    let mut world = World::on_server(&server, 3).await;
    server.stop();
    world.set("status.listen", "127.0.0.1:0");
    let daemon = world.start(&[]);
    let url = daemon.status_address().await;
    assert_eq!(get(&format!("{url}healthz")).await.0, 200);
    let (code, body) = get(&format!("{url}readyz")).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(code, 503, "{body}");
    assert_eq!(body["waiting_for"], "the database");
    assert_eq!(body["role"]["name"], "starting");
    server.start_again();
    let ready = until("the daemon is ready", async || {
        let (code, body) = get(&format!("{url}readyz")).await;
        (code == 200).then_some(body)
    });
    let ready: Value = serde_json::from_str(&ready.await).unwrap();
    assert_eq!(ready["role"]["name"], "leader", "{ready}");
    for part in ["database", "schema", "schedule", "role"] {
        assert_eq!(ready[part]["ok"], true, "{ready}");
    }
    stop(daemon).await;
}

#[tokio::test]
async fn an_address_that_is_taken_is_served_once_it_is_free() {
    let mut world = World::new().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    world.set("status.listen", &address);
    let daemon = world.start(&[]);
    daemon.says("cannot be served and is tried again").await;
    daemon.says("Waiting for the next run").await;
    drop(taken);
    daemon.says("Serving the status address").await;
    let tried = daemon.stderr().matches("cannot be served").count();
    assert_eq!(tried, 1);
    assert_status(&ask(&address, PROBE).await, 200);
    stop(daemon).await;
}
