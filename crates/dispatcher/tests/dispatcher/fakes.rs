//! The servers of a test world: what outlives a dispatcher. Every call passes the taps.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use postrider_domain::coalesce::Window;
use postrider_domain::delivery::{DeliveryId, Progress};
use postrider_domain::event::{BodyRef, Content};
use postrider_domain::gathering::Gathering;
use postrider_domain::id::{EventId, SpaceId, WebhookId};
use postrider_domain::message::{Queue, RecordsMessage, TraceContext};
use postrider_domain::record::Record;
use postrider_domain::secret::Sealed;
use postrider_domain::space::SpaceSettings;
use postrider_domain::timestamp::{Day, Timestamp};
use postrider_domain::webhook::{Disabled, RateLimit, Status, Webhook};
use postrider_ports::bodies::Bodies;
use postrider_ports::clock::Clock;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::limits::{Breaker, Breakers, Leased, Rates};
use postrider_ports::progress::{Asked, Marks, Progresses};
use postrider_ports::queue::{Consume, Consumers, Lease, Message, Outgoing, Publish, Received};
use postrider_ports::registry::Disable;
use postrider_ports::secrets::{Place, Secrets};
use postrider_ports::subscriptions::{Change, Changes, Snapshot, Subscriptions};
use postrider_ports::windows::{Coalesced, Entry, Newest, Opening, Windows};
use postrider_testkit::ManualClock;
use postrider_testkit::store::MemoryStore;
use tokio::sync::Notify;

use crate::taps::Taps;

/// Everything but queues and receiver.
pub(crate) struct Servers {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) taps: Taps,
    pub(crate) state: Mutex<State>,
    pub(crate) hint: Notify,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) version: u64,
    pub(crate) webhooks: HashMap<(SpaceId, WebhookId), Webhook>,
    /// Settings of spaces.
    pub(crate) settings: HashMap<SpaceId, SpaceSettings>,
    /// A webhook, or (`None`) the settings of the space.
    pub(crate) changes: Vec<(u64, SpaceId, Option<WebhookId>)>,
    /// Changes up to this version are forgotten.
    pub(crate) forgotten: u64,
    pub(crate) marks: HashMap<DeliveryId, Progress>,
    pub(crate) windows: HashMap<String, Timestamp>,
    pub(crate) gathered: HashMap<(String, Timestamp), Gathering>,
    pub(crate) breakers: HashMap<WebhookId, Breaker>,
    pub(crate) buckets: HashMap<WebhookId, (f64, Timestamp)>,
    pub(crate) bodies: HashMap<[u8; 32], Content>,
    /// Messages to the log, in the order of their confirmation.
    pub(crate) messages: Vec<(RecordsMessage, bool)>,
    /// The trace that each of them belongs to.
    pub(crate) traces: Vec<TraceContext>,
    /// What the log answers suspects with; filled from `messages` unless the log lags.
    pub(crate) log: HashMap<DeliveryId, Progress>,
    pub(crate) log_lags: bool,
    pub(crate) keys_are_back: bool,
    /// What is noted of webhooks that are not well.
    pub(crate) ward: Arc<MemoryStore>,
    /// When an id was claimed, and whether it is committed.
    pub(crate) claims: HashMap<EventId, (Timestamp, bool)>,
}

impl Servers {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the servers")
    }

    fn gathered<T>(&self, windows: &[Window], ask: impl Fn(&mut Gathering) -> Option<T>) -> Vec<Option<T>> {
        let mut state = self.lock();
        let find = |one: &Window| ask(state.gathered.get_mut(&(one.key.clone(), one.ends_at))?);
        windows.iter().map(find).collect()
    }
}

impl State {
    /// Makes, changes or deletes a webhook.
    pub(crate) fn change(&mut self, space: &SpaceId, id: &WebhookId, webhook: Option<Webhook>) {
        self.version += 1;
        self.changes.push((self.version, space.clone(), Some(id.clone())));
        match webhook {
            Some(webhook) => drop(self.webhooks.insert((space.clone(), id.clone()), webhook)),
            None => drop(self.webhooks.remove(&(space.clone(), id.clone()))),
        }
    }

