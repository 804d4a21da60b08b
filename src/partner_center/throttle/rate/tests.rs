//! The learned rate against a simulated server.

use crate::partner_center::throttle::simulation::{Limit, Server, endless, limited, sum};

#[test]
fn a_limit_is_used_and_few_requests_are_refused() {
    let mut missed = Vec::new();
    let kinds = [(true, false), (false, false), (true, true), (false, true)];
    for (per_second, in_flight) in [(5.0, 8), (50.0, 8), (50.0, 64), (500.0, 8), (500.0, 64)] {
        for latency in [2_u32, 40, 300] {
            let possible = f64::from(in_flight) * 1_000.0 / f64::from(latency);
            if possible < 1.2 * per_second {
                continue;
            }
            for (whole_seconds, refusals_count) in kinds {
                let limit = Limit {
                    refusals_count,
                    whole_seconds,
                    ..Limit::of(per_second)
                };
                let mut server = Server::with(Some(limit), latency.into());
                server.jitter = server.latency / 5;
                let in_flight = usize::try_from(in_flight).unwrap();
                let counts = sum(&endless(&mut server, in_flight, 300));
                let used = f64::from(counts.served) / per_second / 300.0;
                let refused = counts.refused_share();
                // A refused call that counts uses up a later one.
                let (least, most) = match (refusals_count, whole_seconds) {
                    (true, true) => (0.8, 0.05),
                    (true, false) => (0.6, 0.05),
                    (false, true) => (0.9, 0.03),
                    (false, false) => (0.9, 0.04),
                };
                if used < least || refused > most {
                    missed.push(format!(
                        "{latency} ms, {in_flight} in flight, {limit:?}: {used:.3} used, \
                         {refused:.4} refused"
                    ));
                }
            }
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn a_limit_with_a_small_burst_is_learned_soon() {
    let limit = Limit {
        burst: 10.0,
        ..Limit::of(50.0)
    };
    let counts = sum(&endless(&mut Server::with(Some(limit), 5), 8, 12));
    assert!(counts.served > 500 && counts.refused < 60, "{counts:?}");
}

#[test]
fn a_limit_without_a_burst_is_used_too() {
    for (per_second, least) in [(5.0, 0.75), (50.0, 0.6)] {
        for latency in [2, 40] {
            let limit = Limit {
                burst: 1.0,
                ..Limit::of(per_second)
            };
            let counts = sum(&endless(&mut Server::with(Some(limit), latency), 8, 300));
            let used = f64::from(counts.served) / per_second / 300.0;
            assert!(used > least, "{limit:?}, {latency} ms: {used} used");
            assert!(
                counts.refused_share() < 0.02,
                "{limit:?}, {latency} ms: {counts:?}"
            );
        }
    }
}

#[test]
fn without_a_limit_slow_start_costs_at_most_a_second() {
    for (in_flight, latency) in [(8, 2), (8, 40), (64, 40)] {
        let mut server = Server::with(None, latency);
        let counts = sum(&endless(&mut server, in_flight, 20));
        let possible = u32::try_from(in_flight as u64 * 1_000 / latency * 20).unwrap();
        let share = f64::from(counts.served) / f64::from(possible);
        assert!(share > 0.95, "{in_flight} in flight, {latency} ms: {share}");
    }
}

#[test]
fn a_short_run_against_a_near_server_without_a_limit_loses_little() {
    for latency in [1, 2] {
        let seconds = endless(&mut Server::with(None, latency), 8, 1);
        let possible = u32::try_from(8 * 1_000 / latency).unwrap();
        let lost = f64::from(possible - sum(&seconds).served) / f64::from(possible);
        assert!(lost < 0.05, "{latency} ms: {lost} of the first second lost");
    }
}

#[test]
fn a_limit_that_changes_is_followed() {
    let mut server = Server::with(None, 20);
    server.schedule = vec![
        (0, Some(Limit::of(50.0))),
        (60, Some(Limit::of(5.0))),
        (120, Some(Limit::of(50.0))),
        (300, None),
    ];
    let seconds = endless(&mut server, 8, 420);
    let used = |from: usize, to: usize| {
        f64::from(sum(&seconds[from..to]).served) / f64::from(u32::try_from(to - from).unwrap())
    };
    assert!(used(10, 60) > 45.0, "{}", used(10, 60));
    assert!(used(70, 120) > 4.0, "{}", used(70, 120));
    assert!(used(230, 300) > 43.0, "{}", used(230, 300));
    assert!(used(370, 420) > 300.0, "{}", used(370, 420));
    let counts = sum(&seconds[..300]);
    assert!(counts.refused_share() < 0.08, "{counts:?}");
}

#[test]
fn many_customers_with_limits_of_their_own_do_not_lower_the_rate_for_long() {
    let mut server = Server::with(None, 10);
    server.own = |customer| (customer % 50 == 7).then(|| limited(3_600));
    let counts = sum(&endless(&mut server, 8, 300));
    // Unthrottled, 8 in flight at 10 ms each are 800 a second.
    assert!(counts.served > 300 * 800 / 2, "{counts:?}");
}
