//! A long history for the log, made of arithmetic: the same calls every time, with the unevenness of real ones.
//!
//! Five spaces with 60, 20, 12, 7 and 1 % of the events have 200 webhooks together. In the largest one a webhook hears
//! every event of an entry or an asset, which is 400,000 of 1,000,000 calls; the others hear ever less, and the last one
//! heard the first few events and none since. Nine of ten deliveries succeed at once; the others are tried again, given
//! up, superseded, cancelled or still wait.

mod fill;

use std::time::Duration;

use bytes::Bytes;
use postrider_domain::call::{CallRecord, RecordedRequest, RecordedResponse, Timings};
use postrider_domain::delivery::{DeliveryRef, DeliveryState};
use postrider_domain::event::Carried;
use postrider_domain::id::{CallId, WebhookId};
use postrider_domain::record::{Record, SettledRecord};
use postrider_domain::timestamp::Timestamp;

use crate::builders::{event, matched, webhook_id};

pub use fill::fill;

/// A space, its webhooks, and its share of the events in percent.
pub const SPACES: [(&str, u64, u64); 5] =
    [("main", 80, 60), ("second", 60, 20), ("third", 40, 12), ("fourth", 16, 7), ("tiny", 4, 1)];
/// From the first event to the last.
pub const SPAN: Duration = Duration::from_secs(8 * 24 * 3600);

/// Types with their share in a thousand.
const TYPES: [(&str, u64); 5] =
    [("Entry", 750), ("Asset", 180), ("ContentType", 40), ("Task", 25), ("Release", 5)];
/// Actions with their share in a thousand.
const ACTIONS: [(&str, u64); 8] = [
    ("publish", 350),
    ("auto_save", 250),
    ("save", 200),
    ("create", 90),
    ("unpublish", 60),
    ("archive", 30),
    ("delete", 18),
    ("unarchive", 2),
];
/// Environments with their share in a thousand.
const ENVIRONMENTS: [(&str, u64); 3] = [("master", 900), ("staging", 95), ("preview-7", 5)];
/// Events at the beginning that the rare webhook may have heard: some 40 of them.
const RARE_EVENTS: u64 = 70;
/// Webhooks that did not match, as listed with each event.
const MISSES: u64 = 10;
/// The size of an event's data, and of what receivers answer.
const BODY_BYTES: usize = 1000;
const WORDS: [&str; 8] =
    ["harbour", "letter", "morning", "courier", "northern", "station", "quietly", "sentence"];

/// A history that ends at an instant.
#[derive(Debug, Clone, Copy)]
pub struct History {
    /// Events in it, numbered from 0. Two events make some three calls.
    pub events: u64,
    /// When the last one was accepted.
    pub until: Timestamp,
}

/// The id of a webhook of a space, as long as those that are drawn. 0 hears the most, and of `main` the last is the rare
/// one.
pub fn webhook(space: &str, number: u64) -> WebhookId {
    webhook_id(&format!("{space}-webhook-{number:010}"))
}

/// The id of an event.
pub fn event_id(number: u64) -> String {
    format!("evt-{:016x}", mix(number))
}

impl History {
    /// The records of one event, in the order in which they come to the log.
    pub fn records(&self, number: u64) -> Vec<Record> {
        let (space, webhooks) = space(number);
        let event = self.event(number, space);
        let heard = heard(number, &event, webhooks);
        let missed = (0..MISSES.min(webhooks)).map(|it| webhook(space, webhooks - 1 - it));
        let missed: Vec<WebhookId> = missed.filter(|webhook| !heard.contains(webhook)).collect();
        let texts = |webhooks: &'_ [WebhookId]| webhooks.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (hits, misses) = (texts(&heard), texts(&missed));
        let hits: Vec<&str> = hits.iter().map(String::as_str).collect();
        let misses: Vec<&str> = misses.iter().map(String::as_str).collect();
        let mut records = vec![matched(&event, &hits, &misses)];
        for (place, webhook) in (0..).zip(heard) {
            let delivery = DeliveryRef { event: event.head.clone(), webhook, generation: 0 };
            records.extend(deliver(&event, &delivery, mix(number * 8 + place)));
        }
        records
    }

