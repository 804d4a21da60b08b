//! Everything that the running simulator remembers, put together once and shared by all
//! connections. Each room defines its own part.

use std::sync::{Arc, Mutex};

use chrono::NaiveDate;
use tokio_util::sync::CancellationToken;

use crate::{
    api::Api,
    clock::now,
    lock::lock,
    settings::SimulatorSettings,
    sign_in::Issued,
    traffic::{RequestLog, Scripts, Stats},
    world::World,
};

#[derive(Debug)]
pub(crate) struct Simulator {
    pub(crate) api: Api,
    pub(crate) issued: Mutex<Issued>,
    pub(crate) scripts: Scripts,
    pub(crate) log: RequestLog,
    pub(crate) stats: Stats,
    /// Stops the server and ends every connection.
    pub(crate) stop: CancellationToken,
    settings: Mutex<Arc<SimulatorSettings>>,
    /// The simulated day; `None` is the real one.
    today: Mutex<Option<NaiveDate>>,
}

impl Simulator {
    /// A simulator that logs at most `log_limit` requests.
    pub(crate) fn new(
        world: World,
        settings: SimulatorSettings,
        today: Option<NaiveDate>,
        log_limit: usize,
    ) -> Self {
        Self {
            api: Api::new(world),
            issued: Mutex::new(Issued::new()),
            scripts: Scripts::default(),
            log: RequestLog::new(log_limit),
            stats: Stats::default(),
            stop: CancellationToken::new(),
            settings: Mutex::new(Arc::new(settings)),
            today: Mutex::new(today),
        }
    }

    pub(crate) fn settings(&self) -> Arc<SimulatorSettings> {
        Arc::clone(&lock(&self.settings))
    }

    pub(crate) fn set_settings(&self, settings: SimulatorSettings) {
        *lock(&self.settings) = Arc::new(settings);
    }

    pub(crate) fn today(&self) -> NaiveDate {
        let set = *lock(&self.today);
        set.unwrap_or_else(|| now().date_naive())
    }

    pub(crate) fn set_today(&self, today: Option<NaiveDate>) {
        *lock(&self.today) = today;
    }
}
