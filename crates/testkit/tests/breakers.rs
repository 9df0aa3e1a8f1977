//! Plain breakers pass the suite, and broken ones are rejected by the case that is about what they break.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Clock;
use postrider_ports::error::PortResult;
use postrider_ports::limits::{Breaker, Breakers};
use postrider_testkit::{ManualClock, conformance};

/// What is wrong with the breakers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    OpenByDefault,
    ClosesByItself,
    AnswersBackwards,
    OpensElsewhere,
    EarliestEndWins,
    LosesTheRace,
    ProbesEarly,
    ProbesNever,
    ProbesTheClosed,
    TwoProbes,
    SaysStillOpen,
    ProbesTheHalfOpen,
    WaitsForEver,
    KeepsTheProbesEnd,
    NeverCloses,
    RemembersItsPast,
}

type Key = (Option<SpaceId>, WebhookId);

struct Flawed {
    flaw: Flaw,
    clock: Arc<ManualClock>,
    states: Mutex<HashMap<Key, Breaker>>,
    past: Mutex<HashMap<Key, Timestamp>>,
}

impl Flawed {
    fn key(&self, space: &SpaceId, webhook: &WebhookId) -> Key {
        ((self.flaw != Flaw::OpensElsewhere).then(|| space.clone()), webhook.clone())
    }

    fn state(&self, key: &Key) -> Option<Breaker> {
        let state = self.states.lock().expect("no panic").get(key).copied();
        state.filter(|state| self.flaw != Flaw::ClosesByItself || self.clock.now() < end(*state))
    }

    fn put(&self, key: Key, state: Breaker) {
        self.states.lock().expect("no panic").insert(key, state);
    }

    fn may_probe(&self, state: Option<Breaker>) -> bool {
        let now = self.clock.now();
        match (state, self.flaw) {
            (_, Flaw::ProbesNever) | (Some(Breaker::HalfOpen { .. }), Flaw::WaitsForEver) => false,
            (Some(Breaker::Open { .. }), Flaw::ProbesEarly)
            | (Some(Breaker::HalfOpen { .. }), Flaw::ProbesTheHalfOpen) => true,
            (None, flaw) => flaw == Flaw::ProbesTheClosed,
            (Some(state), _) => end(state) <= now,
        }
    }
}

fn end(state: Breaker) -> Timestamp {
    match state {
        Breaker::Open { until } | Breaker::HalfOpen { until } => until,
    }
}

#[async_trait]
impl Breakers for Flawed {
    async fn breakers(&self, webhooks: &[(SpaceId, WebhookId)]) -> PortResult<Vec<Option<Breaker>>> {
        let now = self.clock.now();
        let told = |state: Option<Breaker>| match (state, self.flaw) {
            (None, Flaw::OpenByDefault) => Some(Breaker::Open { until: now }),
            (Some(state), Flaw::SaysStillOpen) => Some(Breaker::Open { until: end(state) }),
            (state, _) => state,
        };
        let state = |(space, webhook): &(SpaceId, WebhookId)| told(self.state(&self.key(space, webhook)));
        let mut answers: Vec<_> = webhooks.iter().map(state).collect();
        if self.flaw == Flaw::AnswersBackwards {
            answers.reverse();
        }
        Ok(answers)
    }

    async fn open(&self, space: &SpaceId, webhook: &WebhookId, until: Timestamp) -> PortResult<()> {
        let key = self.key(space, webhook);
        let known = self.state(&key);
        if self.flaw == Flaw::LosesTheRace {
            tokio::task::yield_now().await;
        }
        let before = match known {
            Some(Breaker::HalfOpen { .. }) if self.flaw != Flaw::KeepsTheProbesEnd => None,
            state => state.map(end),
        };
        let past = self.past.lock().expect("no panic").get(&key).copied();
        let until = match (before.or(past), self.flaw) {
            (Some(before), Flaw::EarliestEndWins) => until.min(before),
            (Some(before), _) => until.max(before),
            (None, _) => until,
        };
        self.put(key, Breaker::Open { until });
        Ok(())
    }

    async fn probe(&self, space: &SpaceId, webhook: &WebhookId, until: Timestamp) -> PortResult<bool> {
        let key = self.key(space, webhook);
        let allowed = self.may_probe(self.state(&key));
        if self.flaw == Flaw::TwoProbes {
            tokio::task::yield_now().await;
        }
        if allowed {
            self.put(key, Breaker::HalfOpen { until });
        }
        Ok(allowed)
    }

    async fn close(&self, space: &SpaceId, webhook: &WebhookId) -> PortResult<()> {
        let key = self.key(space, webhook);
        if self.flaw == Flaw::NeverCloses {
            return Ok(());
        }
        let closed = self.states.lock().expect("no panic").remove(&key);
        if let Some(state) = closed.filter(|_| self.flaw == Flaw::RemembersItsPast) {
            self.past.lock().expect("no panic").insert(key, end(state).plus(Duration::from_mins(5)));
        }
        Ok(())
    }
}

async fn check(flaw: Flaw) -> conformance::Report {
    let make = move |clock| -> Arc<dyn Breakers> {
        Arc::new(Flawed { flaw, clock, states: Mutex::default(), past: Mutex::default() })
    };
    conformance::breakers::check(&make).await
}

#[tokio::test(start_paused = true)]
async fn plain_breakers_pass() {
    check(Flaw::None).await.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn the_suite_for_breakers_rejects_what_is_broken() {
    for (flaw, case) in [
        (Flaw::OpenByDefault, "an_unknown_breaker_is_closed"),
        (Flaw::ClosesByItself, "an_open_breaker_says_until_when"),
        (Flaw::AnswersBackwards, "answers_come_in_the_order_of_the_questions"),
        (Flaw::OpensElsewhere, "webhooks_and_spaces_are_separate"),
        (Flaw::EarliestEndWins, "the_later_end_stays"),
        (Flaw::LosesTheRace, "of_many_who_open_at_once_the_latest_end_stays"),
        (Flaw::ProbesEarly, "nobody_probes_before_its_time"),
        (Flaw::ProbesNever, "nobody_probes_before_its_time"),
        (Flaw::ProbesTheClosed, "nobody_probes_a_closed_breaker"),
        (Flaw::TwoProbes, "exactly_one_of_many_probes"),
        (Flaw::SaysStillOpen, "a_half_open_breaker_says_so_and_is_probed_by_nobody_else"),
        (Flaw::ProbesTheHalfOpen, "a_half_open_breaker_says_so_and_is_probed_by_nobody_else"),
        (Flaw::TwoProbes, "who_never_reports_is_followed_by_exactly_one_other"),
        (Flaw::WaitsForEver, "who_never_reports_is_followed_by_exactly_one_other"),
        (Flaw::KeepsTheProbesEnd, "a_failed_probe_opens_it_for_its_own_time"),
        (Flaw::NeverCloses, "a_successful_probe_closes_it"),
        (Flaw::RemembersItsPast, "a_successful_probe_closes_it"),
    ] {
        check(flaw).await.assert_rejected(case);
    }
}
