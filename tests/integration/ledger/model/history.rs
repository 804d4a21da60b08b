//! A history at random: what happens to a ledger, step by step.

use chrono::{DateTime, Duration, NaiveDate, Utc};
use seatledger::ledger::{Collection, Customer, CustomerOutcome, Failure, FailureReason, Source};
use seatledger::store::DatedPass;

use super::checks::Checks;
use super::end_state::{EndState, end_state};
use super::partner::Partner;
use super::runs::{Ledger, RunPlan};
use super::strikes::{Moment, Strike};
use super::writers;
use crate::support::Draw;

/// The steps of a history.
pub(super) const STEPS: usize = 10;

pub(super) struct History {
    draw: Draw,
    partner: Partner,
    ledger: Ledger,
    source: Source,
    /// None in a history that others are compared with.
    checks: Option<Checks>,
    /// Draws what befalls hosts; none if nothing does. Apart from the rest, which is then the same.
    strikes: Option<Draw>,
    /// What each step did, for the report of a failure.
    pub(super) steps: Vec<String>,
}

impl History {
    /// In which each step is compared with the definitions and, if `is_struck`, hosts are killed,
    /// stand still or lose their links.
    pub(super) async fn new(seed: u64, is_struck: bool) -> Self {
        let mut history = Self::undisturbed(seed).await;
        history.checks = Some(Checks::new(&history.ledger.pool).await);
        history.strikes = is_struck.then(|| Draw::new(!seed));
        history
    }

    /// In which nothing befalls a host, and nothing is compared.
    pub(super) async fn undisturbed(seed: u64) -> Self {
        let mut draw = Draw::new(seed);
        let partner = Partner::new(&mut draw);
        let source = draw.pick(&[Source::Customer, Source::Commercial]);
        let ledger = Ledger::new().await;
        Self {
            draw,
            partner,
            ledger,
            source,
            checks: None,
            strikes: None,
            steps: Vec::new(),
        }
    }

    pub(super) async fn delete(self) {
        drop(self.checks);
        self.ledger.delete().await;
    }

    /// Does one step and compares every view.
    ///
    /// # Errors
    /// With how a view differs from its definition.
    pub(super) async fn step(&mut self, number: usize) -> Result<(), String> {
        let mut did = Vec::new();
        let stepped = Box::pin(self.act(number, &mut did)).await;
        self.steps.push(format!("{number}: {}", did.join("; ")));
        stepped?;
        compare(&mut self.checks).await
    }

    /// What the history has left.
    pub(super) async fn end_state(&self) -> EndState {
        end_state(&self.ledger.pool).await
    }

    async fn act(&mut self, number: usize, did: &mut Vec<String>) -> Result<(), String> {
        self.ledger.begin_day(self.partner.today);
        let kind = if number == 0 { 0 } else { self.draw.below(20) };
        match kind {
            // The empty ledger is compared, too.
            0 if number == 0 => Ok(()),
            0..=8 => {
                self.partner.advance(&mut self.draw);
                self.ledger.begin_day(self.partner.today);
                for _ in 0..self.draw.below(4) {
                    did.push(self.partner.change(&mut self.draw));
                }
                if self.draw.one_in(4) {
                    did.push(self.partner.rename_widely(&mut self.draw));
                }
                // Where most figures stay, a renaming shows by them.
                let one_in = self.draw.pick(&[2, 20]);
                self.partner.use_seats(&mut self.draw, one_in);
                self.newest(did).await?;
                if self.draw.one_in(4) {
                    self.rename(did);
                    self.newest(did).await?;
                }
                Ok(())
            }
            9 => self.newest(did).await,
            10 => {
                self.partner.use_seats(&mut self.draw, 3);
                did.push("restated".to_owned());
                self.rename(did);
                self.newest(did).await
            }
            11 => {
                self.partner.process_again(&mut self.draw);
                did.push("processed again".to_owned());
                self.rename(did);
                self.newest(did).await
            }
            12 | 13 => self.dated(did).await,
            14 => {
                self.source = match self.source {
                    Source::Customer => Source::Commercial,
                    Source::Commercial => Source::Customer,
                };
                did.push("the source is another".to_owned());
                self.newest(did).await
            }
            15..=17 => {
                let statement = writers::write(&mut self.draw, self.ledger.tick());
                self.ledger.write(&statement).await;
                did.push(statement);
                self.ledger.see(&[]).await;
                Ok(())
            }
            _ => {
                let statement = writers::edit(&mut self.draw);
                self.ledger.write(&statement).await;
                did.push(statement);
                Ok(())
            }
        }
    }

    /// Renames products within the processed dates that the partner has now, or none.
    fn rename(&mut self, did: &mut Vec<String>) {
        for _ in 0..self.draw.below(3) {
            did.push(self.partner.rename_any(&mut self.draw));
        }
    }

    /// A run that fetches what is newest.
    async fn newest(&mut self, did: &mut Vec<String>) -> Result<(), String> {
        let before = (self.source == Source::Customer && self.draw.one_in(6))
            .then(|| Duration::days(self.draw.between(1, 5)));
        let moments = self.partner.services;
        self.run(moments.as_slice(), before, None, did).await
    }

