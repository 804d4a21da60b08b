//! The demo: runs the daemon's own code once for each of a number of simulated days, against the
//! simulator and a real Postgres. Only the calendar is not real: the clock is set to six in the
//! morning of each day, when the default schedule begins a run.

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
use seatledger::sync::{Progress, Report, Request};
use tokio::sync::watch;

/// The number of days at the end on which one customer refuses access, as after the partner has
/// lost its role there.
const REFUSED_DAYS: u64 = 4;

/// The number of days per line of progress.
const DAYS_PER_LINE: u64 = 15;

#[derive(Parser)]
struct DemoArguments {
    /// Base URL of the simulator
    #[arg(long)]
    simulator: String,
    /// Number of days to simulate; the last one is today
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
    let clock = Arc::new(ManualClock::new(morning(first)));
    let config = load(arguments, folder.path(), clock.now())?;
    let syncer = syncer(
        &config,
        config.retry,
        Arc::<ManualClock>::clone(&clock),
        &lifecycle,
    )?;
    let database_retry = database_retry_of_a_person(config.retry);
    let request = Request::new(RunKind::Schedule, database_retry);
    syncer
        .migrate(database_retry.at_start, &lifecycle.shutdown)
        .await?;
    let simulator = SimulatorControl::new(&arguments.simulator)?;
    let (progress, _unwatched) = watch::channel(Progress::default());
    say(&format!(
        "\n{} days, from {first} to {today}, one run each, as the daemon does them:\n",
        arguments.days
    ))?;
    let mut last_report = None;
    let mut written = 0;
    for (number, day) in first
        .iter_days()
        .take_while(|day| *day <= today)
        .enumerate()
    {
        let left = arguments.days - number as u64;
        if left == REFUSED_DAYS {
            simulator.refuse_second_customer().await?;
        }
        simulator.set_today(day).await?;
        clock.set(morning(day));
        let report = syncer.run(&request, &lifecycle.shutdown, &progress).await?;
        written += report.rows.inserted;
        if left == 1 || left.is_multiple_of(DAYS_PER_LINE) {
            say(&progress_line(day, &report, written))?;
        }
        if let Some(fatal) = &report.fatal {
            bail!("the run of {day} could not be finished: {fatal}");
        }
        last_report = Some(report);
    }
    if let Some(report) = last_report {
        say(&format!("\nThe summary of the last one:\n\n{report}"))?;
    }
    syncer.store.close().await;
    Ok(())
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

/// Loads the demo's configuration as the program itself does.
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

    /// Makes the simulator refuse all further calls about the second customer, as after the partner
    /// has lost its role there.
    async fn refuse_second_customer(&self) -> anyhow::Result<()> {
        let listed = self.http.get(format!("{}/customers", self.control));
        let listed = listed.send().await?.error_for_status()?.text().await?;
        let customers: Vec<String> = serde_json::from_str(&listed)?;
        let customer = customers
            .get(1)
            .context("the simulator has no second customer")?;
        let fault = serde_json::json!({
            "code": "20002",
            "description": "The partner has no commerce relationship with this customer.",
        });
        let script = serde_json::json!({
            "target": customer,
            "answers": [{ "status": 403, "json": fault }],
            "then": "repeat",
        });
        let call = self.http.post(format!("{}/script", self.control));
        call.body(script.to_string())
            .send()
            .await?
            .error_for_status()?;
        Ok(())
    }
}

fn say(text: &str) -> anyhow::Result<()> {
    writeln!(io::stdout(), "{text}").context("cannot write to standard output")
}
