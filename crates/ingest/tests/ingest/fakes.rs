//! The ports that ingest stands on, in memory, and able to fail when they are told to.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use postrider_domain::event::{BodyRef, Content};
use postrider_domain::id::{EventId, SpaceId, TokenId};
use postrider_domain::message::{EventMessage, Queue};
use postrider_domain::secret::Sealed;
use postrider_domain::timestamp::{Day, Timestamp};
use postrider_domain::token::Token;
use postrider_ports::access::Tokens;
use postrider_ports::bodies::Bodies;
use postrider_ports::claims::{COMMITTED_FOR, Claimed, Claims, PENDING_FOR};
use postrider_ports::clock::Clock;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::queue::{Depth, Depths, Outgoing, Publish};
use postrider_ports::secrets::{Place, SOURCE, Secrets};
use postrider_testkit::ManualClock;
use postrider_testkit::log::MemoryLog;
use postrider_testkit::queue::MemoryQueue;
use postrider_testkit::store::MemoryStore;
use tokio::sync::Semaphore;

/// Makes a port fail until told otherwise.
#[derive(Default)]
pub(crate) struct Fault(Mutex<Option<bool>>);

impl Fault {
    pub(crate) fn transient(&self) {
        *self.0.lock().expect("lock") = Some(true);
    }

    pub(crate) fn permanent(&self) {
        *self.0.lock().expect("lock") = Some(false);
    }

    pub(crate) fn heal(&self) {
        *self.0.lock().expect("lock") = None;
    }

    pub(crate) fn check(&self) -> PortResult<()> {
        match *self.0.lock().expect("lock") {
            None => Ok(()),
            Some(true) => Err(PortError::transient("away: secret-host:5432")),
            Some(false) => Err(PortError::permanent("broken: secret-host:5432")),
        }
    }
}

/// The queue of events: how full it is, the test says.
pub(crate) struct FaultyQueue {
    pub fault: Fault,
    pub inner: MemoryQueue,
    /// While set, publishing announces itself and waits for the gate.
    pub gate: Mutex<Option<Arc<Gate>>>,
    pub ready: AtomicU64,
    /// How often it was asked to publish.
    pub publishes: AtomicU64,
    /// An event that can never be published.
    pub poison: Mutex<Option<EventId>>,
}

impl FaultyQueue {
    pub(crate) fn new(clock: Arc<ManualClock>) -> Self {
        Self {
            fault: Fault::default(),
            inner: MemoryQueue::new(clock),
            gate: Mutex::default(),
            ready: AtomicU64::new(0),
            publishes: AtomicU64::new(0),
            poison: Mutex::default(),
        }
    }
}

/// Holds up whoever comes.
pub(crate) struct Gate {
    came: Semaphore,
    open: Semaphore,
}

impl Gate {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { came: Semaphore::new(0), open: Semaphore::new(0) })
    }

    /// Waits until so many have come to the gate since the last time.
    pub(crate) async fn came(&self, many: u32) {
        self.came.acquire_many(many).await.expect("never closed").forget();
    }

    pub(crate) fn open(&self) {
        self.open.add_permits(Semaphore::MAX_PERMITS / 2);
    }
}

#[async_trait]
impl Publish<EventMessage> for FaultyQueue {
    async fn publish(&self, batch: Vec<Outgoing<EventMessage>>) -> PortResult<()> {
        let gate = self.gate.lock().expect("lock").clone();
        if let Some(gate) = gate {
            gate.came.add_permits(1);
            let _passed = gate.open.acquire().await;
        }
        self.publishes.fetch_add(1, Ordering::Relaxed);
        self.fault.check()?;
        let poison = self.poison.lock().expect("lock").clone();
        if batch.iter().any(|one| Some(&one.message.event.head.id) == poison.as_ref()) {
            return Err(PortError::permanent("poison: secret-host:5432"));
        }
        self.inner.publish(batch).await
    }
}

#[async_trait]
impl Depths for FaultyQueue {
    async fn depth(&self, queue: Queue) -> PortResult<Depth> {
        self.fault.check()?;
        let ready = if queue == Queue::Events { self.ready.load(Ordering::Relaxed) } else { 0 };
        Ok(Depth { ready, delayed: 1_000_000, leased: 1_000_000 })
    }
}

/// The memory of ids.
pub(crate) struct FakeClaims {
    pub fault: Fault,
    pub commit_fault: Fault,
    pub is_forgetful: AtomicBool,
    /// How often it was asked to claim.
    pub calls: AtomicU64,
    clock: Arc<ManualClock>,
    known: Mutex<HashMap<(SpaceId, EventId), Known>>,
}

