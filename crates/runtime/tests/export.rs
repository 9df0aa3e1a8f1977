//! What reaches a collector, decoded for real: spans, their links, metrics and log lines of one process.

use std::sync::OnceLock;
use std::time::Duration;

use postrider_runtime::metrics;
use postrider_runtime::telemetry::{self, Settings, Telemetry};
use postrider_runtime::trace::{Kind, Origin, Remote, Span};
use postrider_testkit::collector::{Collector, SeenSpan};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// One process has one telemetry, so the tests share it.
fn telemetry() -> &'static (Collector, Telemetry) {
    static SHARED: OnceLock<(Collector, Telemetry)> = OnceLock::new();
    SHARED.get_or_init(|| {
        let collector = Collector::start();
        let settings = Settings {
            otlp: Some(collector.url()),
            service: "postrider-test".to_owned(),
            messaging_system: "rabbitmq".to_owned(),
            ..Settings::default()
        };
        let telemetry = telemetry::init(&settings).expect("telemetry is set up");
        (collector, telemetry)
    })
}

fn remote(parent: &str) -> Remote<'_> {
    Remote { parent: Some(parent), state: None }
}

/// Hands out what is held, and waits until a span of this name is there.
async fn exported(name: &str) -> SeenSpan {
    let (collector, telemetry) = telemetry();
    assert!(tokio::task::spawn_blocking(|| telemetry.flush()).await.expect("it does not panic"));
    collector.until(|seen| seen.spans.iter().find(|span| span.name == name).cloned()).await
}

#[tokio::test]
async fn a_span_arrives_as_a_child_of_the_context_that_came_in() {
    telemetry();
    let span = Span::begin(Kind::Client, "a child", Origin::Child(remote(PARENT)));
    let span = span.describe(|span| span.set("postrider.delivery", "d-1"));
    let onwards = span.context();
    span.fail("timeout", "no answer within 5 s");
    span.end();
    let seen = exported("a child").await;
    assert_eq!((seen.trace_id.as_str(), seen.parent_id.as_str()), (&PARENT[3..35], &PARENT[36..52]));
    assert_eq!(onwards.parent, Some(seen.traceparent()));
    assert_eq!((seen.kind, seen.service.as_str()), ("CLIENT", "postrider-test"));
    assert_eq!(seen.attribute("postrider.delivery"), "d-1");
    assert_eq!(seen.attribute("error.type"), "timeout");
    assert_eq!(seen.failure.as_deref(), Some("no answer within 5 s"));
}

#[tokio::test]
async fn a_new_trace_is_linked_to_the_one_before() {
    telemetry();
    Span::begin(Kind::Client, "a retry", Origin::NewTrace(remote(PARENT))).end();
    let seen = exported("a retry").await;
    assert_ne!(seen.trace_id, &PARENT[3..35]);
    assert_eq!(seen.parent_id, "");
    assert_eq!(seen.links, [(PARENT[3..35].to_owned(), PARENT[36..52].to_owned())]);
}

#[tokio::test]
async fn spans_about_queues_have_the_attributes_of_the_messaging_conventions() {
    telemetry();
    let span = Span::process("events", Origin::Child(Remote::default()));
    span.link(remote(PARENT));
    drop(span);
    let seen = exported("process events").await;
    assert_eq!((seen.kind, seen.parent_id.as_str(), seen.links.len()), ("CONSUMER", "", 1));
    for (name, value) in [
        ("messaging.system", "rabbitmq"),
        ("messaging.destination.name", "events"),
        ("messaging.operation.name", "process"),
        ("messaging.operation.type", "process"),
    ] {
        assert_eq!(seen.attribute(name), value, "{name}");
    }
}

#[tokio::test]
async fn what_the_publisher_does_not_record_is_passed_on_and_not_exported() {
    telemetry();
    let unrecorded = PARENT.replace("-01", "-00").replace("4bf92f", "aaaaaa");
    let span = Span::begin(Kind::Producer, "not recorded", Origin::Child(remote(&unrecorded)));
    let onwards = span.context().parent.expect("there is a context");
    assert!(onwards.starts_with(&unrecorded[..36]) && onwards.ends_with("-00"), "{onwards}");
    span.end();
    Span::begin(Kind::Producer, "the next", Origin::Child(Remote::default())).end();
    exported("the next").await;
    let (collector, _) = telemetry();
    assert!(collector.seen().spans.iter().all(|span| span.name != "not recorded"));
}

