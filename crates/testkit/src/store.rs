//! Spaces, tokens, sources and webhooks in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use postrider_domain::id::{SourceId, SpaceId, TokenId, WebhookId};
use postrider_domain::operational::Condition;
use postrider_domain::secret::Sealed;
use postrider_domain::source::Source;
use postrider_domain::space::SpaceSettings;
use postrider_domain::timestamp::Timestamp;
use postrider_domain::token::Token;
use postrider_domain::webhook::{Disabled, DisabledBy, Status, Webhook};
use postrider_ports::access::{Space, Spaces, Tokens};
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::registry::{Disable, Registry, Written};
use postrider_ports::sources::Sources;
use postrider_ports::subscriptions::{Change, Changes, Snapshot, Subscriptions};
use postrider_ports::wellness::{Patient, Wellness};
use tokio::sync::Notify;

/// The store: `Registry`, `Disable`, `Subscriptions`, `Tokens`, `Spaces`, `Sources`, `Wellness`.
#[derive(Default)]
pub struct MemoryStore {
    state: Mutex<State>,
    changed: Notify,
}

/// A webhook of a space, or its settings.
type Place = (SpaceId, Option<WebhookId>);

#[derive(Default)]
struct State {
    /// In the order of their making.
    webhooks: Vec<Webhook>,
    /// What changed with each version, from version 1 on: a webhook, or (`None`) the settings of the space.
    changes: Vec<Place>,
    tokens: Vec<Token>,
    spaces: BTreeMap<SpaceId, Space>,
    settings: BTreeMap<SpaceId, SpaceSettings>,
    sources: BTreeMap<(SpaceId, SourceId), Source>,
    ill: BTreeMap<(SpaceId, WebhookId), Condition>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// A store that holds these webhooks.
    pub fn holding(webhooks: impl IntoIterator<Item = Webhook>) -> Self {
        let store = Self::new();
        for webhook in webhooks {
            store.change(|state| (Some(webhook.place()), state.webhooks.push(webhook)));
        }
        store
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something; if it is named, the change is noted and told.
    fn change<T>(&self, work: impl FnOnce(&mut State) -> (Option<Place>, T)) -> T {
        let mut state = self.lock();
        let (changed, value) = work(&mut state);
        if let Some(changed) = changed {
            state.changes.push(changed);
            self.changed.notify_waiters();
        }
        value
    }
}

trait Placed {
    fn place(&self) -> Place;
}

impl Placed for Webhook {
    fn place(&self) -> Place {
        (self.space.clone(), Some(self.id.clone()))
    }
}

impl State {
    fn position(&self, space: &SpaceId, id: &WebhookId) -> Option<usize> {
        self.webhooks.iter().position(|one| one.space == *space && one.id == *id)
    }

    fn find(&self, space: &SpaceId, id: &WebhookId) -> Option<&Webhook> {
        self.position(space, id).map(|at| &self.webhooks[at])
    }

    fn version(&self) -> u64 {
        self.changes.len() as u64
    }

    fn settings(&self, space: &SpaceId) -> SpaceSettings {
        self.settings.get(space).cloned().unwrap_or_default()
    }

    /// What stands there now.
    fn present(&self, (space, webhook): Place) -> (SpaceId, Change) {
        let change = match webhook {
            Some(id) => {
                let webhook = self.find(&space, &id).cloned().map(Box::new);
                Change::Webhook(id, webhook)
            }
            None => Change::Settings(Box::new(self.settings(&space))),
        };
        (space, change)
    }
}

#[async_trait]
impl Registry for MemoryStore {
    async fn create(&self, webhook: &Webhook) -> PortResult<()> {
        self.change(|state| {
            if state.find(&webhook.space, &webhook.id).is_some() {
                return (None, Err(PortError::conflict(format!("webhook {} exists", webhook.id))));
            }
            state.webhooks.push(webhook.clone());
            (Some(webhook.place()), Ok(()))
        })
    }

    async fn update(&self, webhook: &Webhook, expected: u64) -> PortResult<Written> {
        Ok(self.change(|state| {
            let Some(at) = state.position(&webhook.space, &webhook.id) else {
                return (None, Written::Missing);
            };
            let current = state.webhooks[at].version;
            if current != expected {
                return (None, Written::VersionMismatch { current });
            }
            state.webhooks[at] = webhook.clone();
            (Some(webhook.place()), Written::Done(Box::new(webhook.clone())))
        }))
    }

