//! Token buckets. One text per webhook, `tokens at`: the tokens as they were at an instant. Beside it a sorted set of the
//! workers that leased from it lately, so that each knows its part when the server goes away ([`alone`]).

mod alone;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::webhook::RateLimit;
use postrider_ports::clock::Clock;
use postrider_ports::error::PortResult;
use postrider_ports::limits::{LEASE_SLICE, Leased, Rates};
use redis::Value;

use crate::connection::Redis;
use crate::keys;
use crate::life::life_ms;
use crate::lua::{Call, Lua, number, text};
use alone::Alone;

/// Who has not leased for so long, 10 s, shares the bucket no more.
const SHARES_FOR_MS: u64 = 10_000;

/// ARGV: now, capacity, tokens per second, wanted, life, worker, how long it shares, life of that. A bucket's time never goes
/// back, so that workers whose clocks differ do not fill it twice; and what grants nothing writes no bucket, so that one left
/// behind by a clock that is far ahead is swept, and full again. Returns what was granted, the tokens that are left (as text:
/// numbers lose their fraction), and how many workers share it; one whose clock is far ahead does not.
static LEASE: Lua = Lua::new(
    "local now, capacity = tonumber(ARGV[1]), tonumber(ARGV[2])
     local tokens, at = capacity, now
     local v = redis.call('GET', KEYS[1])
     if v then
       local t, a = string.match(v, '^(%S+) (%-?%d+)$')
       t, a = tonumber(t), tonumber(a)
       if not t or not a then return redis.error_reply('FOREIGN value') end
       at = math.max(now, a)
       tokens = math.min(t + (at - a) / 1000 * tonumber(ARGV[3]), capacity)
     end
     local granted = math.min(math.floor(math.max(tokens, 0)), tonumber(ARGV[4]))
     tokens = tokens - granted
     if granted > 0 then
       local kept = string.format('%.17g', tokens) .. ' ' .. string.format('%.0f', at)
       redis.call('SET', KEYS[1], kept, 'PX', ARGV[5])
     end
     redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - tonumber(ARGV[7]))
     redis.call('ZREMRANGEBYSCORE', KEYS[2], now + tonumber(ARGV[7]), '+inf')
     redis.call('ZADD', KEYS[2], ARGV[1], ARGV[6])
     redis.call('PEXPIRE', KEYS[2], ARGV[8])
     return {granted, string.format('%.17g', tokens), redis.call('ZCARD', KEYS[2])}",
);

/// Token buckets in Redis.
pub struct RedisRates {
    redis: Arc<Redis>,
    clock: Arc<dyn Clock>,
    /// Among those that share a bucket. Chance only keeps two workers apart, so it is no part of what is tested.
    worker: String,
    alone: Alone,
}

impl RedisRates {
    /// Buckets on this server.
    pub fn new(redis: Arc<Redis>, clock: Arc<dyn Clock>) -> Self {
        let worker = format!("{:016x}", RandomState::new().hash_one(std::process::id()));
        Self { redis, clock, worker, alone: Alone::default() }
    }
}

#[async_trait]
impl Rates for RedisRates {
    async fn lease(
        &self,
        space: &SpaceId,
        webhook: &WebhookId,
        limit: RateLimit,
        wanted: u32,
    ) -> PortResult<Leased> {
        let what = "leasing tokens of a rate limit";
        let now = self.clock.now();
        let (capacity, per_second) = shape(limit);
        let call = Call::script(&LEASE, keys::bucket(space, webhook))
            .key(keys::sharers(space, webhook))
            .arg(now.unix_ms())
            .arg(capacity.to_string())
            .arg(per_second.to_string())
            .arg(wanted)
            // A bucket is full again after `capacity ÷ rate`, at most one `per`; a full one need not be remembered.
            .arg(life_ms(limit.per))
            .arg(self.worker.as_str())
            .arg(SHARES_FOR_MS)
            .arg(life_ms(Duration::from_millis(SHARES_FOR_MS)));
        let answer = match self.redis.ask_one(what, call).await {
            Ok(answer) => answer,
            // Whoever never saw the server cannot know his part.
            Err(error) if error.is_transient() => {
                return self.alone.lease((space, webhook), limit, wanted, now).ok_or(error);
            }
            Err(error) => return Err(error),
        };
        let (granted, tokens, workers) =
            lease(&answer).ok_or_else(|| self.redis.odd(what, "an odd answer"))?;
        self.alone.note((space, webhook), workers);
        Ok(Leased { granted, again_at: again_at(now, granted < wanted, (1.0 - tokens) / per_second) })
    }
}

/// When the next whole token is there, after `seconds`; the millisecond more makes up for the part that is cut off.
fn again_at(now: Timestamp, is_short: bool, seconds: f64) -> Timestamp {
    if !is_short {
        return now;
    }
    let wait = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::from_hours(24));
    now.plus(wait + Duration::from_millis(1))
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

fn lease(answer: &Value) -> Option<(u32, f64, u32)> {
    let Value::Array(parts) = answer else { return None };
    let [granted, tokens, workers] = parts.as_slice() else { return None };
    let count = |value| u32::try_from(number(value)?).ok();
    Some((count(granted)?, text(tokens)?.parse().ok()?, count(workers)?))
}
