//! The way to the collector: OTLP over HTTP, in batches, on threads of their own. Everything on it is bounded, and what
//! does not get through is dropped, counted and said once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use opentelemetry::{Context, InstrumentationScope};
use opentelemetry_otlp::{
    LogExporter as OtlpLogs, MetricExporter as OtlpMetrics, SpanExporter as OtlpSpans, WithExportConfig,
    WithHttpConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{
    BatchConfigBuilder as LogBatches, BatchLogProcessor, LogBatch, LogExporter, LogProcessor, SdkLogRecord,
    SdkLoggerProvider,
};
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, Temporality};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder as SpanBatches, BatchSpanProcessor, SdkTracerProvider, Span, SpanData, SpanExporter,
    SpanProcessor,
};
use reqwest::blocking::Client;
use tracing::{info, warn};

use super::TelemetryError;
use super::sampling::Sampler;

/// Spans, and log lines, that may wait for export. A span with its attributes takes about 1.5 KiB, so each queue stays
/// below 8 MiB; it holds what a process at 6,000 spans per second makes in two thirds of a second, and is emptied at once
/// when a batch is full.
const QUEUE: usize = 4_096;
/// Sent at once.
const BATCH: usize = 512;
/// A batch that is not full leaves after this.
const BATCH_EVERY: Duration = Duration::from_secs(2);
/// How often metrics are sent. Cumulative, so that a missed export loses nothing.
const METRICS_EVERY: Duration = Duration::from_secs(15);
/// One export, with all its tries. The last one of a process must fit into its last flush.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(3);
/// To be connected: collectors are near.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// A collector, and what did not reach it.
pub(super) struct Collector {
    endpoint: String,
    client: Client,
    spans: Arc<Way>,
    logs: Arc<Way>,
    metrics: Arc<Way>,
}

/// What happens on the way of one signal.
#[derive(Debug)]
struct Way {
    signal: &'static str,
    endpoint: String,
    waiting: AtomicUsize,
    lost: AtomicU64,
    /// The last export failed.
    is_failing: AtomicBool,
    /// Something found no place in the queue, and whether that was said.
    is_full: AtomicBool,
    said_full: AtomicBool,
}

/// A processor behind a bounded queue.
#[derive(Debug)]
struct Bounded<P> {
    way: Arc<Way>,
    behind: P,
}

/// An exporter whose failures are counted.
#[derive(Debug)]
struct Watched<E> {
    way: Arc<Way>,
    exporter: E,
}

impl Collector {
    /// The collector at this base address.
    pub(super) fn new(endpoint: &str) -> Result<Self, TelemetryError> {
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        let failed = |reason: String| TelemetryError::Exporter { endpoint: endpoint.clone(), reason };
        // The blocking client brings a runtime of its own, and must not be made within another.
        let made = thread::spawn(|| {
            Client::builder()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(CONNECT_TIMEOUT)
                .timeout(EXPORT_TIMEOUT)
                .build()
        });
        let made = made.join().map_err(|_| failed("the HTTP client cannot be made".to_owned()))?;
        let client = made.map_err(|error| failed(error.to_string()))?;
        let way = |signal| Arc::new(Way::new(signal, &endpoint));
        Ok(Self { client, spans: way("traces"), logs: way("logs"), metrics: way("metrics"), endpoint })
    }

    /// Where traces go.
    pub(super) fn tracer(
        &self,
        resource: Resource,
        sampler: Sampler,
    ) -> Result<SdkTracerProvider, TelemetryError> {
        let exporter = self.over_http(OtlpSpans::builder().with_http(), "traces").build();
        let exporter = exporter.map_err(TelemetryError::exporter(&self.endpoint))?;
        let batches = SpanBatches::default()
            .with_max_queue_size(QUEUE + BATCH)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(BATCH_EVERY)
            .build();
        let exporter = Watched { way: Arc::clone(&self.spans), exporter };
        let behind = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
        let bounded = Bounded { way: Arc::clone(&self.spans), behind };
        Ok(SdkTracerProvider::builder()
            .with_resource(resource)
            .with_sampler(sampler)
            .with_span_processor(bounded)
            .build())
    }

    /// Where log lines go.
    pub(super) fn logger(&self, resource: Resource) -> Result<SdkLoggerProvider, TelemetryError> {
        let exporter = self.over_http(OtlpLogs::builder().with_http(), "logs").build();
        let exporter = exporter.map_err(TelemetryError::exporter(&self.endpoint))?;
        let batches = LogBatches::default()
            .with_max_queue_size(QUEUE + BATCH)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(BATCH_EVERY)
            .build();
        let exporter = Watched { way: Arc::clone(&self.logs), exporter };
        let behind = BatchLogProcessor::builder(exporter).with_batch_config(batches).build();
        let bounded = Bounded { way: Arc::clone(&self.logs), behind };
        Ok(SdkLoggerProvider::builder().with_resource(resource).with_log_processor(bounded).build())
    }