    async fn delete(&self, space: &SpaceId, id: &WebhookId, expected: Option<u64>) -> PortResult<Written> {
        Ok(self.change(|state| {
            let Some(at) = state.position(space, id) else { return (None, Written::Missing) };
            let current = state.webhooks[at].version;
            if expected.is_some_and(|expected| expected != current) {
                return (None, Written::VersionMismatch { current });
            }
            let last = state.webhooks.remove(at);
            (Some(last.place()), Written::Done(Box::new(last)))
        }))
    }

    async fn get(&self, space: &SpaceId, id: &WebhookId) -> PortResult<Option<Webhook>> {
        Ok(self.lock().find(space, id).cloned())
    }

    async fn list(&self, space: &SpaceId, skip: usize, limit: usize) -> PortResult<(Vec<Webhook>, usize)> {
        let state = self.lock();
        let of_space: Vec<&Webhook> = state.webhooks.iter().filter(|one| one.space == *space).collect();
        let page = of_space.iter().rev().skip(skip).take(limit).map(|one| (*one).clone()).collect();
        Ok((page, of_space.len()))
    }
}

#[async_trait]
impl Disable for MemoryStore {
    async fn disable(&self, space: &SpaceId, id: &WebhookId, why: &Disabled) -> PortResult<bool> {
        Ok(self.change(|state| {
            let found = state.position(space, id).filter(|at| state.webhooks[*at].is_active());
            let Some(at) = found else { return (None, false) };
            let webhook = &mut state.webhooks[at];
            webhook.version += 1;
            webhook.status = Status::Disabled(why.clone());
            webhook.audit.updated_at = why.at;
            if why.by != DisabledBy::User {
                "postrider".clone_into(&mut webhook.audit.updated_by);
            }
            (Some((space.clone(), Some(id.clone()))), true)
        }))
    }
}

#[async_trait]
impl Subscriptions for MemoryStore {
    async fn load(&self, space: &SpaceId) -> PortResult<Snapshot> {
        let state = self.lock();
        let webhooks = state.webhooks.iter().filter(|one| one.space == *space).cloned().collect();
        Ok(Snapshot { version: state.version(), webhooks, settings: state.settings(space) })
    }

    async fn version(&self) -> PortResult<u64> {
        Ok(self.lock().version())
    }

    async fn changes_since(&self, version: u64) -> PortResult<Changes> {
        let state = self.lock();
        let now = state.version();
        let since = usize::try_from(version).unwrap_or(usize::MAX);
        let Some(later) = state.changes.get(since..) else {
            return Ok(Changes { version: now, changed: Vec::new(), incomplete: true });
        };
        let mut places = later.to_vec();
        places.sort();
        places.dedup();
        let changed = places.into_iter().map(|place| state.present(place)).collect();
        Ok(Changes { version: now, changed, incomplete: false })
    }

    async fn hint(&self) {
        self.changed.notified().await;
    }
}

#[async_trait]
impl Tokens for MemoryStore {
    async fn find(&self, sha256: &[u8; 32]) -> PortResult<Option<Token>> {
        Ok(self.lock().tokens.iter().find(|one| one.sha256 == *sha256).cloned())
    }

    async fn insert(&self, token: &Token) -> PortResult<()> {
        let mut state = self.lock();
        if state.tokens.iter().any(|one| one.id == token.id || one.sha256 == token.sha256) {
            return Err(PortError::conflict(format!("token {} exists", token.id)));
        }
        state.tokens.push(token.clone());
        Ok(())
    }

    async fn list(&self) -> PortResult<Vec<Token>> {
        let mut tokens = self.lock().tokens.clone();
        tokens.sort_by_key(|one| one.created_at);
        Ok(tokens)
    }

