//! Collects the results. A person sees what is ready as soon as it is known, and on a terminal also
//! what is awaited.

use std::time::Duration;

use anyhow::Context as _;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::result::{self, PartResult};
use crate::app::say;
use crate::lifecycle::Exit;

const REDRAW: Duration = Duration::from_millis(500);

pub(super) struct Checklist {
    results: Vec<PartResult>,
    json: bool,
    bars: MultiProgress,
    /// Drawn on standard error, if that is a terminal, and gone when it is dropped.
    bar: ProgressBar,
}

impl Checklist {
    pub(super) fn new(json: bool, bars: MultiProgress) -> Self {
        let style = ProgressStyle::with_template("{spinner} {msg}, {elapsed}");
        let bar = bars.add(ProgressBar::no_length());
        bar.set_style(style.expect("the template names only known parts"));
        bar.set_message("trying the configuration");
        bar.enable_steady_tick(REDRAW);
        Self {
            results: Vec::new(),
            json,
            bars,
            bar,
        }
    }

    /// What is awaited from now on.
    pub(super) fn trying(&self, what: &'static str) {
        self.bar.set_message(format!("trying {what}"));
    }

    /// Faults are shown at the end, the first thing to mend last.
    pub(super) fn push(&mut self, result: PartResult) -> anyhow::Result<()> {
        if result.is_ok() && !self.json {
            self.bars.suspend(|| say(&result.line("")))?;
        }
        self.results.push(result);
        Ok(())
    }

    pub(super) fn is_ok(&self) -> bool {
        self.results.iter().all(PartResult::is_ok)
    }

    /// Shows what is not shown yet.
    pub(super) fn finish(self) -> anyhow::Result<Exit> {
        self.bar.finish_and_clear();
        if self.json {
            let form = serde_json::to_string(&result::form(&self.results));
            say(&form.context("the results cannot be written")?)?;
        } else {
            for line in result::faults(&self.results) {
                say(&line)?;
            }
        }
        let first = result::first(&self.results);
        Ok(first.map_or(Exit::Success, |(_, remedy)| remedy.into()))
    }
}
