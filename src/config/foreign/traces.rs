//! The standard environment variables of OpenTelemetry that decide whether and how traces leave
//! the program. Its library reads the others: resource, sampler, headers, sizes of batches.

use std::collections::HashMap;
use std::time::Duration;

use crate::config::reader::SettingsReader;
use crate::config::sources::Sources;

/// As the specification of OpenTelemetry has it.
const TIMEOUT_MS: u64 = 10_000;
const QUEUE_LENGTH: usize = 2_048;

/// The only protocol that is built in.
const PROTOCOL: &str = "http/protobuf";

/// How spans are sent to a collector.
#[derive(Debug, Clone)]
pub(crate) struct TraceSettings {
    /// The time limit of one request.
    pub(crate) timeout: Duration,
    /// Spans that may wait to be sent.
    pub(crate) queue_length: usize,
    /// Whether the collector is asked by plain HTTP, as on the same host.
    pub(crate) is_plain: bool,
    /// The trace that a `--backfill` belongs to: `traceparent` and `tracestate`.
    pub(crate) parent: HashMap<String, String>,
}

/// None if no collector is named, or traces are switched off.
pub(in crate::config) fn traces(
    reader: &mut SettingsReader,
    sources: &Sources,
) -> Option<TraceSettings> {
    let of_traces = |name: &str| {
        let own = sources.variable(&format!("OTEL_EXPORTER_OTLP_TRACES_{name}"));
        own.or_else(|| sources.variable(&format!("OTEL_EXPORTER_OTLP_{name}")))
    };
    let is = |name: &str, value: &str| {
        let set = sources.variable(name);
        set.is_some_and(|set| set.eq_ignore_ascii_case(value))
    };
    let endpoint = of_traces("ENDPOINT")?;
    if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
        return None;
    }
    if let Some(protocol) = of_traces("PROTOCOL").filter(|protocol| *protocol != PROTOCOL) {
        reader.warn(format!(
            "OTEL_EXPORTER_OTLP_PROTOCOL is {protocol:?}, but traces are sent by {PROTOCOL:?} \
             only: OTEL_EXPORTER_OTLP_ENDPOINT must name a port for it, usually 4318"
        ));
    }
    let parent = ["traceparent", "tracestate"]
        .into_iter()
        .filter_map(|name| {
            let value = sources.variable(&name.to_ascii_uppercase())?;
            Some((name.to_owned(), value.to_owned()))
        });
    Some(TraceSettings {
        timeout: Duration::from_millis(number(of_traces("TIMEOUT"), TIMEOUT_MS)),
        queue_length: number(sources.variable("OTEL_BSP_MAX_QUEUE_SIZE"), QUEUE_LENGTH),
        is_plain: endpoint.starts_with("http:"),
        parent: parent.collect(),
    })
}

/// A variable's number, or the default, as the library decides.
fn number<N: std::str::FromStr>(text: Option<&str>, default: N) -> N {
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}
