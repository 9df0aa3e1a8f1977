//! One trace from the publisher through every process to the receiver, as a collector sees it over real OTLP.

use postrider_testkit::collector::{Collector, Seen, SeenSpan};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::sync::watch;

use crate::ALONE;
use crate::cms::AmqpPublisher;
use crate::system::{System, event, webhook};
use crate::target::{Answer, Hit, Target};

/// A publisher's trace and span, <https://www.w3.org/TR/trace-context/#examples-of-http-traceparent-headers>.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";
/// The same publisher's, over AMQP.
const AMQP_TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const AMQP_SPAN: &str = "b7ad6b7169203331";

fn traceparent(trace: &str, span: &str) -> String {
    format!("00-{trace}-{span}-01")
}

/// What a span is called and which service made it.
type Step = (&'static str, &'static str, &'static str);

/// From the door to the call.
const TO_THE_CALL: [Step; 3] = [
    ("postrider-ingest", "PRODUCER", "send events"),
    ("postrider-dispatcher", "CONSUMER", "process events"),
    ("postrider-dispatcher", "CLIENT", "POST"),
];
/// From the dispatcher to the log.
const TO_THE_LOG: [Step; 2] = [
    ("postrider-dispatcher", "PRODUCER", "send records"),
    ("postrider-log-writer", "CONSUMER", "process records"),
];

/// The span that is this step and has this parent.
fn child(seen: &Seen, trace: &str, parent: &str, (service, kind, name): Step) -> Option<SeenSpan> {
    let is_it = |span: &SeenSpan| {
        span.parent_id == parent && span.service == service && span.kind == kind && span.name == name
    };
    seen.trace(trace).into_iter().find(is_it)
}

/// The last span of a path of children that begins below this one.
fn follow(seen: &Seen, trace: &str, below: &str, path: &[Step]) -> Option<SeenSpan> {
    let (first, rest) = path.split_first()?;
    let next = child(seen, trace, below, *first)?;
    if rest.is_empty() { Some(next) } else { follow(seen, trace, &next.span_id, rest) }
}

/// Whether the log-writer kept something in this trace, below any of its spans.
fn kept(seen: &Seen, trace: &str) -> Option<SeenSpan> {
    seen.trace(trace).iter().find_map(|span| follow(seen, trace, &span.span_id, &TO_THE_LOG))
}

fn parent_of(hit: &Hit) -> &str {
    hit.headers["traceparent"].to_str().expect("text")
}

struct Story {
    collector: Collector,
    system: System,
    target: Target,
    amqp: String,
}

impl Story {
    async fn start() -> Self {
        let collector = Collector::start();
        let target = Target::start(|hit| Answer::Status(if hit.before == 0 { 500 } else { 200 })).await;
        let system = System::start(&[&format!("telemetry.otlp={}", collector.url())]).await;
        let mut hook = webhook(&target.url("/"), &["*.*"]);
        hook["retryPolicy"] = json!({ "schedule": [1.1] });
        system.webhook(&hook).await;
        let amqp = system.composition().servers.amqp.clone();
        Self { collector, system, target, amqp }
    }

    /// After the first call failed and the second succeeded: what the collector and the receiver know of it.
    async fn tell(&self, trace: &str, publisher: &str, calls: usize) {
        self.target.until(calls).await;
        let hits = self.target.hits("/");
        let (first_hit, retry_hit) = (&hits[calls - 2], &hits[calls - 1]);
        let find = |seen: &Seen| {
            let first = follow(seen, trace, publisher, &TO_THE_CALL)?;
            let link = (first.trace_id.clone(), first.span_id.clone());
            let retry = seen.spans.iter().find(|span| span.links.contains(&link) && span.kind == "CLIENT")?;
            // Both attempts are in the log, each in its own trace.
            kept(seen, trace)?;
            kept(seen, &retry.trace_id)?;
            Some((first, retry.clone()))
        };
        let (first, retry) = self.collector.until(find).await;
        assert_eq!(parent_of(first_hit), first.traceparent(), "the receiver is told of the call's span");
        assert_eq!(first.attribute("http.response.status_code"), "500");
        assert_eq!(parent_of(retry_hit), retry.traceparent());
        assert_ne!(retry.trace_id, trace, "a retry begins a trace of its own");
        assert_eq!((retry.parent_id.as_str(), retry.attribute("http.request.resend_count")), ("", "1"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_leads_from_the_publisher_through_ingest_dispatcher_and_log_writer_to_the_receiver() {
    let _alone = ALONE.lock().await;
    let story = Story::start().await;
    let events = "/spaces/default/environments/master/events";
    let request = story.system.request(Method::POST, events).header("traceparent", traceparent(TRACE, SPAN));
    let answer = request.json(&event("over-http", "Entry.publish")).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    story.tell(TRACE, SPAN, 2).await;

    let mut cms = AmqpPublisher::new(&story.amqp, watch::channel(true).1);
    cms.traceparent = Some(traceparent(AMQP_TRACE, AMQP_SPAN));
    cms.publish(&[event("over-amqp", "Entry.publish")]).await;
    story.tell(AMQP_TRACE, AMQP_SPAN, 4).await;
}
