//! Coalescing windows: the end of each owner's current window, and what each window has gathered.
//!
//! The latter is one hash: `v` and `t` the newest by version and by time, with the fields `versions` and `none` if some events
//! have a version or none; `by` how the window is ranked, once somebody asked; `n` how many deliveries, `d:…` those that are
//! known; `l` how many events are listed, `b` their weight, `e:1` and so on the events.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use postrider_domain::coalesce::{Rank, Ranking, Window};
use postrider_domain::delivery::DeliveryId;
use postrider_domain::gathering::{COUNTED, LISTED, LISTED_BYTES};
use postrider_domain::id::EventId;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Clock;
use postrider_ports::error::PortResult;
use postrider_ports::windows::{Coalesced, CoalescedEvent, Entry, Newest, Opening, Windows};
use postrider_wire::Wire;
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

/// ARGV: rank by version, rank by time, delivery, `1` if it has a version, `1` if it has none, event, its weight, most events,
/// most weight, most known deliveries, life. Ranks are compared as text, see [`written`].
static REGISTER: Lua = Lua::new(
    "local k = KEYS[1]
     for i, field in ipairs({'v', 't'}) do
       local known = redis.call('HGET', k, field)
       local rank = known and string.match(known, '^(%x+) [%x%-]+$')
       if known and not rank then return redis.error_reply('FOREIGN value') end
       if not rank or rank < ARGV[i] then redis.call('HSET', k, field, ARGV[i] .. ' ' .. ARGV[3]) end
     end
     if ARGV[4] == '1' then redis.call('HSET', k, 'versions', '1') end
     if ARGV[5] == '1' then redis.call('HSET', k, 'none', '1') end
     local seen = 'd:' .. ARGV[3]
     if redis.call('HEXISTS', k, seen) == 0 then
       local n = redis.call('HINCRBY', k, 'n', 1)
       if n <= tonumber(ARGV[10]) then redis.call('HSET', k, seen, '') end
       local l = tonumber(redis.call('HGET', k, 'l') or '0')
       local b = tonumber(redis.call('HGET', k, 'b') or '0') + tonumber(ARGV[7])
       if l < tonumber(ARGV[8]) and b <= tonumber(ARGV[9]) then
         redis.call('HSET', k, 'l', l + 1, 'b', b, 'e:' .. (l + 1), ARGV[6])
       end
     end
     redis.call('PEXPIRE', k, ARGV[11])
     return 1",
);

/// Answers how the window is ranked and who is the newest, or nil.
static NEWEST: Lua = Lua::new(
    "local k = KEYS[1]
     local by = redis.call('HGET', k, 'by')
     if not by then
       if redis.call('EXISTS', k) == 0 then return false end
       by = 'v'
       if redis.call('HEXISTS', k, 'versions') + redis.call('HEXISTS', k, 'none') == 2 then by = 't' end
       redis.call('HSET', k, 'by', by)
     end
     local newest = redis.call('HGET', k, by)
     if not newest then return redis.error_reply('FOREIGN value') end
     return by .. newest",
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

    async fn register(&self, confirmed: &[Entry]) -> PortResult<()> {
        let register = |entry: &Entry| {
            let (window, rank) = (&entry.window, &entry.window.rank);
            let many = !window.is_of_one_resource();
            Call::script(&REGISTER, keys::gathered(&window.key, window.ends_at))
                .arg(written(rank, Ranking::Version))
                .arg(written(rank, Ranking::Time))
                .arg(entry.delivery.to_string())
                .arg(u8::from(many || rank.version.is_some()))
                .arg(u8::from(many || rank.version.is_none()))
                .arg(entry.event.encode())
                .arg(entry.event.weight())
                .arg(LISTED)
                .arg(LISTED_BYTES)
                .arg(COUNTED)
                .arg(self.life(window.ends_at))
        };
        let calls: Vec<Call> = confirmed.iter().map(register).collect();
        self.redis.ask("registering coalesced deliveries", &calls).await.map(drop)
    }

    async fn newest(&self, windows: &[Window]) -> PortResult<Vec<Option<Newest>>> {
        let what = "reading the newest deliveries of coalescing windows";
        let ask = |window: &Window| Call::script(&NEWEST, key(window));
        self.of_each(what, windows, ask, |value| text(value).and_then(read)).await
    }

    async fn coalesced(&self, windows: &[Window]) -> PortResult<Vec<Option<Coalesced>>> {
        let what = "reading what coalescing windows have gathered";
        let ask = |window: &Window| {
            let all = Call::plain("HMGET", key(window)).arg("n");
            (1..=LISTED).fold(all, |call, number| call.arg(format!("e:{number}")))
        };
        let answers = self.of_each(what, windows, ask, coalesced).await?;
        let known = |answer: Option<Coalesced>| answer.filter(|coalesced| coalesced.count > 0);
        Ok(answers.into_iter().map(known).collect())
    }
}