    fn write(&mut self, record: &Record) {
        let (id, progress) = match record {
            Record::Matched(_) => return,
            Record::Call(call) => (call.delivery.id(), Progress { state: call.state, attempt: call.attempt }),
            Record::Settled(one) => (one.delivery.id(), Progress { state: one.state, attempt: one.attempt }),
        };
        move_on(&mut self.log, id, progress);
    }
}

fn move_on(all: &mut HashMap<DeliveryId, Progress>, id: DeliveryId, progress: Progress) {
    let known = all.entry(id).or_insert(progress);
    if progress.replaces(*known) {
        *known = progress;
    }
}

#[async_trait]
impl Publish<RecordsMessage> for Servers {
    async fn publish(&self, batch: Vec<Outgoing<RecordsMessage>>) -> PortResult<()> {
        let store = async || {
            let mut state = self.lock();
            for one in batch {
                if !state.log_lags {
                    for record in &one.message.records {
                        state.write(record);
                    }
                }
                state.messages.push((one.message, one.suspect));
                state.traces.push(one.trace);
            }
        };
        self.taps.pass("records.publish", store).await
    }
}

#[async_trait]
impl Subscriptions for Servers {
    async fn load(&self, space: &SpaceId) -> PortResult<Snapshot> {
        let load = async || {
            let state = self.lock();
            let of_space = state.webhooks.iter().filter(|((of, _), _)| of == space);
            let webhooks = of_space.map(|(_, one)| one.clone()).collect();
            let settings = state.settings.get(space).cloned().unwrap_or_default();
            Snapshot { version: state.version, webhooks, settings }
        };
        self.taps.pass("subscriptions.load", load).await
    }

    async fn version(&self) -> PortResult<u64> {
        self.taps.pass("subscriptions.version", async || self.lock().version).await
    }

    async fn changes_since(&self, version: u64) -> PortResult<Changes> {
        let read = async || {
            let state = self.lock();
            let later = state.changes.iter().filter(|(at, ..)| *at > version);
            let changed = later.map(|(_, space, id)| {
                let change = match id {
                    Some(id) => {
                        let webhook = state.webhooks.get(&(space.clone(), id.clone())).cloned();
                        Change::Webhook(id.clone(), webhook.map(Box::new))
                    }
                    None => {
                        Change::Settings(Box::new(state.settings.get(space).cloned().unwrap_or_default()))
                    }
                };
                (space.clone(), change)
            });
            let incomplete = version < state.forgotten;
            Changes { version: state.version, changed: changed.collect(), incomplete }
        };
        self.taps.pass("subscriptions.changes", read).await
    }

    async fn hint(&self) {
        self.hint.notified().await;
    }
}

#[async_trait]
impl Disable for Servers {
    async fn disable(&self, space: &SpaceId, id: &WebhookId, why: &Disabled) -> PortResult<bool> {
        let disable = async || {
            let mut state = self.lock();
            let Some(webhook) = state.webhooks.get(&(space.clone(), id.clone())).cloned() else {
                return false;
            };
            let done = webhook.is_active();
            let (version, status) = (webhook.version + 1, Status::Disabled(why.clone()));
            state.change(space, id, Some(Webhook { status, version, ..webhook }));
            done
        };
        self.taps.pass("disable", disable).await
    }
}

#[async_trait]
impl Marks for Servers {
    async fn mark(&self, marks: &[(DeliveryId, Progress)]) -> PortResult<()> {
        let mark = async || {
            let mut state = self.lock();
            for (id, progress) in marks {
                move_on(&mut state.marks, *id, *progress);
            }
        };
        self.taps.pass("marks.mark", mark).await
    }

    async fn marked(&self, ids: &[DeliveryId]) -> PortResult<Vec<Option<Progress>>> {
        let read = async || {
            let state = self.lock();
            ids.iter().map(|id| state.marks.get(id).copied()).collect()
        };
        self.taps.pass("marks.marked", read).await
    }
}

