//! SIGHUP: the configuration is read and checked again. A faulty one is refused, and the daemon
//! goes on as before; a good one is in force at once, or after the run that is under way. The log
//! was set up for good, and `[log]` needs a restart.

use std::io;
use std::sync::Arc;

use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::clock::Clock;
use crate::config::{self, Config, Log, Sources};
use crate::lifecycle::{forget_refusal, notify_ready, notify_refused};

/// Reads the configuration again when it is asked to.
pub(super) struct Reloads {
    asked: Signal,
    sources: Sources,
    /// As the log was set up.
    log: Log,
    clock: Arc<dyn Clock>,
}

impl Reloads {
    /// # Errors
    /// When the signal cannot be listened to.
    pub(super) fn new(sources: &Sources, log: &Log, clock: &Arc<dyn Clock>) -> io::Result<Self> {
        Ok(Self {
            asked: signal(SignalKind::hangup())?,
            sources: sources.clone(),
            log: log.clone(),
            clock: Arc::clone(clock),
        })
    }

    /// The next configuration, once no run is under way as `is_running` has it.
    pub(super) async fn next(&mut self, mut is_running: watch::Receiver<bool>) -> Config {
        let now = is_running.clone();
        let mut accepted = None;
        loop {
            let idle = async { is_running.wait_for(|running| !running).await.map(drop) };
            tokio::select! {
                _ = self.asked.recv() => {
                    if let Some(config) = self.read() {
                        // At once, and not when the daemon has prepared itself again: it may have
                        // to wait for a database that the new configuration names by mistake, and
                        // until then the manager would hold back the reload that corrects it.
                        if *now.borrow() {
                            let words = "The new configuration is in force after this run";
                            info!("{words}");
                            notify_ready(words);
                        } else {
                            notify_ready("The new configuration is in force");
                        }
                        accepted = Some(config);
                    }
                }
                _ = idle, if accepted.is_some() => {
                    if let Some(config) = accepted.take() {
                        info!("The new configuration is in force");
                        return config;
                    }
                }
            }
        }
    }

    /// None if it is refused.
    fn read(&mut self) -> Option<Config> {
        // The manager compares the time with that of its request: both in one message.
        let mut states = vec![NotifyState::Reloading];
        states.extend(NotifyState::monotonic_usec_now());
        let _told = sd_notify::notify(&states);
        self.sources.now = self.clock.now();
        match config::load(&self.sources) {
            Ok(config) => {
                for warning in &config.warnings {
                    warn!("Configuration: {warning}");
                }
                if config.log != self.log {
                    warn!("Configuration: the settings of [log] have changed, and need a restart");
                }
                forget_refusal();
                Some(config)
            }
            Err(refused) => {
                error!(
                    "The new configuration is refused, and the old one stays in force: {refused}"
                );
                notify_refused(refused.to_string());
                None
            }
        }
    }
}
