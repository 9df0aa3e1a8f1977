//! Circuit breakers that are not closed. One text per webhook, `open until` or `half until`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Clock;
use postrider_ports::error::PortResult;
use postrider_ports::limits::{Breaker, Breakers};
use redis::Value;

use crate::connection::Redis;
use crate::keys;
use crate::life::life_ms;
use crate::lua::{Call, Lua, number, text};

/// A breaker whose time has come and that nobody probes for so long is forgotten, and so closed.
const UNPROBED: Duration = Duration::from_hours(1);

/// Reads the breaker: state (`open`, `half`) and its end.
macro_rules! with_breaker {
    ($rest:literal) => {
        concat!(
            "local v = redis.call('GET', KEYS[1])\n\
             local state, ends\n\
             if v then\n\
               state, ends = string.match(v, '^(%l+) (%-?%d+)$')\n\
               if not state then return redis.error_reply('FOREIGN value') end\n\
             end\n",
            $rest
        )
    };
}

/// ARGV: end, life. Who opens it for less leaves it as it is.
static OPEN: Lua = Lua::new(with_breaker!(
    "if state == 'open' and tonumber(ends) >= tonumber(ARGV[1]) then return 0 end
     redis.call('SET', KEYS[1], 'open ' .. ARGV[1], 'PX', ARGV[2])
     return 1"
));

/// ARGV: end, life, now. Its time has come, or the worker that probed never reported.
static PROBE: Lua = Lua::new(with_breaker!(
    "if not state or tonumber(ends) > tonumber(ARGV[3]) then return 0 end
     redis.call('SET', KEYS[1], 'half ' .. ARGV[1], 'PX', ARGV[2])
     return 1"
));

/// Breakers in Redis.
pub struct RedisBreakers {
    redis: Arc<Redis>,
    clock: Arc<dyn Clock>,
}

impl RedisBreakers {
    /// Breakers on this server.
    pub fn new(redis: Arc<Redis>, clock: Arc<dyn Clock>) -> Self {
        Self { redis, clock }
    }

    fn until(&self, lua: &'static Lua, key: String, until: Timestamp) -> Call {
        let life = life_ms(until.since(self.clock.now()).saturating_add(UNPROBED));
        Call::script(lua, key).arg(until.unix_ms()).arg(life)
    }
}

#[async_trait]
impl Breakers for RedisBreakers {
    async fn breakers(&self, webhooks: &[(SpaceId, WebhookId)]) -> PortResult<Vec<Option<Breaker>>> {
        let what = "reading circuit breakers";
        let key = |(space, webhook): &(SpaceId, WebhookId)| keys::breaker(space, webhook);
        let calls: Vec<Call> = webhooks.iter().map(|one| Call::plain("GET", key(one))).collect();
        let answers = self.redis.ask(what, &calls).await?;
        let read = |(of, answer): (&(SpaceId, WebhookId), &Value)| match answer {
            Value::Nil => Ok(None),
            value => match text(value).and_then(breaker) {
                Some(breaker) => Ok(Some(breaker)),
                None => Err(self.redis.foreign(what, &key(of))),
            },
        };
        webhooks.iter().zip(&answers).map(read).collect()
    }

    async fn open(&self, space: &SpaceId, webhook: &WebhookId, until: Timestamp) -> PortResult<()> {
        let call = self.until(&OPEN, keys::breaker(space, webhook), until);
        self.redis.ask_one("opening a circuit breaker", call).await.map(drop)
    }

    async fn probe(&self, space: &SpaceId, webhook: &WebhookId, until: Timestamp) -> PortResult<bool> {
        let call = self.until(&PROBE, keys::breaker(space, webhook), until).arg(self.clock.now().unix_ms());
        let answer = self.redis.ask_one("asking to probe behind a circuit breaker", call).await?;
        Ok(number(&answer) == Some(1))
    }

    async fn close(&self, space: &SpaceId, webhook: &WebhookId) -> PortResult<()> {
        let call = Call::plain("DEL", keys::breaker(space, webhook));
        self.redis.ask_one("closing a circuit breaker", call).await.map(drop)
    }
}

fn breaker(text: &str) -> Option<Breaker> {
    let (state, until) = text.split_once(' ')?;
    let until = Timestamp::from_unix_ms(until.parse().ok()?);
    match state {
        "open" => Some(Breaker::Open { until }),
        "half" => Some(Breaker::HalfOpen { until }),
        _ => None,
    }
}
