//! What ingest tells a collector: the span of each event it hands on, counts, depths. In a process of its own, because
//! telemetry is set up once per process.

#[expect(dead_code, reason = "shared with the other tests, which need more of it")]
#[path = "../ingest/fakes.rs"]
mod fakes;
#[expect(dead_code, reason = "shared with the other tests, which need more of it")]
#[path = "../ingest/world.rs"]
mod world;

use std::sync::OnceLock;

use axum::body::Body;
use futures::FutureExt;
use postrider_ingest::{Settings as IngestSettings, run};
use postrider_runtime::telemetry::{self, Settings, Telemetry};
use postrider_testkit::collector::{Collector, Seen};

use crate::world::{EVENTS, World, event, publish_to};

fn telemetry() -> &'static (Collector, Telemetry) {
    static SHARED: OnceLock<(Collector, Telemetry)> = OnceLock::new();
    SHARED.get_or_init(|| {
        let collector = Collector::start();
        let settings = Settings {
            otlp: Some(collector.url()),
            service: "postrider-ingest".to_owned(),
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

#[tokio::test]
async fn each_accepted_event_is_a_span_of_the_publishers_trace_and_its_message_carries_it() {
    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    telemetry();
    let world = World::new();
    let request = publish_to(EVENTS).header("content-type", "application/json");
    let request = request.header("traceparent", PARENT).header("tracestate", "v=1");
    let body = format!("[{},{}]", event("t-1"), event("t-2"));
    world.send(request.body(Body::from(body))).await.assert_accepted();
    let spans = exported().await.trace(&PARENT[3..35]);
    let published = world.published();
    assert_eq!((spans.len(), published.len()), (2, 2));
    for (id, message) in ["t-1", "t-2"].into_iter().zip(published) {
        let span = spans.iter().find(|span| span.attribute("messaging.message.id") == id).expect(id);
        assert_eq!((span.name.as_str(), span.kind), ("send events", "PRODUCER"));
        assert_eq!(span.parent_id, &PARENT[36..52]);
        for (name, value) in [
            ("messaging.system", "rabbitmq"),
            ("messaging.destination.name", "events"),
            ("messaging.operation.type", "send"),
            ("postrider.space", "blog"),
            ("postrider.environment", "master"),
            ("postrider.topic", "Entry.publish"),
        ] {
            assert_eq!(span.attribute(name), value, "{name}");
        }
        assert_eq!(message.message.event.head.id.as_str(), id);
        assert_eq!(message.trace.parent, Some(span.traceparent()));
        assert_eq!(message.trace.state.as_deref(), Some("v=1"));
    }
}

#[tokio::test]
async fn an_event_without_a_context_begins_a_trace_and_one_that_is_not_published_fails_its_span() {
    telemetry();
    let world = World::new();
    world.post(event("alone")).await.assert_accepted();
    world.queue.fault.transient();
    world.post(event("unlucky")).await.assert_refused(503, "unavailable");
    let seen = exported().await;
    let of = |id: &str| {
        let span = seen.spans.iter().find(|span| span.attribute("messaging.message.id") == id);
        span.cloned().expect("it has a span")
    };
    let (alone, unlucky) = (of("alone"), of("unlucky"));
    assert_eq!((alone.parent_id.as_str(), &alone.failure), ("", &None));
    assert_eq!(unlucky.attribute("error.type"), "unavailable");
    assert_eq!(unlucky.failure.as_deref(), Some("it could not be published"));
    assert_eq!(world.published()[0].trace.parent, Some(alone.traceparent()));
}

#[tokio::test]
async fn events_are_counted_by_what_became_of_them_and_depths_are_shown() {
    telemetry();
    let world = World::new();
    let before = exported().await;
    world.post(event("c-1")).await.assert_accepted();
    world.post(event("c-1")).await.assert_accepted();
    world.post(event("c-1").replace("1.0", "2.0")).await.assert_refused(409, "id_taken");
    // One look at the depths; then it waits for the next.
    let running = run(IngestSettings::default(), world.deps.clone(), world.shutdown.clone());
    assert!(running.now_or_never().is_none(), "nobody asked it to stop");
    let after = exported().await;
    for (outcome, least) in [("accepted", 1.0), ("repeated", 1.0), ("refused", 1.0)] {
        let figure = |seen: &Seen| seen.figure("postrider.events", &[("outcome", outcome)]).unwrap_or(0.0);
        assert!(figure(&after) - figure(&before) >= least, "{outcome}");
    }
    assert!(after.figure("postrider.stage.duration", &[("stage", "accept")]).is_some());
    for (state, depth) in [("ready", 0.0), ("delayed", 1e6), ("leased", 1e6)] {
        let labels = [("queue", "deliver.late"), ("state", state)];
        assert_eq!(after.figure("postrider.queue.depth", &labels), Some(depth), "{state}");
    }
}
