//! Claims on event ids.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use postrider_domain::id::{EventId, SpaceId};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::claims::{COMMITTED_FOR, Claimed, Claims, PENDING_FOR};
use postrider_ports::clock::Clock;
use postrider_ports::error::PortResult;

use crate::expiring::Expiring;

/// Ids remembered at most: about 200 bytes each, so 20 MiB. Beyond, the oldest are forgotten, and their repeats are
/// told from new events by the derived delivery ids.
const MOST: usize = 100_000;

/// Claims in memory.
pub struct MemoryClaims {
    clock: Arc<dyn Clock>,
    /// Until then an unknown id may have been accepted by the process before this one.
    forgetful_until: Timestamp,
    ids: Mutex<Expiring<(SpaceId, EventId), Claim>>,
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
        Self { clock, forgetful_until, ids: Mutex::new(Expiring::new(MOST)) }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Expiring<(SpaceId, EventId), Claim>, Timestamp) -> T) -> T {
        let now = self.clock.now();
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.sweep(now);
        work(&mut ids, now)
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
        Ok(self.with(|ids, now| {
            let judge = |(id, body): &(EventId, [u8; 32])| {
                let key = (space.clone(), id.clone());
                match ids.get(&key) {
                    Some(claim) if claim.body != *body => Claimed::OtherBody,
                    Some(claim) if claim.committed => Claimed::Committed { accepted_at: claim.accepted_at },
                    Some(claim) => Claimed::Pending { accepted_at: claim.accepted_at },
                    None => {
                        let claim = Claim { body: *body, accepted_at, committed: false };
                        ids.put(key, claim, now.plus(PENDING_FOR));
                        if now < self.forgetful_until { Claimed::FreshButForgetful } else { Claimed::Fresh }
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
        self.with(|ids, now| {
            for (id, body) in accepted {
                let key = (space.clone(), id.clone());
                // The first acceptance stands: copies share its instant.
                let accepted_at = ids.get(&key).map_or(accepted_at, |claim| claim.accepted_at);
                ids.put(key, Claim { body: *body, accepted_at, committed: true }, now.plus(COMMITTED_FOR));
            }
        });
        Ok(())
    }

    async fn release(&self, space: &SpaceId, released: &[EventId]) -> PortResult<()> {
        self.with(|ids, _| {
            for id in released {
                let key = (space.clone(), id.clone());
                if ids.get(&key).is_some_and(|claim| !claim.committed) {
                    ids.remove(&key);
                }
            }
        });
        Ok(())
    }
}
