//! Records for the log.

use std::time::Duration;

use bytes::Bytes;
use postrider_domain::call::{CallRecord, Failure, RecordedRequest, RecordedResponse, Timings};
use postrider_domain::delivery::{DeliveryRef, DeliveryState};
use postrider_domain::event::Carried;
use postrider_domain::id::CallId;
use postrider_domain::matching::{Rule, Verdict};
use postrider_domain::outcome::FailureKind;
use postrider_domain::record::{Decision, MatchRecord, Record, SettledRecord};
use postrider_domain::timestamp::Timestamp;

use super::webhook_id;

/// A call record under construction.
#[derive(Debug, Clone)]
pub struct CallBuilder(CallRecord);

/// An event that matched some webhooks and missed others, decided when it was accepted.
pub fn matched(event: &Carried, hits: &[&str], misses: &[&str]) -> Record {
    let decision = |id: &str, matched| Decision {
        webhook: webhook_id(id),
        verdict: Verdict { matched, rule: Rule::Topic, detail: format!("topics decide for {id}") },
        due_at: None,
    };
    let decisions =
        hits.iter().map(|id| decision(id, true)).chain(misses.iter().map(|id| decision(id, false)));
    Record::Matched(MatchRecord {
        event: event.clone(),
        decisions: decisions.collect(),
        unlisted: 0,
        part: 0,
        at: event.head.accepted_at,
    })
}

/// The id of a call that starts at an instant; equal arguments give equal ids.
pub fn call_id(at: Timestamp, number: u8) -> CallId {
    CallId::new(u64::try_from(at.unix_ms()).expect("tests play after 1970"), [number; 10])
}

/// A call for a webhook's automatic delivery: started `attempt` seconds after the event was accepted, lasted 100 ms,
/// answered 200, delivered.
pub fn call(event: &Carried, webhook: &str, attempt: u32) -> CallBuilder {
    let started_at = event.head.accepted_at.plus(Duration::from_secs(u64::from(attempt)));
    let mut seed = [0; 10];
    let delivery = DeliveryRef { event: event.head.clone(), webhook: webhook_id(webhook), generation: 0 };
    // Different deliveries and attempts get different ids, equal ones equal ids.
    seed.copy_from_slice(&delivery.id().0.as_bytes()[..10]);
    CallBuilder(CallRecord {
        id: CallId::new(u64::try_from(started_at.unix_ms()).expect("tests play after 1970"), seed),
        delivery,
        attempt,
        started_at,
        timings: Timings { total: Duration::from_millis(100), ..Timings::default() },
        request: RecordedRequest {
            method: "POST".to_owned(),
            url: format!("https://receiver.example/{webhook}"),
            headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
            body: Bytes::from_static(b"{}"),
            timeout: Duration::from_secs(30),
        },
        response: Some(answer(200)),
        failure: None,
        state: DeliveryState::Delivered,
        next_at: None,
        webhook_version: 0,
    })
}

fn answer(status: u16) -> RecordedResponse {
    RecordedResponse { status, headers: Vec::new(), body: Bytes::new(), truncated: false }
}

impl CallBuilder {
    /// The delivery's generation.
    #[must_use]
    pub fn generation(mut self, generation: u32) -> Self {
        self.0.delivery.generation = generation;
        self
    }

    /// When it began; its id follows.
    #[must_use]
    pub fn at(mut self, at: Timestamp) -> Self {
        let mut seed = [0; 10];
        seed.copy_from_slice(&self.0.delivery.id().0.as_bytes()[..10]);
        self.0.started_at = at;
        self.0.id = CallId::new(u64::try_from(at.unix_ms()).expect("tests play after 1970"), seed);
        self
    }

    /// Answered with this status and failed; another attempt follows if `next_at` is given, else it was given up.
    #[must_use]
    pub fn failed(mut self, status: u16, next_at: Option<Timestamp>) -> Self {
        self.0.response = Some(answer(status));
        self.0.next_at = next_at;
        self.0.state = if next_at.is_some() { DeliveryState::Pending } else { DeliveryState::GivenUp };
        self
    }

    /// Not answered at all; another attempt follows if `next_at` is given, else it was given up.
    #[must_use]
    pub fn unanswered(mut self, kind: FailureKind, next_at: Option<Timestamp>) -> Self {
        self = self.failed(0, next_at);
        self.0.response = None;
        self.0.failure = Some(Failure { kind, message: format!("the test says {kind}") });
        self
    }

    /// The call.
    pub fn build(self) -> CallRecord {
        self.0
    }

    /// The call as a record.
    pub fn record(self) -> Record {
        Record::Call(Box::new(self.0))
    }
}

/// A webhook's automatic delivery that ended without a call, at an instant.
pub fn settled(event: &Carried, webhook: &str, state: DeliveryState, at: Timestamp) -> Record {
    Record::Settled(SettledRecord {
        delivery: DeliveryRef { event: event.head.clone(), webhook: webhook_id(webhook), generation: 0 },
        state,
        attempt: 0,
        reason: format!("the test says {state:?}"),
        by: None,
        at,
    })
}
