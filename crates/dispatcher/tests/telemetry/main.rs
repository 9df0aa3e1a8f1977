//! What the dispatcher tells a collector: its part of the one trace, the links of retries, its metrics. In a process of
//! its own, because telemetry is set up once per process.

#[path = "../dispatcher/fakes.rs"]
mod fakes;
#[expect(dead_code, reason = "shared with the other tests, which need more of it")]
#[path = "../dispatcher/receiver.rs"]
mod receiver;
#[expect(dead_code, reason = "shared with the other tests, which need more of it")]
#[path = "../dispatcher/taps.rs"]
mod taps;
#[path = "../dispatcher/ward.rs"]
mod ward;
#[expect(dead_code, reason = "shared with the other tests, which need more of it")]
#[path = "../dispatcher/world.rs"]
mod world;

use std::sync::OnceLock;
use std::time::Duration;

use postrider_domain::message::Lane;
use postrider_domain::outcome::FailureKind;
use postrider_runtime::telemetry::{self, Settings, Telemetry};
use postrider_testkit::builders::{EventBuilder, event, outgoing, webhook};
use postrider_testkit::collector::{Collector, Seen, SeenSpan};

use crate::receiver::Answer;
use crate::world::World;

fn telemetry() -> &'static (Collector, Telemetry) {
    static SHARED: OnceLock<(Collector, Telemetry)> = OnceLock::new();
    SHARED.get_or_init(|| {
        let collector = Collector::start();
        let settings = Settings {
            otlp: Some(collector.url()),
            service: "postrider-dispatcher".to_owned(),
            messaging_system: "rabbitmq".to_owned(),
            filter: "off".to_owned(),
            ..Settings::default()
        };
        let telemetry = telemetry::init(&settings).expect("telemetry is set up");
        (collector, telemetry)
    })
}

async fn exported() -> Seen {
    let (collector, telemetry) = telemetry();
    assert!(tokio::task::spawn_blocking(|| telemetry.flush()).await.expect("it does not panic"));
    collector.seen()
}

/// A publisher's context; each test has a trace of its own.
fn parent(trace: u8) -> String {
    format!("00-4bf92f3577b34da6a3ce929d0e0e47{trace:02x}-00f067aa0ba902b7-01")
}

async fn accept(world: &World, event: EventBuilder, parent: &str) {
    let mut message = outgoing(event.message());
    message.trace.parent = Some(parent.to_owned());
    message.trace.state = Some("vendor=1".to_owned());
    world.accept_as(message).await;
}

fn only<'s>(spans: &'s [SeenSpan], name: &str) -> &'s SeenSpan {
    let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    assert_eq!(found.len(), 1, "{name} in {spans:#?}");
    found[0]
}

fn header(world: &World, webhook: &str, call: usize, name: &str) -> Option<String> {
    let headers = world.arrived(webhook)[call].request.headers.clone();
    headers.into_iter().find(|(one, _)| one == name).map(|(_, value)| value)
}

#[tokio::test]
async fn one_trace_runs_from_the_publisher_through_match_and_call_to_the_log() {
    telemetry();
    let world = World::with([webhook("w").topic("*.*").url("https://cms.example/w?token=hidden").build()]);
    let parent = parent(1);
    accept(&world, event("Entry.publish").id("e-1"), &parent).await;
    world.step().await;
    let spans = exported().await.trace(&parent[3..35]);
    let matching = only(&spans, "process events");
    let call = only(&spans, "POST");
    assert_eq!((matching.kind, matching.parent_id.as_str()), ("CONSUMER", &parent[36..52]));
    assert_eq!((call.kind, &call.parent_id), ("CLIENT", &matching.span_id));
    for (span, name, value) in [
        (matching, "messaging.system", "rabbitmq"),
        (matching, "messaging.destination.name", "events"),
        (matching, "messaging.message.id", "e-1"),
        (matching, "postrider.space", "default"),
        (matching, "postrider.matched", "1"),
        (call, "http.request.method", "POST"),
        (call, "http.response.status_code", "200"),
        (call, "server.address", "cms.example"),
        (call, "postrider.attempt", "1"),
        (call, "postrider.webhook", "w"),
        (call, "postrider.event", "e-1"),
    ] {
        assert_eq!(span.attribute(name), value, "{name}");
    }
    assert_eq!(call.attribute("postrider.delivery"), world.calls("w")[0].delivery.id().to_string());
    assert!(!format!("{spans:?}").contains("hidden"), "a query may hold secrets: {spans:#?}");

    assert_eq!(header(&world, "w", 0, "traceparent"), Some(call.traceparent()));
    assert_eq!(header(&world, "w", 0, "tracestate").as_deref(), Some("vendor=1"));
    // Whoever writes the log continues the trace of what is logged.
    let sent: Vec<_> = spans.iter().filter(|span| span.name == "send records").collect();
    let parents: Vec<_> = sent.iter().map(|span| &span.parent_id).collect();
    assert_eq!(parents, [&matching.span_id, &call.span_id]);
    let traces = world.servers.lock().traces.clone();
    let carried: Vec<_> = traces.iter().map(|trace| trace.parent.clone()).collect();
    assert_eq!(carried, [Some(sent[0].traceparent()), Some(sent[1].traceparent())]);
}

