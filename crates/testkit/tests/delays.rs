//! The check of delays in real time accepts a queue that is in time, and rejects one that is early or late.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Clock;
use postrider_testkit::RealClock;
use postrider_testkit::conformance::delays;
use postrider_testkit::queue::MemoryQueue;

/// A queue's clock that is wrong by so many milliseconds.
struct Wrong(RealClock, i64);

#[async_trait]
impl Clock for Wrong {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_ms(self.0.now().unix_ms() + self.1)
    }

    async fn sleep_until(&self, deadline: Timestamp) {
        self.0.sleep_until(Timestamp::from_unix_ms(deadline.unix_ms() - self.1)).await;
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }
}

/// What the check says of a queue whose clock is wrong by so many milliseconds.
async fn verdict(wrong_by: i64) -> String {
    let queue = MemoryQueue::new(Arc::new(Wrong(RealClock::new(), wrong_by)));
    let delays = [Duration::from_millis(100), Duration::from_millis(20)];
    delays::check(&queue, &delays).await.map_or_else(|fault| fault.to_string(), |()| "fine".to_owned())
}

#[tokio::test]
async fn a_queue_that_is_in_time_passes() {
    assert_eq!(verdict(0).await, "fine");
}

#[tokio::test]
async fn a_queue_that_is_early_is_rejected() {
    assert!(verdict(90).await.ends_with("early"));
}

#[tokio::test]
async fn a_queue_that_is_more_than_a_second_late_is_rejected() {
    assert!(verdict(-1100).await.ends_with("late"));
}
