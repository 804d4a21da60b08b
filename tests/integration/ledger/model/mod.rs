//! Random histories, after each step of which every view must equal its definition.
//!
//! A history follows from its seed alone. The customers, what Partner Center has of them, the runs
//! with their sources, their batches and the places where they are cut off, the statements of
//! other writers and the edits are all drawn from it, and so are the moments that runs record.
//! `SEED=17 make soak` replays one, `make soak SEEDS=1000 FROM=1` tries a thousand.

mod checks;
mod history;
mod partner;
mod runs;
mod writers;

use futures_util::StreamExt as _;
use futures_util::stream;

use crate::support::root;
use history::{History, STEPS};

/// Histories at the same time. Postgres does most of the work.
const AT_ONCE: usize = 4;

/// The seeds to try: the first, and how many.
fn seeds() -> std::ops::Range<u64> {
    #[expect(
        clippy::disallowed_methods,
        reason = "make soak hands the seeds over in the environment"
    )]
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().unwrap());
    let from: u64 = number("MODEL_FROM").unwrap_or(1);
    from..from + number("MODEL_SEEDS").unwrap_or(30)
}

/// A file of the model.
fn sql(name: &str) -> String {
    let folder = root().join("tests/integration/ledger/model/sql");
    let path = folder.join(name).with_extension("sql");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// # Errors
/// With the step at which a view differed, and how.
async fn replay(seed: u64) -> Result<(), String> {
    let mut history = Box::pin(History::new(seed)).await;
    let mut replayed = Ok(());
    for step in 0..STEPS {
        let stepped = Box::pin(history.step(step)).await;
        replayed = stepped.map_err(|difference| {
            let steps = history.steps.join("\n");
            format!("seed {seed}, step {step} of these:\n{steps}\n{difference}")
        });
        if replayed.is_err() {
            break;
        }
    }
    history.delete().await;
    replayed
}

#[tokio::test]
async fn after_each_step_of_a_random_history_every_view_equals_its_definition() {
    let seeds = seeds();
    let failed: Vec<String> = stream::iter(seeds.clone())
        .map(replay)
        .buffer_unordered(AT_ONCE)
        .filter_map(|replayed| async { replayed.err() })
        .collect()
        .await;
    assert!(
        failed.is_empty(),
        "{} of {} histories failed; SEED=… make soak replays one:\n\n{}",
        failed.len(),
        seeds.end - seeds.start,
        failed.join("\n\n")
    );
}
