//! What leaves a process about itself: log lines on standard error, and traces, metrics and logs over OTLP.
//!
//! Standard output belongs to the answers of commands. Log lines are for people on a terminal and JSON everywhere else.
//! Metrics are always kept and served by [`metrics_router`]; traces exist only with a collector, and without one the
//! context that came in is passed on as it is ([`crate::trace`]). A collector that is away or slow holds nobody up: what it
//! does not take is dropped, counted and said once.

mod collector;
mod lines;
mod sampling;

use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::TracerProvider;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use prometheus::{Registry, TextEncoder};
use thiserror::Error;
use tracing_subscriber::filter::{FilterExt, ParseError, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use collector::Collector;
pub use lines::Format;

/// The end of a process waits so long for its last spans, metrics and log lines to be taken. Longer than one export may
/// take (3 s), shorter than anybody's patience with a process that is told to stop.
const LAST_FLUSH: Duration = Duration::from_secs(5);

/// The name under which all our spans and metrics are made (OpenTelemetry's instrumentation scope).
const SCOPE: &str = "postrider";

/// What is written for Prometheus: <https://prometheus.io/docs/instrumenting/exposition_formats/>.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Crates that carry telemetry to the collector.
const CARRIERS: [&str; 4] = ["opentelemetry", "hyper", "reqwest", "rustls"];

static REGISTRY: OnceLock<Registry> = OnceLock::new();

/// What is said about this process, how, and to whom.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Which log lines: the syntax of `tracing_subscriber::EnvFilter` (`level` or `target=level`, comma-separated).
    pub filter: String,
    /// What log lines look like.
    pub format: Format,
    /// Where the collector takes OTLP over HTTP (`http://collector:4318`); `None`: nothing is exported.
    pub otlp: Option<String>,
    /// Share of the traces begun here that are recorded, 0 to 1. A trace begun elsewhere is recorded if its begin was.
    pub sample: f64,
    /// `service.name` of everything exported (`postrider-dispatcher`).
    pub service: String,
    /// `service.version`.
    pub version: String,
    /// `service.instance.id`: tells two processes of one service apart.
    pub instance: String,
    /// `messaging.system` of spans about queues: what stands behind them (`rabbitmq`).
    pub messaging_system: String,
}

/// Keeps telemetry alive; to be held until the very end of `main`. Dropped, it hands out what is still held, and waits at
/// most 5 s for a collector to take it.
#[derive(Debug)]
#[must_use = "telemetry ends when this is dropped"]
pub struct Telemetry {
    tracer: Option<SdkTracerProvider>,
    logger: Option<SdkLoggerProvider>,
    meter: SdkMeterProvider,
}

/// Why telemetry could not be set up.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The filter cannot be read.
    #[error(
        "the log filter {filter:?} is not valid: {source}; write for example \"info\" or \"warn,postrider_dispatcher=debug\""
    )]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// Telemetry is already set up; it can be only once in a process.
    #[error("logging is already set up in this process")]
    Twice(#[from] TryInitError),
    /// What carries telemetry to the collector cannot be made.
    #[error("nothing can be exported to the collector {endpoint}: {reason}")]
    Exporter {
        /// Where it would be.
        endpoint: String,
        /// Why not.
        reason: String,
    },
}

/// Sets up telemetry for the whole process. To be called before services are put together: a counter that was made before
/// counts for nobody. The caller decides where the settings come from.
///
/// # Errors
/// When the filter cannot be read, the exporters cannot be made, or telemetry is already set up.
pub fn init(settings: &Settings) -> Result<Telemetry, TelemetryError> {
    let filter = lines::filter(&settings.filter)?;
    let resource = resource(settings);
    let collector = settings.otlp.as_deref().map(Collector::new).transpose()?;
    let logger = collector.as_ref().map(|collector| collector.logger(resource.clone())).transpose()?;
    let bridge = logger.as_ref().map(|logger| {
        // What carries log lines to the collector must not log there itself.
        let ours = filter_fn(|meta| !CARRIERS.iter().any(|carrier| meta.target().starts_with(carrier)));
        OpenTelemetryTracingBridge::new(logger).with_filter(filter.clone().and(ours))
    });
    tracing_subscriber::registry()
        .with(lines::layer(settings.format).with_filter(filter))
        .with(bridge)
        .try_init()?;

    let registry = REGISTRY.get_or_init(Registry::new);
    let meter = meters(resource.clone(), registry, collector.as_ref())?;
    crate::metrics::install(meter.meter(SCOPE));
    let sampler = sampling::Sampler::new(settings.sample);
    let tracer = collector.as_ref().map(|collector| collector.tracer(resource, sampler)).transpose()?;
    if let Some(tracer) = &tracer {
        crate::trace::install(tracer.tracer(SCOPE), &settings.messaging_system);
    }
    if let Some(collector) = collector {
        collector.count_losses();
    }
    Ok(Telemetry { tracer, logger, meter })
}

