//! The log's own corners: poison, events that come in pieces, pages, forgetting.

use std::time::Duration;

use postrider_domain::delivery::{DeliveryId, DeliveryState, Progress};
use postrider_domain::event::{Carriage, Carried};
use postrider_domain::record::Record;
use postrider_domain::timestamp::{Day, Timestamp};
use postrider_ports::bodies::Bodies;
use postrider_ports::log::{EventRow, LogQuery, LogRead, LogWrite, Retention};
use postrider_ports::progress::{Asked, Progresses};
use postrider_testkit::builders::{
    SPACE, call, content, event, event_id, matched, scope, settled, space, webhook_id,
};
use sqlx::{Connection, Row};

use crate::rig::{NOON, Rig, by_hand};

fn at(id: &str, when: Timestamp) -> Carried {
    event("Entry.publish").id(id).at(when).carried()
}

fn id_of(event: &str, webhook: &str) -> DeliveryId {
    DeliveryId::derive(&scope(SPACE), &event_id(event), &webhook_id(webhook), 0)
}

async fn shown(rig: &Rig, id: &str) -> Option<EventRow> {
    rig.database.event(&space(SPACE), &event_id(id)).await.expect("read")
}

#[tokio::test]
async fn a_record_that_the_file_refuses_is_named_and_all_others_are_stored() {
    let (dir, clock) = Rig::new().await.close().await;
    let mut file = by_hand(dir.path()).await;
    sqlx::query(
        "CREATE TRIGGER poison BEFORE INSERT ON calls WHEN NEW.event = 'poison' \
         BEGIN SELECT RAISE(ABORT, 'it is poison'); END",
    )
    .execute(&mut file)
    .await
    .expect("made");
    file.close().await.expect("closed");
    let rig = Rig::over(dir, clock).await;

    let (good, bad) = (at("good", NOON), at("poison", NOON));
    let batch = [
        matched(&good, &["w1"], &[]),
        call(&bad, "w1", 1).record(),
        call(&good, "w1", 1).record(),
        settled(&good, "w2", DeliveryState::Skipped, NOON),
    ];
    let poisoned = rig.database.write(&batch).await.expect("written");
    assert_eq!(poisoned.len(), 1);
    assert_eq!(poisoned[0].index, 1);
    assert!(poisoned[0].reason.contains("it is poison"), "{}", poisoned[0].reason);
    let asked = [id_of("poison", "w1"), id_of("good", "w1"), id_of("good", "w2")];
    let asked = asked.map(|id| Asked { id, day: NOON.day() });
    let progress = rig.database.progress(&asked).await.expect("asked");
    let states: Vec<_> = progress.iter().map(|one| one.map(|one| one.state)).collect();
    assert_eq!(states, [None, Some(DeliveryState::Delivered), Some(DeliveryState::Skipped)]);
}

#[tokio::test]
async fn an_event_is_shown_once_its_matching_is_known_whatever_came_before() {
    let rig = Rig::new().await;
    let event = at("e1", NOON);
    rig.database.write(&[call(&event, "w1", 1).record()]).await.expect("written");
    assert!(shown(&rig, "e1").await.is_none());
    let query = LogQuery { limit: 10, ..LogQuery::default() };
    let listed = rig.database.deliveries(&space(SPACE), &query).await.expect("listed");
    assert_eq!(listed.items[0].delivery.event, event.head);

    rig.database.write(&[matched(&event, &["w1", "w2"], &["w3"])]).await.expect("written");
    // A second matching, after webhooks have changed, adds its deliveries and changes nothing else.
    rig.database.write(&[matched(&event, &["w4"], &[])]).await.expect("written");
    let row = shown(&rig, "e1").await.expect("there");
    assert_eq!(row.decisions.len(), 3);
    let states: Vec<_> =
        row.deliveries.iter().map(|one| (one.delivery.webhook.as_str(), one.state, one.attempt)).collect();
    let pending = DeliveryState::Pending;
    assert_eq!(states, [("w1", DeliveryState::Delivered, 1), ("w2", pending, 0), ("w4", pending, 0)]);
}