struct Known {
    sha256: [u8; 32],
    accepted_at: Timestamp,
    since: Timestamp,
    is_committed: bool,
}

impl FakeClaims {
    pub(crate) fn new(clock: Arc<ManualClock>) -> Self {
        Self {
            fault: Fault::default(),
            commit_fault: Fault::default(),
            is_forgetful: AtomicBool::new(false),
            calls: AtomicU64::new(0),
            clock,
            known: Mutex::default(),
        }
    }
}

#[async_trait]
impl Claims for FakeClaims {
    async fn claim(
        &self,
        space: &SpaceId,
        wanted: &[(EventId, [u8; 32])],
        accepted_at: Timestamp,
    ) -> PortResult<Vec<Claimed>> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.fault.check()?;
        let now = self.clock.now();
        let mut known = self.known.lock().expect("lock");
        known.retain(|_, one| {
            now < one.since.plus(if one.is_committed { COMMITTED_FOR } else { PENDING_FOR })
        });
        let mut claim = |(id, sha256): &(EventId, [u8; 32])| match known.get(&(space.clone(), id.clone())) {
            Some(one) if one.sha256 != *sha256 => Claimed::OtherBody,
            Some(one) if one.is_committed => Claimed::Committed { accepted_at: one.accepted_at },
            Some(one) => Claimed::Pending { accepted_at: one.accepted_at },
            None => {
                let fresh = Known { sha256: *sha256, accepted_at, since: now, is_committed: false };
                known.insert((space.clone(), id.clone()), fresh);
                if self.is_forgetful.load(Ordering::Relaxed) {
                    Claimed::FreshButForgetful
                } else {
                    Claimed::Fresh
                }
            }
        };
        Ok(wanted.iter().map(&mut claim).collect())
    }

    async fn commit(
        &self,
        space: &SpaceId,
        accepted: &[(EventId, [u8; 32])],
        accepted_at: Timestamp,
    ) -> PortResult<()> {
        self.commit_fault.check()?;
        let mut known = self.known.lock().expect("lock");
        for (id, sha256) in accepted {
            let committed =
                Known { sha256: *sha256, accepted_at, since: self.clock.now(), is_committed: true };
            known.insert((space.clone(), id.clone()), committed);
        }
        Ok(())
    }

    async fn release(&self, space: &SpaceId, ids: &[EventId]) -> PortResult<()> {
        let mut known = self.known.lock().expect("lock");
        for id in ids {
            known.remove(&(space.clone(), id.clone()));
        }
        Ok(())
    }
}

/// The body store, and what was put into it.
#[derive(Default)]
pub(crate) struct FaultyBodies {
    pub fault: Fault,
    pub kept: Mutex<Vec<(Day, Content)>>,
    inner: MemoryLog,
}

#[async_trait]
impl Bodies for FaultyBodies {
    async fn put(&self, day: Day, content: &Content) -> PortResult<BodyRef> {
        self.fault.check()?;
        self.kept.lock().expect("lock").push((day, content.clone()));
        self.inner.put(day, content).await
    }

    async fn get(&self, body: &BodyRef) -> PortResult<Content> {
        self.inner.get(body).await
    }
}

/// Finds tokens, and counts how often it is asked.
#[derive(Default)]
pub(crate) struct FaultyTokens {
    pub fault: Fault,
    pub inner: Arc<MemoryStore>,
    pub lookups: AtomicU64,
}

#[async_trait]
impl Tokens for FaultyTokens {
    async fn find(&self, sha256: &[u8; 32]) -> PortResult<Option<Token>> {
        self.fault.check()?;
        self.lookups.fetch_add(1, Ordering::Relaxed);
        self.inner.find(sha256).await
    }

    async fn insert(&self, token: &Token) -> PortResult<()> {
        self.inner.insert(token).await
    }

    async fn list(&self) -> PortResult<Vec<Token>> {
        self.inner.list().await
    }

    async fn revoke(&self, id: &TokenId, at: Timestamp) -> PortResult<bool> {
        self.inner.revoke(id, at).await
    }
}

/// Seals by naming the place.
pub(crate) struct PlainSecrets;

impl Secrets for PlainSecrets {
    fn seal(&self, place: Place<'_>, secret: &str) -> PortResult<Sealed> {
        Ok(Sealed::new(format!("{}/{}/{}={secret}", place.space, place.owner, place.field)))
    }

    fn open(&self, place: Place<'_>, sealed: &Sealed) -> PortResult<String> {
        let place = format!("{}/{}/{SOURCE}=", place.space, place.owner);
        let opened = sealed.as_str().strip_prefix(&place).map(str::to_owned);
        opened.ok_or_else(|| PortError::permanent("sealed for another place: secret-place"))
    }
}
