use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate, NaiveTime, Offset as _, TimeDelta, TimeZone as _, Timelike as _};
use chrono_tz::TZ_VARIANTS;
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn schedule(cron: &str, zone: &str) -> Schedule {
    Schedule::try_new(cron, zone, at("1980-01-01T00:00:00Z")).unwrap()
}

fn daily(zone: Tz, time: NaiveTime) -> Schedule {
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    schedule(&format!("{second} {minute} {hour} * * *"), zone.name())
}

fn ticks(schedule: &Schedule, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    std::iter::successors(schedule.next_after(from), |tick| schedule.next_after(*tick))
        .take_while(|tick| *tick <= to)
        .collect()
}

fn shown(zone: Tz, moment: DateTime<Utc>) -> NaiveDateTime {
    moment.with_timezone(&zone).naive_local()
}

/// Compares daily schedules with a wall clock that is read every hour: each local day that is ever
/// shown has one tick, at the first moment that shows the time of day where one does.
fn have_one_tick_a_day(zone: Tz, times: &[NaiveTime], from: DateTime<Utc>, to: DateTime<Utc>) {
    let hour = TimeDelta::hours(1);
    let moments = std::iter::successors(Some(from), |moment| Some(*moment + hour));
    let mut offsets = BTreeSet::new();
    let mut days = BTreeSet::new();
    for moment in moments.take_while(|moment| *moment <= to) {
        let offset = zone.offset_from_utc_datetime(&moment.naive_utc());
        offsets.insert(offset.fix().local_minus_utc());
        days.insert(shown(zone, moment).date());
    }
    // Of the first and the last day only a part is seen.
    days.pop_first();
    days.pop_last();
    for time in times {
        let mut by_day = BTreeMap::<NaiveDate, Vec<DateTime<Utc>>>::new();
        for tick in ticks(&daily(zone, *time), from, to) {
            let day = shown(zone, tick).date();
            by_day.entry(day).or_default().push(tick);
        }
        for day in &days {
            let ticks = by_day.get(day).map_or(&[][..], Vec::as_slice);
            let said = format!("{day} at {time} in {zone}: {ticks:?}");
            assert_eq!(ticks.len(), 1, "{said}");
            let wanted = day.and_time(*time);
            let showing = offsets
                .iter()
                .map(|offset| (wanted - TimeDelta::seconds(i64::from(*offset))).and_utc())
                .filter(|moment| shown(zone, *moment) == wanted);
            if let Some(first) = showing.min() {
                assert_eq!(ticks[0], first, "{said}");
            }
        }
    }
}

/// Every change of a zone's offset between two moments.
fn changes(zone: Tz, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let mut found = Vec::new();
    let mut moment = from;
    while moment < to {
        // No zone has changed its offset and taken that back within so few days.
        let later = moment + TimeDelta::days(5);
        let offset =
            |moment: DateTime<Utc>| zone.offset_from_utc_datetime(&moment.naive_utc()).fix();
        if offset(moment) == offset(later) {
            moment = later;
        } else {
            moment = local::next_change(zone, moment, later).unwrap();
            found.push(moment);
        }
    }
    found
}

#[test]
fn each_local_day_has_its_tick_once_around_every_clock_change_of_every_zone() {
    let (from, to) = (at("1990-01-01T00:00:00Z"), at("2041-01-01T00:00:00Z"));
    let mut seen = BTreeSet::new();
    let mut number = 0_u32;
    for zone in TZ_VARIANTS {
        for change in changes(zone, from, to) {
            let before = shown(zone, change - TimeDelta::seconds(1));
            let after = shown(zone, change);
            // Many names are links to one zone, and many years have the same rule.
            if !seen.insert((before, after)) {
                continue;
            }
            number += 1;
            let first = before.min(after);
            let width = (after - before).num_seconds().abs();
            // Inside the gap or the fold; at its edge, or somewhere else on the day.
            let inside = first + TimeDelta::seconds(1 + i64::from(number) * 617 % width.max(2));
            let other = if number.is_multiple_of(2) {
                first.time()
            } else {
                NaiveTime::MIN + TimeDelta::seconds(i64::from(number) * 7_919)
            };
            let days = TimeDelta::hours(36) + TimeDelta::seconds(width);
            let times = [inside.time(), other];
            have_one_tick_a_day(zone, &times, change - days, change + days);
        }
    }
    assert!(number > 1_000, "only {number} changes were found");
}