impl RedisWindows {
    /// Asks each window that counts. `read` is not called for nil, and answers `None` for what Postrider did not write.
    async fn of_each<T>(
        &self,
        what: &str,
        windows: &[Window],
        ask: impl Fn(&Window) -> Call,
        read: impl Fn(&Value) -> Option<T>,
    ) -> PortResult<Vec<Option<T>>> {
        let now = self.clock.now();
        let calls: Vec<Call> = windows.iter().map(ask).collect();
        let answers = self.redis.ask(what, &calls).await?;
        let find = |(window, answer): (&Window, &Value)| match answer {
            Value::Nil => Ok(None),
            _ if now >= window.ends_at.plus(KEPT) => Ok(None),
            value => read(value).map(Some).ok_or_else(|| self.redis.foreign(what, &key(window))),
        };
        windows.iter().zip(&answers).map(find).collect()
    }
}

fn key(window: &Window) -> String {
    keys::gathered(&window.key, window.ends_at)
}

/// A rank as text that sorts as the rank does: numbers as 16 hexadecimal digits from the lowest i64 on, and the event's id in
/// hexadecimal. By version, a digit that says whether there is one, the version, the instant; by time, the instant, a digit
/// that says whether there is no version, the version. Lua compares text by the server's locale; digits before the letters
/// a to f, in order, is what all of them have in common.
fn written(rank: &Rank, by: Ranking) -> String {
    let ascending = |number: i64| number.cast_unsigned() ^ (1 << 63);
    let version = rank.version.map_or(0, ascending);
    let at = ascending(rank.occurred_at.unix_ms());
    let event = hex::encode(rank.event.as_str());
    match by {
        Ranking::Version => format!("{}{version:016x}{at:016x}{event}", u8::from(rank.version.is_some())),
        Ranking::Time => format!("{at:016x}{}{version:016x}{event}", u8::from(rank.version.is_none())),
    }
}

/// What [`NEWEST`] answers: `v` or `t`, the reverse of [`written`], and the delivery.
fn read(text: &str) -> Option<Newest> {
    let (rank, delivery) = text.split_once(' ')?;
    let number = |from: usize| {
        let digits = u64::from_str_radix(rank.get(from..from + 16)?, 16).ok()?;
        Some((digits ^ (1 << 63)).cast_signed())
    };
    // Behind the letter.
    let (ranking, version, occurred_at) = match (rank.get(..1)?, rank.get(1..2)?, rank.get(17..18)) {
        ("v", "1", _) => (Ranking::Version, Some(number(2)?), number(18)?),
        ("v", "0", _) => (Ranking::Version, None, number(18)?),
        ("t", _, Some("0")) => (Ranking::Time, Some(number(18)?), number(1)?),
        ("t", _, Some("1")) => (Ranking::Time, None, number(1)?),
        _ => return None,
    };
    let event = String::from_utf8(hex::decode(rank.get(34..)?).ok()?).ok()?;
    let occurred_at = Timestamp::from_unix_ms(occurred_at);
    let rank = Rank { version, occurred_at, event: EventId::new(&event).ok()? };
    Some(Newest { rank, delivery: DeliveryId(Uuid::parse_str(delivery).ok()?), ranking })
}

/// What `HMGET` answers: how many, and those that are listed; none when nothing is known.
fn coalesced(answer: &Value) -> Option<Coalesced> {
    let Value::Array(fields) = answer else { return None };
    let (count, listed) = fields.split_first()?;
    if matches!(count, Value::Nil) {
        return Some(Coalesced::new(0, Vec::new()));
    }
    let count = u64::try_from(number(count)?).ok()?;
    let listed = listed.iter().take_while(|field| !matches!(field, Value::Nil));
    let events = listed.map(|field| CoalescedEvent::decode(text(field)?.as_bytes()).ok());
    Some(Coalesced::new(count, events.collect::<Option<_>>()?))
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

    fn ranking() -> impl Strategy<Value = Ranking> {
        prop_oneof![Just(Ranking::Version), Just(Ranking::Time)]
    }

    proptest! {
        #[test]
        fn a_written_rank_sorts_as_the_rank_does(one in rank(), other in rank(), by in ranking()) {
            prop_assert_eq!(written(&one, by).cmp(&written(&other, by)), one.compare(&other, by));
        }

        #[test]
        fn a_written_rank_reads_back(rank in rank(), id in any::<u128>(), ranking in ranking()) {
            let delivery = DeliveryId(Uuid::from_u128(id));
            let by = if ranking == Ranking::Version { "v" } else { "t" };
            let text = format!("{by}{} {delivery}", written(&rank, ranking));
            prop_assert_eq!(read(&text), Some(Newest { rank, delivery, ranking }));
        }

        #[test]
        fn foreign_text_is_read_without_a_panic(text in "[vt01]?.{0,80}") {
            read(&text);
            coalesced(&Value::Array(vec![Value::BulkString(text.clone().into_bytes())]));
            coalesced(&Value::Array(vec![Value::Int(2), Value::BulkString(text.into_bytes())]));
        }
    }
}
