//! The list of changed webhooks and settings: which changed with which version of the truth, and their present forms. Three
//! keys in one slot that only change together.
//!
//! The list continues without a gap from its *floor* to its *version*: it is only ever extended by what the truth says
//! has changed since exactly the version it stands at, so two who extend it at once cannot lose a change between them.
//! When that is impossible it begins anew, in another *era*.

use std::sync::Arc;

use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::space::SpaceSettings;
use postrider_domain::webhook::Webhook;
use postrider_ports::error::PortResult;
use postrider_ports::subscriptions::{Change, Changes};
use postrider_wire::Wire;
use redis::Value;

use crate::connection::Redis;
use crate::keys::{CHANGED_FORMS, CHANGES, CHANGES_STATE, HINTS, SETTINGS};
use crate::lua::{Call, Lua, number, text};

/// Changes kept at most, with forms of 1 to 10 KiB. Who is further behind asks the truth. Lua returns at most some
/// 8,000 values at once.
const KEPT: usize = 1000;
/// The list is swept after so long without a change, and begins anew: 7 days in milliseconds.
const LIFE_MS: u64 = 7 * 86_400_000;

/// ARGV: since. Returns `{}` if there is no list, `{version}` if it cannot answer, else `{version, places, forms}`.
/// Where parts are missing (evicted, deleted by hand) nothing is trusted.
static SINCE: Lua = Lua::new(
    "local s = redis.call('HMGET', KEYS[1], 'version', 'floor', 'count')
     if not s[1] then return {} end
     local version, floor, since = tonumber(s[1]), tonumber(s[2]), tonumber(ARGV[1])
     if not version or not floor then return redis.error_reply('FOREIGN value') end
     if since < floor or since > version then return {s[1]} end
     local count = tonumber(s[3])
     if redis.call('ZCARD', KEYS[2]) ~= count or redis.call('HLEN', KEYS[3]) ~= count then return {s[1]} end
     local places = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf')
     local forms = {}
     if #places > 0 then forms = redis.call('HMGET', KEYS[3], unpack(places)) end
     return {s[1], places, forms}",
);

