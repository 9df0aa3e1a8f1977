//! The AMQP door: what is published well becomes an event, once.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use postrider_domain::message::TraceContext;

use crate::fakes::Gate;
use crate::inbox_world::{Door, End, KEY, Sent, unnamed};
use crate::world::{data, event};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn structured(id: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"/cms","type":"com.example.Entry.publish","subject":"r1","data":{{"a":1}}}}"#
    )
}

fn binary(prefix: &str) -> Vec<(String, String)> {
    let attributes = [
        ("specversion", "1.0"),
        ("id", "1"),
        ("source", "/cms"),
        ("type", "Entry.publish"),
        ("subject", "50%25"),
    ];
    attributes.map(|(name, value)| (format!("{prefix}{name}"), value.to_owned())).into()
}

#[tokio::test]
async fn an_input_is_acknowledged_once_its_event_is_confirmed_and_not_before() {
    let mut door = Door::new();
    let gate = Gate::new();
    *door.world.queue.gate.lock().expect("lock") = Some(Arc::clone(&gate));
    door.inbox.push(Sent::json(event("e1")));
    door.until(gate.came(1)).await;
    door.idle().await;
    assert!(door.inbox.ends().is_empty());
    gate.open();
    assert_eq!(door.ended(1).await, [End::Acked(0)]);
    let published = door.world.published();
    assert_eq!(data(&published[0]), "{ \"a\": 1.0 }", "byte for byte");
    assert!(!published[0].suspect);
    let scope = &published[0].message.event.head.scope;
    assert_eq!((scope.space.as_str(), scope.environment.as_str()), ("blog", "master"));
}

#[tokio::test]
async fn every_form_is_read() {
    let typed = |content_type: Option<&str>, body: String| Sent {
        content_type: content_type.map(str::to_owned),
        ..Sent::json(body)
    };
    let headed = |prefix| Sent { headers: binary(prefix), ..Sent::json("{\"a\":1}") };
    let inputs = [
        (typed(Some("application/json; charset=utf-8"), event("n1")), 1),
        (typed(None, event("n2")), 1),
        (typed(Some("application/json"), format!("[{},{}]", event("n3"), event("n4"))), 2),
        (typed(Some("application/cloudevents+json"), structured("s1")), 1),
        (
            typed(
                Some("application/cloudevents-batch+json"),
                format!("[{},{}]", structured("s2"), structured("s3")),
            ),
            2,
        ),
        (headed("ce-"), 1),
    ];
    let mut door = Door::new();
    for (message, events) in inputs {
        let before = door.published().len();
        let end = door.end_of(message.clone()).await;
        assert!(matches!(end, End::Acked(_)), "{message:?}: {end:?}");
        assert_eq!(door.published().len(), before + events, "{message:?}");
    }
}

#[tokio::test]
async fn attributes_of_the_amqp_binding_are_taken_as_they_are() {
    for (prefix, subject) in
        [("ce-", "50%"), ("Ce-", "50%"), ("cloudEvents:", "50%25"), ("cloudEvents_", "50%25")]
    {
        let mut door = Door::new();
        let message = Sent { headers: binary(prefix), ..Sent::json("{\"a\":1}") };
        assert_eq!(door.end_of(message).await, End::Acked(0), "{prefix}");
        let published = door.world.published();
        assert_eq!(published[0].message.event.head.resource.id, subject, "{prefix}");
        assert_eq!(data(&published[0]), "{\"a\":1}");
    }
}

#[tokio::test]
async fn an_action_may_have_dots() {
    let mut door = Door::new();
    let body = event("e1").replace("\"publish\"", "\"publish.success\"");
    assert_eq!(door.end_of(Sent::under("blog.staging.Entry.publish.success", body)).await, End::Acked(0));
    let head = door.world.published()[0].message.event.head.clone();
    assert_eq!((head.action.as_str(), head.scope.environment.as_str()), ("publish.success", "staging"));
}

