//! The webhooks and settings of spaces as dispatchers see them: the truth (Postgres) behind a cache that everybody shares.
//!
//! Per space one hash, field = webhook, value = its wire form, and one field for the settings; filled by who misses it and
//! used only if nothing of the space has changed since it was read ([`crate::changes`]). Whoever changes something calls
//! [`RedisSubscriptions::published`] after the commit. A change is obeyed within a second whatever is lost:
//!
//! - The hint on pub/sub is lost: each worker asks for the version every 500 ms anyway (DESIGN §4.5).
//! - That call is lost as well: the truth hints at the change itself (Postgres `NOTIFY`), and who is hinted at by the
//!   truth compares the cache with it at once.
//! - Both are lost: who asks for the version compares it with the truth if that is [`TRUTH_EVERY`] ago, so with each
//!   look. That is two cheap statements a second for each worker.
//!
//! Without Redis the truth answers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use postrider_domain::id::SpaceId;
use postrider_domain::space::SpaceSettings;
use postrider_domain::timestamp::Timestamp;
use postrider_domain::webhook::Webhook;
use postrider_ports::clock::Clock;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::subscriptions::{Changes, Snapshot, Subscriptions};
use postrider_wire::Wire;
use redis::Value;
use tokio::sync::Notify;

use crate::changes::{ChangeList, SpaceState, unsigned};
use crate::connection::Redis;
use crate::keys::{self, SETTINGS};
use crate::life::life_ms;
use crate::lua::{Call, Lua, text};

/// A version that was compared with the truth is not compared again for so long: half of the 500 ms between two looks of a
/// worker, so that each of these compares and a storm of hints does not.
pub const TRUTH_EVERY: Duration = Duration::from_millis(250);
/// How long a comparison with the truth may take; it is two statements. Then the cache counts, so that a worker does not
/// take its index for unverified only because the truth does not answer.
const TRUTH_WITHIN: Duration = Duration::from_secs(5);
/// How long a space's webhooks are cached before they are read again.
const CACHED_FOR: Duration = Duration::from_hours(1);
/// Between two attempts to listen for hints.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);
/// How often catching up is tried against others who do the same. Each time somebody got further.
const TRIES: usize = 16;

/// The fields of a space's hash that are no webhooks; no id contains `#`.
const ERA: &str = "#era";
const READ_AT: &str = "#at";

/// ARGV: era, version it was read at, life, then field and form of each. What was read later and is whole stays.
static FILL: Lua = Lua::new(
    "local found = redis.call('HMGET', KEYS[1], '#era', '#at', '#settings')
     local later = found[1] == ARGV[1] and found[2] and tonumber(found[2]) >= tonumber(ARGV[2])
     if later and found[3] then return 0 end
     redis.call('DEL', KEYS[1])
     redis.call('HSET', KEYS[1], '#era', ARGV[1], '#at', ARGV[2])
     for i = 4, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
     redis.call('PEXPIRE', KEYS[1], ARGV[3])
     return 1",
);

/// Webhooks cached in Redis.
pub struct RedisSubscriptions {
    redis: Arc<Redis>,
    list: ChangeList,
    truth: Arc<dyn Subscriptions>,
    clock: Arc<dyn Clock>,
    /// The highest version given out: the cache must not fall behind it.
    seen: AtomicU64,
    compared_at: Mutex<Option<Timestamp>>,
    changed: Notify,
}

impl RedisSubscriptions {
    /// A cache on this server before `truth`.
    pub fn new(redis: Arc<Redis>, truth: Arc<dyn Subscriptions>, clock: Arc<dyn Clock>) -> Self {
        let list = ChangeList::new(Arc::clone(&redis));
        let (seen, compared_at) = (AtomicU64::new(0), Mutex::default());
        Self { redis, list, truth, clock, seen, compared_at, changed: Notify::new() }
    }

    /// Brings the cache up to the truth and hints at it. Call it after every commit that changed a webhook; which one is
    /// learnt from the truth, so calls may come in any order, together, or for nothing. An error costs time, nothing
    /// else: the workers find the change by themselves with their next look.
    pub async fn published(&self) -> PortResult<()> {
        self.catch_up().await?;
        self.list.hint().await
    }

