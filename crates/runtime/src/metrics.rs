//! Counters, gauges and histograms by name, as cheap handles that are made once.
//!
//! A handle carries its labels, and labels are fixed when it is made: so nothing is allocated when it counts, and what
//! grows without bound (ids of spaces, webhooks, events) cannot become a label. Handles made before
//! [`crate::telemetry::init`] count for nobody. Names begin with `postrider.`, say no unit, and the unit is UCUM (`s`, `By`,
//! `{call}`); Prometheus sees them with underscores, the unit, and `_total` behind counters.

use std::sync::{Arc, OnceLock};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{self, Meter};

/// A label: its name and its value, from a fixed set.
pub type Label = (&'static str, &'static str);

/// Upper bounds of the buckets of [`seconds`]: 1–2.5–5 from half a millisecond to ten seconds, then what deliveries wait
/// when things go wrong, up to six hours.
const SECONDS: [f64; 19] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
    3_600.0, 21_600.0,
];

static METER: OnceLock<Meter> = OnceLock::new();

/// Counts what happens.
#[derive(Debug, Clone)]
pub struct Counter {
    counter: Option<metrics::Counter<u64>>,
    labels: Arc<[KeyValue]>,
}

/// Sorts how long things take.
#[derive(Debug, Clone)]
pub struct Histogram {
    histogram: Option<metrics::Histogram<f64>>,
    labels: Arc<[KeyValue]>,
}

/// Keeps the last figure.
#[derive(Debug, Clone)]
pub struct Gauge {
    gauge: Option<metrics::Gauge<u64>>,
    labels: Arc<[KeyValue]>,
}

/// Where metrics are kept from now on.
pub(crate) fn install(meter: Meter) {
    // A second one would need a second `init`, which failed before.
    let _first_stays = METER.set(meter);
}

/// A counter without labels. `unit` is what one step counts, as `{call}`.
pub fn counter(name: &'static str, description: &'static str, unit: &'static str) -> Counter {
    let counter = METER
        .get()
        .map(|meter| meter.u64_counter(name).with_description(description).with_unit(unit).build());
    Counter { counter, labels: Arc::default() }
}

/// A histogram of seconds without labels.
pub fn seconds(name: &'static str, description: &'static str) -> Histogram {
    let histogram = METER.get().map(|meter| {
        let builder = meter.f64_histogram(name).with_description(description).with_unit("s");
        builder.with_boundaries(SECONDS.to_vec()).build()
    });
    Histogram { histogram, labels: Arc::default() }
}

/// How long one stage of the work on an event or a delivery takes (`match`, `call`, …); the same metric in every service.
pub fn stage(stage: &'static str) -> Histogram {
    seconds("postrider.stage.duration", "Time that one stage of the work takes").with(&[("stage", stage)])
}

/// How old events are when a message about them is received from a queue; the same metric in every service.
pub fn age(queue: &'static str) -> Histogram {
    let description =
        "Age of an event since it was accepted, when a message about it is received, delays included";
    seconds("postrider.message.age", description).with(&[("queue", queue)])
}

/// A gauge without labels.
pub fn gauge(name: &'static str, description: &'static str, unit: &'static str) -> Gauge {
    let gauge =
        METER.get().map(|meter| meter.u64_gauge(name).with_description(description).with_unit(unit).build());
    Gauge { gauge, labels: Arc::default() }
}

/// A counter that is kept elsewhere: `read` is asked for its present total whenever metrics are read, for as long as the
/// process lives, and must be quick.
pub fn observe_counter(
    name: &'static str,
    description: &'static str,
    unit: &'static str,
    read: impl Fn() -> u64 + Send + Sync + 'static,
) {
    if let Some(meter) = METER.get() {
        let counter = meter.u64_observable_counter(name).with_description(description).with_unit(unit);
        // The meter keeps the callback; the handle is of no use.
        let _handle = counter.with_callback(move |see| see.observe(read(), &[])).build();
    }
}

/// A gauge that is kept elsewhere, one figure for each set of labels: `read` is asked whenever metrics are read, for as
/// long as the process lives, and must be quick. What it does not report has no figure.
pub fn observe_gauge<L: AsRef<[Label]>>(
    name: &'static str,
    description: &'static str,
    unit: &'static str,
    read: impl Fn() -> Vec<(L, u64)> + Send + Sync + 'static,
) {
    if let Some(meter) = METER.get() {
        let gauge = meter.u64_observable_gauge(name).with_description(description).with_unit(unit);
        let _handle = gauge
            .with_callback(move |see| {
                for (labels, figure) in read() {
                    see.observe(figure, &key_values(labels.as_ref()));
                }
            })
            .build();
    }
}

impl Counter {
    /// The same counter with these labels instead.
    #[must_use]
    pub fn with(&self, labels: &[Label]) -> Self {
        Self { counter: self.counter.clone(), labels: key_values(labels) }
    }

    /// Adds.
    pub fn add(&self, by: u64) {
        if let Some(counter) = &self.counter {
            counter.add(by, &self.labels);
        }
    }
}

impl Histogram {
    /// The same histogram with these labels instead.
    #[must_use]
    pub fn with(&self, labels: &[Label]) -> Self {
        Self { histogram: self.histogram.clone(), labels: key_values(labels) }
    }

    /// Notes one duration.
    pub fn record(&self, took: std::time::Duration) {
        if let Some(histogram) = &self.histogram {
            histogram.record(took.as_secs_f64(), &self.labels);
        }
    }
}

impl Gauge {
    /// The same gauge with these labels instead.
    #[must_use]
    pub fn with(&self, labels: &[Label]) -> Self {
        Self { gauge: self.gauge.clone(), labels: key_values(labels) }
    }

    /// Notes the present figure.
    pub fn set(&self, figure: u64) {
        if let Some(gauge) = &self.gauge {
            gauge.record(figure, &self.labels);
        }
    }
}

fn key_values(labels: &[Label]) -> Arc<[KeyValue]> {
    labels.iter().map(|(name, value)| KeyValue::new(*name, *value)).collect()
}