fn any_zone() -> impl Strategy<Value = Tz> {
    proptest::sample::select(&TZ_VARIANTS[..])
}

fn any_time() -> impl Strategy<Value = NaiveTime> {
    (0_i64..86_400).prop_map(|second| NaiveTime::MIN + TimeDelta::seconds(second))
}

fn any_moment() -> impl Strategy<Value = DateTime<Utc>> {
    let (from, to) = (at("1990-01-01T00:00:00Z"), at("2041-01-01T00:00:00Z"));
    (from.timestamp()..to.timestamp())
        .prop_map(|second| DateTime::from_timestamp(second, 0).unwrap())
}

/// Fields for second, minute, hour and the days, as people write them.
fn any_cron() -> impl Strategy<Value = String> {
    let seconds = prop_oneof![Just("0"), Just("30"), Just("*/20"), Just("59")];
    let minutes = prop_oneof![
        Just("0"),
        Just("*"),
        Just("*/15"),
        Just("5,35"),
        Just("45-59")
    ];
    let hours = prop_oneof![
        Just("*"),
        Just("*/2"),
        Just("2"),
        Just("0,12"),
        Just("1-3"),
        Just("0-23"),
        Just("23"),
        Just("*/6")
    ];
    let days = prop_oneof![
        Just("* * *"),
        Just("* * SUN"),
        Just("1 * *"),
        Just("* 3,10 *")
    ];
    (seconds, minutes, hours, days)
        .prop_map(|(second, minute, hour, days)| format!("{second} {minute} {hour} {days}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn each_local_day_of_any_month_has_its_tick_once(
        zone in any_zone(), time in any_time(), from in any_moment()
    ) {
        have_one_tick_a_day(zone, &[time], from, from + TimeDelta::days(40));
    }

    #[test]
    fn ticks_only_go_forward_and_none_is_passed_over(
        zone in any_zone(), cron in any_cron(), from in any_moment(), later in 0_i64..5_000_000
    ) {
        let schedule = schedule(&cron, zone.name());
        let mut tick = from;
        for _ in 0..50 {
            let next = schedule.next_after(tick).unwrap();
            prop_assert!(next > tick, "{cron} in {zone}: {next} after {tick}");
            // From any moment before the tick, the next one is the same.
            let between = tick + (next - tick) / 2;
            prop_assert_eq!(schedule.next_after(between), Some(next));
            prop_assert_eq!(schedule.next_after(next - TimeDelta::seconds(1)), Some(next));
            tick = next;
        }
        let to = from + TimeDelta::seconds(later);
        let newest = schedule.newest_between(from, to);
        match newest {
            None => prop_assert!(schedule.next_after(from).unwrap() > to),
            Some(newest) => {
                prop_assert!(newest > from && newest <= to);
                prop_assert!(schedule.next_after(newest).unwrap() > to);
            }
        }
    }

    /// A schedule that matches every hour has its ticks whenever the clock shows a matching time.
    #[test]
    fn a_schedule_by_intervals_follows_the_local_clock(zone in any_zone(), from in any_moment()) {
        let schedule = schedule("0 */20 * * * *", zone.name());
        let to = from + TimeDelta::days(3);
        // In these years a whole minute of UTC is one in every zone.
        let minute = DateTime::from_timestamp(from.timestamp() / 60 * 60, 0).unwrap();
        let expected: Vec<_> = (1..=3 * 24 * 60)
            .map(|minutes| minute + TimeDelta::minutes(minutes))
            .filter(|moment| {
                shown(zone, *moment).minute().is_multiple_of(20) && *moment <= to
            })
            .collect();
        prop_assert_eq!(ticks(&schedule, from, to), expected);
    }
}

#[test]
fn a_day_that_a_zone_leaves_out_has_no_tick_and_its_neighbours_have_one_each() {
    for (zone, left_out) in [
        ("Pacific/Apia", "2011-12-30"),
        ("Pacific/Kwajalein", "1993-08-21"),
    ] {
        let left_out: NaiveDate = left_out.parse().unwrap();
        let zone: Tz = zone.parse().unwrap();
        let from = left_out.and_time(NaiveTime::MIN).and_utc() - Days::new(3);
        for time in ["00:00:00", "06:00:00", "23:59:59"] {
            let ticks = ticks(
                &daily(zone, time.parse().unwrap()),
                from,
                from + Days::new(6),
            );
            let days: Vec<_> = ticks.iter().map(|tick| shown(zone, *tick).date()).collect();
            assert!(!days.contains(&left_out), "{days:?}");
            for neighbour in [left_out - Days::new(1), left_out + Days::new(1)] {
                let times = days.iter().filter(|day| **day == neighbour).count();
                assert_eq!(times, 1, "{days:?}");
            }
        }
    }
}

#[test]
fn times_of_day_come_once_in_an_hour_that_comes_twice_and_intervals_go_on() {
    // At 01:00 UTC the clocks of Berlin went from 03:00 back to 02:00.
    let night = |cron| {
        let schedule = schedule(cron, "Europe/Berlin");
        let ticks = ticks(
            &schedule,
            at("2026-10-24T23:59:59Z"),
            at("2026-10-25T02:00:00Z"),
        );
        let times = ticks.iter().map(|tick| tick.format("%H:%M").to_string());
        times.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(night("0 0 * * * *"), "00:00 01:00 02:00");
    assert_eq!(night("0 0 0-23 * * *"), "00:00 01:00 02:00");
    assert_eq!(night("0 30 2,14 * * *"), "00:30");
    assert_eq!(night("0 */30 1-3 * * *"), "00:00 00:30 02:00");
}

#[test]
fn times_of_day_that_are_left_out_come_as_one_when_the_gap_ends() {
    // At 01:00 UTC the clocks of Berlin went from 02:00 on to 03:00.
    let night = |cron| {
        let schedule = schedule(cron, "Europe/Berlin");
        let ticks = ticks(
            &schedule,
            at("2026-03-28T23:59:59Z"),
            at("2026-03-29T02:00:00Z"),
        );
        let times = ticks.iter().map(|tick| tick.format("%H:%M").to_string());
        times.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(night("0 */20 2 * * *"), "01:00");
    assert_eq!(night("0 30 2,3 * * *"), "01:00 01:30");
    assert_eq!(night("0 0 2,3 * * *"), "01:00");
    assert_eq!(night("0 45 * * * *"), "00:45 01:45");
}

#[test]
fn a_schedule_keeps_its_local_time_when_the_clocks_change() {
    let berlin = schedule("0 0 6 * * *", "Europe/Berlin");
    for (before, tick) in [
        ("2026-03-28T05:00:00Z", "2026-03-29T04:00:00Z"),
        ("2026-03-29T04:00:00Z", "2026-03-30T04:00:00Z"),
        ("2026-10-24T04:00:00Z", "2026-10-25T05:00:00Z"),
        ("2026-11-24T04:59:59.999Z", "2026-11-24T05:00:00Z"),
        ("2026-11-24T05:00:00.001Z", "2026-11-25T05:00:00Z"),
    ] {
        let next = berlin.next_after(at(before));
        assert_eq!(next, Some(at(tick)), "after {before}");
    }
}

#[test]
fn a_tick_counts_as_passed_from_its_own_moment_on() {
    let daily = schedule("0 0 6 * * *", "UTC");
    let newest = |moment| daily.newest_up_to(at(moment));
    let today = at("2026-05-04T06:00:00Z");
    assert_eq!(newest("2026-05-04T06:00:00Z"), Some(today));
    assert_eq!(newest("2026-05-05T05:59:59Z"), Some(today));
}

#[test]
fn a_schedule_that_never_fires_is_refused() {
    let refused = Schedule::try_new("0 0 0 30 2 *", "UTC", at("2026-01-01T00:00:00Z"));
    assert_eq!(refused.unwrap_err(), ScheduleError::Never);
}

#[test]
fn an_expression_without_seconds_and_an_unknown_zone_are_refused() {
    let now = at("2026-01-01T00:00:00Z");
    assert!(matches!(
        Schedule::try_new("0 6 * * *", "UTC", now).unwrap_err(),
        ScheduleError::Expression(_)
    ));
    assert_eq!(
        Schedule::try_new("0 0 6 * * *", "Mars/Olympus", now).unwrap_err(),
        ScheduleError::Zone
    );
}
