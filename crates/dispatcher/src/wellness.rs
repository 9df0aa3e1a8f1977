//! Which webhooks are not well, as this worker sees it, and telling of it: `Webhook.failing` when a delivery is given up or
//! the breaker opens, `Webhook.disabled` after a 410 or when jobs give a webhook up, `Webhook.recovered` at the first
//! success after that.
//!
//! What is noted in the store is told once, by whoever gets to it: at once by who noted it, and otherwise, when that one died
//! or it was noted by jobs, by any worker at its next look. Calls of webhooks that are well cost a look into an empty map.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use postrider_domain::delivery::DeliveryState;
use postrider_domain::diagnosis::diagnose;
use postrider_domain::message::TraceContext;
use postrider_domain::operational::{Condition, Ill, News, is_operational};
use postrider_domain::outcome::Outcome;
use postrider_domain::timestamp::Timestamp;
use postrider_domain::webhook::Webhook;
use postrider_ports::error::PortResult;
use postrider_ports::wellness::Wellness;
use tracing::{info, warn};

use crate::Error;
use crate::announce::{Announced, Announcer, BEING_TOLD, Notice};
use crate::bundle::Ticket;
use crate::call::Made;
use crate::deps::Deps;
use crate::index::Known;
use crate::shares::Key;
use crate::worker::Worker;

/// How often the store is asked who is not well. A success within this time after another worker noted the failure may not
/// be seen as a recovery; the next one is.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is noted and not told for so long is told by whoever sees it.
const OVERDUE: Duration = BEING_TOLD;

/// Those who are not well.
pub(crate) struct Ward {
    store: Arc<dyn Wellness>,
    announcer: Announcer,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    ill: HashMap<Key, Condition>,
    /// Those that were disabled, enabled again and called by this worker since: when they were disabled.
    probed: HashMap<Key, Timestamp>,
    /// Somebody here is about to tell something of these.
    busy: HashSet<Key>,
    /// Grows with every change made here: a look that began before one knows less.
    edits: u64,
    looked_at: Option<Timestamp>,
}

/// Keeps others here from telling the same at the same time.
struct Busy<'w> {
    ward: &'w Ward,
    key: Key,
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.ward.lock().busy.remove(&self.key);
    }
}

/// Looks again and again, until somebody asks to stop.
pub(crate) async fn run(worker: Arc<Worker>) -> Result<(), Error> {
    let looking = async {
        loop {
            worker.deps.clock.sleep_until(worker.now().plus(LOOK_EVERY)).await;
            look(&worker).await;
        }
    };
    tokio::select! {
        biased;
        () = worker.stop.cancelled() => Ok(()),
        () = looking => Ok(()),
    }
}

/// Asks the store who is not well, if that was not done lately, and tells what nobody told.
pub(crate) async fn look(worker: &Worker) {
    let now = worker.now();
    let edits = {
        let mut seen = worker.ward.lock();
        if seen.looked_at.is_some_and(|at| now < at.plus(LOOK_EVERY)) {
            return;
        }
        seen.looked_at = Some(now);
        seen.edits
    };
    let listed = match worker.ward.store.ill().await {
        Ok(listed) => listed,
        Err(error) => {
            return warn!(%error, "nobody knows which webhooks are not well; those known so far count");
        }
    };
    let ill: HashMap<Key, Condition> =
        listed.into_iter().map(|(space, webhook, one)| (Key { space, webhook }, one)).collect();
    let overdue = |one: &Condition| !one.told && one.at.plus(OVERDUE) <= now;
    let untold: Vec<_> =
        ill.iter().filter(|(_, one)| overdue(one)).map(|(key, one)| (key.clone(), one.clone())).collect();
    {
        let mut seen = worker.ward.lock();
        if seen.edits == edits {
            seen.probed.retain(|key, _| ill.contains_key(key));
            seen.ill = ill;
        }
    }
    for (key, condition) in untold {
        // Who was deleted meanwhile is of no interest, and jobs forget it.
        if let Ok(Some(known)) = worker.spaces.webhook(&key.space, &key.webhook).await {
            worker.ward.tell(&known.webhook, &condition, TraceContext::default(), now).await;
        }
    }
}

