//! Sets up the log, and traces where they are built in. Called once.

#[cfg(feature = "otel")]
pub(crate) mod traces;

use std::io::{self, IsTerminal as _, Write};
use std::os::linux::fs::MetadataExt as _;
use std::sync::LazyLock;

use indicatif::MultiProgress;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::config::{Config, LogFormat, journal_stream};

/// Levels of libraries that log too much: the cron scheduler its own steps, sqlx Postgres' notices
/// that a table exists already, and the certificate verifier as an error what the call that it
/// refuses reports with what to do.
const LIBRARY_LEVELS: &str = "tokio_cron_scheduler=warn,sqlx=warn,rustls_platform_verifier=off";

/// Logs to standard error, or to the journal directly if standard error is connected to it. The
/// progress bars of `bars` are hidden while a line is written.
///
/// # Panics
/// With an invalid filter, which the configuration refuses.
pub(crate) fn init(config: &Config, bars: &MultiProgress) {
    let filter = EnvFilter::try_new(format!("{LIBRARY_LEVELS},{}", config.log.filter))
        .expect("the filter was checked when the configuration was read");
    let journal = match config.log.format {
        LogFormat::Auto if is_journal() => tracing_journald::layer()
            .ok()
            .map(|layer| layer.with_field_prefix(None)),
        LogFormat::Auto | LogFormat::Text | LogFormat::Json => None,
    };
    let text = match config.log.format {
        LogFormat::Text => true,
        LogFormat::Json => false,
        LogFormat::Auto => io::stderr().is_terminal(),
    };
    let writer = Lines {
        bars: bars.clone(),
        priority: None,
    };
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
    #[cfg(feature = "otel")]
    if let Some(settings) = &config.traces {
        let registry = tracing_subscriber::registry();
        match traces::layer(settings) {
            // Traces do not depend on what is logged, so that the filter is the log's.
            Ok(traces) => {
                let _already_set = registry
                    .with(layer.with_filter(filter))
                    .with(traces)
                    .try_init();
            }
            Err(error) => {
                let _already_set = registry.with(layer).with(filter).try_init();
                tracing::warn!("Traces are not sent: {error}");
            }
        }
        return;
    }
    // The filter is a layer of its own. As the filter of the other layer it would drop the event
    // after a call that only asks whether a level is enabled, as sqlx asks for each of Postgres'
    // notices. A second call, as in tests, keeps the first set-up.
    let _already_set = tracing_subscriber::registry()
        .with(layer)
        .with(filter)
        .try_init();
}

/// Whether standard error is the stream that `$JOURNAL_STREAM` names by device and inode. The
/// variable alone proves nothing: child processes inherit it, and their standard error may be
/// another stream.
pub(crate) fn is_journal() -> bool {
    static IS_JOURNAL: LazyLock<bool> = LazyLock::new(|| {
        let stderr = std::fs::metadata("/proc/self/fd/2")
            .map(|stream| format!("{}:{}", stream.st_dev(), stream.st_ino()));
        stderr.is_ok_and(|stderr| journal_stream() == Some(stderr))
    });
    *IS_JOURNAL
}

/// The lines of a text as the journal takes them from standard error: each is an entry of its own,
/// and begins with its priority.
pub(crate) fn with_priority(level: Level, text: &str) -> String {
    let priority = priority(level);
    let lines = text.lines().map(|line| format!("<{priority}>{line}\n"));
    lines.collect()
}

/// The priorities that entries have which go to the journal directly.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 5,
        Level::DEBUG => 6,
        Level::TRACE => 7,
    }
}

/// Standard error; the progress bars are hidden while a line is written.
#[derive(Clone)]
struct Lines {
    bars: MultiProgress,
    /// The level of the line, if it goes to the journal.
    priority: Option<Level>,
}

impl Write for Lines {
    /// Takes a whole event at once.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.bars.suspend(|| match self.priority {
            Some(level) => {
                let lines = with_priority(level, &String::from_utf8_lossy(event));
                io::stderr().write_all(lines.as_bytes())?;
                Ok(event.len())
            }
            None => io::stderr().write(event),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }

    fn make_writer_for(&self, event: &Metadata<'_>) -> Self {
        Self {
            priority: is_journal().then_some(*event.level()),
            ..self.clone()
        }
    }
}