#[tokio::test]
async fn log_lines_arrive_with_the_ids_of_their_span_and_without_those_of_others() {
    let (collector, telemetry) = telemetry();
    let span = Span::begin(Kind::Consumer, "a span with lines", Origin::Child(remote(PARENT)));
    span.run(async { tracing::info!(attempt = 3, "a line within") }).await;
    tracing::warn!("a line without");
    span.end();
    assert!(tokio::task::spawn_blocking(|| telemetry.flush()).await.expect("it does not panic"));
    let find = |body: &'static str| {
        collector.until(move |seen| seen.lines.iter().find(|line| line.body == body).cloned())
    };
    let (within, without) = (find("a line within").await, find("a line without").await);
    let span = exported("a span with lines").await;
    assert_eq!((within.trace_id, within.span_id), (span.trace_id, span.span_id));
    assert_eq!((within.severity.as_str(), within.attributes["attempt"].as_str()), ("INFO", "3"));
    assert_eq!((without.trace_id.as_str(), without.severity.as_str()), ("", "WARN"));
}

#[tokio::test]
async fn metrics_arrive_at_the_collector_and_stand_in_the_text_for_prometheus() {
    let (collector, telemetry) = telemetry();
    let calls = metrics::counter("postrider.test.calls", "Calls of a test", "{call}");
    calls.with(&[("outcome", "success")]).add(2);
    calls.with(&[("outcome", "retry")]).add(1);
    metrics::seconds("postrider.test.took", "Times of a test").record(Duration::from_millis(7));
    metrics::gauge("postrider.test.depth", "Depth of a test", "{message}").set(9);
    metrics::observe_counter("postrider.test.sent", "Kept elsewhere", "{message}", || 41);
    metrics::observe_gauge("postrider.test.open", "Kept elsewhere", "{webhook}", || {
        vec![([("state", "open")], 3), ([("state", "half_open")], 1)]
    });
    assert!(tokio::task::spawn_blocking(|| telemetry.flush()).await.expect("it does not panic"));
    let seen = collector.seen();
    for (name, labels, figure) in [
        ("postrider.test.calls", &[("outcome", "success")][..], 2.0),
        ("postrider.test.calls", &[("outcome", "retry")], 1.0),
        ("postrider.test.took", &[], 1.0),
        ("postrider.test.depth", &[], 9.0),
        ("postrider.test.sent", &[], 41.0),
        ("postrider.test.open", &[("state", "open")], 3.0),
    ] {
        let found = seen.figure(name, labels).expect(name);
        assert!((found - figure).abs() < f64::EPSILON, "{name}: {found}");
    }
    let text = scraped().await;
    for line in [
        "postrider_test_calls_total{outcome=\"success\"} 2",
        "postrider_test_took_seconds_bucket{le=\"0.01\"} 1",
        "postrider_test_took_seconds_bucket{le=\"0.005\"} 0",
        "postrider_test_depth 9",
        "postrider_test_sent_total 41",
        "postrider_test_open{state=\"half_open\"} 1",
        "postrider_telemetry_lost_total 0",
        "# HELP postrider_test_calls_total Calls of a test",
    ] {
        assert!(text.lines().any(|one| one == line), "{line} is not in\n{text}");
    }
}

async fn scraped() -> String {
    use axum::body::{Body, to_bytes};
    use tower::ServiceExt;
    let request = axum::http::Request::get("/metrics").body(Body::empty()).expect("a request");
    let response = telemetry::metrics_router().oneshot(request).await.expect("it answers");
    assert_eq!(response.status(), 200);
    let body = to_bytes(response.into_body(), 1 << 20).await.expect("a short body");
    String::from_utf8(body.to_vec()).expect("text")
}
