//! Which dates there are figures of: the pace at which each service processes them,
//! the dates it leaves out, and those it corrects later.

use chrono::NaiveDate;

use super::{EPOCH, World, holding::day_number};
use crate::{settings::Restate, world::catalog::Service};

/// What can be counted, each at its own pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    /// Use per workload.
    Usage,
    /// Assigned seats per product.
    Deployment,
}

/// Which processed date of each service is asked for, if any, and whether its
/// figures are the corrected ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Snapshot {
    office: Option<Processed>,
    dynamics: Option<Processed>,
}

/// A processed date of one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Processed {
    pub(super) date: NaiveDate,
    pub(super) corrected: bool,
}

impl Snapshot {
    pub(super) fn of(&self, service: Service) -> Option<Processed> {
        match service {
            Service::Office => self.office,
            Service::Dynamics => self.dynamics,
        }
    }
}

impl World {
    /// The newest date that has been processed on the day `today`.
    ///
    /// Office usage is two days old, or three after a day that was never processed.
    /// Dynamics usage comes every third day and is then four old. Deployment of both
    /// is of the day before.
    pub(crate) fn processed(
        &self,
        subject: Subject,
        service: Service,
        today: NaiveDate,
    ) -> NaiveDate {
        let today = day_number(today);
        let day = match (subject, service) {
            (Subject::Deployment, _) => today - 1,
            (Subject::Usage, Service::Office) if self.is_skipped(today - 2) => today - 3,
            (Subject::Usage, Service::Office) => today - 2,
            (Subject::Usage, Service::Dynamics) => today - 4 - (today - 4).rem_euclid(3),
        };
        EPOCH + chrono::Duration::days(day)
    }

    // Never two days in a row, or the lag would pass what was promised above.
    fn is_skipped(&self, day: i64) -> bool {
        let missed = |day: i64| self.draw.on(3).on(day.cast_unsigned()).chance(0.07);
        missed(day) && !missed(day - 1)
    }

    /// What there is to see on the day `today`: of the processed date `asked`, or of
    /// each service's newest.
    pub(crate) fn snapshot(
        &self,
        subject: Subject,
        asked: Option<NaiveDate>,
        today: NaiveDate,
        restate: Option<&Restate>,
    ) -> Snapshot {
        let of = |service| {
            let newest = self.processed(subject, service, today);
            let date = asked.unwrap_or(newest);
            let day = day_number(date);
            let exists = match (subject, service) {
                (Subject::Deployment, _) => true,
                (Subject::Usage, Service::Office) => !self.is_skipped(day),
                (Subject::Usage, Service::Dynamics) => day.rem_euclid(3) == 0,
            };
            // Only what was out before can be restated.
            let corrected = restate.is_some_and(|restate| {
                let before = restate.from.pred_opt().unwrap_or(restate.from);
                today >= restate.from
                    && date <= self.processed(subject, service, before)
                    && self
                        .draw
                        .on(4)
                        .on(day.cast_unsigned())
                        .chance(restate.share)
            });
            (exists && date <= newest).then_some(Processed { date, corrected })
        };
        Snapshot {
            office: of(Service::Office),
            dynamics: of(Service::Dynamics),
        }
    }

    /// When deployment of a date was processed: in its small hours, to a hundredth
    /// of a second.
    pub(crate) fn deployment_processed_at(&self, date: NaiveDate) -> String {
        let draw = self.draw.on(5).on(day_number(date).cast_unsigned());
        let part = |topic, upto| draw.on(topic).days(0, upto);
        let (hour, minute, second) = (1 + part(0, 4), part(1, 60), part(2, 60));
        let hundredths = part(3, 100);
        format!("{date}T{hour:02}:{minute:02}:{second:02}.{hundredths:02}+00:00")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::world::Usage;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn the_two_services_lag_differently() {
        let world = World::new(1, 1);
        let mut office_dates = HashSet::new();
        let mut crm_dates = HashSet::new();
        let mut office_lags = HashSet::new();
        for today in date("2026-01-01").iter_days().take(180) {
            let office = world.processed(Subject::Usage, Service::Office, today);
            let crm = world.processed(Subject::Usage, Service::Dynamics, today);
            office_lags.insert((today - office).num_days());
            assert!((4..=6).contains(&(today - crm).num_days()));
            office_dates.insert(office);
            crm_dates.insert(crm);
        }
        assert_eq!(office_lags, HashSet::from([2, 3]));
        assert!((155..180).contains(&office_dates.len()));
        assert!((60..=61).contains(&crm_dates.len()));
    }

    #[test]
    fn only_dates_that_were_out_before_are_restated() {
        let world = World::new(1, 40);
        let restate = Restate {
            from: date("2026-05-10"),
            share: 1.0,
        };
        let rows = |asked: &str, today: &str, restate| -> Vec<Usage> {
            let snapshot = world.snapshot(Subject::Usage, Some(date(asked)), date(today), restate);
            (0..40)
                .flat_map(|number| world.usage(number, &snapshot))
                .collect()
        };
        let old = world.processed(Subject::Usage, Service::Office, date("2026-05-05"));
        let old = old.to_string();
        let before = rows(&old, "2026-05-09", Some(&restate));
        assert_eq!(before, rows(&old, "2026-05-09", None));
        let after = rows(&old, "2026-05-10", Some(&restate));
        assert_eq!(before.len(), after.len());
        let moved = before.iter().zip(&after);
        let moved = moved.filter(|(before, after)| before != after).count();
        assert!(moved * 4 > before.len() && moved < before.len());
        let young = world.processed(Subject::Usage, Service::Office, date("2026-05-20"));
        let young = young.to_string();
        assert_eq!(
            rows(&young, "2026-05-20", Some(&restate)),
            rows(&young, "2026-05-20", None)
        );
    }
}