#[async_trait]
impl Progresses for Servers {
    async fn progress(&self, asked: &[Asked]) -> PortResult<Vec<Option<Progress>>> {
        let read = async || {
            let state = self.lock();
            asked.iter().map(|one| state.log.get(&one.id).copied()).collect()
        };
        self.taps.pass("progresses", read).await
    }
}

#[async_trait]
impl Windows for Servers {
    async fn join(&self, openings: &[Opening]) -> PortResult<Vec<Timestamp>> {
        let join = async || {
            let mut state = self.lock();
            let join = |one: &Opening| {
                let ends = state.windows.entry(one.key.clone()).or_insert(one.ends_at);
                if one.at >= *ends {
                    *ends = one.ends_at;
                }
                *ends
            };
            openings.iter().map(join).collect()
        };
        self.taps.pass("windows.join", join).await
    }

    async fn register(&self, confirmed: &[Entry]) -> PortResult<()> {
        let register = async || {
            let mut state = self.lock();
            for entry in confirmed {
                let key = (entry.window.key.clone(), entry.window.ends_at);
                let gathering = state.gathered.entry(key).or_default();
                gathering.enter(&entry.window, entry.delivery, &entry.event, true);
            }
        };
        self.taps.pass("windows.register", register).await
    }

    async fn newest(&self, windows: &[Window]) -> PortResult<Vec<Option<Newest>>> {
        let read = async || self.gathered(windows, Gathering::newest);
        self.taps.pass("windows.newest", read).await
    }

    async fn coalesced(&self, windows: &[Window]) -> PortResult<Vec<Option<Coalesced>>> {
        let read = async || self.gathered(windows, |gathering| Some(gathering.coalesced()));
        self.taps.pass("windows.coalesced", read).await
    }
}

#[async_trait]
impl Rates for Servers {
    async fn lease(
        &self,
        _: &SpaceId,
        webhook: &WebhookId,
        limit: RateLimit,
        wanted: u32,
    ) -> PortResult<Leased> {
        let lease = async || {
            let now = self.clock.now();
            let per_ms = f64::from(limit.calls) / limit.per.as_secs_f64() / 1000.0;
            let mut state = self.lock();
            let full = f64::from(limit.calls);
            let (tokens, at) = state.buckets.entry(webhook.clone()).or_insert((full, now));
            #[expect(clippy::cast_precision_loss, reason = "tests last less than 2^52 ms")]
            let passed = now.since(*at).as_millis() as f64;
            *tokens = (*tokens + passed * per_ms).min(full);
            *at = now;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "tokens are few")]
            let granted = ((*tokens + 1e-9).floor() as u32).min(wanted);
            *tokens -= f64::from(granted);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a short wait")]
            let wait = ((1.0 - *tokens) / per_ms).ceil().max(1.0) as u64;
            Leased { granted, again_at: now.plus(std::time::Duration::from_millis(wait)) }
        };
        self.taps.pass("rates.lease", lease).await
    }
}

#[async_trait]
impl Breakers for Servers {
    async fn breakers(&self, webhooks: &[(SpaceId, WebhookId)]) -> PortResult<Vec<Option<Breaker>>> {
        let read = async || {
            let state = self.lock();
            webhooks.iter().map(|(_, id)| state.breakers.get(id).copied()).collect()
        };
        self.taps.pass("breakers", read).await
    }

    async fn open(&self, _: &SpaceId, webhook: &WebhookId, until: Timestamp) -> PortResult<()> {
        let open = async || {
            self.lock().breakers.insert(webhook.clone(), Breaker::Open { until });
        };
        self.taps.pass("breakers.open", open).await
    }

    async fn probe(&self, _: &SpaceId, webhook: &WebhookId, until: Timestamp) -> PortResult<bool> {
        let probe = async || {
            let now = self.clock.now();
            let mut state = self.lock();
            let Some(breaker) = state.breakers.get_mut(webhook) else { return false };
            let (Breaker::Open { until: due } | Breaker::HalfOpen { until: due }) = *breaker;
            let may = due <= now;
            if may {
                *breaker = Breaker::HalfOpen { until };
            }
            may
        };
        self.taps.pass("breakers.probe", probe).await
    }