    fn event(&self, number: u64, space: &str) -> Carried {
        let drawn = mix(number ^ 0x0e);
        let topic = format!("{}.{}", choose(&TYPES, drawn), choose(&ACTIONS, drawn >> 16));
        let step = SPAN.as_millis() / u128::from(self.events.max(1));
        let before = u128::from(self.events.saturating_sub(number)) * step;
        let before = Duration::from_millis(u64::try_from(before).unwrap_or(u64::MAX));
        event(&topic)
            .id(&event_id(number))
            .space(space)
            .environment(choose(&ENVIRONMENTS, drawn >> 32))
            .resource(&format!("resource-{:06}", drawn % 5000))
            .content_type("blogPost")
            .data(&format!("{{\"title\":\"{number}\",\"body\":\"{}\"}}", prose(drawn)))
            .at(self.until.minus(before))
            .carried()
    }
}

/// The space of an event, and how many webhooks it has.
fn space(number: u64) -> (&'static str, u64) {
    let shares = SPACES.map(|(name, _, share)| (name, share));
    let chosen = choose(&shares, mix(number ^ 0x5bace));
    let webhooks = SPACES.iter().find(|(name, ..)| *name == chosen).map_or(1, |(_, webhooks, _)| *webhooks);
    (chosen, webhooks)
}

/// Who hears an event: the smaller of two drawn numbers, so that the first webhooks hear most.
fn heard(number: u64, event: &Carried, webhooks: u64) -> Vec<WebhookId> {
    let head = &event.head;
    let space = head.scope.space.as_str();
    let mut heard = Vec::new();
    let is_main = space == SPACES[0].0;
    if is_main && matches!(head.event_type.as_str(), "Entry" | "Asset") {
        heard.push(webhook(space, 0));
    }
    if is_main && number < RARE_EVENTS {
        heard.push(webhook(space, webhooks - 1));
    }
    let further = if is_main { u64::from(number.is_multiple_of(3)) } else { 1 + number % 2 };
    for place in 0..further {
        let drawn = mix(number * 8 + 5 + place);
        // Neither the busiest nor the rare one of `main`.
        let (first, kinds) = if is_main { (1, webhooks - 2) } else { (0, webhooks) };
        let other = webhook(space, first + (drawn % kinds).min((drawn >> 32) % kinds));
        if !heard.contains(&other) {
            heard.push(other);
        }
    }
    heard
}

/// What became of a delivery, in parts of a hundred: 90 succeed at once, 4 at the second attempt, 2 are given up after
/// three, 2 superseded, 1 cancelled, 1 waits after a failure.
fn deliver(event: &Carried, delivery: &DeliveryRef, drawn: u64) -> Vec<Record> {
    let accepted = event.head.accepted_at;
    let at = |attempt: u64| accepted.plus(Duration::from_millis(20 + drawn % 500 + (attempt - 1) * 5_000));
    let next = |attempt: u64| Some(at(attempt + 1));
    let call = |attempt: u64, state, next_at| call(delivery, attempt, (at(attempt), next_at), state, drawn);
    let settled = |state, reason: &str| {
        let reason = reason.to_owned();
        Record::Settled(SettledRecord {
            delivery: delivery.clone(),
            state,
            attempt: 0,
            reason,
            by: None,
            at: at(1),
        })
    };
    let (pending, given_up) = (DeliveryState::Pending, DeliveryState::GivenUp);
    match drawn % 100 {
        0..90 => vec![call(1, DeliveryState::Delivered, None)],
        90..94 => vec![call(1, pending, next(1)), call(2, DeliveryState::Delivered, None)],
        94..96 => vec![call(1, pending, next(1)), call(2, pending, next(2)), call(3, given_up, None)],
        96..98 => {
            vec![settled(DeliveryState::Superseded, "a newer event of the same resource was sent instead")]
        }
        98 => vec![settled(DeliveryState::Cancelled, "the webhook is disabled")],
        _ => vec![call(1, pending, next(1))],
    }
}

