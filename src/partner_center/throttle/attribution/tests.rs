//! Pauses and customers' own limits, with the gate that obeys them.

use std::collections::VecDeque;
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;
use uuid::Uuid;

use crate::ledger::CustomerId;
use crate::partner_center::throttle::gate::{Decision, Gate, Reply, SentRequest};
use crate::partner_center::throttle::simulation::{
    Counts, MILLI, Own, Server, gate, limited, run, sum,
};

#[test]
fn a_few_customers_with_limits_of_their_own_do_not_hold_up_the_others() {
    let few: [Own; 4] = [
        |customer| (customer % 20 == 7).then(|| limited(0)),
        |customer| (customer % 20 == 7).then(|| limited(2)),
        |customer| (customer % 20 == 7).then(|| limited(3_600)),
        |customer| ((20..23).contains(&customer)).then(|| limited(3_600)),
    ];
    for own in few {
        for (in_flight, latency) in [(1, 10), (2, 10), (8, 40), (24, 5)] {
            let mut server = Server::with(None, latency);
            server.own = own;
            let mut gate = gate();
            let seconds = run(&mut gate, &mut server, in_flight, 4, 60);
            assert_eq!(
                sum(&seconds).served,
                57,
                "{in_flight} in flight, {latency} ms: {seconds:?}"
            );
        }
    }
}

#[test]
fn customers_refused_at_the_very_beginning_do_not_pause_the_others() {
    let mut server = Server::with(None, 2);
    server.own = |customer| (customer < 10).then(|| limited(2));
    let mut gate = gate();
    let seconds = run(&mut gate, &mut server, 2, 2, 30);
    assert_eq!(
        sum(&seconds),
        Counts {
            served: 20,
            refused: 10
        }
    );
}

#[test]
fn customers_that_always_fail_with_503_pause_no_one_until_three_were_served_after_one() {
    let customer = |number: u128| CustomerId::from(Uuid::from_u128(number));
    let mut now = Instant::now();
    let mut gate = gate();
    // A second apart, so that the learned rate holds no request back.
    let mut ask = |number, reply| {
        now += Duration::from_secs(1);
        match gate.try_acquire(Some(customer(number)), true, now) {
            Decision::Send(sent) => {
                gate.complete(sent, reply, now + MILLI);
                true
            }
            _ => false,
        }
    };
    assert!(ask(0, Reply::Served));
    for number in 1..50 {
        assert!(ask(number, Reply::Unavailable), "paused before {number}");
    }
    for number in 1..=3 {
        assert!(ask(number, Reply::Served));
    }
    let sent = (100..150).take_while(|&number| ask(number, Reply::Unavailable));
    assert!(sent.count() < 50, "a limit of a proxy pauses every call");
}

/// Sends one request after the other for as long as the gate allows it.
fn enter_all(gate: &mut Gate, now: Instant) -> Vec<SentRequest> {
    let mut sent = Vec::new();
    while let Decision::Send(one) = gate.try_acquire(None, true, now) {
        sent.push(one);
    }
    sent
}

/// A gate after one served request and one refused request about no customer, which asks for this
/// wait.
fn refused_for_all(start: Instant, wish: Duration) -> Gate {
    let mut gate = gate();
    for verdict in [
        Reply::Served,
        Reply::RateLimited {
            retry_after: Some(wish),
        },
    ] {
        let now = start + Duration::from_secs(u64::from(verdict != Reply::Served));
        let sent = enter_all(&mut gate, now).pop().unwrap();
        gate.complete(sent, verdict, now);
    }
    gate
}

#[test]
fn a_refusal_that_is_about_no_customer_pauses_every_call() {
    let start = Instant::now();
    let mut gate = refused_for_all(start, Duration::from_secs(30));
    let second = start + Duration::from_secs(1);
    for secs in [0, 10, 29] {
        let customer = Some(CustomerId::from(Uuid::from_u128(secs.into())));
        let entry = gate.try_acquire(customer, true, second + Duration::from_secs(secs));
        assert!(
            matches!(entry, Decision::PausedUntil(_)),
            "{secs}: {entry:?}"
        );
    }
    let now = second + Duration::from_secs(31);
    assert_eq!(gate.paused(now), Duration::from_secs(31));
    // Then one request at a time is sent, until one is served.
    let probes = enter_all(&mut gate, now);
    assert_eq!(probes.len(), 1);
    gate.complete(probes[0], Reply::Served, now + MILLI);
    assert!(!enter_all(&mut gate, now + Duration::from_secs(1)).is_empty());
}

#[test]
fn refusals_before_a_long_idle_time_pause_no_call_after_it() {
    let start = Instant::now();
    let mut gate = refused_for_all(start, Duration::from_secs(30));
    let today = start + Duration::from_hours(24);
    for number in 0..3 {
        let customer = Some(CustomerId::from(Uuid::from_u128(number)));
        let now = today + Duration::from_secs(1) * u32::try_from(number).unwrap();
        let Decision::Send(sent) = gate.try_acquire(customer, true, now) else {
            panic!("{number} has to wait");
        };
        let wish = Some(Duration::from_secs(10));
        gate.complete(sent, Reply::RateLimited { retry_after: wish }, now);
    }
}

#[test]
fn a_requested_wait_beyond_the_time_limit_is_probed_and_given_up_in_the_end() {
    let start = Instant::now();
    let mut gate = refused_for_all(start, Duration::MAX);
    let mut tried = 0;
    for secs in 1..20 * 60 {
        let now = start + Duration::from_secs(secs);
        for probe in enter_all(&mut gate, now) {
            tried += 1;
            let wish = Some(Duration::MAX);
            gate.complete(probe, Reply::RateLimited { retry_after: wish }, now);
        }
        let hopeless = matches!(gate.try_acquire(None, true, now), Decision::GiveUp);
        assert_eq!(hopeless, secs > 15 * 60 + 1, "after {secs} s");
    }
    assert!((10..40).contains(&tried), "{tried}");
}

proptest! {
    #[test]
    fn no_request_goes_out_in_a_pause(
        steps in proptest::collection::vec((0_u64..400, 0_u8..8, 0_u8..6), 1..400),
    ) {
        let mut gate = Gate::new(None, Duration::from_mins(1));
        let mut now = Instant::now();
        let mut under_way = VecDeque::new();
        for (wait, who, what) in steps {
            now += Duration::from_millis(wait);
            let about = (who > 0).then(|| CustomerId::from(Uuid::from_u128(who.into())));
            if what < 3 {
                if let Decision::Send(sent) = gate.try_acquire(about, true, now) {
                    under_way.push_back(sent);
                }
            } else if let Some(sent) = under_way.pop_front() {
                let wish = Some(Duration::from_secs(wait / 50));
                let refused = Reply::RateLimited { retry_after: wish };
                let verdict = [Reply::Served, Reply::Missing, refused];
                gate.complete(sent, verdict[usize::from(what - 3)], now);
            }
            if let Decision::PausedUntil(until) = gate.try_acquire(about, true, now) {
                prop_assert!(until > now);
            }
        }
    }
}
