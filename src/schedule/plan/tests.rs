use std::collections::BTreeSet;

use chrono_tz::{TZ_VARIANTS, Tz};
use proptest::prelude::*;

use super::*;

/// What happens to a clock.
#[derive(Debug, Clone)]
enum Event {
    /// Time passes, with a look at the clock after each part of it.
    Passes(TimeDelta),
    /// It is set, or the machine slept: forwards or backwards.
    Set(TimeDelta),
    /// Both at once, between two looks.
    PassesAndIsSet(TimeDelta, TimeDelta),
}

fn any_event() -> impl Strategy<Value = Event> {
    let hours = 3_600;
    let span = || (1_i64..60 * hours).prop_map(TimeDelta::seconds);
    let leap = || {
        prop_oneof![
            -120_i64..=120,
            -3 * hours..=3 * hours,
            -100 * hours..=100 * hours,
            -6 * 365 * 24 * hours..=6 * 365 * 24 * hours,
        ]
        .prop_filter("it is set to another time", |leap| leap.abs() > 2)
        .prop_map(TimeDelta::seconds)
    };
    prop_oneof![
        3 => span().prop_map(Event::Passes),
        2 => leap().prop_map(Event::Set),
        1 => (1_i64..30, leap())
            .prop_map(|(passed, leap)| Event::PassesAndIsSet(TimeDelta::seconds(passed), leap)),
    ]
}

/// The plan, and beside it a simple model of it: which ticks have come.
struct World {
    schedule: Schedule,
    plan: TickPlan,
    now: DateTime<Utc>,
    came: BTreeSet<DateTime<Utc>>,
}

impl World {
    fn look(&mut self, passed: TimeDelta, leap: TimeDelta) {
        let before = self.now;
        self.now = before + passed + leap;
        let look = self.plan.look(self.now, passed.to_std().unwrap());
        assert_eq!(look.jumped, leap);
        let not_come = |tick: &DateTime<Utc>| !self.came.contains(tick);
        let passed_over: Vec<_> = self.ticks(before, self.now).filter(not_come).collect();
        // One tick comes if the clock went over any that has not come, and it is the newest.
        assert_eq!(
            look.due,
            passed_over.last().copied(),
            "{before} to {}",
            self.now
        );
        if let Some(due) = look.due {
            assert!(self.came.insert(due), "{due} comes twice");
        }
        // The next is the first that has not come, however the clock was set.
        let mut next = self.schedule.next_after(self.now).unwrap();
        while self.came.contains(&next) {
            next = self.schedule.next_after(next).unwrap();
        }
        assert_eq!(self.plan.next(), Some(next));
    }

    fn ticks(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
        let first = self.schedule.next_after(from);
        std::iter::successors(first, |tick| self.schedule.next_after(*tick))
            .take_while(move |tick| *tick <= to)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    /// A clock runs for hours and is set by seconds to years, at random. For a daily schedule,
    /// whatever the zone: the tick of a local day comes once if the clock ever passes it, while it
    /// runs or in a jump in which it is the newest; it never comes twice; and the next tick
    /// reported is always the first ahead that has not come.
    #[test]
    fn whatever_the_clock_does_each_local_day_has_its_tick_once(
        zone in proptest::sample::select(&TZ_VARIANTS[..]),
        second in 0_u32..86_400,
        start in 1_700_000_000_i64..1_900_000_000,
        events in proptest::collection::vec(any_event(), 1..24),
    ) {
        let zone: Tz = zone;
        let now = DateTime::from_timestamp(start, 0).unwrap();
        let cron = format!("{} {} {} * * *", second % 60, second / 60 % 60, second / 3_600);
        let schedule = Schedule::try_new(&cron, zone.name(), now).unwrap();
        let plan = TickPlan::new(schedule.clone(), now);
        let mut world = World { schedule, plan, now, came: BTreeSet::new() };
        for event in events {
            match event {
                Event::Passes(span) => {
                    let look = TimeDelta::minutes(170);
                    let mut left = span;
                    while left > TimeDelta::zero() {
                        let part = left.min(look);
                        world.look(part, TimeDelta::zero());
                        left -= part;
                    }
                }
                Event::Set(leap) => world.look(TimeDelta::zero(), leap),
                Event::PassesAndIsSet(passed, leap) => world.look(passed, leap),
            }
        }
    }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn plan(now: &str) -> TickPlan {
    let now = at(now);
    TickPlan::new(Schedule::try_new("0 0 6 * * *", "UTC", now).unwrap(), now)
}

#[test]
fn a_clock_that_began_years_ahead_is_not_waited_for() {
    let mut plan = plan("2031-03-01T05:59:00Z");
    let due = plan
        .look(at("2031-03-01T06:00:10Z"), Duration::from_secs(70))
        .due;
    assert_eq!(due, Some(at("2031-03-01T06:00:00Z")));
    let look = plan.look(at("2026-05-04T05:59:00Z"), Duration::from_secs(20));
    assert_eq!(look.due, None);
    assert!(look.jumped < TimeDelta::days(-1_000));
    assert_eq!(plan.next(), Some(at("2026-05-04T06:00:00Z")));
}

#[test]
fn a_clock_that_was_ahead_for_a_moment_costs_no_day() {
    let mut plan = plan("2026-05-04T05:00:00Z");
    let ahead = plan.look(at("2026-05-07T07:00:00Z"), Duration::ZERO);
    assert_eq!(ahead.due, Some(at("2026-05-07T06:00:00Z")));
    plan.look(at("2026-05-04T05:01:00Z"), Duration::from_mins(1));
    assert_eq!(plan.next(), Some(at("2026-05-04T06:00:00Z")));
    let due = plan
        .look(at("2026-05-04T06:00:00Z"), Duration::from_mins(59))
        .due;
    assert_eq!(due, Some(at("2026-05-04T06:00:00Z")));
    // The seventh has had its tick, when the clock showed it first.
    plan.look(at("2026-05-06T06:00:00Z"), Duration::from_hours(48));
    assert_eq!(plan.next(), Some(at("2026-05-08T06:00:00Z")));
}

#[test]
fn a_tick_that_an_earlier_run_covered_does_not_come_when_the_clock_is_set_back() {
    let mut plan = plan("2026-05-04T06:30:00Z");
    plan.mark_done(at("2026-05-04T06:10:00Z"));
    plan.look(at("2026-05-04T05:30:00Z"), Duration::ZERO);
    assert_eq!(plan.next(), Some(at("2026-05-05T06:00:00Z")));
}

#[test]
fn a_tick_that_no_run_has_covered_comes_when_the_clock_is_set_back() {
    let mut plan = plan("2026-05-04T06:30:00Z");
    plan.look(at("2026-05-04T05:30:00Z"), Duration::ZERO);
    assert_eq!(plan.next(), Some(at("2026-05-04T06:00:00Z")));
}
