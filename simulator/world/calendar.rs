//! The dates that there are figures for: when each service has processed a date, which dates it
//! leaves out, and which of them it corrects later.

use chrono::{Duration, NaiveDate};

use super::{catalog::Service, draw::Draw};
use crate::settings::Restatement;

/// Day 0 of all day numbers. No product was bought before it.
pub(super) const EPOCH: NaiveDate =
    NaiveDate::from_ymd_opt(2015, 1, 1).expect("the first of January is a date");

/// The days from the epoch to a date.
pub(super) fn day_number(date: NaiveDate) -> i64 {
    date.signed_duration_since(EPOCH).num_days()
}

/// The datasets of the analytics API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Dataset {
    /// Active users per product and workload.
    Usage,
    /// Assigned seats per product.
    Deployment,
}

/// The processed date of each service that a collection shows, if it shows one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Snapshot {
    office: Option<ProcessedDate>,
    dynamics: Option<ProcessedDate>,
    /// The day of `SimulatorSettings::varied_from`.
    pub(super) varied_from: Option<NaiveDate>,
}

/// A processed date of one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ProcessedDate {
    pub(super) date: NaiveDate,
    /// Whether its figures are the corrected ones.
    pub(super) corrected: bool,
}

impl Snapshot {
    /// The same of a partner whose products and customers vary around that day, if one is given.
    pub(crate) fn varied(self, from: Option<NaiveDate>) -> Self {
        Self {
            varied_from: from,
            ..self
        }
    }

    pub(super) fn of(&self, service: Service) -> Option<ProcessedDate> {
        match service {
            Service::Office => self.office,
            Service::Dynamics => self.dynamics,
        }
    }
}

/// When the figures of each day become available.
#[derive(Debug)]
pub(crate) struct Calendar(Draw);

impl Calendar {
    /// `draw` is that of the whole world.
    pub(super) fn new(draw: Draw) -> Self {
        Self(draw)
    }

    /// The newest date that has been processed on the day `today`.
    ///
    /// Office usage is two days old, or three after a day that was left out. Dynamics usage is
    /// processed every third day, four days later. Deployment of both is one day old.
    pub(super) fn newest(&self, dataset: Dataset, service: Service, today: NaiveDate) -> NaiveDate {
        let today = day_number(today);
        let day = match (dataset, service) {
            (Dataset::Deployment, _) => today - 1,
            (Dataset::Usage, Service::Office) if self.is_left_out(today - 2) => today - 3,
            (Dataset::Usage, Service::Office) => today - 2,
            (Dataset::Usage, Service::Dynamics) => today - 4 - (today - 4).rem_euclid(3),
        };
        EPOCH + Duration::days(day)
    }

    // Never two days in a row, so that Office usage is three days old at the most.
    fn is_left_out(&self, day: i64) -> bool {
        let missed = |day: i64| self.0.on(3).on(day.cast_unsigned()).chance(0.07);
        missed(day) && !missed(day - 1)
    }

    /// What a collection shows on the day `today`: the processed date `requested`, or each
    /// service's newest.
    pub(crate) fn snapshot(
        &self,
        dataset: Dataset,
        requested: Option<NaiveDate>,
        today: NaiveDate,
        restatement: Option<&Restatement>,
    ) -> Snapshot {
        let of = |service| {
            let newest = self.newest(dataset, service, today);
            let date = requested.unwrap_or(newest);
            let day = day_number(date);
            let exists = match (dataset, service) {
                (Dataset::Deployment, _) => true,
                (Dataset::Usage, Service::Office) => !self.is_left_out(day),
                (Dataset::Usage, Service::Dynamics) => day.rem_euclid(3) == 0,
            };
            // Only what was published before the correction can be corrected.
            let corrected = restatement.is_some_and(|restatement| {
                let before = restatement.from.pred_opt().unwrap_or(restatement.from);
                let draw = self.0.on(4).on(day.cast_unsigned());
                today >= restatement.from
                    && date <= self.newest(dataset, service, before)
                    && draw.chance(restatement.share)
            });
            (exists && date <= newest).then_some(ProcessedDate { date, corrected })
        };
        Snapshot {
            office: of(Service::Office),
            dynamics: of(Service::Dynamics),
            varied_from: None,
        }
    }

    /// When deployment of a date was processed: early that morning, to a hundredth of a second.
    pub(crate) fn deployment_processed_at(&self, date: NaiveDate) -> String {
        let draw = self.0.on(5).on(day_number(date).cast_unsigned());
        let part = |topic, end| draw.on(topic).days(0, end);
        let (hour, minute, second) = (1 + part(0, 4), part(1, 60), part(2, 60));
        let hundredths = part(3, 100);
        format!("{date}T{hour:02}:{minute:02}:{second:02}.{hundredths:02}+00:00")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn the_two_services_lag_differently() {
        let calendar = Calendar::new(Draw::new(1));
        let mut office_dates = HashSet::new();
        let mut crm_dates = HashSet::new();
        let mut office_lags = HashSet::new();
        for today in date("2026-01-01").iter_days().take(180) {
            let office = calendar.newest(Dataset::Usage, Service::Office, today);
            let crm = calendar.newest(Dataset::Usage, Service::Dynamics, today);
            office_lags.insert((today - office).num_days());
            assert!((4..=6).contains(&(today - crm).num_days()));
            office_dates.insert(office);
            crm_dates.insert(crm);
        }
        assert_eq!(office_lags, HashSet::from([2, 3]));
        assert!((155..180).contains(&office_dates.len()));
        assert!((60..=61).contains(&crm_dates.len()));
    }
}
