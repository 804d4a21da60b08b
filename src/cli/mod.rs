//! The command line's arguments.

mod extent;
mod help;
mod month;

use std::path::PathBuf;
use std::str::FromStr;

use chrono::NaiveDate;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::ledger::{CustomerId, Source};
use extent::Extent;
pub(crate) use month::Month;

/// Keeps the licence-usage history of a Microsoft CSP partner's customers in Postgres.
///
/// Without --backfill and without a command it runs as a daemon, on its schedule.
#[derive(Debug, Parser)]
#[command(
    version,
    help_template = help::TEMPLATE,
    before_help = help::PROGRAM,
    after_help = help::AFTER_PROGRAM
)]
pub(crate) struct Cli {
    /// The configuration file [default: `$SEATLEDGER_CONFIG`, `./config.toml`,
    /// `/etc/seatledger/config.toml`]
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,
    /// The options of a backfill.
    #[command(flatten)]
    pub(crate) backfill: Backfill,
    /// What to do instead of running the daemon or a backfill.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// The options of a backfill.
#[derive(Debug, Args)]
#[command(next_help_heading = "Backfill")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(crate) struct Backfill {
    /// Fetch every customer once, now, and exit
    #[arg(long = "backfill", id = "backfill")]
    pub(crate) now: bool,
    /// Only this customer; may be repeated
    #[arg(long, value_name = "GUID", requires = "backfill")]
    pub(crate) customer: Vec<CustomerId>,
    /// Fetch and validate, but write nothing
    #[arg(long, requires = "backfill")]
    pub(crate) dry_run: bool,
    /// Print the summary as one JSON object on standard output
    #[arg(long, requires = "backfill")]
    pub(crate) json: bool,
    /// The first processed date of a range: one pass for each date, newest first (source
    /// "commercial" only)
    #[arg(long, value_name = "DATE", requires_all = ["backfill", "to"])]
    pub(crate) from: Option<NaiveDate>,
    /// The last processed date of the range
    #[arg(long, value_name = "DATE", requires_all = ["backfill", "from"])]
    pub(crate) to: Option<NaiveDate>,
    /// Also fetch the dates that are already complete
    #[arg(long, requires = "from")]
    pub(crate) force: bool,
    /// Finish the last --backfill if it was stopped, killed or ended early
    #[arg(
        long,
        requires = "backfill",
        conflicts_with_all = ["customer", "dry_run", "from", "to", "force"]
    )]
    pub(crate) resume: bool,
    /// What the unit seatledger-backfill@ is to fetch: all, resume, a GUID, or dates
    #[arg(
        long,
        hide = true,
        requires = "backfill",
        conflicts_with_all = ["customer", "from", "to", "force", "resume"]
    )]
    extent: Option<Extent>,
}

/// The options of a comparison.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Only this customer; may be repeated
    #[arg(long, value_name = "GUID", conflicts_with = "sample")]
    pub(crate) customer: Vec<CustomerId>,
    /// How many customers to choose at random among those with rows in the ledger; 0: all of them
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) sample: u32,
    /// Which of the API's two families of collections to ask [default: that of the configuration];
    /// with the other one, the fields that both have are compared
    #[arg(long, value_parser = source())]
    pub(crate) source: Option<Source>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// The options of a report.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// Only this customer; may be repeated [default: all customers with figures]
    #[arg(long, value_name = "GUID")]
    pub(crate) customer: Vec<CustomerId>,
    /// The first month, such as 2026-10 [default: the last month of which the ledger has figures
    /// to its end]
    #[arg(long, value_name = "MONTH", requires = "to")]
    pub(crate) from: Option<Month>,
    /// The last month
    #[arg(long, value_name = "MONTH", requires = "from")]
    pub(crate) to: Option<Month>,
    /// A file that does not exist yet, or for the reports of several customers a folder that is
    /// empty or does not exist yet
    #[arg(long, value_name = "PATH")]
    pub(crate) out: PathBuf,
    /// Your name, for the cover
    #[arg(long, value_name = "NAME")]
    pub(crate) partner: Option<String>,
    /// Your logo, for the cover: PNG, JPEG or SVG
    #[arg(long, value_name = "FILE")]
    pub(crate) logo: Option<PathBuf>,
    /// The texts in another language, such as docs/languages/de.toml
    #[arg(long, value_name = "FILE")]
    pub(crate) language: Option<PathBuf>,
    /// Also write an Excel workbook beside each report
    #[arg(long)]
    pub(crate) xlsx: bool,
}

fn source() -> impl TypedValueParser<Value = Source> {
    let [customer, commercial] = [Source::Customer, Source::Commercial].map(Source::as_str);
    PossibleValuesParser::new([customer, commercial]).map(move |text| {
        if text == customer {
            Source::Customer
        } else {
            Source::Commercial
        }
    })
}

