//! What the operating system knows of this process, under the names that every exporter uses. Read
//! from `/proc/self`, which also `ProcSubset=pid` leaves.

use std::fmt;

use chrono::{DateTime, Utc};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::facts::Page;

/// Puts the process on the page.
#[derive(Debug)]
pub(super) struct ProcessPage {
    started_at: DateTime<Utc>,
}

impl ProcessPage {
    pub(super) fn new(started_at: DateTime<Utc>) -> Self {
        Self { started_at }
    }
}

impl Collector for ProcessPage {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let used = clock_gettime(ClockId::ProcessCPUTime);
        #[expect(clippy::cast_precision_loss, reason = "seconds of a process are few")]
        let seconds = used.tv_sec as f64 + used.tv_nsec as f64 / 1e9;
        let metric = encoder.encode_descriptor(
            "process_cpu_seconds",
            "Processor time that this process has used",
            None,
            MetricType::Counter,
        )?;
        ConstCounter::new(seconds).encode(metric)?;
        let mut page = Page(encoder);
        page.put(
            "process_start_time_seconds",
            "When this process started",
            self.started_at.timestamp(),
        )?;
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        for (name, help, key, unit) in [
            (
                "process_resident_memory_bytes",
                "Memory in use",
                "VmRSS",
                1024,
            ),
            (
                "process_virtual_memory_bytes",
                "Address space in use",
                "VmSize",
                1024,
            ),
            ("process_threads", "Threads", "Threads", 1),
        ] {
            if let Some(value) = find(&status, key) {
                page.put(name, help, value * unit)?;
            }
        }
        if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
            let open = i64::try_from(open.count()).unwrap_or(i64::MAX);
            page.put("process_open_fds", "Open files", open)?;
        }
        if let Some(max) = getrlimit(Resource::Nofile).current {
            let max = i64::try_from(max).unwrap_or(i64::MAX);
            page.put("process_max_fds", "Files that may be open", max)?;
        }
        Ok(())
    }
}

/// The number after a key of `/proc/self/status`.
fn find(status: &str, key: &str) -> Option<i64> {
    let mut lines = status.lines();
    let line = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}
