//! Time and chance come in through these two, so that tests control both.

use std::time::Duration;

use async_trait::async_trait;
use postrider_domain::id::CallId;
use postrider_domain::timestamp::Timestamp;

/// The only source of `now` and of waiting. (Broker-side TTLs are the one exception, DESIGN §5.)
#[async_trait]
pub trait Clock: Send + Sync {
    /// The present instant.
    fn now(&self) -> Timestamp;

    /// Returns once `now` is at or after `deadline`.
    async fn sleep_until(&self, deadline: Timestamp);

    /// A reading that never goes back, for measuring how long something took. Its zero has no meaning.
    fn monotonic(&self) -> Duration;
}

/// The only source of chance.
pub trait Random: Send + Sync {
    /// Fills the slice with random bytes fit for keys and tokens.
    fn fill(&self, bytes: &mut [u8]);

    /// A value in [0, 1).
    fn fraction(&self) -> f64 {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        f64::from(u32::from_be_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
    }
}

/// Draws the id of a call that starts now.
pub fn draw_call_id(clock: &dyn Clock, random: &dyn Random) -> CallId {
    let mut bytes = [0; 10];
    random.fill(&mut bytes);
    CallId::new(u64::try_from(clock.now().unix_ms()).unwrap_or(0), bytes)
}
