//! The connection to Microsoft: certificates, TLS, proxies and host names. A fault that does not
//! pass by itself ends the program at once, with a message that says where it is and what to do.
//! Any other fault is retried.

use rcgen::ExtendedKeyUsagePurpose;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::{CertificateAuthority, Claims, TlsFront, World, self_signed, spawn, until};

/// Each way to start the program: a backfill, `check` and the daemon.
const CALLS: [&[&str]; 3] = [&["--backfill"], &["check"], &[]];

/// A world whose simulator is reached over TLS. Calls are retried for much longer than a test
/// waits.
async fn world(authority: &CertificateAuthority) -> (World, TlsFront) {
    let mut world = World::new().await;
    let good = authority.certify(&Claims::default());
    let front = TlsFront::start(&world.simulator.base_url, good).await;
    world.set("partner_center.base_url", &front.url);
    world.set("auth.authority", &front.url);
    world.set("retry.max_elapsed_time", "15m");
    let trusted = world.write("authorities.pem", &authority.pem());
    world.set_variable("SSL_CERT_FILE", &trusted);
    (world, front)
}

/// Runs the program in each way and expects exit code `code` and all of `words` in its output.
async fn gives_up(world: &World, code: i32, words: &[&str]) {
    for arguments in CALLS {
        let finished = world.run(arguments).await;
        let said = format!("{}{}", finished.stdout, finished.stderr);
        assert_eq!(finished.code(), code, "{arguments:?}: {said}");
        for word in words {
            assert!(said.contains(word), "{arguments:?}, {word}: {said}");
        }
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[tokio::test]
async fn a_trusted_certificate_is_all_it_takes() {
    let authority = CertificateAuthority::new("ours");
    let (world, _front) = world(&authority).await;
    world.run(&["check"]).await.assert_code(0);
    world.backfill().await.assert_code(0);
}

#[tokio::test]
async fn an_untrusted_certificate_ends_the_program_at_once() {
    let authority = CertificateAuthority::new("ours");
    let (mut world, front) = world(&authority).await;
    let good = Claims::default();
    let claims = |years, name, purpose| Claims {
        years,
        names: vec![name],
        purpose,
    };
    let server = ExtendedKeyUsagePurpose::ServerAuth;
    let expired = claims((2019, 2021), "localhost", server.clone());
    let early = claims((2088, 2090), "localhost", server.clone());
    let elsewhere = claims((2020, 2090), "elsewhere.example", server);
    let client = claims(
        (2020, 2090),
        "localhost",
        ExtendedKeyUsagePurpose::ClientAuth,
    );
    let port = front.url.rsplit(':').next().unwrap().to_owned();
    for (presented, words) in [
        (
            authority.certify(&expired),
            ["expired on 2021-01-01", "clock"],
        ),
        (
            authority.certify(&early),
            ["valid from 2088-01-01", "clock"],
        ),
        (
            authority.certify(&elsewhere),
            ["for elsewhere.example and not for localhost", "base_url"],
        ),
        (
            authority.certify(&client),
            ["its certificate cannot be used", "replace the certificate"],
        ),
        (
            CertificateAuthority::new("another").certify(&good),
            [
                "not signed by an authority that this machine trusts",
                "SSL_CERT_FILE",
            ],
        ),
        (
            self_signed(&good),
            [
                "not signed by an authority that this machine trusts",
                "SSL_CERT_FILE",
            ],
        ),
    ] {
        front.present(presented);
        let peer = format!("localhost:{port}");
        gives_up(&world, 4, &[&words[..], &[&peer]].concat()).await;
        // The sign-in service can be reached, and the API cannot.
        if words[1] == "SSL_CERT_FILE" {
            let sign_in = world.simulator.base_url.clone();
            world.set("auth.authority", &sign_in);
            gives_up(&world, 4, &[&words[..], &[&peer]].concat()).await;
            world.set("auth.authority", &front.url);
        }
    }
    assert!(world.simulator.requests("usage").await.is_empty());
}

#[tokio::test]
async fn a_certificate_that_goes_bad_in_mid_run_ends_it_and_what_was_stored_stays() {
    let authority = CertificateAuthority::new("ours");
    let mut world = World::with_customers(60).await;
    let good = authority.certify(&Claims::default());
    let front = TlsFront::start(&world.simulator.base_url, good).await;
    let trusted = world.write("authorities.pem", &authority.pem());
    world.set_variable("SSL_CERT_FILE", &trusted);
    world.set("partner_center.base_url", &front.url);
    world.set("partner_center.max_concurrency", "2");
    world.set("retry.max_elapsed_time", "15m");
    world.simulator.patch(json!({ "latency_ms": 200 })).await;
    for arguments in [&["--backfill"][..], &[]] {
        world
            .execute("truncate sync_customer, sync_run, rejected_row, license_usage")
            .await;
        let running = world.start(arguments);
        until("some customers are stored", async || {
            let stored: i64 = world.value("select count(*) from sync_customer").await;
            (stored >= 4).then_some(())
        })
        .await;
        front.present(self_signed(&Claims::default()));
        let finished = running.finish().await;
        finished.assert_code(4);
        assert!(
            finished.stderr.contains("SSL_CERT_FILE"),
            "{}",
            finished.stderr
        );
        let run = "select outcome, customers_succeeded >= 4, customers_succeeded < 60, detail like \
            '%certificate%' from sync_run";
        assert_eq!(world.lines(run).await, ["failed|true|true|true"]);
        front.present(authority.certify(&Claims::default()));
    }
}

#[tokio::test]
async fn a_handshake_that_is_cut_is_tried_again() {
    let authority = CertificateAuthority::new("ours");
    let (mut world, front) = world(&authority).await;
    world.set("retry.max_elapsed_time", "10s");
    front.cut(3);
    world.backfill().await.assert_code(0);
    let sign_in = world.simulator.base_url.clone();
    world.set("auth.authority", &sign_in);
    front.cut(3);
    world.backfill().await.assert_code(0);
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_named_as_such() {
    let authority = CertificateAuthority::new("ours");
    let (mut world, _front) = world(&authority).await;
    let plain = answering("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", b"").await;
    let peer = plain.replace("127.0.0.1", "localhost");
    world.set("auth.authority", &format!("https://{peer}"));
    gives_up(&world, 4, &[&peer, "does not speak TLS", "auth.authority"]).await;
}

#[tokio::test]
async fn unusable_files_of_trusted_authorities_are_reported_with_their_path() {
    let authority = CertificateAuthority::new("ours");
    let (mut world, _front) = world(&authority).await;
    let folder = world.folder.path().to_str().unwrap().to_owned();
    let text = world.write("notes.txt", "no certificate\n");
    let empty = world.folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    for (file, why) in [
        ("/nowhere/authorities.pem", "cannot be read"),
        (text.as_str(), "no certificate in PEM form"),
        (&folder, "is a folder"),
        ("", "is empty"),
        ("/dev/null", "is not a certificate file"),
    ] {
        world.set_variable("SSL_CERT_FILE", file);
        gives_up(&world, 78, &["SSL_CERT_FILE", file, why]).await;
    }
    world.unset_variable("SSL_CERT_FILE");
    for (folder, why) in [
        ("/nowhere/authorities", "cannot be read"),
        (empty.to_str().unwrap(), "holds no certificate"),
    ] {
        world.set_variable("SSL_CERT_DIR", folder);
        gives_up(&world, 78, &["SSL_CERT_DIR", folder, why]).await;
    }
    world.set_variable("SSL_CERT_DIR", &format!("/nowhere:{folder}"));
    world.backfill().await.assert_code(0);
}

/// A server, such as a proxy, that gives this answer to every request that ends with `end`.
async fn answering(answer: &'static str, end: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            spawn(async move {
                let mut asked = Vec::new();
                while !asked.ends_with(end) {
                    match stream.read_u8().await {
                        Ok(byte) => asked.push(byte),
                        Err(_) => return,
                    }
                }
                let _sent = stream.write_all(answer.as_bytes()).await;
                // Closing a socket with unread input would reset it and cut the answer short.
                let _rest = stream.read_to_end(&mut asked).await;
            });
        }
    });
    address.to_string()
}

