//! Marks: how far deliveries have come, for ten minutes.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use postrider_domain::delivery::{DeliveryId, Progress};
use postrider_ports::clock::Clock;
use postrider_ports::error::PortResult;
use postrider_ports::progress::{MARKED_FOR, Marks};

use crate::expiring::Expiring;

/// Marks kept at most: about 130 bytes each, so 13 MiB. Beyond, the log answers.
const MOST: usize = 100_000;

/// Marks in memory.
pub struct MemoryMarks {
    clock: Arc<dyn Clock>,
    marks: Mutex<Expiring<DeliveryId, Progress>>,
}

impl MemoryMarks {
    /// No marks.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, marks: Mutex::new(Expiring::new(MOST)) }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Expiring<DeliveryId, Progress>) -> T) -> T {
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        marks.sweep(self.clock.now());
        work(&mut marks)
    }
}

#[async_trait]
impl Marks for MemoryMarks {
    async fn mark(&self, marks: &[(DeliveryId, Progress)]) -> PortResult<()> {
        let end = self.clock.now().plus(MARKED_FOR);
        self.with(|known| {
            for (id, progress) in marks {
                if known.get(id).is_none_or(|before| progress.replaces(*before)) {
                    known.put(*id, *progress, end);
                }
            }
        });
        Ok(())
    }

    async fn marked(&self, ids: &[DeliveryId]) -> PortResult<Vec<Option<Progress>>> {
        Ok(self.with(|known| ids.iter().map(|id| known.get(id).copied()).collect()))
    }
}
