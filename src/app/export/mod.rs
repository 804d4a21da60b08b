//! `seatledger export`: a view of the BI layer as a file.

mod output;
#[cfg(feature = "parquet")]
mod parquet;

use std::ffi::OsStr;
use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use indicatif::{HumanBytes, HumanCount, MultiProgress, ProgressBar, ProgressStyle};
use tokio::sync::mpsc;

use crate::cli::{Export, ExportFormat};
use crate::config::Config;
use crate::lifecycle::{Exit, Lifecycle};
use crate::printable::printable;
use crate::store::{Exportable, Store};
use output::Output;

use super::{complain, say};

/// What is handed to the thread that writes at once.
const BLOCK: usize = 64 << 10;

/// How many blocks may wait for the thread that writes.
const WAITING_BLOCKS: usize = 4;

/// Endings of names that promise what an export does not write, each with the program that makes
/// such a file of what stands on standard output, if there is one.
const OTHER_ENDINGS: [(&str, Option<&str>); 9] = [
    ("gz", Some("gzip")),
    ("bz2", Some("bzip2")),
    ("xz", Some("xz")),
    ("zst", Some("zstd")),
    ("zip", None),
    ("xlsx", None),
    ("xls", None),
    ("ods", None),
    ("json", None),
];

/// Said before anything is read.
const WITHOUT_PARQUET: &str = "this build cannot write Parquet; export CSV, or build the program \
    with: cargo build --release --features parquet; docs/export.md has another way, too";

const REDRAW: Duration = Duration::from_millis(500);

pub(super) async fn run(
    arguments: &Export,
    config: &Config,
    bars: MultiProgress,
    lifecycle: &Lifecycle,
) -> anyhow::Result<Exit> {
    let format = format_of(arguments);
    if let Err(wrong) = possible(arguments, format) {
        complain(&wrong);
        return Ok(Exit::Usage);
    }
    let store = Store::new(&config.database)?;
    let known = store.load_exportable().await?;
    store.close().await;
    if known.is_empty() {
        complain("the ledger has no tables yet; the first run makes them, or: seatledger migrate");
        return Ok(Exit::NeedsPerson);
    }
    let Some(of) = known.iter().find(|known| known.name == arguments.view) else {
        complain(&unknown(&arguments.view, &known));
        return Ok(Exit::Usage);
    };
    let (sender, parts) = mpsc::channel(WAITING_BLOCKS);
    let output = Output::open(arguments.out.as_deref())?;
    // A thread of its own, because a pipe that nobody reads blocks its writer.
    let writing = lifecycle.tasks.spawn_blocking(|| output.write(parts));
    let mut sink = Sink {
        sender,
        block: Vec::with_capacity(BLOCK),
        rows: 0,
        bytes: 0,
        bar: bar(&bars, arguments),
    };
    let read = match format {
        ExportFormat::Csv => csv(&store, of, &mut sink).await,
        #[cfg(feature = "parquet")]
        ExportFormat::Parquet => parquet::export(&store, of, &mut sink).await,
        #[cfg(not(feature = "parquet"))]
        ExportFormat::Parquet => anyhow::bail!(WITHOUT_PARQUET),
    };
    let (rows, bytes) = (sink.rows, sink.bytes);
    sink.bar.finish_and_clear();
    // Without it, what was written is discarded.
    drop(sink);
    read?;
    writing
        .await
        .context("the thread that writes has ended")??;
    if let Some(out) = &arguments.out {
        say(&format!(
            "Wrote {}: {} rows of {}, {}",
            out.display(),
            HumanCount(rows),
            of.name,
            HumanBytes(bytes)
        ))?;
    }
    Ok(Exit::Success)
}

fn format_of(arguments: &Export) -> ExportFormat {
    let ending = arguments.out.as_ref().and_then(|out| out.extension());
    arguments.format.unwrap_or_else(|| match ending {
        Some(ending) if ending.eq_ignore_ascii_case("parquet") => ExportFormat::Parquet,
        _ => ExportFormat::Csv,
    })
}

