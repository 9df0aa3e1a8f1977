//! SIGKILL at thirty random instants under load: nothing that was accepted is lost.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use reqwest::StatusCode;
use serde_json::json;

use crate::system::{System, event, webhook};
use crate::target::{Answer, Target};

/// How often it is killed.
const KILLS: usize = 30;
/// Publishers at work at the same time.
const PUBLISHERS: usize = 6;
/// Events in one request.
const BATCH: usize = 10;
/// A kill comes after at most so many accepted requests of its round.
const LATEST: usize = 40;
/// Deliveries that may be left over from the rounds before when a round begins. RabbitMQ counts what a dead process had in
/// hand, called or not, and parks what died twenty times: a message that waits through so many rounds would be taken for
/// the cause.
const LEFT_OVER: usize = 400;
/// Calls that may be in hand at a kill where nobody can count them: the receiver answers at once, so it is those whose record
/// was not confirmed yet. Measured on two busy cores with two dispatchers: 90.
const IN_HAND: usize = 240;

/// The calls that may be made again after a kill: those that the receiver has seen of the messages that were in hand. A call
/// that failed may have left its retry behind already, which then comes beside the call made again.
async fn explained(system: &System, target: &Target, failed: &Mutex<HashSet<(String, String)>>) -> usize {
    let Some(bodies) = system.composition().in_hand().await else { return IN_HAND };
    // Each event's id is a text of the message.
    let held: HashSet<&str> = bodies.iter().flat_map(|body| body.split('"')).collect();
    let failed = failed.lock().expect("sound");
    let seen = target.by_event().into_keys().filter(|(_, event)| held.contains(event.as_str()));
    seen.map(|call| 1 + usize::from(failed.contains(&call))).sum()
}

/// Publishes until the system is gone; returns the ids that were answered with 202.
async fn publish_until_gone(
    system: &System,
    round: usize,
    publisher: usize,
    accepted: &AtomicUsize,
) -> Vec<String> {
    let mut ids = Vec::new();
    for request in 0.. {
        let batch = (0..BATCH).map(|n| format!("k{round}-{publisher}-{request}-{n}")).collect::<Vec<_>>();
        let events = batch.iter().map(|id| event(id, "Entry.publish")).collect::<Vec<_>>();
        let path = "/spaces/default/environments/master/events";
        let Ok(answer) = system.request(reqwest::Method::POST, path).json(&json!(events)).send().await else {
            break;
        };
        if answer.status() == StatusCode::ACCEPTED {
            ids.extend(batch);
            accepted.fetch_add(1, Ordering::SeqCst);
        } else {
            assert_eq!(
                answer.status(),
                StatusCode::SERVICE_UNAVAILABLE,
                "only back-pressure may refuse these"
            );
        }
    }
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_kills_under_load_lose_nothing_that_was_accepted() {
    // One in ten first calls fails, so that retries are on their way at each kill as well.
    let flaky = |body: &[u8]| body.iter().map(|byte| usize::from(*byte)).sum::<usize>() % 10 == 0;
    let failed = Arc::new(Mutex::new(HashSet::new()));
    let noted = Arc::clone(&failed);
    let target = Target::start(move |hit| {
        if hit.before > 0 || !flaky(&hit.body) {
            return Answer::Status(200);
        }
        let event = hit.headers["postrider-event"].to_str().expect("text").to_owned();
        noted.lock().expect("sound").insert((hit.path.clone(), event));
        Answer::Status(500)
    })
    .await;
    let mut system = System::start(&[]).await;
    for path in ["/a", "/b"] {
        let mut hook = webhook(&target.url(path), &["*.*"]);
        hook["retryPolicy"] = json!({ "schedule": vec![1.1; 8] });
        system.webhook(&hook).await;
    }
    let random = RandomState::new();
    let accepted_ids = Mutex::new(HashSet::new());
    let mut bound = 0;
    for round in 0..KILLS {
        let after = 1 + usize::try_from(random.hash_one(round) % LATEST as u64).expect("small");
        let accepted = AtomicUsize::new(0);
        let publishers =
            (0..PUBLISHERS).map(|publisher| publish_until_gone(&system, round, publisher, &accepted));
        let publishing = futures::future::join_all(publishers);
        let killing = async {
            while accepted.load(Ordering::SeqCst) < after {
                tokio::task::yield_now().await;
            }
            system.signal("KILL");
        };
        let (ids, ()) = futures::future::join(publishing, killing).await;
        accepted_ids.lock().expect("sound").extend(ids.into_iter().flatten());
        system.ended().await;
        bound += explained(&system, &target, &failed).await;
        system.run().await;
        let due = 2 * accepted_ids.lock().expect("sound").len();
        target.until_known(due.saturating_sub(LEFT_OVER)).await;
    }
    let balance =
        system.until("nothing is pending", |balance| balance.total() > 0 && balance.of("pending") == 0).await;
    let accepted = accepted_ids.into_inner().expect("sound");
    let seen = target.by_event();
    for path in ["/a", "/b"] {
        let lost = accepted.iter().filter(|id| !seen.contains_key(&(path.to_owned(), (*id).clone()))).count();
        assert_eq!(lost, 0, "{lost} of {} accepted events never reached {path}", accepted.len());
    }
    // Events whose 202 was cut off by a kill may be known too; each known event has both deliveries.
    let known = seen.keys().map(|(_, id)| id).collect::<HashSet<_>>().len() as u64;
    assert_eq!(balance.of("delivered"), known * 2, "{balance:?}");
    assert_eq!(balance.total(), known * 2, "difference 0 over every state: {balance:?}");
    let calls = target.count();
    let records = seen.len();
    println!(
        "{KILLS} kills, {} accepted, {known} known, {calls} calls for {records} deliveries",
        accepted.len()
    );
    let retries = failed.lock().expect("sound").len();
    let repeated = calls - records - retries;
    println!("{repeated} calls made again, {bound} explained by what was in hand at the kills");
    assert!(repeated <= bound, "{repeated} calls were made again, {bound} are explained");
}