async fn proxy(answer: &'static str) -> String {
    answering(answer, b"\r\n\r\n").await
}

#[tokio::test]
async fn a_proxy_that_wants_another_password_ends_the_program_at_once() {
    let authority = CertificateAuthority::new("ours");
    let (mut world, _front) = world(&authority).await;
    let proxy = proxy(
        "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic \
            realm=\"x\"\r\nContent-Length: 0\r\n\r\n",
    )
    .await;
    for variable in ["HTTPS_PROXY", "all_proxy"] {
        world.set_variable(variable, &format!("http://me:an0ther-secret@{proxy}"));
        gives_up(&world, 4, &[&format!("http://{proxy}"), "407", "password"]).await;
        let sign_in = world.simulator.base_url.clone();
        let before = world.set("auth.authority", &sign_in).unwrap();
        gives_up(&world, 4, &[&format!("http://{proxy}"), "407", "password"]).await;
        world.set("log.filter", "trace");
        let finished = world.backfill().await;
        assert!(
            !finished.stderr.contains("an0ther-secret"),
            "{}",
            finished.stderr
        );
        world.unset("log.filter");
        world.set("auth.authority", &before);
        world.unset_variable(variable);
    }
}

#[tokio::test]
async fn a_proxy_that_is_down_or_refuses_for_now_is_retried_and_named() {
    let authority = CertificateAuthority::new("ours");
    let (mut world, _front) = world(&authority).await;
    world.set("retry.max_elapsed_time", "300ms");
    let busy = proxy("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n").await;
    for address in [busy.as_str(), "127.0.0.1:9"] {
        world.set_variable("HTTPS_PROXY", &format!("http://me:s3cret-word@{address}"));
        for arguments in [&["--backfill"][..], &["check"]] {
            let finished = world.run(arguments).await;
            finished.assert_code(1);
            let said = finished.stdout + &finished.stderr;
            assert!(said.contains(&format!("proxy http://{address}")), "{said}");
            assert!(!said.contains("s3cret-word"), "{said}");
        }
    }
}

