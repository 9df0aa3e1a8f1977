//! Claims on event ids.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use postrider_domain::id::{EventId, SpaceId};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::claims::{COMMITTED_FOR, Claimed, Claims, PENDING_FOR};
use postrider_ports::clock::Clock;
use postrider_ports::error::PortResult;

use crate::expiring::Expiring;

/// Ids remembered at most: about 200 bytes each, so 20 MiB. Beyond, what would end first is forgotten early, and until it
/// would have ended every unknown id is a suspect.
const MOST: usize = 100_000;

/// Claims in memory.
pub struct MemoryClaims {
    clock: Arc<dyn Clock>,
    memory: Mutex<Memory>,
}

struct Memory {
    ids: Expiring<(SpaceId, EventId), Claim>,
    /// Until then an unknown id may be one that was accepted and forgotten: by the process before this one, or for room.
    forgetful_until: Timestamp,
}

#[derive(Clone, Copy)]
struct Claim {
    body: [u8; 32],
    accepted_at: Timestamp,
    committed: bool,
}

impl MemoryClaims {
    /// An empty memory. `cold` says that a process before this one worked on the same data: what it accepted is
    /// forgotten, so unknown ids are suspect for a day.
    pub fn new(clock: Arc<dyn Clock>, cold: bool) -> Self {
        let now = clock.now();
        let forgetful_until = if cold { now.plus(COMMITTED_FOR) } else { now };
        Self { clock, memory: Mutex::new(Memory { ids: Expiring::new(MOST), forgetful_until }) }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Memory, Timestamp) -> T) -> T {
        let now = self.clock.now();
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.ids.sweep(now);
        work(&mut memory, now)
    }
}

impl Memory {
    fn put(&mut self, key: (SpaceId, EventId), claim: Claim, end: Timestamp) {
        if let Some(forgotten) = self.ids.put(key, claim, end) {
            self.forgetful_until = self.forgetful_until.max(forgotten);
        }
    }
}

#[async_trait]
impl Claims for MemoryClaims {
    async fn claim(
        &self,
        space: &SpaceId,
        wanted: &[(EventId, [u8; 32])],
        accepted_at: Timestamp,
    ) -> PortResult<Vec<Claimed>> {
        Ok(self.with(|memory, now| {
            let judge = |(id, body): &(EventId, [u8; 32])| {
                let key = (space.clone(), id.clone());
                match memory.ids.get(&key) {
                    Some(claim) if claim.body != *body => Claimed::OtherBody,
                    Some(claim) if claim.committed => Claimed::Committed { accepted_at: claim.accepted_at },
                    Some(claim) => Claimed::Pending { accepted_at: claim.accepted_at },
                    None => {
                        let is_forgetful = now < memory.forgetful_until;
                        let claim = Claim { body: *body, accepted_at, committed: false };
                        memory.put(key, claim, now.plus(PENDING_FOR));
                        if is_forgetful { Claimed::FreshButForgetful } else { Claimed::Fresh }
                    }
                }
            };
            wanted.iter().map(judge).collect()
        }))
    }

    async fn commit(
        &self,
        space: &SpaceId,
        accepted: &[(EventId, [u8; 32])],
        accepted_at: Timestamp,
    ) -> PortResult<()> {
        self.with(|memory, now| {
            for (id, body) in accepted {
                let key = (space.clone(), id.clone());
                // The first acceptance stands: copies share its instant.
                let accepted_at = memory.ids.get(&key).map_or(accepted_at, |claim| claim.accepted_at);
                memory.put(key, Claim { body: *body, accepted_at, committed: true }, now.plus(COMMITTED_FOR));
            }
        });
        Ok(())
    }

    async fn release(&self, space: &SpaceId, released: &[EventId]) -> PortResult<()> {
        self.with(|memory, _| {
            for id in released {
                let key = (space.clone(), id.clone());
                if memory.ids.get(&key).is_some_and(|claim| !claim.committed) {
                    memory.ids.remove(&key);
                }
            }
        });
        Ok(())
    }
}