/// What a call says about its webhook's health is noted and told. Calls with events about webhooks say nothing: they would
/// cause further ones.
pub(crate) async fn learn(worker: &Worker, ticket: &Ticket, known: &Known, made: &Made, broke: bool) {
    if is_operational(&ticket.bundle.event.head) {
        return;
    }
    let (webhook, now, trace) = (&known.webhook, worker.now(), made.trace.clone());
    match made.record.state {
        // Noted and told by [`gone`].
        _ if made.outcome == Outcome::Gone => {}
        DeliveryState::Delivered => worker.ward.succeeded(webhook, made, now).await,
        state if state == DeliveryState::GivenUp || broke => {
            let cause = diagnose(&made.record).map_or_else(|| "no success".to_owned(), |found| found.cause);
            let reason = if broke {
                format!("calls fail one after the other and are held back for now: {cause}")
            } else {
                format!("a delivery was given up after attempt {}: {cause}", made.record.attempt)
            };
            if is_still_active(worker, webhook).await {
                let found = found(webhook, made, reason, now);
                worker.ward.fails(webhook, &found, trace).await;
            }
        }
        _ => {}
    }
}

/// Notes that a webhook is to be disabled because its receiver is gone; what comes back is told once it is
/// ([`Ward::tell`]). `None` when nothing is to be told.
pub(crate) async fn gone(
    worker: &Worker,
    ticket: &Ticket,
    known: &Known,
    made: &Made,
    reason: &str,
) -> Option<Condition> {
    if is_operational(&ticket.bundle.event.head) {
        return None;
    }
    let found = found(&known.webhook, made, reason.to_owned(), worker.now());
    worker.ward.note(&known.webhook, &Condition { ill: Ill::Disabled, ..found }).await
}

fn found(webhook: &Webhook, made: &Made, reason: String, now: Timestamp) -> Condition {
    Condition {
        ill: Ill::Failing,
        at: now,
        since: now,
        webhook_version: webhook.version,
        reason,
        last_status: made.record.response.as_ref().map(|response| response.status),
        told: false,
    }
}

/// A call that ends after its webhook was disabled says nothing that matters.
async fn is_still_active(worker: &Worker, webhook: &Webhook) -> bool {
    let known = worker.spaces.webhook(&webhook.space, &webhook.id).await;
    known.is_ok_and(|known| known.is_some_and(|known| known.webhook.is_active()))
}

impl Ward {
    pub(crate) fn new(deps: &Deps) -> Self {
        let announcer = Announcer { claims: Arc::clone(&deps.claims), events: Arc::clone(&deps.announce) };
        Self { store: Arc::clone(&deps.wellness), announcer, seen: Mutex::default() }
    }

    /// Whether this is the first call since a webhook was enabled whose receiver was gone, or failed for days: it must show
    /// first that it lives again.
    pub(crate) fn is_first_since_enabled(&self, known: &Known) -> bool {
        let mut seen = self.lock();
        // Most webhooks are well, and this is on the way of every call.
        if seen.ill.is_empty() {
            return false;
        }
        let key = &known.callee.key;
        let disabled = seen.ill.get(key).filter(|one| one.ill == Ill::Disabled);
        let enabled_since = disabled.filter(|one| one.ends_by(known.webhook.version)).map(|one| one.at);
        enabled_since.is_some_and(|at| seen.probed.insert(key.clone(), at) != Some(at))
    }

    /// Notes a failure and tells of it, unless that was done already.
    async fn fails(&self, webhook: &Webhook, found: &Condition, trace: TraceContext) {
        let key = key(webhook);
        let stands = |one: &Condition| one.told && found.after(Some(one)).is_none();
        if self.lock().ill.get(&key).is_some_and(stands) {
            return;
        }
        // Many deliveries may be given up at once; one tells of it.
        let Some(_busy) = self.begin(&key) else { return };
        if let Some(condition) = self.note(webhook, found).await {
            self.tell(webhook, &condition, trace, found.at).await;
        }
    }

    /// What stands in the store after this was found; `None` when it is told already. Without the store it is told all the
    /// same: rather once more than never.
    async fn note(&self, webhook: &Webhook, found: &Condition) -> Option<Condition> {
        let noted = match self.store.note(&webhook.space, &webhook.id, found).await {
            Ok(noted) => noted,
            Err(error) => {
                warn!(%error, space = %webhook.space, webhook = %webhook.id, "it cannot be noted that a webhook fails");
                found.clone()
            }
        };
        self.edit(|ill| drop(ill.insert(key(webhook), noted.clone())));
        (!noted.told).then_some(noted)
    }

