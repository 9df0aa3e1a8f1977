//! What the fake store notes of webhooks passes the suite, and broken ones are rejected by the case that is about what they
//! break.

use std::sync::Arc;

use async_trait::async_trait;
use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::operational::{Condition, Ill};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::error::PortResult;
use postrider_ports::wellness::{Patient, Wellness};
use postrider_testkit::ManualClock;
use postrider_testkit::conformance::{self, Harness};
use postrider_testkit::store::MemoryStore;

/// What is wrong with what is noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    NotesNothing,
    LastCounts,
    BeginsAnewWhenWorse,
    StaysAsItWas,
    TellsWhateverStands,
    ForgetsWhateverStands,
    MixesSpaces,
    SaysWhatItHeard,
    ForgetsAll,
}

struct Flawed(MemoryStore, Flaw);

impl Flawed {
    fn space(&self, space: &SpaceId) -> SpaceId {
        let all = SpaceId::new("all").expect("a valid id");
        if self.1 == Flaw::MixesSpaces { all } else { space.clone() }
    }

    async fn known(&self, space: &SpaceId, webhook: &WebhookId) -> Option<Condition> {
        let ill = self.0.ill().await.expect("in memory");
        ill.into_iter().find(|(of, id, _)| (of, id) == (space, webhook)).map(|(.., one)| one)
    }
}

#[async_trait]
impl Wellness for Flawed {
    async fn note(&self, space: &SpaceId, webhook: &WebhookId, found: &Condition) -> PortResult<Condition> {
        let space = &self.space(space);
        let known = self.known(space, webhook).await;
        match (self.1, known) {
            (Flaw::NotesNothing, _) => Ok(found.clone()),
            (Flaw::LastCounts, Some(known)) => {
                self.0.forget(space, webhook, known.at).await?;
                self.0.note(space, webhook, found).await
            }
            (Flaw::BeginsAnewWhenWorse, Some(known))
                if known.ill == Ill::Failing && found.ill == Ill::Disabled =>
            {
                self.0.forget(space, webhook, known.at).await?;
                self.0.note(space, webhook, found).await
            }
            (Flaw::StaysAsItWas, Some(known)) => Ok(known),
            (Flaw::SaysWhatItHeard, _) => {
                self.0.note(space, webhook, found).await?;
                Ok(found.clone())
            }
            _ => self.0.note(space, webhook, found).await,
        }
    }

    async fn told(&self, space: &SpaceId, webhook: &WebhookId, at: Timestamp) -> PortResult<()> {
        let space = &self.space(space);
        let known = self.known(space, webhook).await.map_or(at, |known| known.at);
        let at = if self.1 == Flaw::TellsWhateverStands { known } else { at };
        self.0.told(space, webhook, at).await
    }

    async fn forget(&self, space: &SpaceId, webhook: &WebhookId, at: Timestamp) -> PortResult<()> {
        let space = &self.space(space);
        let known = self.known(space, webhook).await.map_or(at, |known| known.at);
        let at = if self.1 == Flaw::ForgetsWhateverStands { known } else { at };
        self.0.forget(space, webhook, at).await
    }

    async fn ill(&self) -> PortResult<Vec<Patient>> {
        self.0.ill().await
    }
}

/// Opens a store that has forgotten all.
struct Forgetful;

#[async_trait]
impl Harness<dyn Wellness> for Forgetful {
    async fn fresh(&self, _: Arc<ManualClock>) -> Arc<dyn Wellness> {
        Arc::new(Flawed(MemoryStore::new(), Flaw::ForgetsAll))
    }

    async fn reopen(&self, _: Arc<dyn Wellness>, clock: Arc<ManualClock>) -> Option<Arc<dyn Wellness>> {
        Some(self.fresh(clock).await)
    }
}

#[tokio::test]
async fn the_fake_passes() {
    conformance::wellness::run(&|_| Arc::new(MemoryStore::new()) as Arc<dyn Wellness>).await;
}

#[tokio::test]
async fn the_suite_rejects_what_is_broken() {
    for (flaw, case) in [
        (Flaw::NotesNothing, "what_is_noted_stands_until_it_is_forgotten"),
        (Flaw::LastCounts, "what_fails_already_does_not_fail_anew"),
        (Flaw::BeginsAnewWhenWorse, "it_gets_worse_and_keeps_its_beginning"),
        (Flaw::StaysAsItWas, "another_version_begins_anew"),
        (Flaw::TellsWhateverStands, "only_the_condition_that_was_told_counts_as_told"),
        (Flaw::ForgetsWhateverStands, "only_the_condition_that_ended_is_forgotten"),
        (Flaw::MixesSpaces, "namesakes_in_other_spaces_are_others"),
        (Flaw::SaysWhatItHeard, "of_many_at_once_all_hear_the_same"),
    ] {
        let broken = |_| Arc::new(Flawed(MemoryStore::new(), flaw)) as Arc<dyn Wellness>;
        conformance::wellness::check(&broken).await.assert_rejected(case);
    }
    conformance::wellness::check(&Forgetful).await.assert_rejected("it_outlives_its_process");
}