#[tokio::test]
async fn each_input_keeps_its_own_trace_if_it_is_one() {
    let mut door = Door::new();
    let trace =
        |parent: &str| TraceContext { parent: Some(parent.to_owned()), state: Some("a=1".to_owned()) };
    door.inbox.push(Sent { trace: trace(PARENT), ..Sent::json(event("e1")) });
    door.inbox.push(Sent { trace: trace("00-a-b-01"), ..Sent::json(event("e2")) });
    door.inbox.push(Sent::json(event("e3")));
    door.ended(3).await;
    let traces = door.world.published().into_iter().map(|one| one.trace).collect::<Vec<_>>();
    assert_eq!(traces, [trace(PARENT), TraceContext::default(), TraceContext::default()]);
}

#[tokio::test]
async fn inputs_that_came_together_are_claimed_and_published_together_by_space() {
    let mut door = Door::new();
    for number in 0..30 {
        let key = if number % 3 == 0 { "other.master.Entry.publish" } else { KEY };
        door.inbox.push(Sent::under(key, event(&format!("e{number}"))));
    }
    let ends = door.ended(30).await;
    assert!(ends.iter().all(|end| matches!(end, End::Acked(_))), "{ends:?}");
    assert_eq!(door.published().len(), 30);
    assert_eq!(door.world.claims.calls.load(Ordering::Relaxed), 2);
    assert_eq!(door.world.queue.publishes.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn the_same_event_from_both_doors_is_one() {
    let mut door = Door::new();
    door.world.post(event("e1")).await.assert_accepted();
    assert_eq!(door.end_of(Sent::json(event("e1"))).await, End::Acked(0));
    assert_eq!(door.published(), [("e1".to_owned(), false)]);
}

#[tokio::test]
async fn the_same_event_twice_in_one_batch_is_one() {
    let mut door = Door::new();
    for _ in 0..3 {
        door.inbox.push(Sent::json(event("e1")));
    }
    assert_eq!(door.ended(3).await, [End::Acked(0), End::Acked(1), End::Acked(2)]);
    assert_eq!(door.published(), [("e1".to_owned(), false)]);
}

#[tokio::test]
async fn what_may_be_a_copy_is_accepted_as_a_suspect_and_what_certainly_is_one_not_at_all() {
    let mut door = Door::new();
    let redelivered = Sent { suspect: true, ..Sent::json(event("e1")) };
    assert_eq!(door.end_of(redelivered.clone()).await, End::Acked(0));
    assert_eq!(door.end_of(redelivered).await, End::Acked(1));
    assert_eq!(door.published(), [("e1".to_owned(), true)]);
}

#[tokio::test]
async fn an_acknowledgement_that_was_lost_makes_no_second_event_if_the_message_has_an_id() {
    let mut door = Door::new();
    door.inbox.ack_fault.transient();
    let named = Sent { message_id: Some("m1".to_owned()), ..Sent::json(unnamed()) };
    door.inbox.push(named);
    door.inbox.push(Sent::json(event("e1")));
    assert_eq!(door.ended(2).await, [End::Released(0), End::Released(1)]);
    door.idle().await;
    assert!(door.ailment().contains("settled"), "{}", door.ailment());
    door.inbox.ack_fault.heal();
    door.world.clock.advance(std::time::Duration::from_millis(100));
    let ends = door.ended(4).await;
    assert!(ends.contains(&End::Acked(0)) && ends.contains(&End::Acked(1)), "{ends:?}");
    door.idle().await;
    assert_eq!(door.published().len(), 2);
    assert_eq!(door.ailment(), "");
}

#[tokio::test]
async fn equal_inputs_are_one_event_under_one_message_id_and_two_without() {
    let mut door = Door::new();
    let under = |id: &str, body: String| Sent { message_id: Some(id.to_owned()), ..Sent::json(body) };
    let other = unnamed().replace("1.0", "2.0");
    let two = format!("[{},{}]", unnamed(), unnamed());
    let inputs = [
        (under("m1", unnamed()), 1),
        (under("m1", unnamed()), 0),
        (under("m2", unnamed()), 1),
        (under("m1", other), 1),
        (under("m1", two), 2),
        (under("", unnamed()), 1),
        (under("", unnamed()), 1),
        (Sent::json(unnamed()), 1),
        (Sent::json(unnamed()), 1),
    ];
    for (message, events) in inputs {
        let before = door.published().len();
        assert!(matches!(door.end_of(message.clone()).await, End::Acked(_)), "{message:?}");
        assert_eq!(door.published().len(), before + events, "{message:?}");
    }
}
