//! What a throttle looks like from outside: its events and its status, in paused time.

use std::io;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use tokio::time::advance;
use tracing::subscriber::{DefaultGuard, NoSubscriber};
use tracing::{Dispatch, Level};

use crate::partner_center::throttle::attribution::RefusedByScope;
use crate::partner_center::throttle::limiter::{Limiter, Reply};
use crate::watchdog::Pulse;

/// While there is only one dispatcher, the first thread that comes to an event decides for all
/// whether anybody listens, and the thread of another test has no subscriber.
static SECOND_DISPATCHER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::new()));

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn start() -> (Self, DefaultGuard) {
        LazyLock::force(&SECOND_DISPATCHER);
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .without_time()
            .with_target(false)
            .with_max_level(Level::DEBUG)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// Takes what has been logged so far.
    fn take(&self) -> Vec<String> {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap());
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(|line| line.trim().to_owned()).collect()
    }
}

/// One request about no customer, which only the tenant's limit refuses.
async fn request(limiter: &Limiter, reply: Reply) {
    let permit = limiter
        .acquire(None, true, Duration::MAX, &Pulse::default())
        .await
        .unwrap();
    advance(Duration::from_millis(20)).await;
    permit.complete(reply);
}

fn refused(secs: u64) -> Reply {
    Reply::RateLimited {
        retry_after: Some(Duration::from_secs(secs)),
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_and_its_end_are_logged_at_info_once_a_minute() {
    let (log, _guard) = Log::start();
    let limiter = Limiter::new(None, Duration::from_mins(15));
    request(&limiter, Reply::Served).await;
    assert_eq!(log.take(), Vec::<String>::new());
    for level in ["INFO", "DEBUG"] {
        request(&limiter, refused(10)).await;
        let lines = log.take();
        assert!(
            lines.iter().any(|line| line.starts_with(level)
                && line.contains("all calls wait 10.0s")
                && line.contains("wait_ms=10000")),
            "{lines:?}"
        );
        // A probe that is refused prolongs the pause.
        request(&limiter, refused(5)).await;
        let lines = log.take();
        assert!(
            lines.iter().all(|line| line.starts_with("DEBUG")) && lines.len() == 1,
            "{lines:?}"
        );
        request(&limiter, Reply::Served).await;
        let lines = log.take();
        assert!(
            lines.iter().any(|line| line.starts_with(level)
                && line.contains("serves calls again after a pause of 15.")
                && line.contains("paused_ms=15")),
            "{lines:?}"
        );
    }
    advance(Duration::from_mins(1)).await;
    request(&limiter, refused(10)).await;
    assert!(log.take().iter().any(|line| line.starts_with("INFO")));
}

#[tokio::test(start_paused = true)]
async fn a_lower_rate_is_logged_with_the_rate() {
    let (log, _guard) = Log::start();
    let limiter = Limiter::new(None, Duration::from_mins(15));
    for _ in 0..20 {
        request(&limiter, Reply::Served).await;
    }
    request(&limiter, refused(1)).await;
    let rate = limiter.learned().unwrap();
    let lines = log.take();
    let said = format!("more than {rate:.1} requests a second: sending no more rate=");
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("INFO") && line.contains(&said)),
        "{lines:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_status_tells_of_a_pause_while_it_lasts() {
    let limiter = Limiter::new(Some(40.0), Duration::from_mins(15));
    let now = DateTime::UNIX_EPOCH;
    let status = limiter.snapshot(now);
    assert_eq!((status.in_flight, status.paused_until), (0, None));
    assert_eq!(status.allowed_per_second, Some(40.0));
    request(&limiter, Reply::Served).await;
    let permit = limiter
        .acquire(None, true, Duration::MAX, &Pulse::default())
        .await
        .unwrap();
    assert_eq!(limiter.snapshot(now).in_flight, 1);
    permit.complete(refused(30));
    advance(Duration::from_secs(10)).await;
    let status = limiter.snapshot(now);
    assert_eq!(status.paused_until, Some(now + TimeDelta::seconds(20)));
    assert!((status.paused_seconds - 10.0).abs() < 0.1, "{status:?}");
    assert_eq!(status.in_flight, 0);
    assert_eq!(
        status.refused,
        RefusedByScope {
            tenant: 1,
            customer: 0
        }
    );
    request(&limiter, Reply::Served).await;
    let status = limiter.snapshot(now);
    assert_eq!(status.paused_until, None);
    assert!((status.paused_seconds - 30.0).abs() < 0.1, "{status:?}");
}
