//! Computes the figures of the front page, beside everything else: a slow computation delays no
//! probe. What was computed last stays until there is something newer.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, warn};

use super::{Known, Observer};
use crate::causes::with_causes;
use crate::store::{Figures, Migrations, ProductList};

/// How long figures hold without a run: some depend on the date.
const LAST: Duration = Duration::from_hours(6);

/// After how long a computation that failed is tried again without a run.
const AGAIN: Duration = Duration::from_mins(5);

/// The last computation.
struct Computed {
    /// The newest run over the whole list that had ended.
    run: Option<i64>,
    /// When another one is due even without a run.
    due: Instant,
    has_failed: bool,
}

impl Observer {
    /// The figures of the front page, as they were last computed; none until they were.
    pub(in crate::status) fn figures(&self) -> Option<Arc<Figures>> {
        self.figures.borrow().clone()
    }

    /// The list of products, likewise.
    pub(in crate::status) fn products(&self) -> Option<Arc<ProductList>> {
        self.products.borrow().clone()
    }

    /// Computes them at the start, after each run, and when they are old.
    pub(super) async fn watch_figures(&self) -> Infallible {
        let schema = Migrations::embedded().newest();
        let mut database = self.database.subscribe();
        let mut last = None;
        loop {
            let known = database.borrow_and_update().clone();
            // Where there are no pages, nobody asks for them.
            if self.parts().has_pages && is_due(&known, schema, last.as_ref()) {
                last = Some(self.compute(&known, last).await);
            }
            // Cannot fail: the sender is this observer's own.
            let _changed = database.changed().await;
        }
    }

    async fn compute(&self, known: &Known, last: Option<Computed>) -> Computed {
        let began = Instant::now();
        let now = self.inputs.clock.now();
        let store = self.parts().store.clone();
        let figures = store.load_figures(now).await.map(|figures| {
            self.figures.send_replace(Some(Arc::new(figures)));
        });
        // Apart from the figures, so that neither is late or missing because of the other.
        let products = store.load_products(now).await.map(|products| {
            self.products.send_replace(Some(Arc::new(products)));
        });
        let computed = figures.and(products);
        let has_failed = computed.is_err();
        match computed {
            Ok(()) => {
                let duration_ms = began.elapsed().as_millis();
                debug!(duration_ms, "Computed the figures of the pages");
            }
            Err(error) if last.is_none_or(|last| !last.has_failed) => {
                let error = with_causes(&error);
                warn!(
                    error,
                    "The figures of the pages could not be computed, and those before stay: {error}"
                );
            }
            // Has been logged.
            Err(_) => {}
        }
        Computed {
            run: last_run(known),
            due: Instant::now() + if has_failed { AGAIN } else { LAST },
            has_failed,
        }
    }
}

/// Without tables, or with older ones than the program's, there is nothing to compute. While a run
/// is under way its end is waited for.
fn is_due(known: &Known, schema: Option<i64>, last: Option<&Computed>) -> bool {
    let Some(overview) = known.overview.as_ref().filter(|_| known.away.is_none()) else {
        return false;
    };
    overview.schema_version >= schema
        && last.is_none_or(|last| {
            last.run != last_run(known)
                || (overview.running.is_none() && Instant::now() >= last.due)
        })
}

fn last_run(known: &Known) -> Option<i64> {
    let run = known.overview.as_ref()?.last_finished.as_ref()?;
    Some(run.run_id)
}
