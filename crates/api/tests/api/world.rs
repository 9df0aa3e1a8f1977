//! Everything around management that is no store: time, chance, the outside, the queues.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use postrider_domain::call::RecordedResponse;
use postrider_domain::message::Queue;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Clock;
use postrider_ports::error::PortResult;
use postrider_ports::queue::{Depth, Depths};

/// Stands still until somebody sleeps; whoever sleeps wakes at once, at the instant asked for.
pub(crate) struct JumpingClock(AtomicI64);

impl JumpingClock {
    pub(crate) fn at(text: &str) -> Self {
        Self(AtomicI64::new(Timestamp::parse(text).expect("an instant").unix_ms()))
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.store(self.now().plus(by).unix_ms(), Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for JumpingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_ms(self.0.load(Ordering::SeqCst))
    }

    async fn sleep_until(&self, deadline: Timestamp) {
        self.0.fetch_max(deadline.unix_ms(), Ordering::SeqCst);
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.now().unix_ms()).expect("after 1970"))
    }
}

/// An answer with a body.
pub(crate) fn answer(status: u16, body: &'static [u8]) -> RecordedResponse {
    RecordedResponse { status, headers: Vec::new(), body: body.into(), truncated: false }
}

/// Three events wait, and nothing else.
pub(crate) struct ThreeEvents;

#[async_trait]
impl Depths for ThreeEvents {
    async fn depth(&self, queue: Queue) -> PortResult<Depth> {
        let ready = if queue == Queue::Events { 3 } else { 0 };
        Ok(Depth { ready, ..Depth::default() })
    }
}
