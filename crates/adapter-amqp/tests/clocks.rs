//! Deferrals between processes whose clocks differ.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use postrider_adapter_amqp::{Amqp, Settings};
use postrider_domain::message::{DeliverMessage, Lane, Queue};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Clock;
use postrider_ports::queue::{Consume, Consumers, Outgoing, Publish};
use postrider_testkit::builders::{deliver, event, outgoing};
use postrider_testkit::servers::rabbitmq;
use postrider_testkit::{RealClock, SeededRandom};

/// Long enough for anything that comes at all, on a busy machine; far shorter than the clocks are apart.
const PATIENCE: Duration = Duration::from_secs(60);

fn start_at(url: &str, clock: Arc<dyn Clock>) -> Amqp {
    let (amqp, driver) = Amqp::new(Settings::new(url), clock, Arc::new(SeededRandom::new(1)));
    tokio::spawn(driver.run());
    amqp
}

/// A clock that is wrong by so much.
struct Wrong {
    real: RealClock,
    behind: Duration,
}

#[async_trait]
impl Clock for Wrong {
    fn now(&self) -> Timestamp {
        self.real.now().minus(self.behind)
    }

    async fn sleep_until(&self, deadline: Timestamp) {
        self.real.sleep_until(deadline.plus(self.behind)).await;
    }

    fn monotonic(&self) -> Duration {
        self.real.monotonic()
    }
}

#[tokio::test]
async fn clocks_ten_minutes_apart_delay_nothing_and_hurry_a_deferral_by_its_last_part_at_most() {
    let wrong = || Wrong { real: RealClock::new(), behind: Duration::from_secs(600) };
    for publisher_is_behind in [false, true] {
        let url = rabbitmq::vhost().await;
        let (behind, right) = (start_at(&url, Arc::new(wrong())), start_at(&url, Arc::new(RealClock::new())));
        let (publisher, receiver) = if publisher_is_behind { (behind, right) } else { (right, behind) };
        let clock = RealClock::new();
        let theirs = if publisher_is_behind { wrong().now() } else { clock.now() };
        let begun = clock.monotonic();
        // Two seconds in a delay queue, one in the process.
        let not_before = Some(theirs.plus(Duration::from_secs(3)));
        let message =
            Outgoing { not_before, ..outgoing(deliver(&event("Entry.publish").carried(), &["w1"])) };
        Publish::<DeliverMessage>::publish(&publisher, vec![message]).await.expect("stored");
        let mut late: Box<dyn Consume<DeliverMessage>> = receiver.consumer(Queue::Deliver(Lane::Late));
        let received =
            tokio::time::timeout(PATIENCE, late.receive(1)).await.expect("it comes").expect("a message");
        let took = clock.monotonic().saturating_sub(begun);
        received.into_iter().next().expect("one").lease.ack().await.expect("acknowledged");
        // To a clock that is ahead it is overdue after the delay queue; one that is behind waits the rest out. (50 ms for
        // the rounding of clocks.)
        let least = Duration::from_millis(if publisher_is_behind { 1950 } else { 2950 });
        assert!(took >= least, "{took:?}, publisher behind: {publisher_is_behind}");
        publisher.close().await;
        receiver.close().await;
    }
}
