//! Sets up what is logged, and how. Called once.

use std::io::{self, IsTerminal as _, Write};
use std::os::linux::fs::MetadataExt as _;

use indicatif::MultiProgress;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::config::{Config, LogFormat};

/// The cron scheduler speaks of its own workings at `info`, and Postgres of tables that are there
/// already.
const QUIET: &str = "tokio_cron_scheduler=warn,sqlx=warn";

/// Begins to log to standard error, or to the journal where standard error goes there anyway.
/// Lines and progress bars of `bars` do not run into each other.
///
/// # Panics
/// With a filter that cannot be read, which the configuration does not let pass.
pub(crate) fn init(config: &Config, bars: &MultiProgress) {
    let filter = EnvFilter::try_new(format!("{QUIET},{}", config.log.filter))
        .expect("the filter was checked when the configuration was read");
    let journal = match config.log.format {
        LogFormat::Auto if is_journal(config.journal_stream.as_deref()) => {
            tracing_journald::layer()
                .ok()
                .map(|layer| layer.with_field_prefix(None))
        }
        LogFormat::Auto | LogFormat::Text | LogFormat::Json => None,
    };
    let text = match config.log.format {
        LogFormat::Text => true,
        LogFormat::Json => false,
        LogFormat::Auto => io::stderr().is_terminal(),
    };
    let writer = BesideBars(bars.clone());
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let layer = match journal {
        Some(journal) => journal.boxed(),
        None if text => lines
            .with_ansi(io::stderr().is_terminal())
            .with_target(false)
            .boxed(),
        None => lines
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .boxed(),
    };
    // The filter is a layer of its own: as the filter of the other layer it would swallow the event
    // that follows a mere question whether something is logged, as sqlx asks it for each of
    // Postgres' notices. A second call, as tests make it, keeps the first set-up.
    let _already_set = tracing_subscriber::registry()
        .with(layer)
        .with(filter)
        .try_init();
}

/// `$JOURNAL_STREAM` names the journal's stream by device and inode; it is inherited, so that only
/// a standard error which still is that stream counts.
fn is_journal(journal_stream: Option<&str>) -> bool {
    let stderr = std::fs::metadata("/proc/self/fd/2")
        .map(|stream| format!("{}:{}", stream.st_dev(), stream.st_ino()));
    stderr.is_ok_and(|stderr| journal_stream == Some(stderr.as_str()))
}

/// Standard error, with progress bars put aside while a line is written.
#[derive(Clone)]
struct BesideBars(MultiProgress);

impl Write for BesideBars {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write(line))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl MakeWriter<'_> for BesideBars {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
