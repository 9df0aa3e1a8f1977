//! The fake sources pass their suite, and broken ones are rejected by the case that is about what they break.

use std::sync::Arc;

use async_trait::async_trait;
use postrider_domain::id::{SourceId, SpaceId};
use postrider_domain::secret::Sealed;
use postrider_domain::source::Source;
use postrider_ports::error::PortResult;
use postrider_ports::sources::Sources;
use postrider_testkit::ManualClock;
use postrider_testkit::conformance::{self, Harness};
use postrider_testkit::store::MemoryStore;

/// What is wrong with the sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    ForgetsTheSpace,
    RewritesItsMaking,
    KeepsTheOldSecret,
    Unordered,
    SaysYesToDeleting,
    KeepsTheDeleted,
    ResealsWhatChanged,
    SaysYesToResealing,
}

struct Flawed(MemoryStore, Flaw);

impl Flawed {
    fn place(&self, space: &SpaceId) -> SpaceId {
        let all = SpaceId::new("all").expect("a valid id");
        if self.1 == Flaw::ForgetsTheSpace { all } else { space.clone() }
    }
}

#[async_trait]
impl Sources for Flawed {
    async fn source(&self, space: &SpaceId, id: &SourceId) -> PortResult<Option<Source>> {
        self.0.source(&self.place(space), id).await
    }

    async fn sources(&self, space: &SpaceId) -> PortResult<Vec<Source>> {
        let mut sources = self.0.sources(&self.place(space)).await?;
        if self.1 == Flaw::Unordered {
            sources.reverse();
        }
        Ok(sources)
    }

    async fn put_source(&self, source: &Source) -> PortResult<()> {
        let mut source = Source { space: self.place(&source.space), ..source.clone() };
        let before = self.0.source(&source.space, &source.id).await?;
        match (self.1, before) {
            (Flaw::RewritesItsMaking, Some(_)) => {
                self.0.delete_source(&source.space, &source.id).await?;
            }
            (Flaw::KeepsTheOldSecret, Some(before)) => source.secret = before.secret,
            _ => {}
        }
        self.0.put_source(&source).await
    }

    async fn reseal_source(
        &self,
        space: &SpaceId,
        id: &SourceId,
        from: &Sealed,
        to: &Sealed,
    ) -> PortResult<bool> {
        let Some(mut source) = self.0.source(space, id).await? else { return Ok(false) };
        match self.1 {
            Flaw::ResealsWhatChanged => {
                source.secret = to.clone();
                self.0.put_source(&source).await?;
                Ok(true)
            }
            Flaw::SaysYesToResealing => self.0.reseal_source(space, id, from, to).await.map(|_| true),
            _ => self.0.reseal_source(&self.place(space), id, from, to).await,
        }
    }

    async fn delete_source(&self, space: &SpaceId, id: &SourceId) -> PortResult<bool> {
        match self.1 {
            Flaw::KeepsTheDeleted => Ok(self.0.source(space, id).await?.is_some()),
            flaw => {
                let deleted = self.0.delete_source(&self.place(space), id).await?;
                Ok(deleted || flaw == Flaw::SaysYesToDeleting)
            }
        }
    }
}

/// Loses everything with its process.
struct Forgetful;

#[async_trait]
impl Harness<dyn Sources> for Forgetful {
    async fn fresh(&self, _: Arc<ManualClock>) -> Arc<dyn Sources> {
        Arc::new(MemoryStore::new())
    }

    async fn reopen(&self, _: Arc<dyn Sources>, clock: Arc<ManualClock>) -> Option<Arc<dyn Sources>> {
        Some(self.fresh(clock).await)
    }
}

#[tokio::test(start_paused = true)]
async fn the_fake_sources_pass() {
    conformance::sources::run(&|_| Arc::new(MemoryStore::new()) as _).await;
}

#[tokio::test(start_paused = true)]
async fn the_suite_for_sources_rejects_what_is_broken() {
    for (flaw, case) in [
        (Flaw::ForgetsTheSpace, "a_source_is_found_in_its_space_alone"),
        (Flaw::RewritesItsMaking, "putting_it_again_replaces_all_but_its_making"),
        (Flaw::KeepsTheOldSecret, "putting_it_again_replaces_all_but_its_making"),
        (Flaw::Unordered, "sources_are_listed_by_id_and_space"),
        (Flaw::SaysYesToDeleting, "a_deleted_source_is_gone_and_no_other"),
        (Flaw::ResealsWhatChanged, "only_the_secret_that_was_read_is_sealed_anew"),
        (Flaw::SaysYesToResealing, "only_the_secret_that_was_read_is_sealed_anew"),
        (Flaw::KeepsTheDeleted, "a_deleted_source_is_gone_and_no_other"),
    ] {
        let harness = move |_| Arc::new(Flawed(MemoryStore::new(), flaw)) as _;
        conformance::sources::check(&harness).await.assert_rejected(case);
    }
    conformance::sources::check(&Forgetful).await.assert_rejected("a_source_outlives_its_process");
}