    /// Tells how a webhook stands, and notes that it is told.
    pub(crate) async fn tell(
        &self,
        webhook: &Webhook,
        condition: &Condition,
        trace: TraceContext,
        now: Timestamp,
    ) {
        let told = self.try_tell(webhook, condition, trace, now).await;
        if let Err(error) = told {
            warn!(%error, space = %webhook.space, webhook = %webhook.id, "it could not be told that a webhook is not well; it is tried again");
        }
    }

    async fn try_tell(
        &self,
        webhook: &Webhook,
        condition: &Condition,
        trace: TraceContext,
        now: Timestamp,
    ) -> PortResult<Announced> {
        let Condition { ill, at, reason, last_status, .. } = condition;
        let notice = Notice {
            news: ill.news(),
            at: *at,
            reason,
            last_status: *last_status,
            ..notice(webhook, condition, now)
        };
        if self.announcer.announce(&notice, trace, now).await? == Announced::Elsewhere {
            return Ok(Announced::Elsewhere);
        }
        info!(space = %webhook.space, webhook = %webhook.id, state = ill.as_str(), "a webhook is not well");
        self.edit(|all| {
            if let Some(known) = all.get_mut(&key(webhook)).filter(|known| known.at == *at) {
                known.told = true;
            }
        });
        self.store.told(&webhook.space, &webhook.id, *at).await?;
        Ok(Announced::Accepted)
    }

    /// The first success after a failure is told.
    async fn succeeded(&self, webhook: &Webhook, made: &Made, now: Timestamp) {
        let key = key(webhook);
        let known = {
            let seen = self.lock();
            // Most webhooks are well, and this is on the way of every call.
            if seen.ill.is_empty() {
                return;
            }
            seen.ill.get(&key).cloned()
        };
        let Some(condition) = known.filter(|one| one.ends_by(webhook.version)) else { return };
        let Some(_busy) = self.begin(&key) else { return };
        if let Err(error) = self.recover(webhook, &condition, made, now).await {
            warn!(%error, space = %webhook.space, webhook = %webhook.id, "it could not be told that a webhook is well again; its next success tells it");
        }
    }

    async fn recover(
        &self,
        webhook: &Webhook,
        condition: &Condition,
        made: &Made,
        now: Timestamp,
    ) -> PortResult<()> {
        // Nobody is told of the end of what he was not told of.
        if !condition.told {
            let told = self.try_tell(webhook, condition, made.trace.clone(), now).await?;
            // The end is not told before the beginning; the next success tells it.
            if told == Announced::Elsewhere {
                return Ok(());
            }
        }
        let last_status = made.record.response.as_ref().map(|response| response.status);
        let notice = Notice { last_status, ..notice(webhook, condition, now) };
        if self.announcer.announce(&notice, made.trace.clone(), now).await? == Announced::Elsewhere {
            return Ok(());
        }
        info!(space = %webhook.space, webhook = %webhook.id, "a webhook is well again");
        self.edit(|ill| drop(ill.remove(&key(webhook))));
        self.store.forget(&webhook.space, &webhook.id, condition.at).await
    }

    fn begin(&self, key: &Key) -> Option<Busy<'_>> {
        let begins = self.lock().busy.insert(key.clone());
        begins.then(|| Busy { ward: self, key: key.clone() })
    }

    fn edit(&self, change: impl FnOnce(&mut HashMap<Key, Condition>)) {
        let mut seen = self.lock();
        seen.edits += 1;
        change(&mut seen.ill);
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(webhook: &Webhook) -> Key {
    Key { space: webhook.space.clone(), webhook: webhook.id.clone() }
}

/// That it is well again.
fn notice<'n>(webhook: &'n Webhook, condition: &'n Condition, now: Timestamp) -> Notice<'n> {
    Notice {
        space: &webhook.space,
        webhook: &webhook.id,
        name: &webhook.name,
        news: News::Recovered,
        condition,
        at: now,
        reason: "a call succeeded",
        last_status: None,
    }
}