/// ARGV: expected version, new version, life, kept, then space, place and form of each change. Returns whether the list
/// stood at the expected version and is whole.
static EXTEND: Lua = Lua::new(
    "local state, list, forms = KEYS[1], KEYS[2], KEYS[3]
     local s = redis.call('HMGET', state, 'version', 'count')
     if s[1] ~= ARGV[1] then return 0 end
     local count = tonumber(s[2])
     if redis.call('ZCARD', list) ~= count or redis.call('HLEN', forms) ~= count then return 0 end
     for i = 5, #ARGV, 3 do
       redis.call('ZADD', list, ARGV[2], ARGV[i + 1])
       redis.call('HSET', forms, ARGV[i + 1], ARGV[i + 2])
       redis.call('HSET', state, 'space:' .. ARGV[i], ARGV[2])
     end
     local over = redis.call('ZCARD', list) - tonumber(ARGV[4])
     if over > 0 then
       local gone = redis.call('ZRANGE', list, 0, over - 1, 'WITHSCORES')
       for i = 1, #gone, 2 do
         redis.call('ZREM', list, gone[i])
         redis.call('HDEL', forms, gone[i])
       end
       local floor = tonumber(gone[#gone])
       redis.call('HSET', state, 'floor', string.format('%.0f', floor))
       local fields = redis.call('HGETALL', state)
       for i = 1, #fields, 2 do
         if string.sub(fields[i], 1, 6) == 'space:' and tonumber(fields[i + 1]) <= floor then
           redis.call('HDEL', state, fields[i])
         end
       end
     end
     redis.call('HSET', state, 'version', ARGV[2], 'count', redis.call('ZCARD', list))
     for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[3]) end
     return 1",
);

/// ARGV: expected version or nothing, new version, life, era. Returns whether it was so.
static BEGIN: Lua = Lua::new(
    "local found = redis.call('HGET', KEYS[1], 'version') or ''
     if found ~= ARGV[1] then return 0 end
     redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
     redis.call('HSET', KEYS[1], 'version', ARGV[2], 'floor', ARGV[2], 'count', 0, 'era', ARGV[4])
     redis.call('PEXPIRE', KEYS[1], ARGV[3])
     return 1",
);

/// The list of changes on one server.
pub(crate) struct ChangeList {
    redis: Arc<Redis>,
}

/// What is known about a space's place in the list.
pub(crate) struct SpaceState {
    /// The version the list stands at.
    pub(crate) version: u64,
    /// What was cached in another era says nothing.
    pub(crate) era: String,
    /// The last change of the space that can be excluded no further: what was read at it or later is whole.
    pub(crate) changed_at: u64,
}

impl ChangeList {
    pub(crate) fn new(redis: Arc<Redis>) -> Self {
        Self { redis }
    }

    /// The version it stands at; `None` if there is no list.
    pub(crate) async fn version(&self) -> PortResult<Option<u64>> {
        let what = "reading the version of the webhooks";
        let call = Call::plain("HGET", CHANGES_STATE).arg("version");
        match self.redis.ask_one(what, call).await? {
            Value::Nil => Ok(None),
            value => unsigned(&value).map(Some).ok_or_else(|| self.redis.foreign(what, CHANGES_STATE)),
        }
    }

    /// The changes after a version; `None` if the list cannot say.
    pub(crate) async fn since(&self, version: u64) -> PortResult<Option<Changes>> {
        let call = scripted(&SINCE).arg(version);
        let answer = self.redis.ask_one("reading the changes of webhooks", call).await?;
        Ok(read(&answer))
    }

    /// Extends the list from `expected` by what has changed since. `false`: it stands elsewhere, or is not whole.
    pub(crate) async fn extend(&self, expected: u64, changes: &Changes) -> PortResult<bool> {
        let mut call = scripted(&EXTEND).arg(expected).arg(changes.version).arg(LIFE_MS).arg(KEPT);
        for (space, change) in &changes.changed {
            let (what, form) = match change {
                Change::Webhook(id, webhook) => {
                    (id.as_str(), webhook.as_deref().map(Wire::encode).unwrap_or_default())
                }
                Change::Settings(settings) => (SETTINGS, settings.encode()),
            };
            call = call.arg(space.as_str()).arg(format!("{space}/{what}")).arg(form);
        }
        let answer = self.redis.ask_one("extending the list of changed webhooks", call).await?;
        Ok(number(&answer) == Some(1))
    }

    /// Whether so many changes fit.
    pub(crate) fn holds(changes: &Changes) -> bool {
        changes.changed.len() <= KEPT
    }

    /// Begins anew at `version` if the list still stands at `expected`.
    pub(crate) async fn begin(&self, expected: Option<u64>, version: u64, era: &str) -> PortResult<bool> {
        let expected = expected.map(|version| version.to_string()).unwrap_or_default();
        let call = scripted(&BEGIN).arg(expected).arg(version).arg(LIFE_MS).arg(era);
        let answer = self.redis.ask_one("beginning the list of changed webhooks", call).await?;
        Ok(number(&answer) == Some(1))
    }

    /// Tells all who listen that something changed.
    pub(crate) async fn hint(&self) -> PortResult<()> {
        let call = Call::plain("PUBLISH", HINTS).arg("");
        self.redis.ask_one("hinting at a change of webhooks", call).await.map(drop)
    }

    /// What to ask to learn a [`SpaceState`].
    pub(crate) fn ask_space(space: &SpaceId) -> Call {
        let fields = ["version".to_owned(), "floor".to_owned(), "era".to_owned(), format!("space:{space}")];
        fields.into_iter().fold(Call::plain("HMGET", CHANGES_STATE), Call::arg)
    }

    /// Reads the answer to [`Self::ask_space`]; `None` if there is no list.
    pub(crate) fn space_state(answer: &Value) -> Option<SpaceState> {
        let Value::Array(parts) = answer else { return None };
        let [version, floor, era, changed] = parts.as_slice() else { return None };
        Some(SpaceState {
            version: unsigned(version)?,
            era: text(era)?.to_owned(),
            changed_at: unsigned(floor)?.max(unsigned(changed).unwrap_or(0)),
        })
    }
}

/// A number that is not negative.
pub(crate) fn unsigned(value: &Value) -> Option<u64> {
    number(value).and_then(|number| u64::try_from(number).ok())
}

fn scripted(lua: &'static Lua) -> Call {
    Call::script(lua, CHANGES_STATE).key(CHANGES).key(CHANGED_FORMS)
}

/// `None` where there is no list, it does not reach, or holds what this release cannot read.
fn read(answer: &Value) -> Option<Changes> {
    let Value::Array(parts) = answer else { return None };
    let [version, Value::Array(places), Value::Array(forms)] = parts.as_slice() else { return None };
    let changed = places.iter().zip(forms).map(|(place, form)| {
        let (space, what) = text(place)?.split_once('/')?;
        let Value::BulkString(form) = form else { return None };
        let change = match what {
            SETTINGS => Change::Settings(Box::new(SpaceSettings::decode(form).ok()?)),
            id if form.is_empty() => Change::Webhook(WebhookId::new(id).ok()?, None),
            id => Change::Webhook(WebhookId::new(id).ok()?, Some(Box::new(Webhook::decode(form).ok()?))),
        };
        Some((SpaceId::new(space).ok()?, change))
    });
    Some(Changes { version: unsigned(version)?, changed: changed.collect::<Option<_>>()?, incomplete: false })
}