    /// Listens for hints as long as it runs; run it beside the services. Lost hints cost 500 ms, so when the server is
    /// away it only tries again.
    pub async fn listen(&self) {
        loop {
            match self.redis.hints().await {
                Ok(hints) => {
                    // Something may have changed while nobody listened.
                    self.changed.notify_waiters();
                    hints.for_each(|()| async { self.changed.notify_waiters() }).await;
                    tracing::warn!("the connection to Redis that hints at changed webhooks ended");
                }
                Err(error) => tracing::warn!(%error, "no hints at changed webhooks"),
            }
            self.clock.sleep_until(self.clock.now().plus(LISTEN_AGAIN)).await;
        }
    }

    /// Extends the list of changes up to the truth; returns the version it stands at then.
    async fn catch_up(&self) -> PortResult<u64> {
        for _ in 0..TRIES {
            // In this order: the truth only grows, so it is never behind the list unless one of them was replaced.
            let found = self.list.version().await?;
            let version = self.truth.version().await?;
            let done = match found {
                Some(found) if found == version => Some(version),
                Some(found) if found < version => self.extend(found).await?,
                found => self.begin(found, version).await?.then_some(version),
            };
            if let Some(version) = done {
                self.seen.store(version, Ordering::Relaxed);
                self.compared(self.clock.now());
                return Ok(version);
            }
        }
        Err(PortError::transient(format!(
            "bringing the cached webhooks up to the truth: {TRIES} times somebody else was faster"
        )))
    }

    /// Extends the list from `found`; `None` if it must be looked at again.
    async fn extend(&self, found: u64) -> PortResult<Option<u64>> {
        let changes = self.truth.changes_since(found).await?;
        let is_whole = !changes.incomplete && changes.version >= found && ChangeList::holds(&changes);
        if is_whole && self.list.extend(found, &changes).await? {
            return Ok(Some(changes.version));
        }
        // Somebody was faster, which the comparison inside finds; or the list cannot be extended.
        let begun = self.begin(Some(found), changes.version).await?;
        Ok(begun.then_some(changes.version))
    }

    async fn begin(&self, found: Option<u64>, version: u64) -> PortResult<bool> {
        let era = format!("{version}@{}", self.clock.now().unix_ms());
        self.list.begin(found, version, &era).await
    }

    /// Whether the cached version must be compared with the truth.
    fn is_due(&self, version: u64) -> bool {
        let now = self.clock.now();
        let last = *self.compared_at.lock().unwrap_or_else(PoisonError::into_inner);
        version < self.seen.load(Ordering::Relaxed)
            || last.is_none_or(|last| now < last || now >= last.plus(TRUTH_EVERY))
    }

    fn compared(&self, at: Timestamp) {
        *self.compared_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }

    fn give(&self, version: u64) -> u64 {
        self.seen.fetch_max(version, Ordering::Relaxed);
        version
    }

    /// The truth's version, or the one that was found in the cache if the truth is away and the cache not behind it: what
    /// everybody was told last still counts.
    async fn version_without_cache(&self, found: Option<u64>) -> PortResult<u64> {
        match (in_time(self.truth.version()).await, found) {
            (Err(_), Some(version)) if version >= self.seen.load(Ordering::Relaxed) => Ok(self.give(version)),
            (truth, _) => truth.map(|version| self.give(version)),
        }
    }

    /// The cached webhooks of a space, and what to fill it with otherwise.
    async fn cached(&self, space: &SpaceId) -> PortResult<(Option<Snapshot>, Option<SpaceState>)> {
        let calls = [ChangeList::ask_space(space), Call::plain("HGETALL", keys::webhooks(space))];
        let answers = self.redis.ask("reading the webhooks of a space", &calls).await?;
        let [state, webhooks] = answers.as_slice() else { return Ok((None, None)) };
        let state = ChangeList::space_state(state);
        let snapshot = state.as_ref().and_then(|state| snapshot(state, webhooks));
        let seen = self.seen.load(Ordering::Relaxed);
        Ok((snapshot.filter(|snapshot| snapshot.version >= seen), state))
    }

