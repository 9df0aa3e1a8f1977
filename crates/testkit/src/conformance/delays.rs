//! Delays in real time, for adapters whose time is a broker's: what the cases of [`super::queue`] about delays check
//! with a controlled clock.

use std::time::Duration;

use postrider_domain::message::{DeliverMessage, Lane, TraceContext};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Clock;
use postrider_ports::queue::{Consume, Consumers, Outgoing, Publish, Received};

use super::queue::{LATE, QueueAdapter};
use super::{Checked, Fault, ensure, same};
use crate::builders::{deliver, event};
use crate::clock::RealClock;

/// A message comes within this time after its instant, and never before it.
const WITHIN: Duration = Duration::from_secs(1);

/// Puts off one message by each of these delays, all at once, and checks that each comes at its time, through the lane
/// `Late`, as it was sent. Takes as long as the longest. The adapter lives by [`RealClock`].
pub async fn check(on: &dyn QueueAdapter, delays: &[Duration]) -> Checked {
    let clock = RealClock::new();
    let trace = TraceContext { parent: Some("00-a-b-01".to_owned()), state: Some("v=1".to_owned()) };
    let began = clock.now();
    let mut expected = Vec::new();
    for delay in delays {
        let id = format!("after-{}", delay.as_millis());
        let sent = DeliverMessage {
            lane: Lane::Fresh,
            ..deliver(&event("Entry.publish").id(&id).carried(), &["w1", "w2"])
        };
        let due = began.plus(*delay);
        let outgoing =
            Outgoing { message: sent.clone(), suspect: false, not_before: Some(due), trace: trace.clone() };
        Publish::<DeliverMessage>::publish(on, vec![outgoing]).await?;
        expected.push((due, sent));
    }
    expected.sort_by_key(|(due, _)| *due);
    let mut consumer: Box<dyn Consume<DeliverMessage>> = Consumers::<DeliverMessage>::consumer(on, LATE);
    for (due, sent) in expected {
        let mut received = consumer.receive(1).await?;
        let Some(received) = received.pop() else {
            return Err(Fault::new("receive returned no message instead of waiting for one"));
        };
        in_time(&received, due, clock.now())?;
        same!(received.message, DeliverMessage { lane: Lane::Late, ..sent }, "the message");
        same!(received.trace, trace, "the trace");
        ensure!(!received.suspect && received.redeliveries == 0, "waiting is no delivery");
        received.lease.ack().await?;
    }
    Ok(())
}

fn in_time(received: &Received<DeliverMessage>, due: Timestamp, now: Timestamp) -> Checked {
    let id = received.message.event.head.id.as_str();
    ensure!(now >= due, "{id} came {:?} early", due.since(now));
    ensure!(now.since(due) <= WITHIN, "{id} came {:?} late", now.since(due));
    Ok(())
}
