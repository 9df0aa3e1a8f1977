//! The fakes of epochs, runs and open deliveries pass their suites, and broken ones are rejected by the case that is about
//! what they break.

use std::sync::Arc;

use async_trait::async_trait;
use postrider_domain::delivery::DeliveryState;
use postrider_domain::record::Record;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::error::PortResult;
use postrider_ports::log::{LogWrite, Poisoned};
use postrider_ports::reconcile::{
    BrokerEpoch, Epoch, Era, OpenDeliveries, OpenPage, Reconciliations, Run, Standing, Wanted,
};
use postrider_testkit::ManualClock;
use postrider_testkit::conformance::reconcile::ReconcileAdapter;
use postrider_testkit::conformance::{self, Harness};
use postrider_testkit::log::MemoryLog;
use postrider_testkit::reconcile::{MemoryEpochs, MemoryRuns};

/// What is wrong with a broker or a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    // Of a broker.
    AlwaysKept,
    NeverKept,
    BeginsWhatIsKept,
    NoSignOfOthers,
    // Of a store.
    TakesAnyEpoch,
    SeveralRuns,
    GoesOnFromAnywhere,
    ForgetsAll,
    SkipsOne,
    FirstPageOnly,
    AtAnyTime,
    DueAtAnyTime,
    AlwaysParked,
    DropsWithoutContent,
    OfTheFirstSpace,
}

struct Broker(MemoryEpochs, Flaw);

#[async_trait]
impl BrokerEpoch for Broker {
    async fn standing(&self, epoch: Epoch) -> PortResult<Standing> {
        Ok(match (self.1, self.0.standing(epoch).await?) {
            (Flaw::AlwaysKept, _) => Standing::Kept,
            (Flaw::NeverKept, Standing::Kept) => Standing::Begun,
            (Flaw::NoSignOfOthers, Standing::Other) => Standing::Blank,
            (_, standing) => standing,
        })
    }

    async fn begin(&self, epoch: Epoch) -> PortResult<()> {
        if self.1 == Flaw::BeginsWhatIsKept {
            self.0.wipe();
        }
        self.0.begin(epoch).await
    }

    async fn keep(&self, epoch: Epoch) -> PortResult<()> {
        self.0.keep(epoch).await
    }
}

struct Store {
    runs: MemoryRuns,
    log: MemoryLog,
    flaw: Flaw,
}

impl Store {
    fn new(flaw: Flaw) -> Self {
        Self { runs: MemoryRuns::new(), log: MemoryLog::new(), flaw }
    }
}

#[async_trait]
impl Reconciliations for Store {
    async fn era(&self) -> PortResult<Option<Era>> {
        self.runs.era().await
    }

    async fn note_era(&self, before: Option<Epoch>, era: &Era) -> PortResult<bool> {
        let known = self.runs.era().await?.map(|era| era.epoch);
        let before = if self.flaw == Flaw::TakesAnyEpoch { known } else { before };
        self.runs.note_era(before, era).await
    }

    async fn runs(&self) -> PortResult<Vec<Run>> {
        self.runs.runs().await
    }

    async fn enter(&self, run: &Run) -> PortResult<bool> {
        Ok(self.runs.enter(run).await? || self.flaw == Flaw::SeveralRuns)
    }

    async fn advance(&self, before: &Run, after: &Run) -> PortResult<bool> {
        let known = self.runs.runs().await?.into_iter().find(|run| run.id == before.id);
        let before =
            known.filter(|_| self.flaw == Flaw::GoesOnFromAnywhere).unwrap_or_else(|| before.clone());
        self.runs.advance(&before, after).await
    }
}

#[async_trait]
impl OpenDeliveries for Store {
    async fn open(&self, wanted: &Wanted) -> PortResult<OpenPage> {
        let mut wanted = wanted.clone();
        match self.flaw {
            Flaw::AtAnyTime => wanted.until = Timestamp::from_unix_ms(i64::MAX),
            Flaw::DueAtAnyTime => wanted.due_before = None,
            Flaw::AlwaysParked => wanted.parked = true,
            _ => {}
        }
        let mut page = self.log.open(&wanted).await?;
        match self.flaw {
            Flaw::SkipsOne if page.items.len() > 1 => drop(page.items.pop()),
            Flaw::FirstPageOnly => page.next = None,
            Flaw::DropsWithoutContent => page.items.retain(|one| one.content.is_some()),
            _ => {}
        }
        Ok(page)
    }

