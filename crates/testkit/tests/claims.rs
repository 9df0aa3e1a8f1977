//! A plain memory of claims passes the suite, and broken ones are rejected by the case that is about what they break.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use postrider_domain::id::{EventId, SpaceId};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::claims::{COMMITTED_FOR, Claimed, Claims, PENDING_FOR};
use postrider_ports::clock::Clock;
use postrider_ports::error::PortResult;
use postrider_testkit::{ManualClock, conformance};

/// What is wrong with a memory of claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    NeverFresh,
    ForgetsPending,
    ForgetsCommitted,
    TellsItsOwnInstant,
    CommitsAnotherInstant,
    IgnoresBodies,
    TakesTheOtherBody,
    JudgesABatchAtOnce,
    AnswersBackwards,
    PendingNeverEnds,
    PendingEndsEarly,
    CommittedNeverEnds,
    CommittedEndsEarly,
    LosesALateCommit,
    NeverReleases,
    ReleasesEverything,
    ReleasesCommitted,
    MixesSpaces,
    GrantsTwice,
}

#[derive(Clone, Copy)]
struct Claim {
    body: [u8; 32],
    accepted_at: Timestamp,
    committed: bool,
    ends_at: Timestamp,
}

type Key = (Option<SpaceId>, EventId);

struct Flawed {
    flaw: Flaw,
    clock: Arc<ManualClock>,
    claims: Mutex<HashMap<Key, Claim>>,
}

impl Flawed {
    fn key(&self, space: &SpaceId, id: &EventId) -> Key {
        ((self.flaw != Flaw::MixesSpaces).then(|| space.clone()), id.clone())
    }

    fn standing(&self, key: &Key) -> Option<Claim> {
        let claims = self.claims.lock().expect("no panic");
        let claim = *claims.get(key)?;
        let endless = match self.flaw {
            Flaw::PendingNeverEnds => !claim.committed,
            Flaw::CommittedNeverEnds => claim.committed,
            _ => false,
        };
        (endless || self.clock.now() < claim.ends_at).then_some(claim)
    }

    fn put(&self, key: Key, claim: Claim) {
        self.claims.lock().expect("no panic").insert(key, claim);
    }

    fn judge(&self, known: Option<Claim>, body: [u8; 32], at: Timestamp) -> Claimed {
        let Some(claim) = known else { return Claimed::Fresh };
        let accepted_at = if self.flaw == Flaw::TellsItsOwnInstant { at } else { claim.accepted_at };
        match self.flaw {
            Flaw::ForgetsPending if !claim.committed => return Claimed::Fresh,
            Flaw::ForgetsCommitted if claim.committed => return Claimed::Fresh,
            _ => {}
        }
        if claim.body != body && self.flaw != Flaw::IgnoresBodies {
            Claimed::OtherBody
        } else if claim.committed {
            Claimed::Committed { accepted_at }
        } else {
            Claimed::Pending { accepted_at }
        }
    }
}

#[async_trait]
impl Claims for Flawed {
    async fn claim(
        &self,
        space: &SpaceId,
        wanted: &[(EventId, [u8; 32])],
        accepted_at: Timestamp,
    ) -> PortResult<Vec<Claimed>> {
        let before: Vec<_> = wanted.iter().map(|(id, _)| self.standing(&self.key(space, id))).collect();
        let mut answers = Vec::new();
        for ((id, body), before) in wanted.iter().zip(before) {
            let key = self.key(space, id);
            let known = if self.flaw == Flaw::JudgesABatchAtOnce { before } else { self.standing(&key) };
            if self.flaw == Flaw::GrantsTwice {
                tokio::task::yield_now().await;
            }
            let answer = self.judge(known, *body, accepted_at);
            let takes = self.flaw == Flaw::TakesTheOtherBody && answer == Claimed::OtherBody;
            if known.is_none() || takes {
                let early = u32::from(self.flaw == Flaw::PendingEndsEarly) + 1;
                let ends_at = self.clock.now().plus(PENDING_FOR / early);
                self.put(key, Claim { body: *body, accepted_at, committed: false, ends_at });
            }
            answers.push(answer);
        }
        match self.flaw {
            Flaw::AnswersBackwards => answers.reverse(),
            Flaw::NeverFresh => answers.fill(Claimed::FreshButForgetful),
            _ => {}
        }
        Ok(answers)
    }

