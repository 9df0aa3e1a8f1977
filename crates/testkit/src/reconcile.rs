//! A broker that can lose its disk, and what a store keeps of it, in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use postrider_domain::delivery::{DeliveryId, Progress};
use postrider_ports::error::PortResult;
use postrider_ports::progress::Marks;
use postrider_ports::reconcile::{BrokerEpoch, Epoch, Era, LISTED, Reconciliations, Run, Standing};

/// The epochs of a broker: `BrokerEpoch`.
#[derive(Debug, Default)]
pub struct MemoryEpochs(Mutex<BTreeMap<Epoch, bool>>);

/// The books of a store: `Reconciliations`.
#[derive(Debug, Default)]
pub struct MemoryRuns(Mutex<Books>);

/// A cache that has forgotten all marks: `Marks`.
#[derive(Debug, Clone, Copy)]
pub struct NoMarks;

#[async_trait]
impl Marks for NoMarks {
    async fn mark(&self, _: &[(DeliveryId, Progress)]) -> PortResult<()> {
        Ok(())
    }

    async fn marked(&self, ids: &[DeliveryId]) -> PortResult<Vec<Option<Progress>>> {
        Ok(vec![None; ids.len()])
    }
}

#[derive(Debug, Default)]
struct Books {
    era: Option<Era>,
    /// The first that was asked for first.
    runs: Vec<Run>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryEpochs {
    /// A broker on an empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// It loses its disk.
    pub fn wipe(&self) {
        lock(&self.0).clear();
    }
}

impl MemoryRuns {
    /// Empty books.
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl BrokerEpoch for MemoryEpochs {
    async fn standing(&self, epoch: Epoch) -> PortResult<Standing> {
        let epochs = lock(&self.0);
        Ok(match epochs.get(&epoch) {
            Some(true) => Standing::Kept,
            Some(false) => Standing::Begun,
            None if epochs.is_empty() => Standing::Blank,
            None => Standing::Other,
        })
    }

    async fn begin(&self, epoch: Epoch) -> PortResult<()> {
        lock(&self.0).entry(epoch).or_insert(false);
        Ok(())
    }

    async fn keep(&self, epoch: Epoch) -> PortResult<()> {
        lock(&self.0).insert(epoch, true);
        Ok(())
    }
}

#[async_trait]
impl Reconciliations for MemoryRuns {
    async fn era(&self) -> PortResult<Option<Era>> {
        Ok(lock(&self.0).era)
    }

    async fn note_era(&self, before: Option<Epoch>, era: &Era) -> PortResult<bool> {
        let mut books = lock(&self.0);
        let is_it = books.era.map(|era| era.epoch) == before;
        if is_it {
            books.era = Some(*era);
        }
        Ok(is_it)
    }

    async fn runs(&self) -> PortResult<Vec<Run>> {
        Ok(lock(&self.0).runs.iter().rev().take(LISTED).cloned().collect())
    }

    async fn enter(&self, run: &Run) -> PortResult<bool> {
        let mut books = lock(&self.0);
        let is_second = run.ended.is_none() && books.runs.iter().any(|one| one.ended.is_none());
        if is_second || books.runs.iter().any(|one| one.id == run.id) {
            return Ok(false);
        }
        books.runs.push(run.clone());
        Ok(true)
    }

    async fn advance(&self, before: &Run, after: &Run) -> PortResult<bool> {
        let standing = |run: &Run| {
            let counts = (run.put_back, run.without_content);
            (run.id, run.asked_at, run.place.clone(), counts, run.ended.is_some())
        };
        let mut books = lock(&self.0);
        let found =
            books.runs.iter_mut().find(|run| run.ended.is_none() && standing(run) == standing(before));
        let advanced = found.is_some();
        if let Some(run) = found {
            let kept = (run.id, run.cause, run.due_before, run.missing_ms);
            *run = after.clone();
            (run.id, run.cause, run.due_before, run.missing_ms) = kept;
        }
        Ok(advanced)
    }
}
