//! What each worker does while the server is away: it takes the limit ÷ the last known workers (DESIGN §5).
//!
//! Each has a bucket for its part, empty at first: what was leased before counts for all. The parts of all together are no
//! more than the limit in any window, as long as there are no more workers than calls in it; with more, each makes its one
//! call so much less often.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::webhook::RateLimit;
use postrider_ports::limits::Leased;

use super::{again_at, shape};

/// Beyond this many webhooks those that have no bucket here are forgotten: they count as shared by as many as the last one.
const REMEMBERED: usize = 16 * 1024;

/// The parts of one worker.
#[derive(Debug, Default)]
pub(super) struct Alone {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    parts: HashMap<(SpaceId, WebhookId), Part>,
    /// What the server said last, of whatever webhook; 0 before it said anything.
    last_workers: u32,
}

#[derive(Debug)]
struct Part {
    workers: u32,
    /// Its tokens as they were at an instant, since the server is away.
    bucket: Option<(f64, Timestamp)>,
}

impl Alone {
    /// The server is there, and says how many share this bucket.
    pub(super) fn note(&self, (space, webhook): (&SpaceId, &WebhookId), workers: u32) {
        let mut state = self.lock();
        state.last_workers = workers.max(1);
        if state.parts.len() > REMEMBERED {
            state.parts.clear();
        }
        let part = Part { workers: workers.max(1), bucket: None };
        state.parts.insert((space.clone(), webhook.clone()), part);
    }

    /// Takes up to `wanted` tokens of this worker's own part; `None` when the server never said anything.
    pub(super) fn lease(
        &self,
        (space, webhook): (&SpaceId, &WebhookId),
        limit: RateLimit,
        wanted: u32,
        now: Timestamp,
    ) -> Option<Leased> {
        let mut state = self.lock();
        let last_workers = state.last_workers;
        if last_workers == 0 {
            return None;
        }
        let part = state.parts.entry((space.clone(), webhook.clone()));
        let part = part.or_insert(Part { workers: last_workers, bucket: None });
        let (capacity, per_second) = shape(part_of(limit, part.workers));
        let (tokens, at) = part.bucket.unwrap_or((0.0, now));
        let tokens = (tokens + now.since(at).as_secs_f64() * per_second).min(capacity);
        let granted = whole(tokens).min(wanted);
        let left = tokens - f64::from(granted);
        part.bucket = Some((left, now.max(at)));
        Some(Leased { granted, again_at: again_at(now, granted < wanted, (1.0 - left) / per_second) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One worker's part of a limit, in whole calls: with fewer calls than workers one call in a longer time.
fn part_of(limit: RateLimit, workers: u32) -> RateLimit {
    let calls = limit.calls.max(1);
    if calls >= workers {
        return RateLimit { calls: calls / workers, per: limit.per };
    }
    RateLimit { calls: 1, per: limit.per.saturating_mul(workers) / calls }
}

/// The whole tokens in a bucket.
fn whole(tokens: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the range of u32 before"
    )]
    let whole = tokens.clamp(0.0, f64::from(u32::MAX)).floor() as u32;
    whole
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_part_is_in_whole_calls_and_those_of_all_are_no_more_than_the_limit() {
        let second = Duration::from_secs(1);
        assert_eq!(part_of(RateLimit { calls: 10, per: second }, 4), RateLimit { calls: 2, per: second });
        assert_eq!(part_of(RateLimit { calls: 1, per: second }, 4), RateLimit { calls: 1, per: 4 * second });
        assert_eq!(part_of(RateLimit { calls: 7, per: second }, 1), RateLimit { calls: 7, per: second });
    }

    #[test]
    fn who_never_saw_the_server_knows_no_part() {
        let (space, webhook) = (SpaceId::new("s").expect("space"), WebhookId::new("w").expect("webhook"));
        let (alone, limit) = (Alone::default(), RateLimit { calls: 10, per: Duration::from_secs(1) });
        let of = (&space, &webhook);
        assert_eq!(alone.lease(of, limit, 1, Timestamp::from_unix_ms(0)), None);
        alone.note(of, 2);
        let first = alone.lease(of, limit, 1, Timestamp::from_unix_ms(0)).expect("half of it");
        assert_eq!(first.granted, 0, "what was leased before counts for all");
        assert_eq!(alone.lease(of, limit, 1, first.again_at).expect("half of it").granted, 1);
    }
}
