//! A broker that lost its disk is noticed, and what waited there comes back once; whatever else is not put back by itself.

mod world;

use std::sync::atomic::Ordering;
use std::time::Duration;

use postrider_domain::delivery::{DeliveryRef, DeliveryState, Progress};
use postrider_ports::clock::Clock;
use postrider_ports::progress::{Asked, Marks, Progresses};
use postrider_ports::reconcile::{BrokerEpoch, Cause, Epoch, Reconciliations, Standing};
use postrider_testkit::builders::{matched, webhook_id};

use world::{ROUND, World, an_event, fill, poll};

#[tokio::test]
async fn a_broker_that_has_its_disk_gets_nothing_back_whatever_happens_to_it_and_to_us() {
    let world = World::new();
    let mut process = world.leading();
    fill(&world).await;
    world.pass(&mut process, Duration::from_mins(3));
    world.broker.is_away.store(true, Ordering::SeqCst);
    world.pass(&mut process, Duration::from_mins(3));
    world.broker.is_away.store(false, Ordering::SeqCst);
    world.pass(&mut process, Duration::from_mins(3));
    drop(process);
    let mut other = world.process(2);
    world.pass(&mut other, Duration::from_mins(3));
    assert_eq!(world.published(), [""; 0]);
    assert_eq!(world.runs.runs().await.expect("in memory"), []);
}

#[tokio::test]
async fn a_lost_disk_brings_back_all_that_is_open_once_and_its_retries_a_minute_late() {
    let world = World::new();
    let mut process = world.leading();
    fill(&world).await;
    world.pass(&mut process, Duration::from_secs(20));
    world.epochs.wipe();
    world.pass(&mut process, Duration::from_secs(35));
    assert_eq!(world.published(), [""; 0], "what was in hand comes to an end first");
    // Accepted since: its message is alive.
    world.write(&[matched(&an_event("after", world.clock.now()), &["w"], &[])]).await;
    world.pass(&mut process, Duration::from_mins(2));
    let mut published = world.published();
    published.sort();
    assert!(
        published[1].starts_with("e hour 2 in 34"),
        "an hour and a minute, less what passed: {published:?}"
    );
    published.remove(1);
    assert_eq!(published, ["e aside 1 in 0 s", "e new 1 in 0 s", "e soon 2 in 0 s"]);
    let run = world.last_run().await;
    assert_eq!((run.cause, run.put_back, run.without_content), (Cause::DiskLost, 4, 1));
    assert!(run.ended.as_ref().is_some_and(|ended| ended.refused.is_none()), "{run:?}");
    assert!(run.missing_ms.is_some_and(|ms| (15_000..=25_000).contains(&ms)), "{run:?}");
    let era = world.runs.era().await.expect("in memory").expect("noted");
    assert_eq!(world.epochs.standing(era.epoch).await.expect("in memory"), Standing::Kept);
    world.pass(&mut process, Duration::from_mins(3));
    assert_eq!(world.published(), [""; 0], "once");
}

#[tokio::test]
async fn what_only_marks_know_is_told_to_the_log_or_goes_on_from_there() {
    let world = World::new();
    let mut process = world.leading();
    let event = an_event("e", world.clock.now());
    world.write(&[matched(&event, &["done", "tried", "new"], &[])]).await;
    let named =
        |webhook| DeliveryRef { event: event.head.clone(), webhook: webhook_id(webhook), generation: 0 };
    let marks = [("done", DeliveryState::Delivered, 1), ("tried", DeliveryState::Pending, 2)];
    let marks = marks.map(|(webhook, state, attempt)| (named(webhook).id(), Progress { state, attempt }));
    world.broker.mark(&marks).await.expect("in memory");
    world.pass(&mut process, ROUND);
    world.epochs.wipe();
    while world.broker.published.lock().expect("no panic").is_empty() {
        world.pass(&mut process, Duration::from_millis(250));
    }
    world.pass(&mut process, Duration::from_millis(500));
    let mut published = world.published();
    published.sort();
    assert_eq!(published.len(), 2, "{published:?}");
    assert!(published[0] == "e new 1 in 0 s" && published[1].starts_with("e tried 3 in "), "{published:?}");
    let asked = Asked { id: marks[0].0, day: event.head.day() };
    let known = world.log.progress(&[asked]).await.expect("in memory");
    assert_eq!(known, [Some(marks[0].1)], "the log knows of the call whose record is lost");
}

