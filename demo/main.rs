//! The demo: runs the daemon's own code once for each of a number of simulated days, against the
//! simulator and a real Postgres. Only the calendar is not real: the clock is set to six in the
//! morning of each day, when the default schedule begins a run.
//!
//! The history begins with a year of one run a week, which reads each customer's own collection,
//! and ends with some weeks of one run a day, which reads the partner-wide ones. In these weeks
//! products and customers change as the simulator's README says under `varied_from`.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use chrono::{DateTime, Days, NaiveDate, Utc};
use clap::Parser;
use seatledger::app::{database_retry_of_a_person, syncer};
use seatledger::clock::{Clock, ManualClock, SystemClock};
use seatledger::config::{self, Config, Sources};
use seatledger::lifecycle::Lifecycle;
use seatledger::store::RunKind;
use seatledger::sync::{DatabaseRetry, Dates, Progress, Report, Request, Syncer};
use serde_json::{Value, json};
use tokio::sync::watch;

/// The number of weeks with one run, before the days with one run each.
const WEEKS: u64 = 52;

/// The daily run from which on products and customers vary.
const VARIED_FROM: u64 = 10;

/// The daily runs before which a customer leaves the partner's list and comes back.
const ABSENCE: (u64, u64) = (25, 40);

/// The daily run before which Microsoft corrects figures, and the dates before it that are then
/// asked for again.
const RESTATED: (u64, u64) = (50, 10);

/// The number of days at the end on which another customer is gone.
const GONE_DAYS: u64 = 4;

/// The number of runs per line of progress.
const RUNS_PER_LINE: u64 = 15;

#[derive(Parser)]
struct DemoArguments {
    /// Base URL of the simulator
    #[arg(long)]
    simulator: String,
    /// Number of days with a run each, after a year of weekly runs; the last one is today
    #[arg(long, default_value_t = 60)]
    days: u64,
    /// Connection URL of the ledger's database
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
}

fn main() -> ExitCode {
    let result = tokio::runtime::Runtime::new()
        .context("the runtime cannot be started")
        .and_then(|runtime| runtime.block_on(Box::pin(run(&DemoArguments::parse()))));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &DemoArguments) -> anyhow::Result<()> {
    let lifecycle = Lifecycle::start()?;
    let folder = tempfile::tempdir()?;
    let today = SystemClock.now().date_naive();
    let first = today - Days::new(arguments.days.saturating_sub(1));
    let simulator = SimulatorControl::new(&arguments.simulator)?;
    let varied_from = first + Days::new(VARIED_FROM);
    simulator
        .set(&json!({ "varied_from": varied_from }))
        .await?;
    let start = first - Days::new(7 * WEEKS);
    let clock = Arc::new(ManualClock::new(morning(start)));
    let retry = load(arguments, folder.path(), "customer", clock.now())?.retry;
    let mut demo = Demo {
        clock,
        database_retry: database_retry_of_a_person(retry),
        arguments,
        lifecycle: &lifecycle,
        folder: folder.path(),
        simulator,
        written: 0,
    };
    let weekly = demo.syncer("customer")?;
    weekly
        .migrate(demo.database_retry.at_start, &lifecycle.shutdown)
        .await?;
    say(&format!(
        "\nA year from {start} on with one run a week, which reads each customer's own \
        collections:\n"
    ))?;
    for week in 0..WEEKS {
        let is_shown = week + 1 == WEEKS || week.is_multiple_of(RUNS_PER_LINE);
        demo.run(&weekly, start + Days::new(7 * week), is_shown)
            .await?;
    }
    weekly.store.close().await;
    let daily = demo.syncer("commercial")?;
    say(&format!(
        "\n{} days, from {first} to {today}, one run each, which reads the partner-wide \
        collections:\n",
        arguments.days
    ))?;
    let mut last_report = None;
    for number in 0..arguments.days {
        let day = first + Days::new(number);
        let left = arguments.days - number;
        demo.prepare(&daily, number, day).await?;
        let is_shown = left == 1 || left.is_multiple_of(RUNS_PER_LINE);
        last_report = Some(demo.run(&daily, day, is_shown).await?);
    }
    if let Some(report) = last_report {
        say(&format!("\nThe summary of the last one:\n\n{report}"))?;
    }
    daily.store.close().await;
    Ok(())
}

/// The parts of the demo that every run needs.
struct Demo<'a> {
    arguments: &'a DemoArguments,
    lifecycle: &'a Lifecycle,
    folder: &'a Path,
    simulator: SimulatorControl,
    clock: Arc<ManualClock>,
    database_retry: DatabaseRetry,
    /// The rows inserted so far.
    written: u64,
}

