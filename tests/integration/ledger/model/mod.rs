//! Random histories, after each step of which every view must equal its definition.
//!
//! A history follows from its seed alone. The customers, what Partner Center has of them, the runs
//! with their sources, their batches and the places where they are cut off, the statements of
//! other writers and the edits are all drawn from it, and so are the moments that runs record.
//! `SEED=17 make soak` replays one, `make soak SEEDS=1000 FROM=1` tries a thousand.
//!
//! Two hosts do the runs. In every third history they are killed, stand still or lose packets in
//! the middle of a run, and the other one goes on. Such a history must leave what it leaves when
//! nothing befalls a host, and no transaction of a run may be of a host that has lost the lease.

mod away;
mod checks;
mod end_state;
mod history;
mod hosts;
mod partner;
mod process;
mod runs;
mod seen;
mod strikes;
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
    let is_struck = seed.is_multiple_of(3);
    let mut history = Box::pin(History::new(seed, is_struck)).await;
    let mut replayed = go_through(&mut history).await;
    if replayed.is_ok() && is_struck {
        let mut undisturbed = Box::pin(History::undisturbed(seed)).await;
        replayed = go_through(&mut undisturbed).await;
        let (left, expected) = (history.end_state().await, undisturbed.end_state().await);
        if let Some(difference) = left.difference(&expected) {
            replayed = replayed.and(Err(difference));
        }
        undisturbed.delete().await;
    }
    let steps = history.steps.join("\n");
    history.delete().await;
    replayed.map_err(|error| format!("seed {seed}, after these steps:\n{steps}\n{error}"))
}

async fn go_through(history: &mut History) -> Result<(), String> {
    for step in 0..STEPS {
        Box::pin(history.step(step)).await?;
    }
    Ok(())
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
