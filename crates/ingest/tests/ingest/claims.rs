//! The same id twice is one event, whatever happens in between (DESIGN §2).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt;
use postrider_ports::claims::PENDING_FOR;
use postrider_testkit::START;

use crate::fakes::Gate;
use crate::world::{World, event, publish_to};

fn one(id: &str, status: &str) -> Vec<(String, String)> {
    vec![(id.to_owned(), status.to_owned())]
}

#[tokio::test]
async fn a_repeat_is_answered_as_a_duplicate_and_published_once() {
    let world = World::new();
    assert_eq!(world.post(event("e1")).await.assert_accepted(), one("e1", "accepted"));
    assert_eq!(world.post(event("e1")).await.assert_accepted(), one("e1", "duplicate"));
    let batch = format!("[{},{}]", event("e1"), event("e2"));
    let answer = world.post(batch).await.assert_accepted();
    assert_eq!(answer, [("e1".into(), "duplicate".into()), ("e2".into(), "accepted".into())]);
    assert_eq!(world.published().len(), 2);
}

#[tokio::test]
async fn the_same_id_twice_in_one_request_is_one_event() {
    let world = World::new();
    let answer = world.post(format!("[{0},{0}]", event("e1"))).await.assert_accepted();
    assert_eq!(answer, [("e1".into(), "accepted".into()), ("e1".into(), "duplicate".into())]);
    assert_eq!(world.published().len(), 1);
}

#[tokio::test]
async fn the_same_id_with_another_body_is_a_conflict_and_nothing_of_the_request_stays() {
    let world = World::new();
    world.post(event("e1")).await.assert_accepted();
    let batch = format!("[{},{}]", event("e2"), event("e1").replace("1.0", "2.0"));
    let text = world.post(batch).await.assert_refused(409, "id_taken");
    assert!(text.contains("\"index\":1") && text.contains("e1"), "{text}");
    assert_eq!(world.published().len(), 1);
    let again = world.post(event("e2")).await.assert_accepted();
    assert_eq!(again, one("e2", "accepted"));
    assert!(!world.published()[1].suspect, "the refused request gave its claim back");
}

#[tokio::test]
async fn two_bodies_under_one_id_in_one_request_are_a_conflict() {
    let world = World::new();
    let batch = format!("[{},{}]", event("e1"), event("e1").replace("1.0", "2.0"));
    world.post(batch).await.assert_refused(409, "id_taken");
    assert!(world.published().is_empty());
}

#[tokio::test]
async fn the_same_bytes_in_another_environment_are_another_event_whose_id_is_taken() {
    let world = World::new();
    world.post(event("e1")).await.assert_accepted();
    let request = publish_to("/spaces/blog/environments/staging/events");
    let request = request.header("content-type", "application/json").body(event("e1").into());
    world.send(request).await.assert_refused(409, "id_taken");
}

#[tokio::test]
async fn two_requests_with_one_id_at_the_same_instant_publish_the_second_as_a_suspect() {
    let world = World::new();
    let gate = Gate::new();
    *world.queue.gate.lock().expect("lock") = Some(Arc::clone(&gate));
    let open_once_both_are_there = async {
        gate.came(2).await;
        gate.open();
    };
    let (first, second, ()) =
        tokio::join!(world.post(event("e1")), world.post(event("e1")), open_once_both_are_there);
    assert_eq!(first.assert_accepted(), one("e1", "accepted"));
    assert_eq!(second.assert_accepted(), one("e1", "accepted"));
    let published = world.published();
    let mut suspects = published.iter().map(|one| one.suspect).collect::<Vec<_>>();
    suspects.sort_unstable();
    assert_eq!(suspects, [false, true]);
    assert_eq!(published[0].message, published[1].message);
}

#[tokio::test]
async fn a_request_that_died_between_claim_and_confirm_is_published_again_under_the_same_instant() {
    let world = World::new();
    let gate = Gate::new();
    *world.queue.gate.lock().expect("lock") = Some(Arc::clone(&gate));
    let mut dying = Box::pin(world.post(event("e1")));
    assert!((&mut dying).now_or_never().is_none(), "it waits for its confirm");
    gate.came(1).await;
    drop(dying);
    *world.queue.gate.lock().expect("lock") = None;
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(world.post(event("e1")).await.assert_accepted(), one("e1", "accepted"));
    let published = world.published();
    assert_eq!(published.len(), 1, "what died was not published in this story");
    assert!(published[0].suspect, "but nobody can know that");
    let head = &published[0].message.event.head;
    assert_eq!((head.accepted_at, head.occurred_at), (START, START), "copies fall on the same day");
    assert_eq!(world.post(event("e1")).await.assert_accepted(), one("e1", "duplicate"));
}

#[tokio::test]
async fn a_claim_that_died_is_forgotten_after_its_time() {
    let world = World::new();
    world.queue.fault.transient();
    world.post(event("e1")).await.assert_refused(503, "unavailable");
    world.queue.fault.heal();
    world.clock.advance(PENDING_FOR);
    world.post(event("e1")).await.assert_accepted();
    let published = world.published();
    assert!(!published[0].suspect);
    assert_eq!(published[0].message.event.head.accepted_at, START.plus(PENDING_FOR));
}

#[tokio::test]
async fn after_a_failed_publish_a_repeat_is_a_suspect_because_it_may_have_been_stored() {
    let world = World::new();
    world.queue.fault.transient();
    let answer = world.post(event("e1")).await;
    answer.assert_refused(503, "unavailable");
    assert!(answer.header("retry-after").is_some());
    world.queue.fault.heal();
    assert_eq!(world.post(event("e1")).await.assert_accepted(), one("e1", "accepted"));
    assert!(world.published()[0].suspect);
}

#[tokio::test]
async fn a_body_that_cannot_be_stored_gives_the_claim_back() {
    let world = World::new();
    let large = event("e1").replace("1.0", &format!("\"{}\"", "x".repeat(40_000)));
    world.bodies.fault.transient();
    world.post(large.clone()).await.assert_refused(503, "unavailable");
    world.bodies.fault.heal();
    world.post(large).await.assert_accepted();
    assert!(!world.published()[0].suspect, "certainly nothing was published before");
}

#[tokio::test]
async fn a_memory_that_was_lost_makes_suspects() {
    let world = World::new();
    world.claims.is_forgetful.store(true, Ordering::Relaxed);
    world.post(event("e1")).await.assert_accepted();
    assert!(world.published()[0].suspect);
    assert_eq!(world.post(event("e1")).await.assert_accepted(), one("e1", "duplicate"));
}

#[tokio::test]
async fn a_memory_that_is_away_makes_suspects_and_refuses_nothing() {
    let world = World::new();
    world.claims.fault.transient();
    assert_eq!(world.post(event("e1")).await.assert_accepted(), one("e1", "accepted"));
    let nameless = event("x").replace("\"id\":\"x\",", "");
    world.post(nameless).await.assert_accepted();
    let suspects = world.published().iter().map(|one| one.suspect).collect::<Vec<_>>();
    assert_eq!(suspects, [true, false], "an id drawn just now cannot have come before");
}

#[tokio::test]
async fn an_acceptance_that_cannot_be_noted_is_still_one() {
    let world = World::new();
    world.claims.commit_fault.transient();
    assert_eq!(world.post(event("e1")).await.assert_accepted(), one("e1", "accepted"));
    world.claims.commit_fault.heal();
    assert_eq!(world.post(event("e1")).await.assert_accepted(), one("e1", "accepted"));
    let published = world.published();
    assert!(!published[0].suspect && published[1].suspect);
    assert_eq!(published[0].message.event.head, published[1].message.event.head);
}
