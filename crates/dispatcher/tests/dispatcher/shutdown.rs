//! Stopping: softly under load nothing is lost and nothing is done twice; hard, everything comes back.

use std::time::Duration;

use postrider_testkit::builders::{deliver, event, outgoing, webhook};

use crate::receiver::Answer;
use crate::world::{World, seconds};

fn slow(by: Duration) -> Answer {
    Answer::After(by, Box::new(Answer::Status(200)))
}

#[tokio::test(start_paused = true)]
async fn a_soft_stop_under_load_loses_and_repeats_nothing() {
    let world = World::with((0..8).map(|at| webhook(&format!("w{at}")).topic("*.*").build()));
    world.receiver.script("/w", &[slow(Duration::from_millis(700))]);
    let mut running = world.start();
    for round in 0..10 {
        for at in 0..40 {
            world.accept(event("Entry.publish").id(&format!("e{round}-{at}"))).await;
        }
        world.pass(Duration::from_millis(350)).await;
        running.begin();
        world.pass(seconds(2)).await;
        running.ended().await;
        assert_eq!(world.depth().await.leased, 0, "everything that waited was given back");
        running = world.start();
    }
    world.pass(seconds(120)).await;
    assert_eq!(world.balance(), [("delivered", 3200)].into());
    assert_eq!(world.receiver.arrived("/w").len(), 3200, "no call was made twice");
    running.stop().await;
    world.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn a_soft_stop_finishes_calls_and_gives_back_what_waits() {
    let world = World::with([webhook("w").build()]);
    world.receiver.script("/w", &[slow(seconds(5))]);
    let running = world.start();
    for at in 0..10 {
        world
            .publish(outgoing(deliver(&event("Entry.publish").id(&format!("e{at}")).carried(), &["w"])))
            .await;
    }
    world.pass(seconds(1)).await;
    assert_eq!(world.arrived("w").len(), 4, "a slow start");
    running.begin();
    world.pass(seconds(1)).await;
    assert_eq!((world.depth().await.ready, world.depth().await.leased), (6, 4));
    assert!(!running.task.is_finished(), "calls are under way");
    world.pass(seconds(4)).await;
    running.ended().await;
    assert_eq!((world.calls("w").len(), world.depth().await.leased), (4, 0));
}

#[tokio::test(start_paused = true)]
async fn a_hard_stop_is_at_once_and_everything_comes_back() {
    let world = World::with([webhook("w").build()]);
    world.receiver.script("/w", &[slow(seconds(3600)), Answer::Status(200)]);
    let running = world.start();
    for at in 0..10 {
        world
            .publish(outgoing(deliver(&event("Entry.publish").id(&format!("e{at}")).carried(), &["w"])))
            .await;
    }
    world.pass(seconds(1)).await;
    running.begin();
    world.pass(seconds(1)).await;
    running.shutdown.force();
    running.ended().await;
    let finished = world.calls("w").len();
    assert_eq!((finished, world.depth().await.ready, world.depth().await.leased), (9, 1, 0));
    let running = world.start();
    world.pass(seconds(10)).await;
    assert_eq!(world.calls("w").len(), 10);
    running.stop().await;
    world.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_dispatcher_stops_at_once() {
    let world = World::new();
    let running = world.start();
    world.pass(seconds(1)).await;
    running.stop().await;
}