#[tokio::test]
async fn nothing_comes_back_before_the_records_are_written() {
    let world = World::new();
    let mut process = world.leading();
    fill(&world).await;
    world.pass(&mut process, ROUND);
    world.broker.records.store(3, Ordering::SeqCst);
    world.epochs.wipe();
    world.pass(&mut process, Duration::from_mins(20));
    assert_eq!(world.published(), [""; 0]);
    world.broker.records.store(0, Ordering::SeqCst);
    world.pass(&mut process, Duration::from_secs(10));
    assert_eq!(world.published().len(), 4);
}

#[tokio::test]
async fn never_more_than_a_page_at_a_time() {
    let world = World::new();
    let mut process = world.leading();
    let event = an_event("e", world.clock.now());
    let names: Vec<String> = (0..40).map(|number| format!("w{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    world.write(&[matched(&event, &names, &[])]).await;
    world.pass(&mut process, ROUND);
    world.epochs.wipe();
    world.pass(&mut process, ROUND);
    let mut all = 0;
    for _ in 0..400 {
        world.clock.advance(Duration::from_millis(250));
        poll(&mut process);
        let now = world.published().len();
        assert!(now <= 2, "{now} at once");
        all += now;
    }
    assert_eq!(all, 40);
}

#[tokio::test]
async fn another_leader_goes_on_where_the_first_died_and_repeats_at_most_a_page_later() {
    let world = World::new();
    let mut process = world.leading();
    fill(&world).await;
    world.pass(&mut process, ROUND);
    world.epochs.wipe();
    while world.broker.published.lock().expect("no panic").is_empty() {
        world.pass(&mut process, Duration::from_millis(250));
    }
    let first = world.published();
    drop(process);
    let mut other = world.process(2);
    world.pass(&mut other, Duration::from_mins(1));
    let rest = world.published();
    assert!(!rest.is_empty() && first.len() + rest.len() == 4, "{first:?} {rest:?}");
    assert!(rest.iter().all(|one| !first.contains(one)), "{first:?} {rest:?}");
    let run = world.last_run().await;
    assert!(run.ended.is_some() && run.put_back == 4, "{run:?}");
}

#[tokio::test]
async fn a_page_that_was_published_and_not_noted_comes_again_a_minute_later() {
    let world = World::new();
    let mut process = world.leading();
    fill(&world).await;
    world.pass(&mut process, ROUND);
    world.epochs.wipe();
    world.broker.unheard.store(1, Ordering::SeqCst);
    while world.broker.published.lock().expect("no panic").is_empty() {
        world.pass(&mut process, Duration::from_millis(250));
    }
    let unheard = world.published();
    while world.broker.published.lock().expect("no panic").is_empty() {
        world.pass(&mut process, Duration::from_millis(250));
    }
    let again = world.published();
    let soonest = |one: &String| one.rsplit(' ').nth(1).and_then(|s| s.parse::<u64>().ok());
    assert!(unheard.iter().any(|one| soonest(one) == Some(0)), "{unheard:?}");
    assert!(again.iter().all(|one| soonest(one) >= Some(60)), "what may be there twice waits: {again:?}");
}

#[tokio::test]
async fn a_disk_that_is_lost_again_in_the_middle_brings_back_all_again() {
    let world = World::new();
    let mut process = world.leading();
    fill(&world).await;
    world.pass(&mut process, ROUND);
    world.epochs.wipe();
    while world.broker.published.lock().expect("no panic").is_empty() {
        world.pass(&mut process, Duration::from_millis(250));
    }
    world.published();
    world.epochs.wipe();
    world.pass(&mut process, Duration::from_mins(2));
    assert_eq!(world.published().len(), 4, "those that were put back are lost too");
}

#[tokio::test]
async fn a_broker_with_an_epoch_that_the_store_does_not_know_has_its_disk() {
    let world = World::new();
    let mut process = world.leading();
    fill(&world).await;
    // The store is as old as its backup, the broker has lived on.
    world.epochs.wipe();
    world.epochs.keep(Epoch(uuid::Uuid::from_u128(7))).await.expect("in memory");
    world.pass(&mut process, Duration::from_mins(3));
    assert_eq!(world.published(), [""; 0]);
    let run = world.last_run().await;
    assert_eq!(run.cause, Cause::UnknownEpoch);
    assert!(run.ended.and_then(|ended| ended.refused).is_some_and(|why| why.contains("backup")));
    world.epochs.wipe();
    world.pass(&mut process, Duration::from_mins(3));
    assert_eq!(world.published().len(), 4, "the next lost disk is noticed");
}

#[tokio::test]
async fn a_store_from_the_middle_of_a_run_that_the_broker_knows_the_end_of_puts_nothing_back() {
    let world = World::new();
    let mut process = world.leading();
    fill(&world).await;
    world.pass(&mut process, ROUND);
    world.epochs.wipe();
    world.pass(&mut process, ROUND);
    let run = world.last_run().await;
    assert!(run.ended.is_none());
    world.epochs.keep(run.id).await.expect("in memory");
    world.pass(&mut process, Duration::from_mins(3));
    assert_eq!(world.published(), [""; 0]);
    assert!(world.last_run().await.ended.is_some());
}

#[tokio::test]
async fn by_hand_only_what_is_overdue_comes_back() {
    let world = World::new();
    let mut process = world.leading();
    fill(&world).await;
    world.pass(&mut process, Duration::from_hours(2));
    world.write(&[matched(&an_event("young", world.clock.now()), &["w"], &[])]).await;
    world.ask(Duration::from_hours(1)).await;
    world.pass(&mut process, Duration::from_secs(10));
    let mut published = world.published();
    published.sort();
    assert_eq!(
        published,
        ["e new 1 in 0 s", "e soon 2 in 0 s"],
        "not what is parked, nor what is an hour late less"
    );
    let run = world.last_run().await;
    assert!(run.put_back == 2 && run.ended.is_some_and(|ended| ended.refused.is_none()));
}

#[tokio::test]
async fn by_hand_it_refuses_while_records_wait() {
    let world = World::new();
    let mut process = world.leading();
    fill(&world).await;
    world.pass(&mut process, Duration::from_hours(2));
    world.broker.records.store(7, Ordering::SeqCst);
    world.pass(&mut process, Duration::from_secs(66));
    world.ask(Duration::from_hours(1)).await;
    world.pass(&mut process, Duration::from_secs(10));
    assert_eq!(world.published(), [""; 0]);
    let run = world.last_run().await;
    let why = run.ended.and_then(|ended| ended.refused).expect("refused");
    assert!(why.contains("7 messages of records"), "{why}");
}

#[tokio::test]
async fn a_new_leader_that_does_not_know_how_long_records_wait_refuses() {
    let world = World::new();
    drop(world.leading());
    fill(&world).await;
    world.clock.advance(Duration::from_hours(2));
    world.broker.records.store(1, Ordering::SeqCst);
    let mut other = world.process(2);
    world.ask(Duration::from_hours(1)).await;
    world.pass(&mut other, Duration::from_secs(10));
    assert_eq!(world.published(), [""; 0]);
    assert!(world.last_run().await.ended.is_some_and(|ended| ended.refused.is_some()));
}

#[tokio::test]
async fn by_hand_it_refuses_while_first_attempts_wait() {
    let world = World::new();
    let mut process = world.leading();
    fill(&world).await;
    world.pass(&mut process, Duration::from_hours(2));
    world.broker.untried.store(3, Ordering::SeqCst);
    world.ask(Duration::from_hours(1)).await;
    world.pass(&mut process, Duration::from_secs(20));
    assert!(world.last_run().await.ended.is_none(), "they may be taken in a moment");
    world.pass(&mut process, Duration::from_secs(20));
    assert_eq!(world.published(), [""; 0]);
    assert!(world.last_run().await.ended.is_some_and(|ended| ended.refused.is_some()));
}
