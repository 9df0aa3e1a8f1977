//! The end of a process: what is held goes out, and afterwards nothing breaks.

use postrider_runtime::metrics;
use postrider_runtime::telemetry::{self, Settings};
use postrider_runtime::trace::{Carried, Kind, Origin, Remote, Span};
use postrider_testkit::collector::Collector;

#[tokio::test]
async fn the_last_spans_metrics_and_lines_go_out_when_the_guard_is_dropped() {
    let collector = Collector::start();
    let settings = Settings { otlp: Some(collector.url()), ..Settings::default() };
    let telemetry = telemetry::init(&settings).expect("telemetry is set up");
    Span::begin(Kind::Producer, "the last", Origin::Child(Remote::default())).end();
    metrics::counter("postrider.test.last", "The last count", "{thing}").add(1);
    tracing::info!("the last line");
    // On a thread of the runtime, as at the end of `main`.
    drop(telemetry);
    let seen = collector.seen();
    assert_eq!(seen.spans.len(), 1);
    assert_eq!(seen.figure("postrider.test.last", &[]), Some(1.0));
    assert!(seen.lines.iter().any(|line| line.body == "the last line"));

    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let late =
        Span::begin(Kind::Producer, "late", Origin::Child(Remote { parent: Some(parent), state: None }));
    assert_eq!(late.context(), Carried { parent: Some(parent.to_owned()), state: None });
}