#[tokio::test]
async fn an_event_whose_content_is_kept_apart_is_shown_complete() {
    let rig = Rig::new().await;
    let content = content(r#"{"large":"in earnest"}"#);
    let body = rig.database.put(NOON.day(), &content).await.expect("stored");
    let event = Carried { content: Carriage::Stored(body), ..at("e1", NOON) };
    rig.database.write(&[matched(&event, &[], &[])]).await.expect("written");
    let row = shown(&rig, "e1").await.expect("there");
    assert_eq!(row.event.content, content);
}

#[tokio::test]
async fn the_database_says_what_the_rule_of_the_domain_says() {
    let states = DeliveryState::ALL;
    let all: Vec<Progress> = states
        .iter()
        .flat_map(|state| [1, 2, 3].map(|attempt| Progress { state: *state, attempt }))
        .collect();
    let rig = Rig::new().await;
    let mut batch = Vec::new();
    let mut expected = Vec::new();
    for (n, (first, second)) in
        all.iter().flat_map(|first| all.iter().map(move |second| (*first, *second))).enumerate()
    {
        let event = at(&format!("e{n}"), NOON);
        for (turn, progress) in [first, second].into_iter().enumerate() {
            let mut one = call(&event, "w1", progress.attempt)
                .at(NOON.plus(Duration::from_secs(u64::try_from(turn).expect("small"))))
                .build();
            one.state = progress.state;
            batch.push(Record::Call(Box::new(one)));
        }
        let id = id_of(&format!("e{n}"), "w1");
        let stands = second.following(first);
        expected.push((Asked { id, day: NOON.day() }, Some(stands)));
    }
    rig.database.write(&batch).await.expect("written");
    let (asked, wanted): (Vec<_>, Vec<_>) = expected.into_iter().unzip();
    assert_eq!(rig.database.progress(&asked).await.expect("asked"), wanted);
}

#[tokio::test]
async fn a_page_ends_before_it_fills_the_memory_and_the_next_one_goes_on() {
    let rig = Rig::new().await;
    let mut batch = Vec::new();
    for attempt in 1..=60 {
        let mut one = call(&at("e1", NOON), "w1", attempt).build();
        one.request.body = vec![b'x'; 700_000].into();
        batch.push(Record::Call(Box::new(one)));
    }
    rig.database.write(&batch).await.expect("written");
    let mut query = LogQuery { limit: 1000, ..LogQuery::default() };
    let first = rig.database.calls(&space(SPACE), &query).await.expect("listed");
    assert_eq!((first.items.len(), first.total), (48, 60), "32 MiB are 48 of 700 kB");
    query.cursor = first.next;
    let second = rig.database.calls(&space(SPACE), &query).await.expect("listed");
    assert_eq!((second.items.len(), second.next), (12, None));
    assert_eq!(second.items[11].attempt, 1);
}

#[tokio::test]
async fn forgetting_keeps_what_is_pending_with_its_event_and_body_and_gives_room_back() {
    let rig = Rig::new().await;
    let old = NOON;
    let stored = rig.database.put(old.day(), &content(r#""pending""#)).await.expect("stored");
    let free = rig.database.put(old.day(), &content(r#""done""#)).await.expect("stored");
    let pending = Carried { content: Carriage::Stored(stored), ..at("pending", old) };
    let done = Carried { content: Carriage::Stored(free), ..at("done", old) };
    let mut batch = vec![
        matched(&pending, &["w1", "w2"], &[]),
        settled(&pending, "w2", DeliveryState::Skipped, old),
        matched(&done, &["w1"], &[]),
        settled(&done, "w1", DeliveryState::Skipped, old),
    ];
    for n in 0..1200 {
        let event = at(&format!("bulk{n}"), old);
        batch.push(matched(&event, &["w1"], &[]));
        let mut one = call(&event, "w1", 1).build();
        one.request.body = vec![b'x'; 2_000].into();
        batch.push(Record::Call(Box::new(one)));
    }
    let young = at("young", old.plus(Duration::from_hours(24)));
    batch.push(matched(&young, &["w1"], &[]));
    batch.push(settled(&young, "w1", DeliveryState::Skipped, old));
    rig.database.write(&batch).await.expect("written");

    let before = Day(old.day().0 + 1);
    let mut rounds = 0;
    loop {
        let removed = rig.database.remove_before(before).await.expect("removed");
        assert!(removed.rows <= 2000, "a bounded part: {}", removed.rows);
        rounds += 1;
        if !removed.more {
            break;
        }
    }
    assert!(rounds > 1, "1200 events are more than one part");
    let row = shown(&rig, "pending").await.expect("kept");
    let kept: Vec<_> = row.deliveries.iter().map(|one| one.delivery.webhook.as_str()).collect();
    assert_eq!(kept, ["w1"]);
    assert!(shown(&rig, "done").await.is_none());
    assert!(shown(&rig, "young").await.is_some());
    assert!(Bodies::get(&rig.database, &stored).await.is_ok());
    assert!(Bodies::get(&rig.database, &free).await.is_err());

    let (dir, _clock) = rig.close().await;
    let mut file = by_hand(dir.path()).await;
    let row = sqlx::query(
        "SELECT (SELECT freelist_count FROM pragma_freelist_count), (SELECT COUNT(*) FROM calls)",
    )
    .fetch_one(&mut file)
    .await
    .expect("counted");
    assert_eq!((row.get::<i64, _>(0), row.get::<i64, _>(1)), (0, 0));
}