impl Demo<'_> {
    fn syncer(&self, source: &str) -> anyhow::Result<Arc<Syncer>> {
        let config = load(self.arguments, self.folder, source, self.clock.now())?;
        let clock = Arc::<ManualClock>::clone(&self.clock);
        syncer(&config, config.retry, clock, self.lifecycle)
    }

    /// What happens before the daily run with this number.
    async fn prepare(
        &self,
        syncer: &Arc<Syncer>,
        number: u64,
        day: NaiveDate,
    ) -> anyhow::Result<()> {
        if self.arguments.days - number == GONE_DAYS {
            self.simulator.move_customer(1, "gone").await?;
        }
        if number == ABSENCE.0 {
            self.simulator.move_customer(12, "gone").await?;
        }
        if number == ABSENCE.1 {
            self.simulator.move_customer(12, "back").await?;
        }
        if number == RESTATED.0 {
            let restate = json!({ "restate": { "from": day, "share": 0.4 } });
            self.simulator.set(&restate).await?;
            self.set_day(day).await?;
            let dates = Dates {
                from: day - Days::new(RESTATED.1),
                to: day,
                force: true,
            };
            let request = Request::new(RunKind::Backfill, self.database_retry);
            let (progress, _unwatched) = watch::channel(Progress::default());
            let shutdown = &self.lifecycle.shutdown;
            let report = Box::pin(syncer.run_dates(&request, dates, shutdown, &progress)).await?;
            say(&format!(
                "  {day}  the dates from {} on asked for again: {} rows changed",
                dates.from, report.rows.updated
            ))?;
        }
        Ok(())
    }

    async fn set_day(&self, day: NaiveDate) -> anyhow::Result<()> {
        self.clock.set(morning(day));
        self.simulator.set_today(day).await
    }

    /// The run of a day. Fails if it could not be finished.
    async fn run(
        &mut self,
        syncer: &Arc<Syncer>,
        day: NaiveDate,
        is_shown: bool,
    ) -> anyhow::Result<Report> {
        self.set_day(day).await?;
        let request = Request::new(RunKind::Schedule, self.database_retry);
        let (progress, _unwatched) = watch::channel(Progress::default());
        let shutdown = &self.lifecycle.shutdown;
        let report = Box::pin(syncer.run(&request, shutdown, &progress)).await?;
        self.written += report.rows.inserted;
        if is_shown {
            say(&progress_line(day, &report, self.written))?;
        }
        if let Some(fatal) = &report.fatal {
            bail!("the run of {day} could not be finished: {fatal}");
        }
        Ok(report)
    }
}

fn progress_line(day: NaiveDate, report: &Report, written: u64) -> String {
    format!(
        "  {day}  {} of {} customers, {} rows new, {} unchanged; {written} rows in the ledger",
        report.customers.succeeded,
        report.customers.total,
        report.rows.inserted,
        report.rows.unchanged
    )
}

fn morning(day: NaiveDate) -> DateTime<Utc> {
    day.and_hms_opt(6, 0, 0)
        .expect("every day has a 06:00:00 in UTC")
        .and_utc()
}

/// Loads the demo's configuration with this source, as the program itself does.
fn load(
    arguments: &DemoArguments,
    folder: &Path,
    source: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<Config> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/config.toml");
    let token = folder.join("refresh_token").display().to_string();
    let environment = [
        (
            "SEATLEDGER__PARTNER_CENTER__BASE_URL",
            arguments.simulator.as_str(),
        ),
        ("SEATLEDGER__PARTNER_CENTER__SOURCE", source),
        ("SEATLEDGER__AUTH__AUTHORITY", &arguments.simulator),
        ("SEATLEDGER__AUTH__REFRESH_TOKEN_FILE", &token),
        ("SEATLEDGER__DATABASE__URL", &arguments.database_url),
    ];
    let environment: HashMap<String, String> = environment
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    Ok(config::load(&Sources {
        file: Some(file),
        environment,
        now,
    })?)
}

/// The control calls of the simulator that the demo makes.
struct SimulatorControl {
    http: reqwest::Client,
    control: String,
}

impl SimulatorControl {
    fn new(address: &str) -> anyhow::Result<Self> {
        Ok(Self {
            http: reqwest::Client::builder()
                .timeout(Duration::from_secs(10))
                .build()?,
            control: format!("{address}/_sim"),
        })
    }

    async fn set_today(&self, day: NaiveDate) -> anyhow::Result<()> {
        let call = self.http.put(format!("{}/today", self.control));
        call.body(day.to_string())
            .send()
            .await?
            .error_for_status()?;
        Ok(())
    }

    /// Changes settings.
    async fn set(&self, settings: &Value) -> anyhow::Result<()> {
        let call = self.http.patch(format!("{}/settings", self.control));
        call.body(settings.to_string())
            .send()
            .await?
            .error_for_status()?;
        Ok(())
    }

    /// Makes the customer with this number leave the partner's list (`gone`) or come `back`.
    async fn move_customer(&self, number: usize, direction: &str) -> anyhow::Result<()> {
        let listed = self.http.get(format!("{}/customers", self.control));
        let listed = listed.send().await?.error_for_status()?.text().await?;
        let customers: Vec<String> = serde_json::from_str(&listed)?;
        let customer = customers
            .get(number)
            .with_context(|| format!("the simulator has no customer {number}"))?;
        let path = format!("{}/customers/{customer}/{direction}", self.control);
        self.http.post(path).send().await?.error_for_status()?;
        Ok(())
    }
}

fn say(text: &str) -> anyhow::Result<()> {
    writeln!(io::stdout(), "{text}").context("cannot write to standard output")
}
