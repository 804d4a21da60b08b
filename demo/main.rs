//! The demo: runs the daemon's own code once for each of a number of simulated days, against the
//! simulator and a real Postgres. Only the calendar is not real: the clock is set to six in the
//! morning of each day, when the default schedule begins a run.
//!
//! The history begins with a year of one run a week and ends with some weeks of one run a day. In
//! the last month happens what a partner sees in a year: products and customers change as the
//! simulator's README says under `varied_from`, the host is down, a customer withdraws its consent.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use clap::Parser;
use seatledger::app::{database_retry_of_a_person, syncer};
use seatledger::clock::{Clock, ManualClock, SystemClock};
use seatledger::config::{self, Config, Sources};
use seatledger::lifecycle::Lifecycle;
use seatledger::store::RunKind;
use seatledger::sync::{DatabaseRetry, Progress, Report, Request, Syncer};
use serde_json::{Value, json};
use tokio::sync::watch;

/// The number of weeks with one run, before the days with one run each.
const WEEKS: u64 = 52;

/// How many days before the last one products and customers begin to vary.
const VARIED: i64 = 27;

/// How many days before the last one a product gets another name, and both names.
const RENAMED: (i64, &str, &str) = (
    14,
    "Microsoft 365 Business Basic",
    "Microsoft 365 Business Basic (no Teams)",
);

/// What happens before the run that is this many days before the last one.
const EVENTS: [(u64, Event); 8] = [
    (62, Event::Gone(12)),
    (45, Event::Back(12)),
    (19, Event::HostIsDown),
    (18, Event::HostIsDown),
    (13, Event::FiguresAreCorrected),
    (10, Event::AnswerIsBroken(7)),
    (6, Event::ConsentIsWithdrawn(4)),
    (4, Event::Gone(1)),
];

/// What happens to the partner. Customers are named by their number.
#[derive(Clone, Copy, PartialEq)]
enum Event {
    /// The customer leaves the partner's list.
    Gone(usize),
    /// It is on the list again.
    Back(usize),
    /// No run begins.
    HostIsDown,
    /// Microsoft corrects figures that it has published before.
    FiguresAreCorrected,
    /// The customer's collection cannot be read on that day.
    AnswerIsBroken(usize),
    /// The partner may no longer read the customer's usage.
    ConsentIsWithdrawn(usize),
}

/// The number of runs per line of progress.
const RUNS_PER_LINE: u64 = 15;

#[derive(Parser)]
struct DemoArguments {
    /// Base URL of the simulator
    #[arg(long)]
    simulator: String,
    /// Number of days with a run each, after a year of weekly runs; the last one is today
    #[arg(long, default_value_t = 92)]
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
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &DemoArguments) -> anyhow::Result<ExitCode> {
    let lifecycle = Lifecycle::start(true)?;
    let shown = Box::pin(show(arguments, &lifecycle)).await;
    match lifecycle.stopped_by() {
        // Whoever stops it knows why the run under way was not finished.
        Some(exit) => Ok(exit.into()),
        None => shown.map(|()| ExitCode::SUCCESS),
    }
}

async fn show(arguments: &DemoArguments, lifecycle: &Lifecycle) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    // The last run must not be in the future.
    let today = (SystemClock.now() - TimeDelta::hours(6)).date_naive();
    let first = today - Days::new(arguments.days.saturating_sub(1));
    let simulator = SimulatorControl::new(&arguments.simulator)?;
    let (renamed, old_name, new_name) = RENAMED;
    simulator
        .set(&json!({
            "varied_from": today - TimeDelta::days(VARIED),
            "renamed_from": today - TimeDelta::days(renamed),
            "renamed_product": old_name,
            "renamed_to": new_name,
        }))
        .await?;
    let start = first - Days::new(7 * WEEKS);
    let clock = Arc::new(ManualClock::new(morning(start)));
    let config = load(arguments, folder.path(), clock.now())?;
    let database_retry = database_retry_of_a_person(config.retry);
    let syncer = syncer(
        &config,
        config.retry,
        Arc::<ManualClock>::clone(&clock),
        lifecycle,
    )?;
    syncer
        .migrate(database_retry.at_start, &lifecycle.shutdown)
        .await?;
    let mut demo = Demo {
        clock,
        database_retry,
        lifecycle,
        syncer,
        simulator,
        written: 0,
    };
    say(&format!("\nA year from {start} on with one run a week:\n"))?;
    for week in 0..WEEKS {
        let is_shown = week + 1 == WEEKS || week.is_multiple_of(RUNS_PER_LINE);
        demo.run(start + Days::new(7 * week), is_shown).await?;
    }
    say(&format!(
        "\n{} days, from {first} to {today}, with one run each:\n",
        arguments.days
    ))?;
    let mut last_report = None;
    for left in (0..arguments.days).rev() {
        if demo.prepare(left).await? {
            let is_shown = left.is_multiple_of(RUNS_PER_LINE);
            last_report = Some(demo.run(today - Days::new(left), is_shown).await?);
        }
    }
    if let Some(report) = last_report {
        say(&format!("\nThe summary of the last one:\n\n{report}"))?;
    }
    demo.syncer.store.close().await;
    Ok(())
}

