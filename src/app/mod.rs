//! The commands. Builds the parts and hands them to each other; has no business rule of its own.

mod backfill;
mod check;
mod consent_watch;
mod daemon;
mod export;
mod generate;
mod grants;
mod login;
mod output;
mod progress;
mod report;
mod run_status;
mod status;
mod stop;
mod support;
mod verify;

use std::error::Error;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use clap::Parser as _;
use indicatif::MultiProgress;
use tokio::sync::watch;
use tracing::warn;

use crate::causes::with_causes;
use crate::cli::{Cli, Command};
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Config, ConfigError, Sources};
use crate::ledger::{EARLIEST, LATEST_AHEAD, Source};
use crate::lifecycle::{Exit, Lifecycle, notify_ended};
use crate::partner_center::{ApiError, AuthError, Client, SetUpError, Surroundings};
use crate::retry::{Classify, Remedy, RetryError, RetryPolicy};
use crate::store::{Instance, Keeper, LeaseTimes, Store, StoreError};
use crate::sync::{DatabaseRetry, RunError, Syncer};
use crate::telemetry;
use output::{complain, print, say};

/// The longest wait between two attempts to reach a database that is away. A longer one would delay
/// the run after the database is back.
const DATABASE_MAX_INTERVAL: Duration = Duration::from_secs(5);

/// The shortest time for which a run waits for a database that is away: it may be restarting.
const DATABASE_RUN_RETRY: Duration = Duration::from_mins(1);

/// How long a command waits for a database that is away, or for a host name that cannot be
/// resolved, before it tells the person at the terminal.
const START_RETRY: Duration = Duration::from_secs(10);

/// For a person who tries the program without having configured it.
const FIRST_STEPS: &str = "\
to begin:
  1. copy config.example.toml (/usr/share/doc/seatledger/examples/config.toml) to config.toml, and
     fill it in
  2. seatledger --config config.toml check    says what is ready, and what to mend first
  seatledger --help has more examples";

/// Files that the runtime opens as it starts, and some to spare. The runtime panics without them.
const RUNTIME_FILES: usize = 8;

/// Runs the program with the process's arguments and environment.
#[must_use]
pub fn main() -> ExitCode {
    output::complain_of_panics();
    let cli = match Cli::try_parse() {
        Ok(mut cli) => {
            cli.backfill.extend();
            cli
        }
        Err(error) => {
            // A plugin's exit code 2 would be a critical state.
            if error.use_stderr() && std::env::args_os().any(|argument| argument == "--check") {
                return exit_code(status::check_impossible(&error.to_string()));
            }
            // Help and version are not errors.
            if telemetry::is_journal() && error.use_stderr() {
                give_up(&error.to_string());
                return Exit::Usage.into();
            }
            // Printed by clap, which knows whether the terminal has colours.
            let printed = error.print().and_then(|()| io::stdout().flush());
            return match (error.exit_code(), printed) {
                (0, Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
                    complain(&format!("standard output cannot be written to: {error}"));
                    Exit::CouldNotRun.into()
                }
                (0, _) => Exit::Success.into(),
                _ => Exit::Usage.into(),
            };
        }
    };
    if let Err(wrong) = consistent(&cli) {
        give_up(wrong);
        return Exit::Usage.into();
    }
    // Packages are built where nothing is configured.
    if let Some(Command::Generate { dir }) = &cli.command {
        let exit = generate::run(dir).unwrap_or_else(|error| {
            complain(&with_causes(&*error));
            Exit::CouldNotRun
        });
        return exit.into();
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let sources = Sources::from_process(cli.config.clone(), clock.now());
    let config = config::load(&sources);
    if let Some(command @ Command::Support { out }) = &cli.command {
        // Also of a faulty configuration.
        let made = with_runtime(async {
            let lifecycle = listen(true)?;
            let making = support::run(out, &sources, config.as_ref(), &clock);
            let made = stop::unless_stopped(command, &lifecycle, making).await;
            stop::exit_of(made, lifecycle.stopped_by())
        });
        return exit_code(made.flatten());
    }
    let config = match config {
        Ok(config) => config,
        Err(error) => return exit_code(misconfigured(&cli, &error)),
    };
    if let Err(wrong) = possible(&cli, &config, clock.now()) {
        give_up(wrong);
        return Exit::Usage.into();
    }
    let bars = MultiProgress::new();
    telemetry::init(&config, &bars);
    for warning in &config.warnings {
        warn!("Configuration: {warning}");
    }
    exit_code(start(&cli, config, &sources, clock, bars))
}

/// Says what is wrong with the configuration; in the form in which the command answers, too.
fn misconfigured(cli: &Cli, error: &ConfigError) -> anyhow::Result<Exit> {
    give_up(&error.to_string());
    if error.is_without_file() && io::stderr().is_terminal() {
        complain(FIRST_STEPS);
    }
    match &cli.command {
        Some(Command::Check { json: true }) => check::say_misconfigured(error),
        Some(Command::Status { check: true, .. }) => status::check_impossible(&error.to_string()),
        _ => Ok(error.remedy().into()),
    }
}

/// Says why the program could not run.
fn exit_code(ended: anyhow::Result<Exit>) -> ExitCode {
    let exit = ended.unwrap_or_else(|error| {
        give_up(&with_causes(&*error));
        Exit::from(remedy(&error))
    });
    exit.into()
}

/// Says why the program ends, to the service manager, too: it would go on showing what the program
/// did before.
fn give_up(why: &str) {
    complain(why);
    notify_ended(&format!("Ended: {why}"));
}

/// What mends a failure that ends the program. A failure without a remedy of its own, such as a
/// closed standard output, may pass by itself.
fn remedy(error: &anyhow::Error) -> Remedy {
    error.chain().find_map(known_remedy).unwrap_or(Remedy::Time)
}

fn known_remedy(error: &(dyn Error + 'static)) -> Option<Remedy> {
    fn of<E: Error + Classify + 'static>(error: &(dyn Error + 'static)) -> Option<Remedy> {
        error.downcast_ref::<E>().map(Classify::remedy)
    }
    let of_run = error.downcast_ref::<RunError>().map(RunError::remedy);
    let sign_in = error.downcast_ref::<RetryError<AuthError>>();
    of_run
        .or_else(|| of::<StoreError>(error))
        .or_else(|| of::<AuthError>(error))
        .or_else(|| sign_in.map(RetryError::remedy))
        .or_else(|| of::<ApiError>(error))
        .or_else(|| of::<SetUpError>(error))
}

