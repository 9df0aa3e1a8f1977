//! Copies: who asks before acting, what covers them, and how suspicion travels.

use postrider_domain::delivery::{DeliveryId, DeliveryState, Progress};
use postrider_domain::message::{Lane, Target};
use postrider_domain::timestamp::Timestamp;
use postrider_testkit::START;
use postrider_testkit::builders::{deliver, event, event_id, outgoing, scope, webhook, webhook_id};

use crate::receiver::Answer;
use crate::world::{World, seconds};

fn delivery(event: &str, webhook: &str, generation: u32) -> DeliveryId {
    DeliveryId::derive(&scope("default"), &event_id(event), &webhook_id(webhook), generation)
}

#[tokio::test(start_paused = true)]
async fn a_clean_first_attempt_asks_nobody() {
    let world = World::with([webhook("w").topic("*.*").build()]);
    world.accept(event("Entry.publish")).await;
    world.step().await;
    assert_eq!((world.taps.calls("marks.marked"), world.taps.calls("progresses")), (0, 0));
    assert_eq!(world.taps.calls("marks.mark"), 1, "its mark is set with its record");
}

#[tokio::test(start_paused = true)]
async fn a_suspect_that_was_done_is_dropped_without_a_trace() {
    let world = World::with([webhook("w").topic("*.*").build()]);
    world.accept(event("Entry.publish")).await;
    world.step().await;
    let records = world.records().len();
    let mut copy = outgoing(deliver(&event("Entry.publish").carried(), &["w"]));
    copy.suspect = true;
    world.publish(copy).await;
    world.step().await;
    assert_eq!((world.arrived("w").len(), world.records().len()), (1, records));
    assert_eq!(world.taps.calls("progresses"), 0, "its mark was enough");
    world.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_mark_the_log_answers_and_without_marks_at_all_too() {
    for away in [false, true] {
        let world = World::with([webhook("w").topic("*.*").build()]);
        world.accept(event("Entry.publish")).await;
        world.step().await;
        world.servers.lock().marks.clear();
        if away {
            world.taps.fail("marks.marked", usize::MAX);
        }
        let mut copy = outgoing(deliver(&event("Entry.publish").carried(), &["w"]));
        copy.suspect = true;
        world.publish(copy).await;
        world.step().await;
        assert_eq!((world.arrived("w").len(), world.taps.calls("progresses")), (1, 1));
        world.assert_empty().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_suspects_asks_once() {
    let world = World::with((0..16).map(|at| webhook(&format!("w{at}")).build()));
    let ids: Vec<String> = (0..16).map(|at| format!("w{at}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    for at in 0..4 {
        let mut message = outgoing(deliver(&event("Entry.publish").id(&format!("e{at}")).carried(), &ids));
        message.suspect = true;
        world.publish(message).await;
    }
    world.step().await;
    assert_eq!((world.taps.calls("marks.marked"), world.taps.calls("progresses")), (1, 1));
    assert_eq!(world.receiver.arrived("/w").len(), 64, "nothing was known of them");
}

#[tokio::test(start_paused = true)]
async fn a_copy_of_an_earlier_attempt_is_dropped_and_a_later_attempt_is_made() {
    let world = World::with([webhook("w").topic("*.*").build()]);
    let known = Progress { state: DeliveryState::Pending, attempt: 2 };
    world.servers.lock().log.insert(delivery("e1", "w", 0), known);
    let message = |attempt| {
        let mut message = deliver(&event("Entry.publish").carried(), &["w"]);
        message.targets[0].attempt = attempt;
        message.lane = Lane::Late;
        outgoing(message)
    };
    world.publish(message(2)).await;
    world.step().await;
    assert!(world.arrived("w").is_empty(), "attempt 2 was made");
    world.publish(message(3)).await;
    world.step().await;
    assert_eq!(world.calls("w")[0].attempt, 3);
}

#[tokio::test(start_paused = true)]
async fn suspicion_travels_through_matching_and_retries() {
    let world = World::with([webhook("w").topic("*.*").delays(&[seconds(5)]).build()]);
    world.receiver.script("/w", &[Answer::Status(500), Answer::Status(200)]);
    let mut suspect = outgoing(event("Entry.publish").message());
    suspect.suspect = true;
    world.accept_as(suspect).await;
    world.step().await;
    assert_eq!(world.taps.calls("marks.marked"), 1, "the fan-out of a suspect is suspect");
    assert!(world.servers.lock().messages.iter().all(|(_, suspect)| *suspect), "and so are its records");
    world.clock.advance(seconds(5));
    world.step().await;
    assert_eq!(world.balance(), [("delivered", 1)].into());
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_meets_its_original_in_flight_waits_for_its_evidence() {
    let world = World::with([webhook("w").build()]);
    world.receiver.script("/w", &[Answer::After(seconds(3), Box::new(Answer::Status(200)))]);
    let message = || outgoing(deliver(&event("Entry.publish").carried(), &["w"]));
    let running = world.start();
    world.publish(message()).await;
    let mut copy = message();
    copy.suspect = true;
    world.publish(copy).await;
    world.pass(seconds(10)).await;
    assert_eq!(world.arrived("w").len(), 1);
    running.stop().await;
    world.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn the_success_of_a_resend_settles_a_pending_first_generation() {
    let world = World::with([webhook("w").topic("*.*").delays(&[seconds(60)]).build()]);
    world.receiver.script("/w", &[Answer::Status(500), Answer::Status(200)]);
    world.accept(event("Entry.publish")).await;
    world.step().await;
    let mut resend = deliver(&event("Entry.publish").carried(), &["w"]);
    resend.targets = vec![Target { generation: 1, ..resend.targets[0].clone() }];
    world.publish(outgoing(resend)).await;
    world.step().await;
    let settled = &world.settled("w")[0];
    assert_eq!((settled.delivery.generation, settled.state), (0, DeliveryState::Superseded));
    assert_eq!(settled.by, Some(delivery("e1", "w", 1)));
    world.clock.advance(seconds(60));
    world.step().await;
    assert_eq!(world.arrived("w").len(), 2, "the retry of generation 0 was dropped");
    assert_eq!(world.balance(), [("superseded", 1)].into());
    let id = |at: usize| header(&world, at, "Postrider-Delivery");
    assert_eq!(id(0), id(1), "receivers see the id of generation 0");
    world.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn the_success_of_a_resend_settles_the_resends_before_it_too() {
    let world = World::with([webhook("w").topic("*.*").delays(&[seconds(60)]).build()]);
    world.receiver.script("/w", &[Answer::Status(500), Answer::Status(500), Answer::Status(200)]);
    world.accept(event("Entry.publish")).await;
    world.step().await;
    for generation in [1, 2] {
        let mut resend = deliver(&event("Entry.publish").carried(), &["w"]);
        resend.targets[0].generation = generation;
        world.publish(outgoing(resend)).await;
        world.step().await;
    }
    let settled: Vec<_> =
        world.settled("w").iter().map(|one| (one.delivery.generation, one.state, one.by)).collect();
    let by = Some(delivery("e1", "w", 2));
    let superseded = DeliveryState::Superseded;
    assert_eq!(settled, [(0, superseded, by), (1, superseded, by)]);
    world.clock.advance(seconds(60));
    world.step().await;
    assert_eq!(world.arrived("w").len(), 3, "neither retry was made");
    world.assert_empty().await;
}

fn header(world: &World, at: usize, name: &str) -> String {
    let headers = world.arrived("w")[at].request.headers.clone();
    headers.into_iter().find(|(one, _)| one == name).expect("it is there").1
}

#[tokio::test(start_paused = true)]
async fn a_failed_resend_leaves_the_first_generation_alone() {
    let world = World::with([webhook("w").build()]);
    world.receiver.script("/w", &[Answer::Status(404)]);
    let mut resend =
        deliver(&event("Entry.publish").at(Timestamp::from_unix_ms(START.unix_ms())).carried(), &["w"]);
    resend.targets[0].generation = 3;
    world.publish(outgoing(resend)).await;
    world.step().await;
    assert!(world.settled("w").is_empty());
    assert_eq!(world.calls("w")[0].delivery.generation, 3);
}