fn possible(arguments: &Export, format: ExportFormat) -> Result<(), String> {
    if let Some(out) = &arguments.out {
        is_as_named(out)?;
    }
    if format == ExportFormat::Csv {
        return Ok(());
    }
    if !cfg!(feature = "parquet") {
        return Err(WITHOUT_PARQUET.to_owned());
    }
    if arguments.out.is_none() && io::stdout().is_terminal() {
        return Err("a terminal cannot show Parquet; name a file: --out FILE".to_owned());
    }
    Ok(())
}

/// Whether a file would be what the ending of its name promises.
fn is_as_named(out: &Path) -> Result<(), String> {
    if out == Path::new("-") {
        return Err("without --out, rows go to standard output".to_owned());
    }
    let ending = out.extension().and_then(OsStr::to_str).unwrap_or_default();
    let ending = ending.to_ascii_lowercase();
    let Some((_, program)) = OTHER_ENDINGS.iter().find(|(other, _)| *other == ending) else {
        return Ok(());
    };
    Err(match program {
        Some(program) => format!(
            "a file that ends with .{ending} is compressed, and an export is not; to compress it: \
             seatledger export VIEW | {program} >FILE"
        ),
        None => format!(
            "an export is CSV or Parquet, not .{ending}; name a file that ends with .csv or \
             .parquet"
        ),
    })
}

/// What is said to a name that does not exist.
fn unknown(name: &str, known: &[Exportable]) -> String {
    let names: Vec<&str> = known.iter().map(|known| known.name.as_str()).collect();
    let close = names
        .iter()
        .map(|known| {
            (
                strsim::damerau_levenshtein(known, &name.to_lowercase()),
                known,
            )
        })
        .min()
        .filter(|(distance, known)| *distance < known.len() / 2)
        .map(|(_, known)| format!("; did you mean {known}?"));
    format!(
        "there is no view {:?}{} What can be exported:\n  {}",
        printable(name),
        close.as_deref().unwrap_or("."),
        names.join("\n  ")
    )
}

/// How much is written; how much there is, nobody knows. Hidden where standard error is no
/// terminal, and where it would disturb the rows.
fn bar(bars: &MultiProgress, arguments: &Export) -> ProgressBar {
    if arguments.out.is_none() && io::stdout().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {msg}, {elapsed}");
    let bar = bars.add(ProgressBar::no_length());
    bar.set_style(style.expect("the template names only known parts"));
    bar.set_message("waiting for the first row");
    bar.enable_steady_tick(REDRAW);
    bar
}

async fn csv(store: &Store, of: &Exportable, sink: &mut Sink) -> anyhow::Result<()> {
    let mut is_header = true;
    let take = async |row: Bytes| {
        sink.rows += u64::from(!std::mem::take(&mut is_header));
        sink.write(&row).await
    };
    store.export_csv(of, take).await?;
    sink.end().await;
    Ok(())
}

/// What the thread that writes gets.
enum FilePart {
    Block(Vec<u8>),
    /// All is there: what was written is kept.
    End,
}

/// Where the rows go.
struct Sink {
    sender: mpsc::Sender<FilePart>,
    block: Vec<u8>,
    rows: u64,
    bytes: u64,
    bar: ProgressBar,
}

impl Sink {
    /// Whether more is wanted: the thread that writes may have met a fault, which it reports
    /// itself.
    async fn write(&mut self, bytes: &[u8]) -> bool {
        self.block.extend_from_slice(bytes);
        self.bytes += bytes.len() as u64;
        self.block.len() < BLOCK || self.flush().await
    }

    async fn flush(&mut self) -> bool {
        let (rows, bytes) = (HumanCount(self.rows), HumanBytes(self.bytes));
        self.bar.set_message(format!("{rows} rows, {bytes}"));
        let block = std::mem::replace(&mut self.block, Vec::with_capacity(BLOCK));
        self.sender.send(FilePart::Block(block)).await.is_ok()
    }

    async fn end(&mut self) {
        if self.flush().await {
            // If it has met a fault meanwhile, it reports that.
            let _sent = self.sender.send(FilePart::End).await;
        }
    }
}
