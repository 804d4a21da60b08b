//! The workers of a run: each takes the next customer, fetches it, and hands its outcome on.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tracing::{Instrument as _, info_span};

use super::Syncer;
use crate::causes::with_causes;
use crate::partner_center::{ApiError, AuthError};
use crate::retry::{GaveUp, Stop};
use crate::usage::{Customer, CustomerOutcome, Failure, FailureReason};

/// From so many rows on a collection counts as large.
const LARGE_COLLECTION: usize = 1_000;

/// An outcome on its way to the writer, with the place that it still takes.
pub(super) type Fetched = (CustomerOutcome, Option<OwnedSemaphorePermit>);

/// What the workers of a run share.
pub(super) struct Walk {
    syncer: Arc<Syncer>,
    queue: Mutex<std::vec::IntoIter<Customer>>,
    /// Why there is no token for anybody.
    no_token: OnceLock<AuthError>,
    /// The program's stop, or the run's own.
    pub(super) stop: Stop,
}

impl Walk {
    pub(super) fn new(syncer: Arc<Syncer>, list: Vec<Customer>, stop: &Stop) -> Self {
        Self {
            syncer,
            queue: Mutex::new(list.into_iter()),
            no_token: OnceLock::new(),
            stop: Stop {
                soon: stop.soon.child_token(),
                now: stop.now.child_token(),
            },
        }
    }

    /// Why there is no token for anybody, if so.
    pub(super) fn no_token(&self) -> Option<&AuthError> {
        self.no_token.get()
    }

    fn next(&self) -> Option<Customer> {
        if self.stop.soon.is_cancelled() {
            return None;
        }
        self.queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .next()
    }

    /// Works until the list is done, a stop is heard, or nobody takes outcomes any more.
    pub(super) async fn work(&self, outcomes: mpsc::Sender<Fetched>) {
        while let Some(customer) = self.next() {
            let id = customer.id;
            let span = info_span!("sync.customer", customer.id = %id);
            let fetched = self
                .syncer
                .client
                .fetch_usage(id, &self.stop)
                .instrument(span)
                .await;
            let (attempts, http_status, result, permit) = match fetched {
                Ok(fetched) => {
                    let status = Some(fetched.http_status);
                    (
                        fetched.attempts,
                        status,
                        Ok(fetched.collection),
                        Some(fetched.permit),
                    )
                }
                Err(GaveUp::Failed {
                    error: ApiError::SignIn(error),
                    ..
                }) => {
                    // Everybody hears the same; the first to say it is enough.
                    let _first = self.no_token.set(AuthError::clone(&error));
                    self.stop.soon.cancel();
                    return;
                }
                Err(GaveUp::Failed { error, attempts }) => {
                    let failure = Failure {
                        reason: error.reason(),
                        detail: with_causes(&error),
                    };
                    (attempts, error.http_status(), Err(failure), None)
                }
                // Never asked for: it has no outcome.
                Err(GaveUp::Stopped { attempts: 0 }) => return,
                Err(GaveUp::Stopped { attempts }) => (attempts, None, Err(interrupted()), None),
            };
            let outcome = CustomerOutcome {
                customer,
                result,
                http_status,
                attempts,
                finished_at: self.syncer.clock.now(),
            };
            // A large collection keeps its place among the requests in flight until it is stored: so many of them, and
            // no more, are in memory at a time.
            let permit = permit.filter(|_| outcome.row_count() > LARGE_COLLECTION);
            // Closed only when the writer has given up, and then the run is over.
            let _taken = outcomes.send((outcome, permit)).await;
        }
    }
}

fn interrupted() -> Failure {
    Failure {
        reason: FailureReason::Interrupted,
        detail: "the run was stopped while the customer was under way".to_owned(),
    }
}