/// Rules of the command line that clap cannot express.
fn consistent(cli: &Cli) -> Result<(), &'static str> {
    if cli.command.is_some() && cli.backfill.now {
        return Err("--backfill does not go with a command");
    }
    if let Some(Command::Report(report)) = &cli.command
        && report.from > report.to
    {
        return Err("--from is later than --to");
    }
    if cli.backfill.from > cli.backfill.to {
        return Err("--from is later than --to");
    }
    Ok(())
}

/// Requests of the command line that the configuration or the date does not allow.
fn possible(cli: &Cli, config: &Config, now: DateTime<Utc>) -> Result<(), &'static str> {
    if cli.backfill.from.is_some() && config.partner_center.source == Source::Customer {
        return Err(
            "--from and --to need partner_center.source = \"commercial\": the collection of source \
             \"customer\" has no date parameter and always answers with the newest processed date, \
             so that past dates cannot be asked for",
        );
    }
    // Rows of earlier dates would be rejected, and each date takes a run.
    if cli
        .backfill
        .from
        .is_some_and(|from| from < EARLIEST.date_naive())
    {
        return Err("--from must not be before 2000-01-01");
    }
    if cli
        .backfill
        .to
        .is_some_and(|to| to > (now + LATEST_AHEAD).date_naive())
    {
        return Err("--to is in the future: figures are there some days after their date");
    }
    Ok(())
}

fn start(
    cli: &Cli,
    config: Config,
    sources: &Sources,
    clock: Arc<dyn Clock>,
    bars: MultiProgress,
) -> anyhow::Result<Exit> {
    with_runtime(Box::pin(async {
        let is_daemon = cli.command.is_none() && !cli.backfill.now;
        // The daemon rereads its configuration at SIGHUP.
        let lifecycle = listen(!is_daemon)?;
        #[cfg(feature = "otel")]
        let _parent = telemetry::traces::begin(&lifecycle.metrics, cli.backfill.now);
        let exit = match &cli.command {
            None if cli.backfill.now => {
                Box::pin(backfill::run(
                    &cli.backfill,
                    &config,
                    clock,
                    bars,
                    &lifecycle,
                ))
                .await
            }
            None => Box::pin(daemon::run(config, sources, clock, &lifecycle)).await,
            Some(command) => {
                let work = Box::pin(run_command(command, &config, clock, bars, &lifecycle));
                stop::unless_stopped(command, &lifecycle, work).await
            }
        };
        lifecycle.finish().await;
        #[cfg(feature = "otel")]
        telemetry::traces::finish(lifecycle.stopped_by().is_some());
        if is_daemon {
            return exit;
        }
        stop::exit_of(exit, lifecycle.stopped_by())
    }))?
}

