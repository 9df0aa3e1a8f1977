//! Token buckets.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::webhook::RateLimit;
use postrider_ports::clock::Clock;
use postrider_ports::error::PortResult;
use postrider_ports::limits::{LEASE_SLICE, Leased, Rates};

use crate::expiring::Expiring;

/// Buckets kept at most. A forgotten bucket is a full one.
const MOST: usize = 50_000;

/// Token buckets in memory.
pub struct MemoryRates {
    clock: Arc<dyn Clock>,
    buckets: Mutex<Expiring<(SpaceId, WebhookId), Bucket>>,
}

/// Tokens as they were at an instant.
#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Timestamp,
}

impl MemoryRates {
    /// Full buckets.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, buckets: Mutex::new(Expiring::new(MOST)) }
    }
}

#[async_trait]
impl Rates for MemoryRates {
    async fn lease(
        &self,
        space: &SpaceId,
        webhook: &WebhookId,
        limit: RateLimit,
        wanted: u32,
    ) -> PortResult<Leased> {
        let now = self.clock.now();
        let (capacity, per_second) = shape(limit);
        let key = (space.clone(), webhook.clone());
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.sweep(now);
        let bucket = buckets.get(&key).copied().unwrap_or(Bucket { tokens: capacity, at: now });
        let flown = now.since(bucket.at).as_secs_f64() * per_second;
        let mut tokens = (bucket.tokens + flown).min(capacity);
        let granted = whole(tokens).min(wanted);
        tokens -= f64::from(granted);
        let missing = (1.0 - tokens).max(0.0);
        let again_at =
            if granted < wanted { now.plus(Duration::from_secs_f64(missing / per_second)) } else { now };
        // A bucket is full again after `capacity ÷ rate`, at most one `per`; a full one need not be remembered.
        buckets.put(key, Bucket { tokens, at: now }, now.plus(limit.per + Duration::from_millis(1)));
        Ok(Leased { granted, again_at: again_at.plus(Duration::from_millis(u64::from(granted < wanted))) })
    }
}

/// How much a bucket holds and how fast it fills, so that no half-open window of length `per` ever sees more than `calls`:
/// it holds what flows in one lease slice, at least 1, and `calls − (capacity − 1)` flow in per window. Before a window
/// ends less than that has flown in, so at most `capacity + calls − (capacity − 1) − ε`, in whole tokens `calls`, are out.
/// A slice is at most a tenth of a window, so at least nine tenths of the limit flow.
fn shape(limit: RateLimit) -> (f64, f64) {
    let per = limit.per.max(Duration::from_millis(1)).as_secs_f64();
    let calls = f64::from(limit.calls.max(1));
    let slice = LEASE_SLICE.as_secs_f64().min(per / 10.0);
    let capacity = (calls * slice / per).max(1.0);
    (capacity, (calls - (capacity - 1.0)) / per)
}

/// The whole tokens in a bucket: never negative, never above a u32's worth of calls.
fn whole(tokens: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the range of u32 before"
    )]
    let whole = tokens.clamp(0.0, f64::from(u32::MAX)).floor() as u32;
    whole
}
