//! A plain memory of marks passes the suite, and broken ones are rejected by the case that is about what they break.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use postrider_domain::delivery::{DeliveryId, DeliveryState, Progress};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Clock;
use postrider_ports::error::PortResult;
use postrider_ports::progress::{MARKED_FOR, Marks};
use postrider_testkit::{ManualClock, conformance};

/// What is wrong with a memory of marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    KnowsEverything,
    ForgetsTheAttempt,
    AnswersBackwards,
    LastWins,
    HighestAttemptWins,
    ABatchIsOneWrite,
    NeverEnds,
    EndsEarly,
    EndsWithTheFirst,
    LosesTheRace,
}

struct Flawed {
    flaw: Flaw,
    clock: Arc<ManualClock>,
    marks: Mutex<HashMap<DeliveryId, (Progress, Timestamp)>>,
}

impl Flawed {
    fn standing(&self, id: DeliveryId) -> Option<(Progress, Timestamp)> {
        let kept = self.marks.lock().expect("no panic").get(&id).copied();
        kept.filter(|(_, ends_at)| self.flaw == Flaw::NeverEnds || self.clock.now() < *ends_at)
    }

    fn moves(&self, to: Progress, from: Progress) -> bool {
        match self.flaw {
            Flaw::LastWins => true,
            Flaw::HighestAttemptWins => to.attempt > from.attempt || to.state.is_final(),
            _ => to.replaces(from),
        }
    }
}

#[async_trait]
impl Marks for Flawed {
    async fn mark(&self, marks: &[(DeliveryId, Progress)]) -> PortResult<()> {
        let before: Vec<_> = marks.iter().map(|(id, _)| self.standing(*id)).collect();
        for ((id, progress), before) in marks.iter().zip(before) {
            let known = if self.flaw == Flaw::ABatchIsOneWrite { before } else { self.standing(*id) };
            if self.flaw == Flaw::LosesTheRace {
                tokio::task::yield_now().await;
            }
            if known.is_none_or(|(known, _)| self.moves(*progress, known)) {
                let length = if self.flaw == Flaw::EndsEarly { MARKED_FOR / 2 } else { MARKED_FOR };
                let fresh = self.clock.now().plus(length);
                let first = known.map(|(_, ends_at)| ends_at).filter(|_| self.flaw == Flaw::EndsWithTheFirst);
                let mark = (*progress, first.unwrap_or(fresh));
                self.marks.lock().expect("no panic").insert(*id, mark);
            }
        }
        Ok(())
    }

    async fn marked(&self, ids: &[DeliveryId]) -> PortResult<Vec<Option<Progress>>> {
        let told = |known: Option<Progress>| match (known, self.flaw) {
            (None, Flaw::KnowsEverything) => Some(Progress { state: DeliveryState::Delivered, attempt: 1 }),
            (Some(known), Flaw::ForgetsTheAttempt) => Some(Progress { attempt: 1, ..known }),
            (known, _) => known,
        };
        let known = |id: &DeliveryId| told(self.standing(*id).map(|(progress, _)| progress));
        let mut answers: Vec<_> = ids.iter().map(known).collect();
        if self.flaw == Flaw::AnswersBackwards {
            answers.reverse();
        }
        Ok(answers)
    }
}

async fn check(flaw: Flaw) -> conformance::Report {
    let make = move |clock| -> Arc<dyn Marks> { Arc::new(Flawed { flaw, clock, marks: Mutex::default() }) };
    conformance::marks::check(&make).await
}

#[tokio::test(start_paused = true)]
async fn a_plain_memory_of_marks_passes() {
    check(Flaw::None).await.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn the_suite_for_marks_rejects_what_is_broken() {
    for (flaw, case) in [
        (Flaw::KnowsEverything, "what_was_never_marked_is_unknown"),
        (Flaw::ForgetsTheAttempt, "a_mark_says_how_far_its_delivery_has_come"),
        (Flaw::AnswersBackwards, "answers_come_in_the_order_of_the_questions"),
        (Flaw::LastWins, "a_mark_only_moves_forward"),
        (Flaw::HighestAttemptWins, "a_mark_only_moves_forward"),
        (Flaw::ABatchIsOneWrite, "within_one_batch_a_mark_only_moves_forward"),
        (Flaw::NeverEnds, "a_mark_ends_after_its_time"),
        (Flaw::EndsEarly, "a_mark_ends_after_its_time"),
        (Flaw::EndsWithTheFirst, "each_step_forward_lives_its_own_time"),
        (Flaw::LosesTheRace, "of_many_marks_at_once_the_furthest_stays"),
    ] {
        check(flaw).await.assert_rejected(case);
    }
}