    async fn revoke(&self, id: &TokenId, at: Timestamp) -> PortResult<bool> {
        let mut state = self.lock();
        let Some(token) = state.tokens.iter_mut().find(|one| one.id == *id) else { return Ok(false) };
        token.revoked_at.get_or_insert(at);
        Ok(true)
    }
}

#[async_trait]
impl Spaces for MemoryStore {
    async fn space(&self, id: &SpaceId) -> PortResult<Option<Space>> {
        Ok(self.lock().spaces.get(id).cloned())
    }

    async fn spaces(&self) -> PortResult<Vec<Space>> {
        Ok(self.lock().spaces.values().cloned().collect())
    }

    async fn put_space(&self, space: &Space) -> PortResult<()> {
        let mut state = self.lock();
        // The day it was made stays.
        let known = state.spaces.entry(space.id.clone()).or_insert_with(|| space.clone());
        known.name.clone_from(&space.name);
        known.environments.clone_from(&space.environments);
        Ok(())
    }

    async fn settings(&self, id: &SpaceId) -> PortResult<SpaceSettings> {
        Ok(self.lock().settings(id))
    }

    async fn put_settings(&self, id: &SpaceId, settings: &SpaceSettings, expected: u64) -> PortResult<bool> {
        Ok(self.change(|state| {
            if state.settings(id).version != expected {
                return (None, false);
            }
            state.settings.insert(id.clone(), settings.clone());
            (Some((id.clone(), None)), true)
        }))
    }
}

#[async_trait]
impl Sources for MemoryStore {
    async fn source(&self, space: &SpaceId, id: &SourceId) -> PortResult<Option<Source>> {
        Ok(self.lock().sources.get(&(space.clone(), id.clone())).cloned())
    }

    async fn sources(&self, space: &SpaceId) -> PortResult<Vec<Source>> {
        Ok(self.lock().sources.values().filter(|one| one.space == *space).cloned().collect())
    }

    async fn put_source(&self, source: &Source) -> PortResult<()> {
        let mut state = self.lock();
        let place = (source.space.clone(), source.id.clone());
        let mut put = source.clone();
        if let Some(before) = state.sources.get(&place) {
            put.audit.created_at = before.audit.created_at;
            put.audit.created_by.clone_from(&before.audit.created_by);
        }
        state.sources.insert(place, put);
        Ok(())
    }

    async fn reseal_source(
        &self,
        space: &SpaceId,
        id: &SourceId,
        from: &Sealed,
        to: &Sealed,
    ) -> PortResult<bool> {
        let mut state = self.lock();
        let source = state.sources.get_mut(&(space.clone(), id.clone()));
        let Some(source) = source.filter(|one| one.secret == *from) else { return Ok(false) };
        source.secret = to.clone();
        Ok(true)
    }

    async fn delete_source(&self, space: &SpaceId, id: &SourceId) -> PortResult<bool> {
        Ok(self.lock().sources.remove(&(space.clone(), id.clone())).is_some())
    }
}

#[async_trait]
impl Wellness for MemoryStore {
    async fn note(&self, space: &SpaceId, webhook: &WebhookId, found: &Condition) -> PortResult<Condition> {
        let mut state = self.lock();
        let place = (space.clone(), webhook.clone());
        let known = state.ill.get(&place);
        let noted = found.after(known).or_else(|| known.cloned()).unwrap_or_else(|| found.clone());
        state.ill.insert(place, noted.clone());
        Ok(noted)
    }

    async fn told(&self, space: &SpaceId, webhook: &WebhookId, at: Timestamp) -> PortResult<()> {
        let mut state = self.lock();
        let known = state.ill.get_mut(&(space.clone(), webhook.clone()));
        if let Some(known) = known.filter(|known| known.at == at) {
            known.told = true;
        }
        Ok(())
    }

    async fn forget(&self, space: &SpaceId, webhook: &WebhookId, at: Timestamp) -> PortResult<()> {
        let mut state = self.lock();
        let place = (space.clone(), webhook.clone());
        if state.ill.get(&place).is_some_and(|known| known.at == at) {
            state.ill.remove(&place);
        }
        Ok(())
    }

    async fn ill(&self) -> PortResult<Vec<Patient>> {
        let state = self.lock();
        let patient = |((space, id), one): (&(SpaceId, WebhookId), &Condition)| {
            (space.clone(), id.clone(), one.clone())
        };
        Ok(state.ill.iter().map(patient).collect())
    }
}