    async fn last_change(&self, before: Timestamp) -> PortResult<Option<Timestamp>> {
        if self.flaw == Flaw::OfTheFirstSpace {
            let wanted = Wanted { parked: false, until: before, due_before: None, after: None, limit: 1 };
            let first = self.log.open(&wanted).await?.items.pop();
            return Ok(first.map(|first| first.event.accepted_at));
        }
        self.log.last_change(before).await
    }
}

#[async_trait]
impl LogWrite for Store {
    async fn write(&self, batch: &[Record]) -> PortResult<Vec<Poisoned>> {
        self.log.write(batch).await
    }
}

/// A process that has forgotten all when it is opened again.
struct Forgetful;

#[async_trait]
impl Harness<dyn BrokerEpoch> for Forgetful {
    async fn fresh(&self, _: Arc<ManualClock>) -> Arc<dyn BrokerEpoch> {
        Arc::new(MemoryEpochs::new())
    }

    async fn reopen(&self, _: Arc<dyn BrokerEpoch>, clock: Arc<ManualClock>) -> Option<Arc<dyn BrokerEpoch>> {
        Some(self.fresh(clock).await)
    }
}

#[async_trait]
impl Harness<dyn ReconcileAdapter> for Forgetful {
    async fn fresh(&self, _: Arc<ManualClock>) -> Arc<dyn ReconcileAdapter> {
        Arc::new(Store::new(Flaw::ForgetsAll))
    }

    async fn reopen(
        &self,
        _: Arc<dyn ReconcileAdapter>,
        clock: Arc<ManualClock>,
    ) -> Option<Arc<dyn ReconcileAdapter>> {
        Some(self.fresh(clock).await)
    }
}

#[tokio::test]
async fn the_fakes_pass() {
    conformance::epoch::run(&|_| Arc::new(MemoryEpochs::new()) as Arc<dyn BrokerEpoch>).await;
    conformance::reconcile::run(&|_| Arc::new(Store::new(Flaw::None)) as Arc<dyn ReconcileAdapter>).await;
}

#[tokio::test]
async fn the_suite_of_the_epoch_rejects_what_is_broken() {
    for (flaw, case) in [
        (Flaw::AlwaysKept, "an_empty_disk_knows_of_none_however_often_it_is_asked"),
        (Flaw::NeverKept, "what_is_begun_is_begun_and_what_is_kept_is_kept"),
        (Flaw::BeginsWhatIsKept, "what_is_kept_is_not_begun_anew"),
        (Flaw::NoSignOfOthers, "of_another_it_is_known_that_there_is_one"),
    ] {
        let broken = |_| Arc::new(Broker(MemoryEpochs::new(), flaw)) as Arc<dyn BrokerEpoch>;
        conformance::epoch::check(&broken).await.assert_rejected(case);
    }
    conformance::epoch::check(&Forgetful).await.assert_rejected("it_outlives_its_process");
}

#[tokio::test]
async fn the_suite_of_the_store_rejects_what_is_broken() {
    assert!(DeliveryState::parse("parked").is_some_and(|parked| !parked.is_final()), "parked is open");
    for (flaw, case) in [
        (Flaw::TakesAnyEpoch, "the_epoch_changes_only_from_the_one_that_is_known"),
        (Flaw::SeveralRuns, "one_run_at_a_time_and_the_latest_is_listed_first"),
        (Flaw::GoesOnFromAnywhere, "a_run_goes_on_from_where_it_stands_and_from_nowhere_else"),
        (Flaw::SkipsOne, "every_open_delivery_is_found_once_page_by_page"),
        (Flaw::FirstPageOnly, "every_open_delivery_is_found_once_page_by_page"),
        (Flaw::AtAnyTime, "only_what_last_changed_before_an_instant_is_found"),
        (Flaw::DueAtAnyTime, "only_what_was_due_before_an_instant_is_found"),
        (Flaw::AlwaysParked, "what_is_parked_is_found_on_demand"),
        (Flaw::DropsWithoutContent, "what_has_no_content_is_found_without_it"),
        (Flaw::OfTheFirstSpace, "the_last_change_is_that_of_any_space"),
    ] {
        let broken = |_| Arc::new(Store::new(flaw)) as Arc<dyn ReconcileAdapter>;
        conformance::reconcile::check(&broken).await.assert_rejected(case);
    }
    conformance::reconcile::check(&Forgetful).await.assert_rejected("what_is_kept_outlives_its_process");
}
