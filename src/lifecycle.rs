//! Signals, the two steps of a stop, tracked tasks, and the program's exit codes. How long each
//! step may take is in `shutdown::waits`.

use std::future::pending;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::{fs, io};

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::metrics::Metrics;
use crate::printable::printable;
use crate::retry::Remedy;
use crate::shutdown::{Shutdown, waits};
use crate::watchdog;

/// The program's exit codes. They are an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Every customer was fetched and stored, or the daemon was stopped.
    Success,
    /// It could not run, and may be able to by itself later: the database, the authority or the API
    /// is away.
    CouldNotRun,
    /// Wrong command line.
    Usage,
    /// It ran, and at least one customer failed.
    SomeFailed,
    /// It could not run, and a person has to act first: sign-in, rights, certificates, the
    /// database's version.
    NeedsPerson,
    /// The configuration is wrong.
    Misconfigured,
    /// Stopped by SIGINT.
    Interrupted,
    /// Stopped by SIGTERM.
    Terminated,
    /// Stopped by SIGHUP: the terminal is gone.
    HungUp,
    /// What `status --check` found, as monitoring systems know it: 0 to 3.
    Monitored(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::CouldNotRun => 1,
            Exit::Usage => 2,
            Exit::SomeFailed => 3,
            Exit::NeedsPerson => 4,
            // As sysexits.h has it.
            Exit::Misconfigured => 78,
            Exit::HungUp => 129,
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
            Exit::Monitored(code) => code,
        })
    }
}

/// The exit code for a failure because of which the program could not run.
impl From<Remedy> for Exit {
    fn from(remedy: Remedy) -> Self {
        match remedy {
            Remedy::Time => Self::CouldNotRun,
            Remedy::Person => Self::NeedsPerson,
            Remedy::Configuration => Self::Misconfigured,
        }
    }
}

/// Listens for the signals that end the program, and knows every task that must end before it.
#[derive(Debug)]
pub struct Lifecycle {
    /// Watched by everything that waits or works.
    pub shutdown: Shutdown,
    /// Every task of the program.
    pub tasks: TaskTracker,
    /// The numbers of the process.
    pub metrics: Metrics,
    first: Arc<OnceLock<Exit>>,
}

impl Lifecycle {
    /// Begins to listen for signals. Needs a runtime. SIGHUP `ends` a program only if it does not
    /// have a meaning of its own for it, and was not started by `nohup`, which ignores it.
    ///
    /// # Errors
    /// When the signal handlers cannot be installed.
    pub fn start(ends_at_hangup: bool) -> io::Result<Self> {
        let lifecycle = Self {
            shutdown: Shutdown::default(),
            tasks: TaskTracker::new(),
            metrics: Metrics::default(),
            first: Arc::default(),
        };
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        let hangup = (ends_at_hangup && !ignores_hangup()).then(|| signal(SignalKind::hangup()));
        let signals = Signals {
            terminate,
            interrupt,
            hangup: hangup.transpose()?,
        };
        let first = Arc::clone(&lifecycle.first);
        #[expect(
            clippy::disallowed_methods,
            reason = "the listener must outlive the tracked tasks, which wait for its forced stop"
        )]
        tokio::spawn(listen(signals, lifecycle.shutdown.clone(), first));
        let pulse = lifecycle.shutdown.pulse.clone();
        #[expect(
            clippy::disallowed_methods,
            reason = "the watchdog is to be fed while the tracked tasks end"
        )]
        tokio::spawn(async move { watchdog::feed(&pulse).await });
        Ok(lifecycle)
    }

    /// The exit code for the signal that stopped the program, if one did.
    #[must_use]
    pub fn stopped_by(&self) -> Option<Exit> {
        self.first.get().copied()
    }

    /// Stops the tracked tasks, and waits a bounded time for them.
    pub async fn finish(&self) {
        self.shutdown.graceful.cancel();
        self.tasks.close();
        if tokio::time::timeout(waits::END_TASKS, self.tasks.wait())
            .await
            .is_err()
        {
            warn!(
                tasks = self.tasks.len(),
                "Some tasks did not end in time and are dropped"
            );
        }
    }
}

