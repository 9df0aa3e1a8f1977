//! What the log-writer tells a collector: a span in the trace of each message it keeps, and how far the log lags.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use postrider_domain::message::{Queue, RecordsMessage};
use postrider_domain::record::Record;
use postrider_log_writer::Writer;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::log::{LogWrite, Poisoned};
use postrider_ports::queue::{Consumers, Publish};
use postrider_runtime::telemetry::{self, Settings, Telemetry};
use postrider_testkit::ManualClock;
use postrider_testkit::builders::{call, event, outgoing};
use postrider_testkit::collector::{Collector, Seen};
use postrider_testkit::queue::MemoryQueue;

/// A log that fails as often as it is told.
#[derive(Default)]
struct Log(Mutex<usize>);

#[async_trait]
impl LogWrite for Log {
    async fn write(&self, _batch: &[Record]) -> PortResult<Vec<Poisoned>> {
        tracing::warn!("a line while writing");
        let mut failures = self.0.lock().expect("nobody panicked");
        if *failures == 0 {
            return Ok(Vec::new());
        }
        *failures -= 1;
        Err(PortError::transient("the store is away"))
    }
}

fn telemetry() -> &'static (Collector, Telemetry) {
    static SHARED: OnceLock<(Collector, Telemetry)> = OnceLock::new();
    SHARED.get_or_init(|| {
        let collector = Collector::start();
        let settings = Settings {
            otlp: Some(collector.url()),
            service: "postrider-log-writer".to_owned(),
            messaging_system: "rabbitmq".to_owned(),
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

/// A sender's context; each message has a trace of its own.
fn parent(trace: u8) -> String {
    format!("00-4bf92f3577b34da6a3ce929d0e0e47{trace:02x}-00f067aa0ba902b7-01")
}

async fn publish(queue: &MemoryQueue, parent: &str) {
    let event = event("Entry.publish").carried();
    let records = (1..=3).map(|attempt| call(&event, "w1", attempt).record()).collect();
    let mut message = outgoing(RecordsMessage { records });
    message.trace.parent = Some(parent.to_owned());
    queue.publish(vec![message]).await.expect("stored");
}

#[tokio::test]
async fn each_message_of_a_batch_has_its_span_in_the_trace_of_its_sender() {
    telemetry();
    let clock = Arc::new(ManualClock::new());
    let queue = MemoryQueue::new(clock.clone());
    let parents = [parent(1), parent(2)];
    for parent in &parents {
        publish(&queue, parent).await;
    }
    clock.advance(Duration::from_secs(7));
    let consumer = queue.consumer(Queue::Records);
    let mut writer = Writer::new(consumer, Arc::new(Log::default()), 40).timed_by(clock);
    assert_eq!(writer.step().await.expect("it writes").written, 6);
    let seen = exported().await;
    let mut spans = Vec::new();
    for parent in &parents {
        let mut trace = seen.trace(&parent[3..35]);
        assert_eq!(trace.len(), 1);
        let span = trace.remove(0);
        assert_eq!((span.name.as_str(), span.kind), ("process records", "CONSUMER"));
        assert_eq!(span.parent_id, &parent[36..52]);
        assert_eq!(span.attribute("messaging.destination.name"), "records");
        assert_eq!((span.attribute("postrider.records"), &span.failure), ("3", &None));
        spans.push(span);
    }
    let line = seen.lines.iter().find(|line| line.span_id == spans[0].span_id).expect("it has the ids");
    assert_eq!((line.body.as_str(), &line.trace_id), ("a line while writing", &spans[0].trace_id));
    assert!(seen.figure("postrider.log.records", &[("outcome", "written")]).is_some_and(|all| all >= 6.0));
    assert!(seen.figure("postrider.log.lag", &[]).is_some_and(|batches| batches >= 1.0));
    assert!(seen.figure("postrider.stage.duration", &[("stage", "log")]).is_some());
}

#[tokio::test]
async fn a_store_that_is_away_fails_the_span_and_the_next_try_has_its_own() {
    telemetry();
    let queue = MemoryQueue::new(Arc::new(ManualClock::new()));
    let parent = parent(3);
    publish(&queue, &parent).await;
    let log = Arc::new(Log(Mutex::new(1)));
    let mut writer = Writer::new(queue.consumer(Queue::Records), log, 40);
    writer.step().await.expect_err("the store is away");
    assert_eq!(writer.step().await.expect("it is back").written, 3);
    let spans = exported().await.trace(&parent[3..35]);
    let failures: Vec<_> = spans.iter().map(|span| span.failure.as_deref()).collect();
    assert_eq!(failures, [Some("the store is away"), None]);
}