#[tokio::test]
async fn an_unsupported_proxy_is_a_fault_of_the_environment() {
    let authority = CertificateAuthority::new("ours");
    let (mut world, _front) = world(&authority).await;
    let socks = ("socks5://me:a-secret@proxy.example:1080", "socks5://");
    for (variable, (address, why)) in [
        ("HTTPS_PROXY", socks),
        ("https_proxy", socks),
        ("ALL_PROXY", socks),
        ("all_proxy", socks),
        ("HTTPS_PROXY", ("socks4://proxy.example", "socks4://")),
        ("HTTPS_PROXY", ("ftp://proxy.example", "ftp://")),
        (
            "HTTPS_PROXY",
            ("http://me:a-secret#@proxy.example:3128", "percent-encoded"),
        ),
        (
            "HTTPS_PROXY",
            ("not a url a-secret", "not the address of a proxy"),
        ),
    ] {
        world.set_variable(variable, address);
        gives_up(&world, 78, &[variable, why]).await;
        let said = world.run(&["check"]).await.stderr;
        assert!(!said.contains("a-secret"), "{said}");
        world.unset_variable(variable);
    }
    // Neither is used: `HTTP_PROXY` is for plain HTTP only, and `NO_PROXY` overrules `ALL_PROXY`.
    world.set_variable("HTTP_PROXY", "socks5://proxy.example:1080");
    world.set_variable("ALL_PROXY", "socks5://proxy.example:1080");
    world.set_variable("NO_PROXY", "localhost");
    world.backfill().await.assert_code(0);
    world.set_variable("HTTP_PROXY", "not a url");
    gives_up(&world, 78, &["HTTP_PROXY", "not the address of a proxy"]).await;
}

#[tokio::test]
async fn a_command_line_call_gives_up_soon_on_an_unknown_host() {
    let mut world = World::new().await;
    world.set("retry.max_interval", "5s");
    world.set("retry.max_elapsed_time", "15m");
    let authority = CertificateAuthority::new("ours");
    let trusted = world.write("authorities.pem", &authority.pem());
    world.set_variable("SSL_CERT_FILE", &trusted);
    world.set("auth.authority", "https://no-such-host.invalid");
    let both = [world.start(&["--backfill"]), world.start(&["check"])];
    for running in both {
        let finished = running.finish().await;
        finished.assert_code(1);
        let said = finished.stdout + &finished.stderr;
        assert!(said.contains("no-such-host.invalid"), "{said}");
    }
}