/// Whether this process was started with SIGHUP ignored. A handler would end that.
fn ignores_hangup() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // The signal numbered 1 is the lowest bit.
    ignored.is_some_and(|mask| mask & 1 == 1)
}

/// The signals that end the program.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// None if it does not end the program.
    hangup: Option<Signal>,
}

impl Signals {
    async fn next(&mut self) -> (Exit, &'static str) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => (Exit::Terminated, "SIGTERM"),
            _ = self.interrupt.recv() => (Exit::Interrupted, "SIGINT"),
            _ = hangup => (Exit::HungUp, "SIGHUP"),
        }
    }
}

async fn listen(mut signals: Signals, shutdown: Shutdown, first: Arc<OnceLock<Exit>>) {
    let (exit, signal) = signals.next().await;
    info!(signal, "Stopping: nothing new is begun");
    // The shell and the kernel may both send one when a terminal is closed.
    signals.hangup = None;
    // Only this task sets it, once.
    let _set = first.set(exit);
    let _told = sd_notify::notify(&[NotifyState::Stopping]);
    shutdown.graceful.cancel();
    tokio::select! {
        _ = signals.next() => info!("Stopping at once"),
        () = tokio::time::sleep(waits::GRACE) => {}
    }
    shutdown.forced.cancel();
}

/// What the service manager was last told.
static TOLD: Mutex<Told> = Mutex::new(Told {
    status: String::new(),
    refusal: None,
});

struct Told {
    /// What the daemon is doing.
    status: String,
    /// Why the configuration on disk is not in force. Told with each status until it is, because a
    /// run, whose status changes every second, would hide it.
    refusal: Option<String>,
}

impl Told {
    /// One line of bounded length, also of what others have written, such as the reason of a
    /// failure.
    fn line(&self) -> String {
        let status = printable(&self.status);
        match &self.refusal {
            None => status,
            Some(reason) => {
                let reason = printable(reason);
                format!("{status}. The old configuration stays in force: {reason}")
            }
        }
    }
}

/// Changes what is told, and tells it. Does nothing outside systemd but remember.
fn tell(is_ready: bool, change: impl FnOnce(&mut Told)) {
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    change(&mut told);
    let line = told.line();
    let status = NotifyState::Status(&line);
    let _told = if is_ready {
        sd_notify::notify(&[NotifyState::Ready, status])
    } else {
        sd_notify::notify(&[status])
    };
}

/// Tells the service manager that the daemon is ready, and what it is doing.
pub fn notify_ready(status: &str) {
    tell(true, |told| status.clone_into(&mut told.status));
}

/// Tells the service manager what the daemon is doing.
pub fn notify_status(status: &str) {
    tell(false, |told| status.clone_into(&mut told.status));
}

/// Tells the service manager that the daemon is ready and goes on as before, since a new
/// configuration was refused.
pub fn notify_refused(reason: String) {
    tell(true, |told| told.refusal = Some(reason));
}

/// Tells the service manager how the program ended: it shows what it was told last.
pub fn notify_ended(how: &str) {
    tell(false, |told| {
        *told = Told {
            status: how.to_owned(),
            refusal: None,
        };
    });
}

/// The configuration on disk is the one that is in force, or soon will be.
pub fn forget_refusal() {
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    told.refusal = None;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_configuration_is_told_with_each_status_in_one_line() {
        let mut told = Told {
            status: "Run 12 (schedule): fetching, 1 of 9 customers".to_owned(),
            refusal: None,
        };
        assert_eq!(told.line(), told.status);
        told.refusal = Some("the configuration has a fault:\n  schedule.cron".to_owned());
        assert_eq!(
            told.line(),
            "Run 12 (schedule): fetching, 1 of 9 customers. The old configuration stays in force: \
             the configuration has a fault:   schedule.cron"
        );
    }
}
