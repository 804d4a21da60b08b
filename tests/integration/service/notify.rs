//! Notifications: what a dead man's switch and a webhook receive, and that targets which answer
//! badly or not at all neither fail nor hold up a run.

use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::sync::Notify;

use seatledger::clock::{Clock as _, SystemClock};

use crate::support::{World, get, spawn, until};

/// The part of the addresses that nobody may see.
const ID: &str = "3f0e7a52-aa41-4c6e-9d5c-2b8a4d1f7e66";

const SECRET: &str = "the-secret-of-the-webhook";

/// What a target received.
#[derive(Debug, Clone)]
struct Received {
    target: String,
    headers: HeaderMap,
    body: String,
}

/// A target of notifications.
struct Receiver {
    base: String,
    received: Arc<Mutex<Vec<Received>>>,
    /// Lets a target that hangs answer.
    release: Arc<Notify>,
}

impl Receiver {
    /// Answers every request with `answer`; without one, only when it is released.
    async fn start(answer: Option<fn() -> Response>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let received = Arc::<Mutex<Vec<Received>>>::default();
        let release = Arc::<Notify>::default();
        let (log, released) = (Arc::clone(&received), Arc::clone(&release));
        let serve = move |request: Request| {
            let (log, released) = (Arc::clone(&log), Arc::clone(&released));
            async move {
                let (head, body) = request.into_parts();
                let body = to_bytes(body, 1 << 20).await.unwrap();
                log.lock().unwrap().push(Received {
                    target: format!("{} {}", head.method, head.uri),
                    headers: head.headers,
                    body: String::from_utf8(body.to_vec()).unwrap(),
                });
                if answer.is_none() {
                    released.notified().await;
                }
                answer.map_or_else(|| StatusCode::OK.into_response(), |answer| answer())
            }
        };
        spawn(axum::serve(listener, axum::Router::new().fallback(serve)).into_future());
        Self {
            base,
            received,
            release,
        }
    }

    async fn good() -> Self {
        Self::start(Some(|| StatusCode::OK.into_response())).await
    }

