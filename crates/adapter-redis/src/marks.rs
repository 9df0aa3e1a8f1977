//! Marks: how far deliveries have come, for ten minutes. One text per delivery, `until attempt state`.

use std::sync::Arc;

use async_trait::async_trait;
use postrider_domain::delivery::{DeliveryId, DeliveryState, Progress};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Clock;
use postrider_ports::error::PortResult;
use postrider_ports::progress::{MARKED_FOR, Marks};
use redis::Value;

use crate::connection::Redis;
use crate::keys;
use crate::life::life_ms;
use crate::lua::{Call, Lua, text};

/// [`Progress::replaces`]. ARGV: now, end, attempt, state, life.
static MARK: Lua = Lua::new(
    "local v = redis.call('GET', KEYS[1])
     if v then
       local ends, attempt, state = string.match(v, '^(%-?%d+) (%d+) ([%l_]+)$')
       if not state then return redis.error_reply('FOREIGN value') end
       if tonumber(ends) > tonumber(ARGV[1]) then
         local open = {pending = true, parked = true}
         if not open[state] then return 0 end
         local further = tonumber(ARGV[3]) - tonumber(attempt)
         local aside = further == 0 and ARGV[4] == 'parked' and state == 'pending'
         if open[ARGV[4]] and further <= 0 and not aside then return 0 end
       end
     end
     redis.call('SET', KEYS[1], ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. ARGV[4], 'PX', ARGV[5])
     return 1",
);

/// Marks in Redis.
pub struct RedisMarks {
    redis: Arc<Redis>,
    clock: Arc<dyn Clock>,
}

impl RedisMarks {
    /// Marks on this server.
    pub fn new(redis: Arc<Redis>, clock: Arc<dyn Clock>) -> Self {
        Self { redis, clock }
    }
}

#[async_trait]
impl Marks for RedisMarks {
    async fn mark(&self, marks: &[(DeliveryId, Progress)]) -> PortResult<()> {
        let now = self.clock.now();
        let mark = |(delivery, progress): &(DeliveryId, Progress)| {
            Call::script(&MARK, keys::mark(delivery))
                .arg(now.unix_ms())
                .arg(now.plus(MARKED_FOR).unix_ms())
                .arg(progress.attempt)
                .arg(progress.state.as_str())
                .arg(life_ms(MARKED_FOR))
        };
        let calls: Vec<Call> = marks.iter().map(mark).collect();
        self.redis.ask("marking deliveries", &calls).await.map(drop)
    }

    async fn marked(&self, ids: &[DeliveryId]) -> PortResult<Vec<Option<Progress>>> {
        let what = "reading the marks of deliveries";
        let now = self.clock.now();
        let calls: Vec<Call> = ids.iter().map(|id| Call::plain("GET", keys::mark(id))).collect();
        let answers = self.redis.ask(what, &calls).await?;
        let read = |(id, answer): (&DeliveryId, &Value)| match answer {
            Value::Nil => Ok(None),
            value => {
                let mark =
                    text(value).and_then(mark).ok_or_else(|| self.redis.foreign(what, &keys::mark(id)));
                mark.map(|(until, progress)| (now < until).then_some(progress))
            }
        };
        ids.iter().zip(&answers).map(read).collect()
    }
}

fn mark(text: &str) -> Option<(Timestamp, Progress)> {
    let mut parts = text.splitn(3, ' ');
    let until = Timestamp::from_unix_ms(parts.next()?.parse().ok()?);
    let attempt = parts.next()?.parse().ok()?;
    let state = DeliveryState::parse(parts.next()?)?;
    Some((until, Progress { state, attempt }))
}
