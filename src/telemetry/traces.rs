//! Sends the spans of runs to a collector of OpenTelemetry, in batches and from a thread of its
//! own. A collector that is away, slow or refuses delays no run, and the end of the program by a
//! bounded time. What it does not get is counted, and said once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{Context, ContextGuard, KeyValue};
use opentelemetry_otlp::WithHttpConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, Span, SpanData, SpanExporter,
    SpanProcessor,
};
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber, info, warn};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::registry::LookupSpan;

use crate::config::TraceSettings;
use crate::metrics::Metrics;
use crate::shutdown::waits;

/// The only attributes that leave the program. Spans have others for the log, such as the id of a
/// customer.
const ATTRIBUTES: [&str; 17] = [
    "attempt",
    "customers",
    "customers.failed",
    "customers.total",
    "dataset",
    "error.type",
    "http.response.status_code",
    "ms.correlation_id",
    "ms.request_id",
    "rows",
    "rows.inserted",
    "rows.received",
    "rows.rejected",
    "rows.updated",
    "run.id",
    "run.kind",
    "run.outcome",
];

/// How long the program, when it ends by itself, waits until its last spans are sent.
const LAST_SPANS: Duration = Duration::from_secs(2);

static TRACES: OnceLock<Traces> = OnceLock::new();

struct Traces {
    provider: SdkTracerProvider,
    spans: Arc<Spans>,
    parent: HashMap<String, String>,
}

/// What becomes of spans.
#[derive(Debug, Default)]
struct Spans {
    queued: AtomicUsize,
    lost: AtomicU64,
    /// Whether the collector did not take the last batch.
    is_away: AtomicBool,
    metrics: OnceLock<Metrics>,
}

impl Spans {
    fn count(&self, count: usize, is_sent: bool) {
        let count = count as u64;
        if !is_sent {
            self.lost.fetch_add(count, Ordering::Relaxed);
        }
        if let Some(metrics) = self.metrics.get() {
            metrics.count_spans(count, is_sent);
        }
    }
}

/// The layer that makes traces of the program's own spans. Without a runtime: the client has one of
/// its own.
///
/// # Errors
/// When the environment names a collector that cannot be asked.
pub(super) fn layer<S>(settings: &TraceSettings) -> anyhow::Result<impl Layer<S> + use<S>>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let mut client = reqwest::blocking::Client::builder()
        .user_agent(concat!("seatledger/", env!("CARGO_PKG_VERSION")))
        .timeout(settings.timeout)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false);
    if settings.is_plain {
        client = client.no_proxy();
    }
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_http_client(client.build()?)
        .build()?;
    let spans = Arc::<Spans>::default();
    let exporter = CountedExporter {
        exporter,
        spans: Arc::clone(&spans),
    };
    let batches = BatchConfigBuilder::default().with_max_queue_size(settings.queue_length);
    let processor = BatchSpanProcessor::builder(exporter)
        .with_batch_config(batches.build())
        .build();
    let provider = SdkTracerProvider::builder()
        .with_resource(resource())
        .with_span_processor(BoundedQueue {
            processor,
            length: settings.queue_length,
            spans: Arc::clone(&spans),
        })
        .build();
    let tracer = provider.tracer("seatledger");
    let parent = settings.parent.clone();
    // A second call, as in tests, keeps the first set-up.
    let _already_set = TRACES.set(Traces {
        provider,
        spans,
        parent,
    });
    // Asked again for each span: an answer that is kept would be lost to a call that only asks
    // whether a level is enabled.
    let own = dynamic_filter_fn(|metadata, _| is_own_span(metadata));
    let own = own.with_callsite_filter(|metadata| {
        if is_own_span(metadata) {
            Interest::sometimes()
        } else {
            Interest::never()
        }
    });
    let layer = tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_context_activation(false);
    Ok(layer.with_filter(own))
}

/// Events stay in the log: their text names customers' ids.
fn is_own_span(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target().starts_with(env!("CARGO_CRATE_NAME"))
}

/// What the environment says of the service, and its version.
fn resource() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let named = Resource::builder().with_attribute(version);
    let name = Resource::builder().build().get(&"service.name".into());
    match name {
        Some(name) if !name.as_str().starts_with("unknown_service") => named.build(),
        _ => named.with_service_name("seatledger").build(),
    }
}

/// Counts spans in the metrics of the process. If `is_one_run`, the trace that the environment
/// names is the parent of what follows, until the value is dropped.
pub(crate) fn begin(metrics: &Metrics, is_one_run: bool) -> Option<ContextGuard> {
    let traces = TRACES.get()?;
    let _already_set = traces.spans.metrics.set(metrics.clone());
    let parent =
        TraceContextPropagator::new().extract_with_context(&Context::new(), &traces.parent);
    is_one_run.then(|| parent.attach())
}

/// Sends the last spans, in a bounded time.
pub(crate) fn finish(was_stopped: bool) {
    let Some(Traces {
        provider, spans, ..
    }) = TRACES.get()
    else {
        return;
    };
    let limit = if was_stopped {
        waits::TRACES
    } else {
        LAST_SPANS
    };
    let _in_time = provider.shutdown_with_timeout(limit);
    let left = spans.queued.load(Ordering::Relaxed) as u64;
    let lost = spans.lost.load(Ordering::Relaxed) + left;
    if lost > 0 {
        warn!(
            spans = lost,
            "{lost} spans did not reach the collector of traces"
        );
    }
}

/// Drops and counts the spans for which the queue of the processor has no place.
#[derive(Debug)]
struct BoundedQueue {
    processor: BatchSpanProcessor,
    length: usize,
    spans: Arc<Spans>,
}

impl SpanProcessor for BoundedQueue {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.processor.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.spans.queued.fetch_add(1, Ordering::Relaxed) >= self.length {
            self.spans.queued.fetch_sub(1, Ordering::Relaxed);
            self.spans.count(1, false);
            return;
        }
        self.processor.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.processor.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.processor.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.processor.set_resource(resource);
    }
}

/// Sends the allowed attributes of spans, and counts what the collector took.
#[derive(Debug)]
struct CountedExporter {
    exporter: opentelemetry_otlp::SpanExporter,
    spans: Arc<Spans>,
}

impl SpanExporter for CountedExporter {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        for span in &mut batch {
            span.attributes
                .retain(|attribute| ATTRIBUTES.contains(&attribute.key.as_str()));
        }
        let sent = self.exporter.export(batch).await;
        self.spans.queued.fetch_sub(count, Ordering::Relaxed);
        self.spans.count(count, sent.is_ok());
        let was_away = self.spans.is_away.swap(sent.is_err(), Ordering::Relaxed);
        match &sent {
            Ok(()) if was_away => info!("The collector of traces takes spans again"),
            Err(error) if !was_away => {
                let error = match error {
                    OTelSdkError::InternalFailure(error) => error.clone(),
                    error => error.to_string(),
                };
                warn!(
                    error,
                    "The collector of traces does not take spans, they are lost: {error}"
                );
            }
            _ => {}
        }
        sent
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
