//! What is written again is stored once: after a kill between commit and acknowledgement, a lost answer, a redrive.

use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt;
use postrider_domain::delivery::DeliveryState;
use postrider_domain::message::{Queue, RecordsMessage};
use postrider_domain::record::Record;
use postrider_log_writer::{Stepped, Writer};
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::log::{LogQuery, LogRead, LogWrite, Poisoned};
use postrider_ports::queue::{Consumers, Depth, Depths, Parked, Publish};
use postrider_testkit::builders::{SPACE, call, event, event_id, matched, outgoing, settled, space};
use postrider_testkit::log::MemoryLog;
use postrider_testkit::queue::MemoryQueue;
use postrider_testkit::{ManualClock, START};

/// A log that commits, and whose answer never arrives as it should.
struct Unheard {
    log: Arc<MemoryLog>,
    /// What arrives instead; nothing ever if there is none.
    answer: Option<fn() -> PortError>,
}

#[async_trait]
impl LogWrite for Unheard {
    async fn write(&self, batch: &[Record]) -> PortResult<Vec<Poisoned>> {
        self.log.write(batch).await?;
        match self.answer {
            Some(answer) => Err(answer()),
            None => std::future::pending().await,
        }
    }
}

/// Two messages: an event with two matched webhooks; a failed call, the call that delivered, and an end without a call.
async fn published() -> MemoryQueue {
    let queue = MemoryQueue::new(Arc::new(ManualClock::new()));
    let event = event("Entry.publish").id("e1").carried();
    let later = START.plus(std::time::Duration::from_secs(5));
    let calls = vec![
        call(&event, "w1", 1).failed(503, Some(later)).record(),
        call(&event, "w1", 2).record(),
        settled(&event, "w2", DeliveryState::Cancelled, later),
    ];
    for records in [vec![matched(&event, &["w1", "w2"], &[])], calls] {
        queue.publish(vec![outgoing(RecordsMessage { records })]).await.expect("stored");
    }
    queue
}

fn writer(queue: &MemoryQueue, log: Arc<dyn LogWrite>) -> Writer {
    Writer::new(queue.consumer(Queue::Records), log, 40)
}

async fn depth(queue: &MemoryQueue) -> Depth {
    queue.depth(Queue::Records).await.expect("a depth")
}

/// Everything of [`published`] is there, and there once.
async fn assert_complete(log: &MemoryLog) {
    assert_complete_with(log, &[]).await;
}

/// The same, and the ends of more deliveries.
async fn assert_complete_with(log: &MemoryLog, more: &[(&str, DeliveryState, u32)]) {
    let (space, query) = (space(SPACE), LogQuery { limit: 100, ..LogQuery::default() });
    let calls = log.calls(&space, &query).await.expect("calls");
    let attempts: Vec<u32> = calls.items.iter().map(|call| call.attempt).collect();
    assert_eq!((calls.total, attempts), (2, vec![2, 1]), "calls, newest first");
    let row = log.event(&space, &event_id("e1")).await.expect("a row").expect("the event");
    assert_eq!(row.decisions.len(), 2);
    let mut ends: Vec<_> =
        row.deliveries.iter().map(|row| (row.delivery.webhook.as_str(), row.state, row.attempt)).collect();
    ends.sort_by_key(|(webhook, ..)| *webhook);
    let known = [("w1", DeliveryState::Delivered, 2), ("w2", DeliveryState::Cancelled, 0)];
    assert_eq!(ends, [&known, more].concat());
}

#[tokio::test]
async fn a_kill_between_commit_and_acknowledgement_stores_nothing_twice() {
    let (queue, log) = (published().await, Arc::new(MemoryLog::new()));
    let mut killed = writer(&queue, Arc::new(Unheard { log: Arc::clone(&log), answer: None }));
    let mut step = Box::pin(killed.step());
    assert!((&mut step).now_or_never().is_none(), "it is killed while it waits for the answer");
    assert_complete(&log).await;
    let queue = queue.reopen();
    drop(step);
    assert_eq!(depth(&queue).await.ready, 2, "nothing was acknowledged");
    let stepped = writer(&queue, Arc::clone(&log) as Arc<dyn LogWrite>).step().await.expect("written");
    assert_eq!(stepped, Stepped { written: 4, parked: 0 });
    assert_complete(&log).await;
    assert_eq!(depth(&queue).await, Depth::default());
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_written_again_and_stores_nothing_twice() {
    let (queue, log) = (published().await, Arc::new(MemoryLog::new()));
    let lost: fn() -> PortError = || PortError::transient("the connection broke");
    let mut unheard = writer(&queue, Arc::new(Unheard { log: Arc::clone(&log), answer: Some(lost) }));
    for _ in 0..3 {
        unheard.step().await.expect_err("the answer was lost");
        assert_eq!(depth(&queue).await, Depth { ready: 2, delayed: 0, leased: 0 });
    }
    writer(&queue, Arc::clone(&log) as Arc<dyn LogWrite>).step().await.expect("written");
    assert_complete(&log).await;
    assert_eq!(depth(&queue).await, Depth::default());
}

#[tokio::test]
async fn a_message_put_aside_has_left_its_healthy_records_and_a_redrive_repeats_none() {
    /// How the delivery ended is known, though not why.
    const OUTCOME: (&str, DeliveryState, u32) = ("w3", DeliveryState::Skipped, 0);
    let (queue, log) = (published().await, Arc::new(MemoryLog::new()));
    let event = event("Entry.publish").id("e1").carried();
    let mut poison = settled(&event, "w3", DeliveryState::Skipped, START);
    if let Record::Settled(record) = &mut poison {
        record.reason = "this log takes no NUL: \0".to_owned();
    }
    let records = vec![call(&event, "w1", 2).record(), poison];
    queue.publish(vec![outgoing(RecordsMessage { records })]).await.expect("stored");
    let mut writer = writer(&queue, Arc::clone(&log) as Arc<dyn LogWrite>);
    let stepped = writer.step().await.expect("written");
    assert_eq!(stepped, Stepped { written: 5, parked: 1 });
    assert_complete_with(&log, &[OUTCOME]).await;
    let parked = queue.list(None, 10).await.expect("a list");
    assert_eq!(parked.len(), 1);
    assert!(queue.redrive(parked[0].id).await.expect("redriven"));
    let stepped = writer.step().await.expect("written");
    assert_eq!(stepped, Stepped { written: 1, parked: 1 });
    assert_complete_with(&log, &[OUTCOME]).await;
    let reasons: Vec<_> =
        queue.list(None, 10).await.expect("a list").into_iter().map(|one| one.reason).collect();
    assert_eq!(reasons, ["record 2 of 2: a reason cannot contain NUL"]);
}