    fn all(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// The requests for paths of one target.
    fn of(&self, path: &str) -> Vec<Received> {
        let start = format!("POST /{path}/{ID}");
        let all = self.all().into_iter();
        all.filter(|received| received.target.starts_with(&start))
            .collect()
    }

    fn targets(&self, path: &str) -> Vec<String> {
        let received = self.of(path).into_iter();
        received.map(|received| received.target).collect()
    }

    fn events(&self) -> Vec<Value> {
        let received = self.of("hook").into_iter();
        received
            .map(|received| serde_json::from_str(&received.body).unwrap())
            .collect()
    }

    /// Has the program tell both of its targets here.
    fn configure(&self, world: &mut World) {
        world.set("notify.ping_url", &format!("{}/ping/{ID}?rid=7", self.base));
        world.set("notify.webhook_url", &format!("{}/hook/{ID}", self.base));
        world.set("notify.webhook_secret", SECRET);
    }
}

async fn refuse(world: &World, customers: &[String]) {
    let fault = json!({"code": "2032", "description": "Fabrikam may not, nor may its admin"});
    for customer in customers {
        let refusal = json!([{ "status": 403, "json": fault }]);
        world.simulator.script_for_ever(customer, refusal).await;
    }
}

fn assert_shows_no_secret(what: &str, text: &str) {
    for secret in [ID, SECRET] {
        assert!(!text.contains(secret), "{what} shows {secret}: {text}");
    }
}

#[tokio::test]
async fn both_targets_are_told_without_customers() {
    let mut world = World::new().await;
    let receiver = Receiver::good().await;
    receiver.configure(&mut world);
    world.set("log.filter", "trace");
    let customers = world.simulator.customers().await;
    refuse(&world, &customers[..1]).await;
    let finished = world.backfill().await;
    finished.assert_code(3);
    assert_eq!(
        receiver.targets("ping"),
        [
            format!("POST /ping/{ID}/start?rid=7"),
            format!("POST /ping/{ID}?rid=7")
        ]
    );
    let pings = receiver.of("ping");
    let text = &pings[1].body;
    for line in [
        "Run 1 (backfill) on ",
        ": partial after ",
        "customers  4 of 5 stored, 1 failed",
        "failed     1 with forbidden",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let events = receiver.events();
    let [event] = &events[..] else {
        panic!("{events:?}");
    };
    let summary = finished.summary();
    assert_eq!(
        (&event["version"], &event["event"]),
        (&json!(1), &json!("run"))
    );
    for member in [
        "run_id",
        "outcome",
        "started_at",
        "finished_at",
        "customers",
        "rows",
        "http",
    ] {
        assert_eq!(event["run"][member], summary[member], "{member}");
    }
    assert_eq!(event["run"]["kind"], "backfill");
    assert_eq!(event["run"]["failures"], json!({"forbidden": 1}));

    for received in receiver.all() {
        assert!(!received.headers.contains_key(header::AUTHORIZATION));
        for hidden in customers.iter().map(String::as_str).chain(["Fabrikam"]) {
            assert!(!received.body.contains(hidden), "{}", received.body);
        }
    }
    assert_shows_no_secret("the log", &finished.stderr);
    assert_shows_no_secret("the summary", &finished.stdout);
}

#[tokio::test]
async fn a_message_is_signed_with_the_secret_and_its_time() {
    let mut world = World::new().await;
    let receiver = Receiver::good().await;
    receiver.configure(&mut world);
    world.backfill().await.assert_code(0);
    let hooks = receiver.of("hook");
    let [Received { headers, body, .. }] = &hooks[..] else {
        panic!("{hooks:?}");
    };
    let value = |name| headers[name].to_str().unwrap();
    let timestamp = value("x-seatledger-timestamp");
    let signature = value("x-seatledger-signature").strip_prefix("v1=").unwrap();
    let digits = signature.as_bytes().chunks(2);
    let bytes: Vec<u8> = digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signed = format!("{timestamp}.{body}");
    hmac::verify(&key, signed.as_bytes(), &bytes).unwrap();
    let now = SystemClock.now().timestamp();
    assert!((now - 600..=now).contains(&timestamp.parse().unwrap()));
}

#[tokio::test]
async fn a_run_without_a_stored_customer_is_a_failure_and_one_of_named_customers_is_not_told() {
    let mut world = World::new().await;
    let receiver = Receiver::good().await;
    receiver.configure(&mut world);
    let customers = world.simulator.customers().await;
    for arguments in [
        &["--backfill", "--dry-run"][..],
        &["--backfill", "--customer", &customers[0]],
    ] {
        world.run(arguments).await.assert_code(0);
    }
    assert_eq!(receiver.all().len(), 0);
    refuse(&world, &customers).await;
    world.backfill().await.assert_code(3);
    assert_eq!(
        receiver.targets("ping").last().unwrap(),
        &format!("POST /ping/{ID}/fail?rid=7")
    );
    assert_eq!(receiver.events()[0]["run"]["outcome"], "failed");
}

#[tokio::test]
async fn bad_targets_neither_fail_a_run_nor_hold_it_up() {
    let answers: [Option<fn() -> Response>; 4] = [
        None,
        Some(|| StatusCode::INTERNAL_SERVER_ERROR.into_response()),
        Some(|| StatusCode::NOT_FOUND.into_response()),
        Some(|| {
            let moved = [(header::LOCATION, "/elsewhere")];
            (StatusCode::TEMPORARY_REDIRECT, moved).into_response()
        }),
    ];
    for answer in answers {
        let mut world = World::new().await;
        world.set("log.filter", "trace");
        let receiver = Receiver::start(answer).await;
        receiver.configure(&mut world);
        // A target that hangs is released only after the program has ended.
        let finished = world.backfill().await;
        finished.assert_code(0);
        assert_eq!(finished.summary()["customers"]["succeeded"], 5);
        receiver.release.notify_waiters();
        let all = receiver.all();
        assert!(
            all.iter()
                .all(|received| !received.target.contains("elsewhere"))
        );
        assert!(!all.is_empty());
        let said = "A notification was not delivered";
        assert!(finished.stderr.contains(said), "{}", finished.stderr);
        assert_shows_no_secret("the log", &finished.stderr);
    }
    let mut world = World::new().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    world.set("notify.ping_url", &format!("http://{address}/ping/{ID}"));
    let finished = world.backfill().await;
    finished.assert_code(0);
    assert_shows_no_secret("the log", &finished.stderr);
}

#[tokio::test]
async fn a_failed_delivery_is_tried_again_and_then_said_without_the_address() {
    let mut world = World::new().await;
    let receiver = Receiver::start(Some(|| StatusCode::BAD_GATEWAY.into_response())).await;
    world.set("notify.ping_url", &format!("{}/ping/{ID}", receiver.base));
    world.set("schedule.run_on_start", "always");
    let daemon = world.start(&[]);
    // The start of the run may have given way to its end.
    let end = format!("POST /ping/{ID}");
    until("the end was tried three times", async || {
        let targets = receiver.targets("ping").into_iter();
        (targets.filter(|target| *target == end).count() == 3).then_some(())
    })
    .await;
    daemon.signal("TERM");
    let finished = daemon.finish().await;
    finished.assert_code(0);
    let said = format!(
        "notify.ping_url at {} answers with status 502 Bad Gateway",
        receiver.base
    );
    assert!(finished.stderr.contains(&said), "{}", finished.stderr);
    assert_shows_no_secret("the log", &finished.stderr);
}

#[tokio::test]
async fn a_daemon_that_needs_a_person_says_so_before_it_ends() {
    let mut world = World::new().await;
    let receiver = Receiver::good().await;
    receiver.configure(&mut world);
    let refusal = json!([{ "status": 400, "json": {
        "error": "invalid_grant", "error_codes": [50_173], "error_description": "revoked" } }]);
    world.simulator.script_for_ever("token", refusal).await;
    world.run(&[]).await.assert_code(4);
    assert_eq!(
        receiver.targets("ping"),
        [format!("POST /ping/{ID}/fail?rid=7")]
    );
    let problem = json!({"part": "sign_in", "remedy": "person"});
    let events = receiver.events();
    assert_eq!(
        (&events[0]["event"], &events[0]["problem"]),
        (&json!("program"), &problem)
    );
}

#[tokio::test]
async fn a_daemon_tells_of_its_runs_and_a_stop_waits_for_no_target() {
    let mut world = World::new().await;
    let receiver = Receiver::start(None).await;
    receiver.configure(&mut world);
    world.set("schedule.run_on_start", "always");
    let daemon = world.start(&[]);
    daemon.says("Waiting for the next run").await;
    until("the end of the run is told", async || {
        (!receiver.of("hook").is_empty()).then_some(())
    })
    .await;
    daemon.signal("TERM");
    daemon.finish().await.assert_code(0);
    assert_eq!(receiver.events()[0]["run"]["kind"], "startup");
}

#[tokio::test]
async fn check_tries_both_targets_and_changes_no_state() {
    let mut world = World::new().await;
    let receiver = Receiver::good().await;
    receiver.configure(&mut world);
    let check = world.run(&["check"]).await;
    check.assert_code(0);
    assert!(check.stdout.contains("ok    ping"), "{}", check.stdout);
    assert!(check.stdout.contains("ok    webhook"), "{}", check.stdout);
    assert_eq!(
        receiver.targets("ping"),
        [format!("POST /ping/{ID}/log?rid=7")]
    );
    assert_eq!(receiver.events()[0]["event"], "test");
    let bad = Receiver::start(Some(|| StatusCode::NOT_FOUND.into_response())).await;
    world.set("notify.ping_url", &format!("{}/ping/{ID}", bad.base));
    let check = world.run(&["check"]).await;
    check.assert_code(4);
    let said = format!(
        "mend  ping           notify.ping_url at {} answers with status 404 Not Found",
        bad.base
    );
    assert!(check.stdout.contains(&said), "{}", check.stdout);
    assert_shows_no_secret("check", &(check.stdout + &check.stderr));
    // What may pass by itself needs no person.
    let busy = Receiver::start(Some(|| StatusCode::BAD_GATEWAY.into_response())).await;
    world.set("notify.ping_url", &format!("{}/ping/{ID}", busy.base));
    world.run(&["check"]).await.assert_code(1);
}

#[tokio::test]
async fn the_metrics_count_what_was_delivered_and_what_was_not() {
    let mut world = World::new().await;
    let good = Receiver::good().await;
    let bad = Receiver::start(Some(|| StatusCode::NOT_FOUND.into_response())).await;
    bad.configure(&mut world);
    world.set("notify.ping_url", &format!("{}/ping/{ID}", good.base));
    world.set("schedule.run_on_start", "always");
    world.set("status.listen", "127.0.0.1:0");
    let daemon = world.start(&[]);
    let url = format!("{}metrics", daemon.status_address().await);
    until("the messages are counted", async || {
        let (_, page) = get(&url).await;
        let counted = |target: &str, outcome: &str, count: u64| {
            let labels = format!("target=\"{target}\",outcome=\"{outcome}\"");
            page.contains(&format!(
                "seatledger_notifications_total{{{labels}}} {count}\n"
            ))
        };
        let all = counted("ping", "delivered", 2)
            && counted("ping", "failed", 0)
            && counted("webhook", "delivered", 0)
            && counted("webhook", "failed", 1);
        all.then_some(())
    })
    .await;
}