#[tokio::test]
async fn a_retry_begins_a_trace_that_is_linked_to_the_attempt_before() {
    telemetry();
    let delays = [Duration::from_secs(5), Duration::from_secs(5)];
    let world = World::with([webhook("w").topic("*.*").delays(&delays).build()]);
    world
        .receiver
        .script("/w", &[Answer::Status(503), Answer::Failure(FailureKind::Timeout), Answer::Status(200)]);
    let parent = parent(2);
    accept(&world, event("Entry.publish"), &parent).await;
    for _ in 0..3 {
        world.step().await;
        let due = world.waiting(Lane::Late).first().and_then(|(_, due)| *due);
        if let Some(due) = due {
            world.clock.set(due);
        }
    }
    let seen = exported().await;
    let spans = seen.trace(&parent[3..35]);
    let first = only(&spans, "POST");
    assert_eq!((first.failure.as_deref(), first.attribute("error.type")), (Some(""), "503"));
    let follows = |before: &SeenSpan| {
        let link = (before.trace_id.clone(), before.span_id.clone());
        let next = seen.spans.iter().find(|span| span.links.contains(&link) && span.kind == "CLIENT");
        next.cloned().expect("a span is linked to the attempt before")
    };
    let second = follows(first);
    let third = follows(&second);
    for (at, span) in [&second, &third].into_iter().enumerate() {
        assert_eq!(
            (span.parent_id.as_str(), span.attribute("http.request.resend_count")),
            ("", ["1", "2"][at])
        );
        assert_eq!(header(&world, "w", at + 1, "traceparent"), Some(span.traceparent()));
    }
    assert_eq!(second.attribute("error.type"), "timeout");
    assert_ne!(second.trace_id, third.trace_id);
    assert_ne!(second.trace_id, first.trace_id);
    // Each attempt's record belongs to its own trace.
    assert_eq!(only(&seen.trace(&third.trace_id), "send records").parent_id, third.span_id);
}

#[tokio::test]
async fn records_that_share_a_message_are_linked_to_it() {
    telemetry();
    let world = World::with([webhook("w").topic("*.*").build()]);
    let parents = [parent(3), parent(4), parent(5)];
    for parent in &parents {
        accept(&world, event("Entry.publish"), parent).await;
    }
    world.step().await;
    let seen = exported().await;
    let sent = seen.spans.iter().filter(|span| span.name == "send records");
    let mut traces = sent.flat_map(|span| {
        std::iter::once(span.trace_id.clone()).chain(span.links.iter().map(|(trace, _)| trace.clone()))
    });
    assert!(parents.iter().all(|parent| traces.by_ref().any(|trace| trace == parent[3..35])));
}

#[tokio::test]
async fn metrics_tell_what_was_called_put_off_and_how_long_it_took() {
    telemetry();
    let world = World::with([
        webhook("m-good").topic("*.*").build(),
        webhook("m-down").topic("*.*").delays(&[Duration::from_secs(5)]).build(),
        webhook("m-limited").topic("*.*").rate_limit(1, Duration::from_secs(60)).build(),
    ]);
    world.receiver.script("/m-down", &[Answer::Status(503)]);
    let before = exported().await;
    accept(&world, event("Entry.publish").id("m-1"), &parent(6)).await;
    accept(&world, event("Entry.publish").id("m-2"), &parent(6)).await;
    world.step().await;
    let after = exported().await;
    let grew = |name: &str, labels: &[(&str, &str)]| {
        after.figure(name, labels).unwrap_or(0.0) - before.figure(name, labels).unwrap_or(0.0)
    };
    // Other tests of this process count too.
    assert!(grew("postrider.calls", &[("outcome", "success"), ("cause", "2xx")]) >= 3.0);
    assert!(grew("postrider.calls", &[("outcome", "retry"), ("cause", "5xx")]) >= 2.0);
    assert!(grew("postrider.deliveries", &[("state", "delivered")]) >= 3.0);
    assert!(grew("postrider.deferrals", &[("reason", "rate")]) >= 1.0);
    assert!(grew("postrider.message.age", &[("queue", "events")]) >= 2.0);
    assert!(grew("postrider.message.age", &[("queue", "deliver.fresh")]) >= 2.0);
    for stage in ["match", "wait", "call", "settle"] {
        assert!(grew("postrider.stage.duration", &[("stage", stage)]) >= 1.0, "{stage}");
    }
    let bounded = after.points.iter().all(|point| {
        !point.attributes.keys().any(|label| label.contains("space") || label.contains("webhook"))
    });
    assert!(bounded, "ids are no labels");
}

#[tokio::test(start_paused = true)]
async fn a_running_dispatcher_shows_how_it_stands() {
    telemetry();
    let world = World::with([webhook("w").topic("*.*").build()]);
    world.receiver.script("/w", &[Answer::Status(503)]);
    let running = world.start();
    // Ten failures in a row open a breaker; the events after them find it open.
    for _ in 0..12 {
        accept(&world, event("Entry.publish"), &parent(7)).await;
        world.pass(Duration::from_millis(10)).await;
    }
    let seen = exported().await;
    for (state, webhooks) in [("open", 1.0), ("half_open", 0.0)] {
        assert_eq!(seen.figure("postrider.breakers", &[("state", state)]), Some(webhooks), "{state}");
    }
    assert!(seen.figure("postrider.deferrals", &[("reason", "breaker")]).is_some_and(|all| all >= 2.0));
    assert!(seen.figure("postrider.floor", &[("state", "waiting")]).is_some());
    assert!(seen.figure("postrider.index.hits", &[]).is_some_and(|hits| hits >= 12.0));
    assert_eq!(seen.figure("postrider.index.loads", &[]), Some(1.0));
    running.stop().await;
}