    async fn commit(
        &self,
        space: &SpaceId,
        accepted: &[(EventId, [u8; 32])],
        accepted_at: Timestamp,
    ) -> PortResult<()> {
        let now = self.clock.now();
        for (id, body) in accepted {
            let key = self.key(space, id);
            let known = self.standing(&key);
            if self.flaw == Flaw::LosesALateCommit && known.is_none() {
                continue;
            }
            let first = known.map_or(accepted_at, |claim| claim.accepted_at);
            let accepted_at = if self.flaw == Flaw::CommitsAnotherInstant { now } else { first };
            let kept = if self.flaw == Flaw::CommittedEndsEarly { PENDING_FOR } else { COMMITTED_FOR };
            self.put(key, Claim { body: *body, accepted_at, committed: true, ends_at: now.plus(kept) });
        }
        Ok(())
    }

    async fn release(&self, space: &SpaceId, ids: &[EventId]) -> PortResult<()> {
        for key in ids.iter().map(|id| self.key(space, id)) {
            let mut claims = self.claims.lock().expect("no panic");
            let released = match self.flaw {
                Flaw::NeverReleases => false,
                Flaw::ReleasesCommitted => true,
                Flaw::ReleasesEverything => {
                    claims.clear();
                    false
                }
                _ => claims.get(&key).is_some_and(|claim| !claim.committed),
            };
            if released {
                claims.remove(&key);
            }
        }
        Ok(())
    }
}

async fn check(flaw: Flaw) -> conformance::Report {
    let make = move |clock| -> Arc<dyn Claims> { Arc::new(Flawed { flaw, clock, claims: Mutex::default() }) };
    conformance::claims::check(&make).await
}

#[tokio::test(start_paused = true)]
async fn a_plain_memory_of_claims_passes() {
    check(Flaw::None).await.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn the_suite_for_claims_rejects_what_is_broken() {
    for (flaw, case) in [
        (Flaw::NeverFresh, "a_new_id_is_fresh"),
        (Flaw::ForgetsPending, "a_repeat_before_the_commit_is_pending_since_the_first"),
        (Flaw::TellsItsOwnInstant, "a_repeat_before_the_commit_is_pending_since_the_first"),
        (Flaw::ForgetsCommitted, "a_repeat_after_the_commit_is_committed_since_the_first"),
        (Flaw::TellsItsOwnInstant, "a_repeat_after_the_commit_is_committed_since_the_first"),
        (Flaw::CommitsAnotherInstant, "a_repeat_after_the_commit_is_committed_since_the_first"),
        (Flaw::IgnoresBodies, "another_body_is_told_while_it_is_pending_and_when_it_is_committed"),
        (Flaw::TakesTheOtherBody, "another_body_is_told_while_it_is_pending_and_when_it_is_committed"),
        (Flaw::JudgesABatchAtOnce, "equal_ids_in_one_batch_are_judged_one_after_the_other"),
        (Flaw::AnswersBackwards, "answers_come_in_the_order_of_the_questions"),
        (Flaw::PendingNeverEnds, "a_claim_without_a_commit_ends_after_its_time"),
        (Flaw::PendingEndsEarly, "a_claim_without_a_commit_ends_after_its_time"),
        (Flaw::CommittedNeverEnds, "a_committed_id_is_forgotten_after_its_time"),
        (Flaw::CommittedEndsEarly, "a_committed_id_is_forgotten_after_its_time"),
        (Flaw::LosesALateCommit, "a_commit_counts_even_if_its_claim_has_run_out"),
        (Flaw::NeverReleases, "a_released_id_is_free_for_anybody_at_once"),
        (Flaw::ReleasesEverything, "a_released_id_is_free_for_anybody_at_once"),
        (Flaw::ReleasesCommitted, "a_release_leaves_what_is_committed"),
        (Flaw::MixesSpaces, "spaces_are_separate"),
        (Flaw::GrantsTwice, "of_many_claimers_exactly_one_is_fresh"),
    ] {
        check(flaw).await.assert_rejected(case);
    }
}
