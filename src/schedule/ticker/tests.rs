use tokio::time::timeout;

use super::*;
use crate::clock::{ManualClock, SystemClock};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn ticker(cron: &str, zone: &str, clock: Arc<dyn Clock>) -> Ticker {
    let schedule = Schedule::try_new(cron, zone, at("2026-01-01T00:00:00Z")).unwrap();
    Ticker::new(schedule, clock)
}

fn daily(now: &str) -> (Ticker, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(at(now)));
    let ticker = ticker("0 0 6 * * *", "UTC", Arc::clone(&clock) as Arc<dyn Clock>);
    (ticker, clock)
}

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn ticks_come_one_after_the_other() {
    let mut ticker = ticker("* * * * * *", "Asia/Kathmandu", Arc::new(SystemClock));
    let first = ticker.tick().await;
    let second = ticker.tick().await;
    assert!(second > first);
    ticker.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_scheduler_is_awake_only_when_a_tick_is_near() {
    let (mut ticker, clock) = daily("2026-05-04T12:00:00Z");
    assert!(timeout(17 * HOUR, ticker.tick()).await.is_err());
    assert!(ticker.alarm.is_none());
    clock.set(at("2026-05-05T05:59:30Z"));
    assert!(
        timeout(Duration::from_secs(20), ticker.tick())
            .await
            .is_err()
    );
    assert!(ticker.alarm.is_some());
    assert_eq!(ticker.tick().await, at("2026-05-05T06:00:00Z"));
    assert!(timeout(23 * HOUR, ticker.tick()).await.is_err());
    assert!(ticker.alarm.is_none());
    assert_eq!(
        *ticker.next_tick().borrow(),
        Some(at("2026-05-06T06:00:00Z"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_slept_through_a_tick_has_it_when_it_wakes() {
    let (mut ticker, clock) = daily("2026-05-04T12:00:00Z");
    assert!(timeout(HOUR, ticker.tick()).await.is_err());
    clock.set(at("2026-05-07T06:00:20Z"));
    let due = timeout(2 * LOOK_INTERVAL, ticker.tick()).await;
    assert_eq!(due.unwrap(), at("2026-05-07T06:00:00Z"));
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_does_not_ring_costs_a_second() {
    // The scheduler's own clock is the machine's, to which this moment is not near.
    let (mut ticker, clock) = daily("2030-05-04T05:59:58Z");
    assert_eq!(ticker.tick().await, at("2030-05-04T06:00:00Z"));
    assert!(clock.now() <= at("2030-05-04T06:00:01Z"), "{}", clock.now());
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_while_a_tick_is_near_has_its_next_tick_published_within_a_look() {
    let (mut ticker, clock) = daily("2031-05-04T05:59:30Z");
    let mut next = ticker.next_tick();
    assert!(
        timeout(Duration::from_secs(10), ticker.tick())
            .await
            .is_err()
    );
    assert_eq!(*next.borrow_and_update(), Some(at("2031-05-04T06:00:00Z")));
    clock.set(at("2026-05-04T07:00:00Z"));
    assert!(timeout(2 * LOOK_INTERVAL, ticker.tick()).await.is_err());
    assert_eq!(*next.borrow_and_update(), Some(at("2026-05-05T06:00:00Z")));
    clock.set(at("2026-05-05T06:00:00Z"));
    let due = timeout(2 * LOOK_INTERVAL, ticker.tick()).await;
    assert_eq!(due.unwrap(), at("2026-05-05T06:00:00Z"));
}