    /// A dated backfill of a few days, the newest first.
    async fn dated(&mut self, did: &mut Vec<String>) -> Result<(), String> {
        let newest = self.partner.services.iter().max().unwrap().date_naive();
        // Mostly about the days on which figures begin or cease to count for today, or for a day
        // that growth looks back to.
        let back = self.draw.pick(&[0, 0, 7, 30, 91, 91, 365, 365]);
        let to = newest - Duration::days(back + self.draw.pick(&[-1, 0, 1, 2, 5, 13, 14, 15, 16]));
        let from = to - Duration::days(self.draw.between(0, 2));
        let mut asked = to;
        while asked >= from {
            let before = asked - Duration::days(1);
            let pass = DatedPass {
                asked,
                from,
                to,
                next: (before >= from).then_some(before),
            };
            let moment = asked.and_hms_opt(0, 0, 0).unwrap().and_utc();
            self.source = Source::Commercial;
            self.run(&[moment; 2], None, Some(pass), did).await?;
            if asked == to {
                compare(&mut self.checks).await?;
            }
            asked = before;
        }
        Ok(())
    }

    async fn run(
        &mut self,
        moments: &[DateTime<Utc>],
        before: Option<Duration>,
        dated: Option<DatedPass>,
        did: &mut Vec<String>,
    ) -> Result<(), String> {
        let listed = self.draw.one_in(3).then(|| self.listed());
        let mut outcomes = Vec::new();
        for customer in 0..self.partner.customers.len() {
            // A customer that is not on the list may be configured by id. Now and then a run does
            // not reach a customer.
            let is_left_out = !self.partner.customers[customer].is_listed && !self.draw.one_in(8);
            if !is_left_out && !self.draw.one_in(12) {
                outcomes.push(self.outcome(customer, moments, before));
            }
        }
        let mut batches = Vec::new();
        while !outcomes.is_empty() {
            let size = self.draw.pick(&[1, 3, 4, 8]).min(outcomes.len());
            batches.push(outcomes.drain(..size).collect::<Vec<_>>());
        }
        let cut = if !batches.is_empty() && self.draw.one_in(6) {
            let number = self.draw.below(batches.len());
            Some(self.draw.pick(&[
                Moment::InBatch(number, "sync_customer"),
                Moment::After(number),
                Moment::InEnd,
            ]))
        } else {
            None
        };
        let strikes = match &mut self.strikes {
            Some(draw) if cut.is_none() => Strike::draw(draw),
            _ => Vec::new(),
        };
        let sizes: Vec<usize> = batches.iter().map(Vec::len).collect();
        let days: Vec<NaiveDate> = moments.iter().map(DateTime::date_naive).collect();
        did.push(format!(
            "a run of {} with figures of {days:?} (and of {before:?} before) in batches of \
             {sizes:?}, a list: {}, dated: {:?}, cut: {cut:?}, strikes: {strikes:?}",
            self.source.as_str(),
            listed.is_some(),
            dated.map(|pass| pass.asked),
        ));
        let plan = RunPlan {
            source: self.source,
            dated,
            listed,
            batches,
            cut,
            is_interrupted: self.draw.one_in(8),
            strikes,
        };
        // Once in a while the views are compared while the run is under way.
        let mut until_compared = self.draw.one_in(3).then(|| self.draw.below(sizes.len()));
        let checks = &mut self.checks;
        self.ledger
            .run(plan, async || {
                let batches_left = until_compared.take();
                until_compared = batches_left.and_then(|left| left.checked_sub(1));
                match batches_left {
                    Some(0) => compare(checks).await,
                    _ => Ok(()),
                }
            })
            .await
    }

    fn listed(&self) -> Vec<Customer> {
        let listed = self.partner.customers.iter().filter(|c| c.is_listed);
        listed
            .map(|customer| Customer {
                name: Some(customer.name.clone()),
                ..Customer::from(customer.id)
            })
            .collect()
    }

    /// What becomes of a customer in a run.
    fn outcome(
        &mut self,
        customer: usize,
        moments: &[DateTime<Utc>],
        before: Option<Duration>,
    ) -> CustomerOutcome {
        let mut outcome = CustomerOutcome {
            customer: self.partner.customers[customer].id.into(),
            usage: Collection::default(),
            deployment: Collection::default(),
            failure: None,
            http_status: Some(200),
            attempts: 1,
            finished_at: self.ledger.tick(),
        };
        match self.draw.below(16) {
            0 => {
                outcome.http_status = Some(403);
                outcome.failure = Some(Failure {
                    reason: self.draw.pick(&[
                        FailureReason::Forbidden,
                        FailureReason::Throttled,
                        FailureReason::ServerError,
                    ]),
                    code: self.draw.one_in(3).then(|| "20002".to_owned()),
                    detail: "no".to_owned(),
                    call: None,
                });
            }
            1 => {}
            _ => {
                let (source, rejected) = (self.source, self.draw.one_in(12));
                outcome.usage = self.partner.usage(customer, source, moments, rejected);
                if let Some(before) = before {
                    let earlier: Vec<_> = moments.iter().map(|moment| *moment - before).collect();
                    let late = self.partner.usage(customer, source, &earlier, false);
                    outcome.usage.received += late.received;
                    outcome.usage.rows.extend(late.rows);
                }
                outcome.deployment = self.partner.deployment(customer, source, moments, rejected);
            }
        }
        outcome
    }
}

async fn compare(checks: &mut Option<Checks>) -> Result<(), String> {
    match checks {
        Some(checks) => checks.compare().await,
        None => Ok(()),
    }
}