/// From where on `status --check` reports what is wrong.
#[derive(Debug, Args)]
pub(crate) struct StatusBounds {
    /// With --check: percentages of the customers above which failing ones are a WARNING and
    /// CRITICAL
    #[arg(
        long,
        value_name = "W,C",
        default_value = "1,10",
        value_parser = rising,
        requires = "check",
        conflicts_with = "json"
    )]
    pub(crate) failing: Bounds,
    /// With --check: days before the end of a consent below which it is a WARNING and CRITICAL
    #[arg(
        long,
        value_name = "W,C",
        default_value = "14,3",
        value_parser = falling,
        requires = "check",
        conflicts_with = "json"
    )]
    pub(crate) consent_days: Bounds,
}

/// Two bounds of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) warning: u32,
    pub(crate) critical: u32,
}

impl FromStr for Bounds {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers = text.split_once(',').and_then(|(warning, critical)| {
            Some(Self {
                warning: warning.trim().parse().ok()?,
                critical: critical.trim().parse().ok()?,
            })
        });
        numbers.ok_or("two whole numbers with a comma between them are needed, such as 5,20")
    }
}

/// Bounds of what should be low.
fn rising(text: &str) -> Result<Bounds, &'static str> {
    let bounds: Bounds = text.parse()?;
    if bounds.warning > bounds.critical {
        return Err("the first is for WARNING, and must not be above the second, for CRITICAL");
    }
    Ok(bounds)
}

/// Bounds of what should be high.
fn falling(text: &str) -> Result<Bounds, &'static str> {
    let bounds: Bounds = text.parse()?;
    if bounds.warning < bounds.critical {
        return Err("the first is for WARNING, and must not be below the second, for CRITICAL");
    }
    Ok(bounds)
}

/// The options of an export.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The view or table, by its name in docs/bi.md; a name that does not exist lists those that do
    #[arg(value_name = "VIEW")]
    pub(crate) view: String,
    /// What to write [default: that of the ending of FILE, otherwise csv]
    #[arg(long)]
    pub(crate) format: Option<ExportFormat>,
    /// The file, replaced if it exists [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// The form of an exported file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// Text with a header, as Postgres writes it
    Csv,
    /// Typed columns, for pandas, Spark and their like
    Parquet,
}

/// What to do instead of running the daemon or a backfill.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check the configuration, the database, the sign-in and one API call, and name the first
    /// thing to mend
    #[command(
        help_template = help::TEMPLATE,
        before_help = help::CHECK,
        after_help = help::AFTER_CHECK
    )]
    Check {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Sign in as a user, in a browser on this machine, and store the refresh token
    #[command(
        help_template = help::TEMPLATE,
        before_help = help::LOGIN,
        after_help = help::AFTER_LOGIN
    )]
    Login {
        /// Sign in by entering a code in a browser on any machine
        #[arg(long)]
        device_code: bool,
    },
    /// Say in one screen whether the figures are up to date, and which customers need a person
    #[command(
        help_template = help::TEMPLATE,
        before_help = help::STATUS,
        after_help = help::AFTER_STATUS
    )]
    Status {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
        /// Print one line for a monitoring system, with performance data
        #[arg(long, conflicts_with = "json")]
        check: bool,
        #[command(flatten)]
        bounds: StatusBounds,
    },
    /// Ask the API again, and compare what it gives with what is stored for the same dates; writes
    /// nothing
    #[command(
        help_template = help::TEMPLATE,
        before_help = help::VERIFY,
        after_help = help::AFTER_VERIFY
    )]
    Verify(Verify),
    /// Write a view for BI tools to a file, whole or not at all
    #[command(
        help_template = help::TEMPLATE,
        before_help = help::EXPORT,
        after_help = help::AFTER_EXPORT
    )]
    Export(Export),
    /// Write a customer's figures of one or more months as an HTML file that prints well, or those
    /// of all customers as a folder of such files
    #[command(
        help_template = help::TEMPLATE,
        before_help = help::REPORT,
        after_help = help::AFTER_REPORT
    )]
    Report(Report),
    /// Write a file that shows others what is wrong: versions, settings, last runs and failures;
    /// without secrets, and without names of customers
    #[command(help_template = help::TEMPLATE, before_help = help::SUPPORT)]
    Support {
        /// The file, which must not exist yet
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Apply the database migrations and exit
    #[command(help_template = help::TEMPLATE, before_help = help::MIGRATE)]
    Migrate,
    /// Let a database role read the views for BI tools and edit the three tables that people fill
    /// in, and nothing else; each migration lets it read its new views, too
    #[command(help_template = help::TEMPLATE, before_help = help::GRANTS)]
    Grants {
        /// The role, which must exist
        #[arg(long, value_name = "NAME")]
        bi_role: String,
        /// Take all of its rights back
        #[arg(long)]
        revoke: bool,
    },
    /// Write man pages and shell completions, for packages
    #[command(hide = true)]
    Generate {
        /// The folder for them
        #[arg(value_name = "DIR")]
        dir: PathBuf,
    },
}
