//! Makes up a run's list: who is on it, who has gone from the partner's own list, and who comes
//! first.

use tracing::{error, info, warn};

use super::customers::Listed;
use super::report::RunError;
use super::tally::Tally;
use super::writer::Sink;
use super::{Request, Syncer, customers, run_error};
use crate::ledger::{CustomerId, Dataset};
use crate::partner_center::Session;
use crate::shutdown::Shutdown;
use crate::store::{Listing, Urgency};

/// The ledger is asked by name for so many customers at the most.
const FEW: usize = 1_000;

impl Syncer {
    /// The customers of a run, the most urgent first.
    pub(super) async fn list(
        &self,
        request: &Request,
        session: &Session,
        sink: &mut Sink,
        tally: &mut Tally,
        shutdown: &Shutdown,
    ) -> Result<Vec<Listed>, RunError> {
        let known = request.listed.get().cloned();
        // Who has gone is noted once for each time that the list is asked for.
        let is_new = known.is_none();
        let listed = if is_new && self.customers.discover && request.only.is_empty() {
            let listed = customers::discover(session, shutdown).await;
            let listed = listed.map_err(run_error)?;
            // Kept for the passes that follow; otherwise it would be in memory twice.
            if request.dated.is_some() {
                request.listed.get_or_init(|| listed.clone());
            }
            Some(listed)
        } else {
            known
        };
        if let (Some(listed), true, Sink::Ledger(ledger)) = (&listed, is_new, &mut *sink) {
            match ledger
                .record_listing(listed, &self.customers.exclude, shutdown)
                .await?
            {
                Listing::Changed { gone, returned } => {
                    for id in gone {
                        warn!(customer.id = %id, "Customer {id} is no longer on the partner's list; its history is kept");
                    }
                    for id in returned {
                        info!(customer.id = %id, "Customer {id} is on the partner's list again");
                    }
                }
                Listing::Shrunk { known, left } => {
                    let note = format!(
                        "the partner's list names only {left} of the {known} customers that it named before; this is taken for a fault of the list, so nobody was marked as gone. If they have really left: update customer set gone_since = now() where gone_since is null and listed_at < (select max(listed_at) from customer)"
                    );
                    error!(known, left, "The partner's list has shrunk: {note}");
                    tally.notes.push(note);
                }
            }
        }
        let mut list = customers::resolve(&self.customers, &request.only, request.kind, listed)
            .map_err(run_error)?;
        if let Sink::Ledger(ledger) = sink {
            if let Some(run_id) = request.resumes {
                let done = ledger.load_done(run_id, shutdown).await?;
                list.retain(|customer| !done.contains(&customer.id));
            }
            // Of a few customers a large ledger is not asked for everybody.
            let few: Option<Vec<CustomerId>> =
                (list.len() <= FEW).then(|| list.iter().map(|customer| customer.id).collect());
            // Among equals in the order of the ledger's keys, which makes the rows of one date
            // cheaper to store.
            list.sort_unstable_by_key(|customer| customer.id);
            let mut urgency = vec![Urgency::default(); list.len()];
            let tell = |id, of_it| {
                if let Ok(at) = list.binary_search_by_key(&id, |customer| customer.id) {
                    urgency[at] = of_it;
                }
            };
            ledger.load_urgency(few.as_deref(), shutdown, tell).await?;
            let mut due: Vec<(Urgency, Listed)> = urgency.into_iter().zip(list).collect();
            due.sort_unstable_by_key(|(urgency, customer)| (*urgency, customer.id));
            let those = |such: fn(&Urgency) -> bool| {
                due.iter()
                    .filter(move |(urgency, _)| such(urgency))
                    .map(|(_, customer)| customer.id)
            };
            // Of a date of the past there may be no figures any more.
            if request.dated.is_none() && self.datasets.contains(&Dataset::Usage) {
                tally.expect_usage(those(Urgency::has_newest_date));
            }
            let refused: Vec<CustomerId> = those(Urgency::was_refused).collect();
            // Where all were, it was not for their own sake.
            if refused.len() < due.len() {
                tally.expect_refused(refused);
            }
            list = due.into_iter().map(|(_, customer)| customer).collect();
            // It is there for as long as the run, and may be long.
            list.shrink_to_fit();
        }
        Ok(list)
    }
}
