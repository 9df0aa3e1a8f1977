//! What was added to version 1 since its first snapshots, frozen as they are in `frozen.rs`: each form is an old one with the
//! addition, so whoever does not know it reads the rest.

use std::fmt::Debug;
use std::sync::Arc;

use postrider_domain::gathering::{Coalesced, CoalescedEvent};
use postrider_domain::id::EventId;
use postrider_domain::message::{DeliverMessage, RecordsMessage, Target};
use postrider_domain::record::Record;
use postrider_domain::timestamp::Timestamp;
use postrider_domain::topic::{Action, ActionPattern, EventType};
use postrider_domain::trigger::{Limits, Trigger, Written};
use postrider_domain::webhook::{Wants, Webhook};
use postrider_wire::Wire;

/// The form that an old snapshot holds.
fn old<T: Wire>(frozen: &str) -> T {
    T::decode(frozen.as_bytes()).expect("a frozen form still decodes")
}

/// Asserts both directions, as `frozen.rs` does.
fn assert_frozen<T: Wire + PartialEq + Debug>(value: &T, frozen: &str) {
    let frozen = frozen.trim_end();
    assert_eq!(String::from_utf8(value.encode()).expect("JSON is UTF-8"), frozen);
    assert_eq!(&old::<T>(frozen), value);
}

fn coalesced_event() -> CoalescedEvent {
    CoalescedEvent {
        id: EventId::new("e-1").expect("id"),
        event_type: EventType::new("Entry").expect("type"),
        action: Action::new("publish.success").expect("action"),
        resource: "5KsD".into(),
        occurred_at: Timestamp::from_unix_ms(1_767_268_800_000),
    }
}

#[test]
fn an_event_of_a_window_is_written_as_version_1() {
    assert_frozen(
        &coalesced_event(),
        r#"{"v":1,"event":{"id":"e-1","type":"Entry","action":"publish.success","res":"5KsD","at":1767268800000}}"#,
    );
}

#[test]
fn what_a_call_stands_for_is_written_beside_its_target() {
    let windowed: DeliverMessage = old(include_str!("snapshots/deliver_v1_inline.json"));
    let target = windowed.targets.last().expect("one with a window");
    let coalesced = Some(Arc::new(Coalesced { count: 50, events: vec![coalesced_event()] }));
    let targets = vec![Target { webhook: windowed.targets[1].webhook.clone(), coalesced, ..target.clone() }];
    let message = DeliverMessage { targets, ..old(include_str!("snapshots/deliver_v1_stored.json")) };
    assert_frozen(&message, include_str!("snapshots/deliver_v1_coalesced.json"));
}

#[test]
fn a_trigger_in_a_dialects_words_is_written_as_version_1() {
    let trigger = |event_type, written| Trigger {
        event_type: Some(EventType::new(event_type).expect("type")),
        actions: vec![ActionPattern::parse("save").expect("action")],
        limits: Limits::default(),
        written,
    };
    let words = Written::InWords { event_type: Some("item_type".into()), actions: vec!["update".into()] };
    let triggers = vec![trigger("ContentType", words), trigger("Field", Written::Continued)];
    let small: Webhook = old(include_str!("snapshots/webhook_v1_small.json"));
    let webhook = Webhook { wants: Wants { triggers, ..Wants::default() }, ..small };
    assert_frozen(&webhook, include_str!("snapshots/webhook_v1_words.json"));
}

#[test]
fn a_later_part_of_a_huge_fan_out_is_written_as_version_1() {
    let RecordsMessage { mut records } = old(include_str!("snapshots/records_v1.json"));
    records.truncate(1);
    let Some(Record::Matched(matched)) = records.first_mut() else { unreachable!("a match comes first") };
    assert_eq!(matched.part, 0, "what does not say is the first");
    (matched.part, matched.unlisted) = (2, 0);
    let first = include_str!("snapshots/records_v1.json");
    let end = first.find(r#"},{"call":"#).expect("a call comes second");
    let frozen = first[..end].replace(r#""unlisted":3,"#, r#""unlisted":0,"part":2,"#) + "}]}";
    assert_frozen(&RecordsMessage { records }, &frozen);
}