    async fn fill(&self, space: &SpaceId, state: &SpaceState, snapshot: &Snapshot) -> PortResult<()> {
        let mut call = Call::script(&FILL, keys::webhooks(space))
            .arg(&state.era)
            .arg(snapshot.version)
            .arg(life_ms(CACHED_FOR))
            .arg(SETTINGS)
            .arg(snapshot.settings.encode());
        for webhook in &snapshot.webhooks {
            call = call.arg(webhook.id.as_str()).arg(webhook.encode());
        }
        self.redis.ask_one("caching the webhooks of a space", call).await.map(drop)
    }
}

#[async_trait]
impl Subscriptions for RedisSubscriptions {
    async fn load(&self, space: &SpaceId) -> PortResult<Snapshot> {
        let (cached, state) = match self.cached(space).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "the webhooks of a space come from the store");
                (None, None)
            }
        };
        if let Some(snapshot) = cached {
            self.give(snapshot.version);
            return Ok(snapshot);
        }
        let snapshot = self.truth.load(space).await?;
        self.give(snapshot.version);
        if let Some(state) = state
            && let Err(error) = self.fill(space, &state, &snapshot).await
        {
            tracing::warn!(%error, "the webhooks of a space are not cached");
        }
        Ok(snapshot)
    }

    async fn version(&self) -> PortResult<u64> {
        let found = match self.list.version().await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "the version of the webhooks comes from the store");
                return self.truth.version().await.map(|version| self.give(version));
            }
        };
        match found {
            Some(version) if !self.is_due(version) => Ok(self.give(version)),
            found => match in_time(self.catch_up()).await {
                Ok(version) => Ok(version),
                Err(error) => {
                    tracing::warn!(%error, "the cached webhooks could not be compared with the store");
                    self.version_without_cache(found).await
                }
            },
        }
    }

    async fn changes_since(&self, version: u64) -> PortResult<Changes> {
        let listed = match self.list.since(version).await {
            Ok(listed) => listed,
            Err(error) => {
                tracing::warn!(%error, "the changes of webhooks come from the store");
                None
            }
        };
        let changes = match listed {
            Some(changes) => changes,
            None => self.truth.changes_since(version).await?,
        };
        self.give(changes.version);
        Ok(changes)
    }

    async fn hint(&self) {
        tokio::select! {
            () = self.changed.notified() => {}
            () = self.truth.hint() => {
                // Perhaps nobody told the cache.
                *self.compared_at.lock().unwrap_or_else(PoisonError::into_inner) = None;
            }
        }
    }
}

/// What the truth says, unless that takes too long.
async fn in_time<T>(answer: impl Future<Output = PortResult<T>>) -> PortResult<T> {
    let answered = tokio::time::timeout(TRUTH_WITHIN, answer).await;
    answered.unwrap_or_else(|_| {
        let seconds = TRUTH_WITHIN.as_secs();
        Err(PortError::transient(format!(
            "asking for the version of the webhooks: no answer within {seconds} s"
        )))
    })
}

/// The webhooks and settings in a space's hash, if they are whole: read in this era, and at or after the last change of the
/// space. Without settings it is not whole: what was never put there must not pass for what was never set.
fn snapshot(state: &SpaceState, hash: &Value) -> Option<Snapshot> {
    let (mut era, mut read_at, mut settings, mut webhooks) = (None, None, None, Vec::new());
    for (field, value) in pairs(hash)? {
        let Value::BulkString(form) = value else { return None };
        match text(field)? {
            ERA => era = text(value),
            READ_AT => read_at = unsigned(value),
            SETTINGS => settings = Some(SpaceSettings::decode(form).ok()?),
            _ => webhooks.push(Webhook::decode(form).ok()?),
        }
    }
    let read_at =
        read_at.filter(|read_at| era == Some(state.era.as_str()) && *read_at >= state.changed_at)?;
    Some(Snapshot { version: read_at.max(state.version), webhooks, settings: settings? })
}

/// Fields and values: a flat array in RESP2, a map in RESP3.
fn pairs(hash: &Value) -> Option<Vec<(&Value, &Value)>> {
    match hash {
        Value::Array(flat) => Some(flat.chunks_exact(2).map(|pair| (&pair[0], &pair[1])).collect()),
        Value::Map(pairs) => Some(pairs.iter().map(|(field, value)| (field, value)).collect()),
        _ => None,
    }
}
