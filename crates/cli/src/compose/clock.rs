//! The clock of the operating system.

use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Clock;

/// Longest single sleep. Timers run on the monotonic clock, so after this long the wall clock is read again: a machine
/// that was suspended, or whose clock was set, is at most so much late.
const NAP: Duration = Duration::from_secs(5);

/// The wall clock, and a monotonic reading beside it.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose monotonic reading begins now.
    #[expect(clippy::disallowed_methods, reason = "this is the port `Clock` itself")]
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the port `Clock` itself")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_unix_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    async fn sleep_until(&self, deadline: Timestamp) {
        loop {
            let left = deadline.since(self.now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(NAP)).await;
        }
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}
