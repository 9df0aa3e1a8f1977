//! Everything is bounded: sizes, rates, what waits, what is under way.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use futures::FutureExt;
use postrider_ingest::{Settings, run};
use postrider_testkit::START;

use crate::world::{EVENTS, World, event, publish_to};

const KIB: usize = 1024;

fn sized(id: &str, bytes: usize) -> String {
    let empty = event(id).replace("{ \"a\": 1.0 }", "\"\"").len();
    event(id).replace("{ \"a\": 1.0 }", &format!("\"{}\"", "x".repeat(bytes - empty)))
}

#[tokio::test]
async fn an_event_of_the_largest_size_is_accepted_and_one_byte_more_is_not() {
    let world = World::new();
    world.post(sized("a", 256 * KIB)).await.assert_accepted();
    let text = world.post(sized("b", 256 * KIB + 1)).await.assert_refused(413, "too_large");
    assert!(text.contains("262144") && text.contains("262145"), "{text}");
    let answer = world.post(format!("[{},{}]", event("c"), sized("d", 256 * KIB + 1))).await;
    answer.assert_refused(413, "too_large");
    assert_eq!(answer.body["error"]["details"][0]["index"], 1, "{answer:?}");
    assert_eq!(world.published().len(), 1);
}

#[tokio::test]
async fn an_announced_body_that_is_too_long_is_refused_unread() {
    let world = World::new();
    let never = Body::from_stream(futures::stream::pending::<Result<&str, std::io::Error>>());
    let request = publish_to(EVENTS).header("content-type", "application/json");
    let text = world.send(request.header("content-length", "4194305").body(never)).await;
    let text = text.assert_refused(413, "too_large");
    assert!(text.contains("4194304") && text.contains("4194305"), "{text}");
    let never = Body::from_stream(futures::stream::pending::<Result<&str, std::io::Error>>());
    let request = publish_to(EVENTS).header("content-type", "application/cloudevents+json");
    world.send(request.header("content-length", "262145").body(never)).await.assert_refused(413, "too_large");
}

#[tokio::test]
async fn a_body_without_an_announced_length_is_cut_off_at_the_limit() {
    let world = World::new();
    let endless = futures::stream::repeat_with(|| Ok::<_, std::io::Error>("x".repeat(64 * KIB)));
    world.post(Body::from_stream(endless)).await.assert_refused(413, "too_large");
}

#[tokio::test]
async fn five_hundred_events_fit_into_one_request_and_one_more_does_not() {
    let world = World::new();
    let many = |count: usize| {
        let events = (0..count).map(|n| event(&format!("e{n}"))).collect::<Vec<_>>();
        format!("[{}]", events.join(","))
    };
    let text = world.post(many(501)).await.assert_refused(413, "too_large");
    assert!(text.contains("501") && text.contains("500"), "{text}");
    assert_eq!(world.post(many(500)).await.assert_accepted().len(), 500);
}

#[tokio::test]
async fn a_space_that_sends_too_fast_is_told_when_to_come_back() {
    let world =
        World::with(Settings { per_space_events_per_second: 2, max_batch_events: 2, ..Settings::default() });
    world.post(format!("[{},{}]", event("a"), event("b"))).await.assert_accepted();
    let answer = world.post(event("c")).await;
    let text = answer.assert_refused(429, "too_many_events");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(text.contains("2 events per second"), "{text}");
    world.clock.advance(Duration::from_secs(1));
    world.post(event("c")).await.assert_accepted();
    assert!(!world.published()[2].suspect, "the refused request claimed nothing");
}

#[tokio::test]
async fn above_the_backlog_nothing_is_accepted_until_it_shrinks() {
    let world = World::with(Settings { max_backlog: 10, ..Settings::default() });
    world.queue.ready.store(11, Ordering::Relaxed);
    let running = run(Settings::default(), world.deps.clone(), world.shutdown.clone());
    let mut running = Box::pin(running);
    assert!((&mut running).now_or_never().is_none());
    assert_eq!(
        world.clock.someone_sleeps().await,
        START.plus(Duration::from_secs(1)),
        "it measures each second"
    );
    let answer = world.post(event("a")).await;
    let text = answer.assert_refused(503, "overloaded");
    assert!(text.contains("11") && text.contains("ingest.max_backlog"), "{text}");
    assert_eq!(answer.header("retry-after"), Some("5"));
    world.queue.ready.store(10, Ordering::Relaxed);
    world.post(event("a")).await.assert_refused(503, "overloaded");
    world.clock.advance(Duration::from_secs(1));
    assert!((&mut running).now_or_never().is_none());
    world.post(event("a")).await.assert_accepted();
    world.shutdown.begin();
    running.await.expect("it ends when asked to");
}

#[tokio::test]
async fn a_queue_that_cannot_be_measured_makes_it_not_ready_until_it_can() {
    let world = World::new();
    assert_eq!(world.health.not_ready()["ingest"], "starting");
    world.queue.fault.transient();
    let mut running = Box::pin(run(Settings::default(), world.deps.clone(), world.shutdown.clone()));
    assert!((&mut running).now_or_never().is_none());
    assert!(world.health.not_ready()["ingest"].contains("depth"));
    world.queue.fault.heal();
    world.clock.advance(Duration::from_secs(1));
    assert!((&mut running).now_or_never().is_none());
    assert!(world.health.not_ready().is_empty());
}

#[tokio::test]
async fn bodies_under_way_are_bounded_and_their_room_comes_back() {
    let world = World::with(Settings { max_bytes_in_flight: 32 * KIB, ..Settings::default() });
    let never = || Body::from_stream(futures::stream::pending::<Result<&str, std::io::Error>>());
    let small = || {
        let request = publish_to(EVENTS).header("content-type", "application/json");
        world.send(request.header("content-length", "100").body(never()))
    };
    let (mut first, mut second) = (Box::pin(small()), Box::pin(small()));
    assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
    let answer = world.post(event("a")).await;
    answer.assert_refused(503, "overloaded");
    assert_eq!(answer.header("retry-after"), Some("1"));
    drop((first, second));
    world.post(event("a")).await.assert_accepted();
}