fn call(
    delivery: &DeliveryRef,
    attempt: u64,
    (started_at, next_at): (Timestamp, Option<Timestamp>),
    state: DeliveryState,
    drawn: u64,
) -> Record {
    let mut random = [0; 10];
    random[..8].copy_from_slice(&mix(drawn ^ attempt).to_be_bytes());
    let is_good = state == DeliveryState::Delivered;
    let header = |name: &str, value: String| (name.to_owned(), value);
    let id = delivery.id();
    Record::Call(Box::new(CallRecord {
        id: CallId::new(u64::try_from(started_at.unix_ms()).unwrap_or(0), random),
        delivery: delivery.clone(),
        attempt: u32::try_from(attempt).unwrap_or(1),
        started_at,
        timings: Timings {
            first_byte: Some(Duration::from_millis(40)),
            total: Duration::from_millis(45 + drawn % 200),
            ..Timings::default()
        },
        request: RecordedRequest {
            method: "POST".to_owned(),
            url: format!("https://receiver.example/hooks/{}", delivery.webhook),
            headers: vec![
                header("Content-Type", "application/json".to_owned()),
                header("User-Agent", "Postrider/0.1".to_owned()),
                header("webhook-id", id.to_string()),
                header("webhook-timestamp", started_at.to_seconds_string()),
                header("webhook-signature", format!("v1,{:032x}{:032x}", id.0.as_u128(), mix(drawn))),
            ],
            body: Bytes::from(format!("{{\"id\":\"{id}\",\"data\":{{\"body\":\"{}\"}}}}", prose(drawn))),
            timeout: Duration::from_secs(30),
        },
        response: Some(RecordedResponse {
            status: if is_good { 200 } else { 503 },
            headers: vec![
                header("content-type", "application/json".to_owned()),
                header("server", "nginx".to_owned()),
            ],
            body: Bytes::from(format!("{{\"said\":\"{}\"}}", prose(mix(drawn)))),
            truncated: false,
        }),
        failure: None,
        state,
        next_at,
        webhook_version: 1,
    }))
}

/// Spreads numbers evenly: the finaliser of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number
/// generators, 2014).
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn choose(table: &[(&'static str, u64)], drawn: u64) -> &'static str {
    let mut rest = drawn % table.iter().map(|(_, share)| share).sum::<u64>().max(1);
    for (name, share) in table {
        if rest < *share {
            return name;
        }
        rest -= share;
    }
    ""
}

/// Text that compresses about as well as prose.
fn prose(seed: u64) -> String {
    let mut text = String::with_capacity(BODY_BYTES + 32);
    let mut drawn = seed;
    while text.len() < BODY_BYTES {
        drawn = mix(drawn);
        let word = WORDS[usize::try_from(drawn % 8).unwrap_or(0)];
        text.extend([word, " ", &format!("{:x}", drawn >> 44), " "]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::START;
    use std::collections::BTreeMap;

    #[test]
    fn the_shares_are_as_described() {
        let history = History { events: 20_000, until: START };
        let (mut calls, mut busy, mut tiny) = (0, 0, 0);
        let mut states: BTreeMap<&str, usize> = BTreeMap::new();
        for record in (0..history.events).flat_map(|number| history.records(number)) {
            if let Record::Call(call) = record {
                calls += 1;
                busy += usize::from(call.delivery.webhook == webhook("main", 0));
                tiny += usize::from(call.delivery.event.scope.space.as_str() == "tiny");
                *states.entry(call.state.as_str()).or_default() += 1;
            }
        }
        assert!((28_000..32_000).contains(&calls), "{calls} calls");
        assert!((37..43).contains(&(busy * 100 / calls)), "{busy} of {calls} to the busy webhook");
        assert!((6..20).contains(&(tiny * 1000 / calls)), "{tiny} of {calls} in the tiny space");
        assert!(states["given_up"] > 100 && states["pending"] > 1000, "{states:?}");
    }

    #[test]
    fn it_is_the_same_every_time_and_ends_when_it_should() {
        let history = History { events: 100, until: START };
        assert_eq!(history.records(7), history.records(7));
        let first = |number| match history.records(number).into_iter().next() {
            Some(Record::Matched(matched)) => matched.event.head.accepted_at,
            other => panic!("{other:?}"),
        };
        assert!(START.since(first(99)) < Duration::from_secs(2 * 3600 * 2));
        assert_eq!(START.since(first(0)), SPAN);
    }
}