    async fn close(&self, _: &SpaceId, webhook: &WebhookId) -> PortResult<()> {
        let close = async || {
            self.lock().breakers.remove(webhook);
        };
        self.taps.pass("breakers.close", close).await
    }
}

#[async_trait]
impl Bodies for Servers {
    async fn put(&self, day: Day, content: &Content) -> PortResult<BodyRef> {
        let mut state = self.lock();
        let number = u8::try_from(state.bodies.len()).expect("tests store few bodies");
        let sha256 = [number; 32];
        state.bodies.insert(sha256, content.clone());
        Ok(BodyRef { day, sha256, length: 0 })
    }

    async fn get(&self, body: &BodyRef) -> PortResult<Content> {
        let read = async || self.lock().bodies.get(&body.sha256).cloned();
        let found = self.taps.pass("bodies.get", read).await?;
        found.ok_or_else(|| PortError::permanent("the content is gone: its day was removed"))
    }
}

/// What is sealed reads `sealed:` and the secret. `lost:` has a key that is not in the ring until `keys_are_back`;
/// anything else was damaged.
impl Secrets for Servers {
    fn seal(&self, _: Place<'_>, secret: &str) -> PortResult<Sealed> {
        Ok(Sealed::new(format!("sealed:{secret}")))
    }

    fn open(&self, _: Place<'_>, sealed: &Sealed) -> PortResult<String> {
        let opened = |prefix| sealed.as_str().strip_prefix(prefix).map(str::to_owned);
        let lost = opened("lost:").map(|secret| {
            let missing = || PortError::transient("it is sealed with key k1, which is not in the key ring");
            if self.lock().keys_are_back { Ok(secret) } else { Err(missing()) }
        });
        let damaged = || Err(PortError::permanent("it was changed or moved"));
        opened("sealed:").map(Ok).or(lost).unwrap_or_else(damaged)
    }
}

/// A queue behind the taps, leases included.
pub(crate) struct Tapped<Q> {
    pub(crate) queue: Q,
    pub(crate) taps: Taps,
}

struct TappedConsumer<M> {
    inner: Box<dyn Consume<M>>,
    taps: Taps,
}

struct TappedLease {
    inner: Box<dyn Lease>,
    taps: Taps,
}

#[async_trait]
impl<M: Message, Q: Publish<M>> Publish<M> for Tapped<Q> {
    async fn publish(&self, batch: Vec<Outgoing<M>>) -> PortResult<()> {
        self.taps.pass("deliver.publish", async || self.queue.publish(batch).await).await?
    }
}

impl<M: Message, Q: Consumers<M>> Consumers<M> for Tapped<Q> {
    fn consumer(&self, queue: Queue) -> Box<dyn Consume<M>> {
        Box::new(TappedConsumer { inner: self.queue.consumer(queue), taps: self.taps.clone() })
    }
}

#[async_trait]
impl<M: Message> Consume<M> for TappedConsumer<M> {
    async fn receive(&mut self, max: usize) -> PortResult<Vec<Received<M>>> {
        let received = self.inner.receive(max).await?;
        let tapped = received.into_iter().map(|one| Received {
            lease: Box::new(TappedLease { inner: one.lease, taps: self.taps.clone() }) as Box<dyn Lease>,
            ..one
        });
        Ok(tapped.collect())
    }
}

#[async_trait]
impl Lease for TappedLease {
    async fn ack(self: Box<Self>) -> PortResult<()> {
        let Self { inner, taps } = *self;
        taps.pass("lease.ack", async || inner.ack().await).await?
    }

    async fn reject(self: Box<Self>, reason: &str) -> PortResult<()> {
        let Self { inner, taps } = *self;
        taps.pass("lease.reject", async || inner.reject(reason).await).await?
    }

    async fn park(self: Box<Self>, reason: &str) -> PortResult<()> {
        let Self { inner, taps } = *self;
        taps.pass("lease.park", async || inner.park(reason).await).await?
    }

    async fn release(self: Box<Self>) -> PortResult<()> {
        let Self { inner, taps } = *self;
        taps.pass("lease.release", async || inner.release().await).await?
    }
}
