//! Coalescing windows: the end of each owner's current window, and the newest confirmed delivery of each window.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use postrider_domain::coalesce::{Rank, Window};
use postrider_domain::delivery::DeliveryId;
use postrider_domain::id::EventId;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Clock;
use postrider_ports::error::PortResult;
use postrider_ports::windows::{Newest, Opening, Windows};
use redis::Value;
use uuid::Uuid;

use crate::connection::Redis;
use crate::keys;
use crate::life::life_ms;
use crate::lua::{Call, Lua, number, text};

/// A window is remembered for so long after its end: its delivery may be late.
const KEPT: Duration = Duration::from_secs(600);

/// ARGV: at, end, now − [`KEPT`], life.
static JOIN: Lua = Lua::new(
    "local v = redis.call('GET', KEYS[1])
     if v then
       local ends = tonumber(v)
       if not ends then return redis.error_reply('FOREIGN value') end
       if tonumber(ARGV[1]) < ends and tonumber(ARGV[3]) < ends then return v end
     end
     redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[4])
     return ARGV[2]",
);

/// ARGV: rank, delivery, life. Ranks are compared as text, see [`written`].
static REGISTER: Lua = Lua::new(
    "local v = redis.call('GET', KEYS[1])
     if v then
       local rank = string.match(v, '^(%x+) [%x%-]+$')
       if not rank then return redis.error_reply('FOREIGN value') end
       if rank >= ARGV[1] then return 0 end
     end
     redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2], 'PX', ARGV[3])
     return 1",
);

/// Windows in Redis.
pub struct RedisWindows {
    redis: Arc<Redis>,
    clock: Arc<dyn Clock>,
}

impl RedisWindows {
    /// Windows on this server.
    pub fn new(redis: Arc<Redis>, clock: Arc<dyn Clock>) -> Self {
        Self { redis, clock }
    }

    /// How long what belongs to a window that ends then is kept.
    fn life(&self, ends_at: Timestamp) -> u64 {
        life_ms(ends_at.since(self.clock.now()).saturating_add(KEPT))
    }
}

#[async_trait]
impl Windows for RedisWindows {
    async fn join(&self, openings: &[Opening]) -> PortResult<Vec<Timestamp>> {
        let what = "joining coalescing windows";
        let forgotten = self.clock.now().minus(KEPT).unix_ms();
        let join = |opening: &Opening| {
            Call::script(&JOIN, keys::window(&opening.key))
                .arg(opening.at.unix_ms())
                .arg(opening.ends_at.unix_ms())
                .arg(forgotten)
                .arg(self.life(opening.ends_at))
        };
        let calls: Vec<Call> = openings.iter().map(join).collect();
        let answers = self.redis.ask(what, &calls).await?;
        let read = |(opening, answer): (&Opening, &Value)| match number(answer) {
            Some(end) => Ok(Timestamp::from_unix_ms(end)),
            None => Err(self.redis.foreign(what, &keys::window(&opening.key))),
        };
        openings.iter().zip(&answers).map(read).collect()
    }

    async fn register(&self, confirmed: &[(Window, DeliveryId)]) -> PortResult<()> {
        let register = |(window, delivery): &(Window, DeliveryId)| {
            Call::script(&REGISTER, keys::newest(&window.key, window.ends_at))
                .arg(written(&window.rank))
                .arg(delivery.to_string())
                .arg(self.life(window.ends_at))
        };
        let calls: Vec<Call> = confirmed.iter().map(register).collect();
        self.redis.ask("registering coalesced deliveries", &calls).await.map(drop)
    }

    async fn newest(&self, windows: &[Window]) -> PortResult<Vec<Option<Newest>>> {
        let what = "reading the newest deliveries of coalescing windows";
        let now = self.clock.now();
        let key = |window: &Window| keys::newest(&window.key, window.ends_at);
        let calls: Vec<Call> = windows.iter().map(|window| Call::plain("GET", key(window))).collect();
        let answers = self.redis.ask(what, &calls).await?;
        let find = |(window, answer): (&Window, &Value)| match answer {
            Value::Nil => Ok(None),
            _ if now >= window.ends_at.plus(KEPT) => Ok(None),
            value => match text(value).and_then(read) {
                Some(newest) => Ok(Some(newest)),
                None => Err(self.redis.foreign(what, &key(window))),
            },
        };
        windows.iter().zip(&answers).map(find).collect()
    }
}

/// A rank as text that sorts as the rank does: a digit that says whether there is a version, the version and the instant
/// as 16 hexadecimal digits from the lowest i64 on, and the event's id in hexadecimal. Lua compares text by the server's
/// locale; digits before the letters a to f, in order, is what all of them have in common.
fn written(rank: &Rank) -> String {
    let ascending = |number: i64| number.cast_unsigned() ^ (1 << 63);
    let version = rank.version.map_or(0, ascending);
    let has_version = u8::from(rank.version.is_some());
    let at = ascending(rank.occurred_at.unix_ms());
    format!("{has_version}{version:016x}{at:016x}{}", hex::encode(rank.event.as_str()))
}

/// The reverse of [`written`], with the delivery behind it.
fn read(text: &str) -> Option<Newest> {
    let (rank, delivery) = text.split_once(' ')?;
    let number = |from: usize| {
        let digits = u64::from_str_radix(rank.get(from..from + 16)?, 16).ok()?;
        Some((digits ^ (1 << 63)).cast_signed())
    };
    let version = match rank.get(..1)? {
        "1" => Some(number(1)?),
        _ => None,
    };
    let occurred_at = Timestamp::from_unix_ms(number(17)?);
    let event = String::from_utf8(hex::decode(rank.get(33..)?).ok()?).ok()?;
    let rank = Rank { version, occurred_at, event: EventId::new(&event).ok()? };
    Some(Newest { rank, delivery: DeliveryId(Uuid::parse_str(delivery).ok()?) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn rank()(version in any::<Option<i64>>(), at in any::<i64>(), event in "[A-Za-z0-9._:-]{1,128}") -> Rank {
            let event = EventId::new(&event).expect("generated by the rule");
            Rank { version, occurred_at: Timestamp::from_unix_ms(at), event }
        }
    }

    proptest! {
        #[test]
        fn a_written_rank_sorts_as_the_rank_does(one in rank(), other in rank()) {
            prop_assert_eq!(written(&one).cmp(&written(&other)), one.cmp(&other));
        }

        #[test]
        fn a_written_rank_reads_back(rank in rank(), id in any::<u128>()) {
            let delivery = DeliveryId(Uuid::from_u128(id));
            let text = format!("{} {delivery}", written(&rank));
            prop_assert_eq!(read(&text), Some(Newest { rank, delivery }));
        }

        #[test]
        fn foreign_text_is_read_without_a_panic(text in ".{0,80}") {
            read(&text);
        }
    }
}