/// `GET /metrics`: all metrics of the process in the text form of Prometheus; none before [`init`].
pub fn metrics_router() -> Router {
    let text = || async {
        let families = REGISTRY.get().map(Registry::gather).unwrap_or_default();
        let text = TextEncoder::new().encode_to_string(&families).unwrap_or_default();
        ([(CONTENT_TYPE, PROMETHEUS_TEXT)], text)
    };
    Router::new().route("/metrics", get(text))
}

impl Default for Settings {
    /// Log lines from `info` on, metrics, and nothing exported.
    fn default() -> Self {
        Self {
            filter: "info".to_owned(),
            format: Format::Auto,
            otlp: None,
            sample: 1.0,
            service: "postrider".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance: String::new(),
            messaging_system: "postrider".to_owned(),
        }
    }
}

impl Telemetry {
    /// Hands out what is held until now and waits until the collector has it, or 5 s. Blocks its thread. Whether all of it
    /// went out.
    pub fn flush(&self) -> bool {
        let (tracer, logger, meter) = (self.tracer.clone(), self.logger.clone(), self.meter.clone());
        all_within([
            Box::new(move || tracer.is_none_or(|it| it.force_flush().is_ok())),
            Box::new(move || logger.is_none_or(|it| it.force_flush().is_ok())),
            Box::new(move || meter.force_flush().is_ok()),
        ])
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        let (tracer, logger, meter) = (self.tracer.take(), self.logger.take(), self.meter.clone());
        // What is lost here is lost with the process, and nobody is left to hear of it.
        let _all_went_out = all_within([
            Box::new(move || tracer.is_none_or(|it| it.shutdown_with_timeout(LAST_FLUSH).is_ok())),
            Box::new(move || logger.is_none_or(|it| it.shutdown_with_timeout(LAST_FLUSH).is_ok())),
            Box::new(move || meter.shutdown_with_timeout(LAST_FLUSH).is_ok()),
        ]);
    }
}

impl TelemetryError {
    fn exporter(endpoint: &str) -> impl Fn(ExporterBuildError) -> Self {
        move |error| Self::Exporter { endpoint: endpoint.to_owned(), reason: error.to_string() }
    }
}

/// One of the last things a process does.
type LastThing = Box<dyn FnOnce() -> bool + Send>;

/// Does all at once, on threads of their own since they block; false when one fails or all together take too long. Then the
/// threads end with the process.
fn all_within(things: [LastThing; 3]) -> bool {
    let (done, ended) = mpsc::channel();
    let all = move || {
        let threads = things.map(thread::spawn);
        let all_did = threads.map(thread::JoinHandle::join).into_iter().all(|did| did.unwrap_or(false));
        // Whoever stopped waiting needs no answer.
        let _unheard = done.send(all_did);
    };
    thread::spawn(all);
    ended.recv_timeout(LAST_FLUSH).unwrap_or(false)
}

fn resource(settings: &Settings) -> Resource {
    Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.name", settings.service.clone()),
            KeyValue::new("service.version", settings.version.clone()),
            KeyValue::new("service.instance.id", settings.instance.clone()),
        ])
        .build()
}

/// One provider for both readers: who scrapes, and the collector.
fn meters(
    resource: Resource,
    registry: &Registry,
    collector: Option<&Collector>,
) -> Result<SdkMeterProvider, TelemetryError> {
    let scraped = opentelemetry_prometheus::exporter()
        .with_registry(registry.clone())
        .scope_info_enabled(false)
        .build()
        .map_err(|error| TelemetryError::Exporter {
            endpoint: "/metrics".to_owned(),
            reason: error.to_string(),
        })?;
    let meters = SdkMeterProvider::builder().with_resource(resource).with_reader(scraped);
    let pushed = collector.map(Collector::reader).transpose()?;
    Ok(match pushed {
        Some(pushed) => meters.with_reader(pushed).build(),
        None => meters.build(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telemetry_is_set_up_once_and_the_second_time_says_so() {
        let first = init(&Settings::default());
        assert!(first.is_ok(), "{first:?}");
        let second = init(&Settings::default()).expect_err("already set up").to_string();
        assert!(second.contains("already set up"), "{second}");
    }
}
