//! The rate limits of webhooks: tokens are leased for short slices and handed out here, so that a call rarely asks anyone
//! (DESIGN §5).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use postrider_domain::timestamp::Timestamp;
use postrider_domain::webhook::RateLimit;
use postrider_ports::limits::{LEASE_SLICE, Rates};
use tracing::warn;

use crate::shares::Key;

/// Beyond this many limited webhooks, those without tokens in hand are forgotten.
const REMEMBERED: usize = 16 * 1024;

/// Whoever gets no token waits at least so long, whatever the port says.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// The tokens in hand.
pub(crate) struct Tokens {
    rates: Arc<dyn Rates>,
    hands: Mutex<HashMap<Key, Hand>>,
}

struct Hand {
    tokens: u32,
    /// Tokens not used by then are given up: the bucket has them no longer, but a burst later would break the limit.
    until: Timestamp,
    /// No use to ask before.
    again_at: Timestamp,
    /// How many wait in the process for the next token.
    sleepers: u32,
}

/// Someone who waits in the process for a token, counted while it lives.
pub(crate) struct Sleeper<'t> {
    tokens: &'t Tokens,
    key: Key,
}

impl Tokens {
    pub(crate) fn new(rates: Arc<dyn Rates>) -> Self {
        Self { rates, hands: Mutex::default() }
    }

    /// Takes one token, else says when to come again. Without the port each worker keeps the limit for itself.
    pub(crate) async fn take(&self, key: &Key, limit: RateLimit, now: Timestamp) -> Result<(), Timestamp> {
        {
            let mut hands = self.lock();
            if hands.len() > REMEMBERED {
                hands.retain(|_, hand| now < hand.until || hand.sleepers > 0);
            }
            if let Some(hand) = hands.get_mut(key) {
                if hand.tokens > 0 && now < hand.until {
                    hand.tokens -= 1;
                    return Ok(());
                }
                if now < hand.again_at {
                    return Err(hand.again_at);
                }
            }
        }
        let slice = slice_of(limit);
        let leased = self.rates.lease(&key.space, &key.webhook, limit, slice).await;
        let again_at = match &leased {
            Ok(leased) if leased.granted == slice => now,
            Ok(leased) => leased.again_at.max(now.plus(SHORTEST_WAIT)),
            // Alone, this worker keeps the limit by itself.
            Err(_) => now.plus(Duration::from_secs_f64(f64::from(slice) / per_second(limit))),
        };
        let granted = leased.map_or_else(
            |error| {
                warn!(%error, "the shared rate limits are away; this worker keeps them alone");
                slice
            },
            |leased| leased.granted,
        );
        let mut hands = self.lock();
        let hand = hands.entry(key.clone()).or_insert_with(|| Hand::empty(now));
        // Another task may have leased meanwhile: what both got counts, what is left of an older slice does not.
        hand.tokens = granted + if now < hand.until { hand.tokens } else { 0 };
        hand.until = now.plus(LEASE_SLICE);
        hand.again_at = again_at;
        if hand.tokens == 0 {
            return Err(again_at);
        }
        hand.tokens -= 1;
        Ok(())
    }

    /// Whether one more may wait in the process: those before it get their tokens within a second.
    pub(crate) fn wait(&self, key: &Key, limit: RateLimit) -> Option<Sleeper<'_>> {
        let mut hands = self.lock();
        let hand = hands.get_mut(key)?;
        if f64::from(hand.sleepers) >= per_second(limit).max(1.0) {
            return None;
        }
        hand.sleepers += 1;
        Some(Sleeper { tokens: self, key: key.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Hand>> {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hand {
    fn empty(now: Timestamp) -> Self {
        Self { tokens: 0, until: now, again_at: now, sleepers: 0 }
    }
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        if let Some(hand) = self.tokens.lock().get_mut(&self.key) {
            hand.sleepers = hand.sleepers.saturating_sub(1);
        }
    }
}

/// How many calls a limit allows in one slice, at least one.
fn slice_of(limit: RateLimit) -> u32 {
    let per_slice = f64::from(limit.calls) * LEASE_SLICE.as_secs_f64() / limit.per.as_secs_f64().max(0.001);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped into u32 before")]
    let whole = per_slice.clamp(1.0, f64::from(u32::MAX)) as u32;
    whole
}

/// Calls per second that a limit allows.
pub(crate) fn per_second(limit: RateLimit) -> f64 {
    f64::from(limit.calls.max(1)) / limit.per.as_secs_f64().max(0.001)
}