/// The parts of the demo that every run needs.
struct Demo<'a> {
    lifecycle: &'a Lifecycle,
    syncer: Arc<Syncer>,
    simulator: SimulatorControl,
    clock: Arc<ManualClock>,
    database_retry: DatabaseRetry,
    /// The rows inserted so far.
    written: u64,
}

impl Demo<'_> {
    /// What happens before the run that is `left` days before the last one. Returns whether there
    /// is a run.
    async fn prepare(&self, left: u64) -> anyhow::Result<bool> {
        let mut has_run = true;
        for (_, event) in EVENTS.iter().filter(|(before, _)| *before == left) {
            match *event {
                Event::Gone(number) => self.simulator.move_customer(number, "gone").await?,
                Event::Back(number) => self.simulator.move_customer(number, "back").await?,
                Event::HostIsDown => has_run = false,
                Event::FiguresAreCorrected => {
                    let from = self.clock.now().date_naive() + Days::new(1);
                    let restate = json!({ "restate": { "from": from, "share": 1.0 } });
                    self.simulator.set(&restate).await?;
                }
                Event::AnswerIsBroken(number) => {
                    let answers = json!([{ "text": "{\"items\":[" }]);
                    self.simulator.script(number, answers, "normal").await?;
                }
                Event::ConsentIsWithdrawn(number) => {
                    let body = json!({ "code": "1002", "description": "Access denied" });
                    let answers = json!([{ "status": 403, "json": body }]);
                    self.simulator.script(number, answers, "repeat").await?;
                }
            }
        }
        Ok(has_run)
    }

    /// The run of a day. Fails if it could not be finished.
    async fn run(&mut self, day: NaiveDate, is_shown: bool) -> anyhow::Result<Report> {
        self.clock.set(morning(day));
        self.simulator.set_today(day).await?;
        let request = Request::new(RunKind::Schedule, self.database_retry);
        let (progress, _unwatched) = watch::channel(Progress::default());
        let shutdown = &self.lifecycle.shutdown;
        let report = Box::pin(self.syncer.run(&request, shutdown, &progress)).await?;
        self.written += report.rows.inserted;
        if is_shown {
            say(&progress_line(day, &report, self.written))?;
        }
        if self.lifecycle.stopped_by().is_some() {
            bail!("stopped");
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

/// Loads the demo's configuration, as the program itself does.
fn load(arguments: &DemoArguments, folder: &Path, now: DateTime<Utc>) -> anyhow::Result<Config> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/config.toml");
    let token = folder.join("refresh_token").display().to_string();
    let environment = [
        (
            "SEATLEDGER__PARTNER_CENTER__BASE_URL",
            arguments.simulator.as_str(),
        ),
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
        let customer = self.customer(number).await?;
        let path = format!("{}/customers/{customer}/{direction}", self.control);
        self.http.post(path).send().await?.error_for_status()?;
        Ok(())
    }

    /// Scripts the answers to calls for this customer's usage, and what follows `then`.
    async fn script(&self, number: usize, answers: Value, then: &str) -> anyhow::Result<()> {
        let customer = self.customer(number).await?;
        let script = json!({ "target": customer, "answers": answers, "then": then });
        let call = self.http.post(format!("{}/script", self.control));
        call.body(script.to_string())
            .send()
            .await?
            .error_for_status()?;
        Ok(())
    }

    /// The id of the customer with this number.
    async fn customer(&self, number: usize) -> anyhow::Result<String> {
        let listed = self.http.get(format!("{}/customers", self.control));
        let listed = listed.send().await?.error_for_status()?.text().await?;
        let mut customers: Vec<String> = serde_json::from_str(&listed)?;
        if number >= customers.len() {
            bail!("the simulator has no customer {number}");
        }
        Ok(customers.swap_remove(number))
    }
}

fn say(text: &str) -> anyhow::Result<()> {
    writeln!(io::stdout(), "{text}").context("cannot write to standard output")
}