    /// What reads metrics for it.
    pub(super) fn reader(&self) -> Result<PeriodicReader<impl PushMetricExporter + use<>>, TelemetryError> {
        let metrics = OtlpMetrics::builder().with_http().with_temporality(Temporality::Cumulative);
        let exporter = self.over_http(metrics, "metrics").build();
        let exporter = exporter.map_err(TelemetryError::exporter(&self.endpoint))?;
        let exporter = Watched { way: Arc::clone(&self.metrics), exporter };
        Ok(PeriodicReader::builder(exporter).with_interval(METRICS_EVERY).build())
    }

    /// Lets the losses be counted among the metrics.
    pub(super) fn count_losses(self) {
        let Self { spans, logs, .. } = self;
        crate::metrics::observe_counter(
            "postrider.telemetry.lost",
            "Spans and log lines that were dropped because the collector was away or too slow",
            "{item}",
            move || spans.lost.load(Ordering::Relaxed) + logs.lost.load(Ordering::Relaxed),
        );
    }

    fn over_http<B: WithExportConfig + WithHttpConfig>(&self, builder: B, signal: &str) -> B {
        builder
            .with_http_client(self.client.clone())
            .with_endpoint(format!("{}/v1/{signal}", self.endpoint))
            .with_timeout(EXPORT_TIMEOUT)
    }
}

impl Way {
    fn new(signal: &'static str, endpoint: &str) -> Self {
        Self {
            signal,
            endpoint: endpoint.to_owned(),
            waiting: AtomicUsize::new(0),
            lost: AtomicU64::new(0),
            is_failing: AtomicBool::new(false),
            is_full: AtomicBool::new(false),
            said_full: AtomicBool::new(false),
        }
    }

    /// Whether there is a place for one more; else it counts as lost. Says nothing: its caller is in a hurry.
    fn admits(&self) -> bool {
        if self.waiting.fetch_add(1, Ordering::Relaxed) < QUEUE {
            return true;
        }
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        self.lost.fetch_add(1, Ordering::Relaxed);
        self.is_full.store(true, Ordering::Relaxed);
        false
    }

    /// So many leave the queue.
    fn taken(&self, items: usize) {
        self.waiting.fetch_sub(items, Ordering::Relaxed);
    }

    /// So many went out, or not. Speaks when that is news; runs on the thread of the export, whose lines are not exported.
    fn ended(&self, items: usize, result: &OTelSdkResult) {
        let (signal, endpoint) = (self.signal, self.endpoint.as_str());
        match result {
            Ok(()) => {
                if self.is_failing.swap(false, Ordering::Relaxed) {
                    let lost = self.lost.load(Ordering::Relaxed);
                    info!(signal, endpoint, lost, "telemetry reaches the collector again");
                }
            }
            Err(error) => {
                let items = u64::try_from(items).unwrap_or(u64::MAX);
                self.lost.fetch_add(items, Ordering::Relaxed);
                if !self.is_failing.swap(true, Ordering::Relaxed) {
                    warn!(signal, endpoint, %error, "telemetry does not reach the collector and is dropped; work goes on");
                }
            }
        }
        if self.is_full.load(Ordering::Relaxed) && !self.said_full.swap(true, Ordering::Relaxed) {
            let lost = self.lost.load(Ordering::Relaxed);
            warn!(
                signal,
                endpoint, lost, "the collector is too slow for all telemetry; a part of it is dropped"
            );
        }
    }
}

impl<P: SpanProcessor> SpanProcessor for Bounded<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.behind.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.way.admits() {
            self.behind.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.behind.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.behind.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.behind.set_resource(resource);
    }
}

impl<P: LogProcessor> LogProcessor for Bounded<P> {
    fn emit(&self, record: &mut SdkLogRecord, scope: &InstrumentationScope) {
        if self.way.admits() {
            self.behind.emit(record, scope);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.behind.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.behind.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.behind.set_resource(resource);
    }
}

impl<E: SpanExporter> SpanExporter for Watched<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let items = batch.len();
        self.way.taken(items);
        let result = self.exporter.export(batch).await;
        self.way.ended(items, &result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl<E: LogExporter> LogExporter for Watched<E> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let items = batch.iter().count();
        self.way.taken(items);
        let result = self.exporter.export(batch).await;
        self.way.ended(items, &result);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl<E: PushMetricExporter> PushMetricExporter for Watched<E> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let result = self.exporter.export(metrics).await;
        self.way.ended(0, &result);
        result
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.exporter.temporality()
    }
}
