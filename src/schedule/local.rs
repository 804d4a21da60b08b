//! The local time of a zone, and when the local clock first shows a time. Pure.

use chrono::{DateTime, LocalResult, NaiveDateTime, Offset as _, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;

/// More than the offset of any zone from UTC, now or in the past.
const MAX_OFFSET: TimeDelta = TimeDelta::hours(26);

/// No zone changes its offset twice within this time.
const STEP: TimeDelta = TimeDelta::hours(12);

const SECOND: TimeDelta = TimeDelta::seconds(1);

fn offset(zone: Tz, moment: DateTime<Utc>) -> TimeDelta {
    let offset = zone.offset_from_utc_datetime(&moment.naive_utc());
    TimeDelta::seconds(offset.fix().local_minus_utc().into())
}

/// The local time at `moment`.
pub(super) fn time(zone: Tz, moment: DateTime<Utc>) -> Option<NaiveDateTime> {
    moment.naive_utc().checked_add_signed(offset(zone, moment))
}

/// When the clock shows `local`, if its offset stays the one at `moment`.
pub(super) fn under_offset_of(
    zone: Tz,
    moment: DateTime<Utc>,
    local: NaiveDateTime,
) -> Option<DateTime<Utc>> {
    let moment = local.checked_sub_signed(offset(zone, moment))?;
    Some(moment.and_utc())
}

/// When the clock first reaches or passes `wanted`, on the local day of `wanted`.
///
/// A time that comes twice is reached the first time. A time within a gap is passed when the gap
/// ends; if that is on the next day, the last second before the gap is taken. None if the whole day
/// is skipped.
pub(super) fn reached(zone: Tz, wanted: NaiveDateTime) -> Option<DateTime<Utc>> {
    match zone.from_local_datetime(&wanted) {
        LocalResult::Single(moment) => Some(moment.to_utc()),
        LocalResult::Ambiguous(one, other) => Some(one.min(other).to_utc()),
        LocalResult::None => {
            let end = end_of_gap(zone, wanted)?;
            [end, end - SECOND].into_iter().find(|moment| {
                time(zone, *moment).is_some_and(|local| local.date() == wanted.date())
            })
        }
    }
}

/// The moment at which the clock jumps over `left_out`.
fn end_of_gap(zone: Tz, left_out: NaiveDateTime) -> Option<DateTime<Utc>> {
    let middle = left_out.and_utc();
    let (before, after) = (
        middle.checked_sub_signed(MAX_OFFSET)?,
        middle.checked_add_signed(MAX_OFFSET)?,
    );
    Some(first(before, after, |moment| {
        time(zone, moment).is_some_and(|local| local >= left_out)
    }))
}

/// The first change of the offset after `from` and not after `to`.
pub(super) fn next_change(
    zone: Tz,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let here = offset(zone, from);
    let mut before = from;
    while before < to {
        let after = before
            .checked_add_signed(STEP)
            .map_or(to, |after| after.min(to));
        if offset(zone, after) != here {
            return Some(first(before, after, |moment| offset(zone, moment) != here));
        }
        before = after;
    }
    None
}

/// The first second after `before` at which `holds` is true; it must be true at `after`.
fn first(
    mut before: DateTime<Utc>,
    mut after: DateTime<Utc>,
    holds: impl Fn(DateTime<Utc>) -> bool,
) -> DateTime<Utc> {
    while after - before > SECOND {
        let middle = before + TimeDelta::seconds((after - before).num_seconds() / 2);
        if holds(middle) {
            after = middle;
        } else {
            before = middle;
        }
    }
    after
}
