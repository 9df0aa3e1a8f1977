//! Claims on event ids.
//!
//! One text per id, `state body accepted until`, kept until its time is over: some 250 bytes for each id of a day.
//!
//! An *epoch* tells whether the memory reaches back far enough. It is one key without an end; when it is missing (a new
//! server, `FLUSHALL`, a restart without persistence) whoever sees it writes a new one, and for
//! [`COMMITTED_FOR`] every unknown id is a suspect. Each batch reads it *after* its claims and in the same round trip, so
//! a loss between two batches is always seen. On a cluster the loss of one master alone is not; what protects then is
//! that a repeat derives the same delivery ids.

use std::sync::Arc;

use async_trait::async_trait;
use postrider_domain::id::{EventId, SpaceId};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::claims::{COMMITTED_FOR, Claimed, Claims, PENDING_FOR};
use postrider_ports::clock::Clock;
use postrider_ports::error::PortResult;
use redis::Value;

use crate::connection::Redis;
use crate::keys;
use crate::life::life_ms;
use crate::lua::{Call, Lua, number, text};

/// Reads a claim that has not ended: state (`P`, `C`), body, acceptance; `nil` if there is none.
macro_rules! with_claim {
    ($rest:literal) => {
        concat!(
            "local v = redis.call('GET', KEYS[1])\n\
             local state, body, accepted, ends\n\
             if v then\n\
               state, body, accepted, ends = string.match(v, '^([PC]) (%x+) (%-?%d+) (%-?%d+)$')\n\
               if not state then return redis.error_reply('FOREIGN value') end\n\
               if tonumber(ends) <= tonumber(ARGV[1]) then state = nil end\n\
             end\n",
            $rest
        )
    };
}

/// ARGV: now, body, accepted, end, life.
static CLAIM: Lua = Lua::new(with_claim!(
    "if state and body ~= ARGV[2] then return {'O', '0'} end
     if state then return {state, accepted} end
     redis.call('SET', KEYS[1], 'P ' .. ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. ARGV[4], 'PX', ARGV[5])
     return {'F', '0'}"
));

/// ARGV: now, body, accepted, end, life. The first acceptance stands: copies share its instant.
static COMMIT: Lua = Lua::new(with_claim!(
    "if not state then accepted = ARGV[3] end
     redis.call('SET', KEYS[1], 'C ' .. ARGV[2] .. ' ' .. accepted .. ' ' .. ARGV[4], 'PX', ARGV[5])
     return 1"
));

/// ARGV: now.
static RELEASE: Lua = Lua::new(with_claim!(
    "if state == 'P' then redis.call('DEL', KEYS[1]) end
     return 1"
));

/// Claims in Redis.
pub struct RedisClaims {
    redis: Arc<Redis>,
    clock: Arc<dyn Clock>,
}

impl RedisClaims {
    /// Claims on this server. Call [`Self::begin`] once before the first claim.
    pub fn new(redis: Arc<Redis>, clock: Arc<dyn Clock>) -> Self {
        Self { redis, clock }
    }

    /// Says whether the deployment is new, that is: whether its store is empty of events, so that nothing can have been
    /// accepted and forgotten. On a new deployment the memory counts as whole from the start. Where an epoch stands this
    /// changes nothing, so every process calls it when it starts. If it fails (Redis is away) the first claim begins the
    /// memory instead, as of one that has forgotten.
    pub async fn begin(&self, is_new: bool) -> PortResult<()> {
        let now = self.clock.now();
        self.set_epoch(if is_new { now } else { now.plus(COMMITTED_FOR) }).await.map(drop)
    }

    /// Sets until when unknown ids are suspects, unless somebody was faster; returns what stands.
    async fn set_epoch(&self, forgetful_until: Timestamp) -> PortResult<Timestamp> {
        let what = "beginning the memory of event ids";
        let calls = [
            Call::plain("SETNX", keys::EPOCH).arg(forgetful_until.unix_ms()),
            Call::plain("GET", keys::EPOCH),
        ];
        let answers = self.redis.ask(what, &calls).await?;
        let stands = answers.get(1).and_then(number).map(Timestamp::from_unix_ms);
        stands.ok_or_else(|| self.redis.foreign(what, keys::EPOCH))
    }

    /// Whether an id that is unknown now may have been forgotten.
    async fn is_forgetful(&self, epoch: &Value, now: Timestamp) -> PortResult<bool> {
        let until = match (epoch, number(epoch)) {
            (_, Some(until)) => Timestamp::from_unix_ms(until),
            (Value::Nil, None) => self.set_epoch(now.plus(COMMITTED_FOR)).await?,
            _ => return Err(self.redis.foreign("reading the epoch of the memory of event ids", keys::EPOCH)),
        };
        Ok(now < until)
    }
}

#[async_trait]
impl Claims for RedisClaims {
    async fn claim(
        &self,
        space: &SpaceId,
        wanted: &[(EventId, [u8; 32])],
        accepted_at: Timestamp,
    ) -> PortResult<Vec<Claimed>> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let what = "claiming event ids";
        let now = self.clock.now();
        let claim = |(event, body): &(EventId, [u8; 32])| {
            Call::script(&CLAIM, keys::claim(space, event))
                .arg(now.unix_ms())
                .arg(hex::encode(body))
                .arg(accepted_at.unix_ms())
                .arg(now.plus(PENDING_FOR).unix_ms())
                .arg(life_ms(PENDING_FOR))
        };
        let mut calls: Vec<Call> = wanted.iter().map(claim).collect();
        calls.push(Call::plain("GET", keys::EPOCH));
        let mut answers = self.redis.ask(what, &calls).await?;
        let epoch = answers.pop().unwrap_or(Value::Nil);
        let is_forgetful = self.is_forgetful(&epoch, now).await?;
        let read =
            |answer| claimed(answer, is_forgetful).ok_or_else(|| self.redis.odd(what, "an odd answer"));
        answers.iter().map(read).collect()
    }

    async fn commit(
        &self,
        space: &SpaceId,
        accepted: &[(EventId, [u8; 32])],
        accepted_at: Timestamp,
    ) -> PortResult<()> {
        let now = self.clock.now();
        let commit = |(event, body): &(EventId, [u8; 32])| {
            Call::script(&COMMIT, keys::claim(space, event))
                .arg(now.unix_ms())
                .arg(hex::encode(body))
                .arg(accepted_at.unix_ms())
                .arg(now.plus(COMMITTED_FOR).unix_ms())
                .arg(life_ms(COMMITTED_FOR))
        };
        let calls: Vec<Call> = accepted.iter().map(commit).collect();
        self.redis.ask("committing event ids", &calls).await.map(drop)
    }

    async fn release(&self, space: &SpaceId, released: &[EventId]) -> PortResult<()> {
        let now = self.clock.now().unix_ms();
        let release = |event| Call::script(&RELEASE, keys::claim(space, event)).arg(now);
        let calls: Vec<Call> = released.iter().map(release).collect();
        self.redis.ask("releasing event ids", &calls).await.map(drop)
    }
}

fn claimed(answer: &Value, is_forgetful: bool) -> Option<Claimed> {
    let Value::Array(parts) = answer else { return None };
    let [kind, accepted] = parts.as_slice() else { return None };
    let accepted_at = Timestamp::from_unix_ms(number(accepted)?);
    match text(kind)? {
        "F" if is_forgetful => Some(Claimed::FreshButForgetful),
        "F" => Some(Claimed::Fresh),
        "P" => Some(Claimed::Pending { accepted_at }),
        "C" => Some(Claimed::Committed { accepted_at }),
        "O" => Some(Claimed::OtherBody),
        _ => None,
    }
}