fn listen(ends_at_hangup: bool) -> anyhow::Result<Lifecycle> {
    Lifecycle::start(ends_at_hangup).context("signals cannot be listened to")
}

/// Does `work` on a runtime of its own.
fn with_runtime<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    // The runtime panics if it cannot open the files that it needs.
    spare_files().context("this program may not open enough files (ulimit -n, LimitNOFILE=)")?;
    // One thread suffices: a customer takes a fraction of a millisecond, and handing work from
    // thread to thread cost more than it won. Longer work, such as decoding a bucket of a
    // partner-wide collection, runs on blocking threads.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    let done = runtime.block_on(work);
    // A name look-up that hangs cannot be cancelled. It must not hold up the end.
    runtime.shutdown_background();
    Ok(done)
}

/// Tries whether the runtime's files can be opened.
fn spare_files() -> io::Result<()> {
    let files: io::Result<Vec<File>> = (0..RUNTIME_FILES)
        .map(|_| File::open("/dev/null"))
        .collect();
    files.map(drop)
}

async fn run_command(
    command: &Command,
    config: &Config,
    clock: Arc<dyn Clock>,
    bars: MultiProgress,
    lifecycle: &Lifecycle,
) -> anyhow::Result<Exit> {
    match command {
        Command::Check { json } => check::run(config, clock, bars, lifecycle, *json).await,
        Command::Login { device_code } => login::run(config, clock, *device_code, lifecycle).await,
        Command::Status {
            check: true,
            bounds,
            ..
        } => status::check(config, clock.now(), bounds).await,
        Command::Status { json, .. } => {
            let shown = status::run(config, clock.now(), *json).await;
            // A monitor takes 1 as "the database does not answer", whatever the reason.
            shown.or_else(|error| match remedy(&error) {
                Remedy::Time | Remedy::Person => {
                    complain(&with_causes(&*error));
                    Ok(Exit::CouldNotRun)
                }
                Remedy::Configuration => Err(error),
            })
        }
        Command::Verify(arguments) => {
            Box::pin(verify::run(arguments, config, clock, bars, lifecycle)).await
        }
        Command::Export(arguments) => {
            Box::pin(export::run(arguments, config, bars, lifecycle)).await
        }
        Command::Report(arguments) => {
            Box::pin(report::run(arguments, config, clock.now(), bars)).await
        }
        // Done before the configuration is needed.
        Command::Generate { .. } | Command::Support { .. } => Ok(Exit::Success),
        Command::Migrate => grants::migrate(config, &clock, lifecycle).await,
        Command::Grants { bi_role, revoke } => {
            grants::run(config, &clock, lifecycle, bi_role, *revoke).await
        }
    }
}

/// The parts that runs share. `retry` is the policy of its calls.
///
/// # Errors
/// When the database's URL or the HTTP client cannot be set up.
pub fn syncer(
    config: &Config,
    retry: RetryPolicy,
    clock: Arc<dyn Clock>,
    lifecycle: &Lifecycle,
) -> anyhow::Result<Arc<Syncer>> {
    let store = Store::new(&config.database)?;
    Ok(Arc::new(Syncer {
        client: Arc::new(Client::new(
            &config.partner_center,
            &config.auth,
            retry,
            Surroundings {
                tasks: lifecycle.tasks.clone(),
                clock: Arc::clone(&clock),
                metrics: lifecycle.metrics.clone(),
            },
        )?),
        keeper: Keeper::new(
            store.clone(),
            Instance::of_process(),
            LeaseTimes::default(),
            lifecycle.tasks.clone(),
        ),
        store,
        customers: config.customers.clone(),
        source: config.partner_center.source,
        datasets: config.partner_center.datasets.clone(),
        locale: config.partner_center.locale.clone(),
        allow_locale_change: config.partner_center.allow_locale_change,
        max_elapsed: retry.max_elapsed(),
        max_concurrency: config.partner_center.max_concurrency,
        clock,
        tasks: lifecycle.tasks.clone(),
        metrics: lifecycle.metrics.clone(),
        upgrade: watch::Sender::new(None),
    }))
}

/// How long a run that a person started waits for a database that is away: only seconds before it
/// begins; while it is under way, for as long as a call to the API is retried, but at least a
/// minute.
#[must_use]
pub fn database_retry_of_a_person(retry: RetryPolicy) -> DatabaseRetry {
    let max_elapsed = retry.max_elapsed().max(DATABASE_RUN_RETRY);
    let retry = retry.with_max_interval(DATABASE_MAX_INTERVAL);
    DatabaseRetry {
        at_start: retry.with_max_elapsed(START_RETRY),
        in_run: retry.with_max_elapsed(max_elapsed),
    }
}
