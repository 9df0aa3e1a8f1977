//! What is malformed is parked with its reason, and holds up nothing else.

use std::sync::atomic::Ordering;

use postrider_domain::id::EventId;

use crate::inbox_world::{Door, End, KEY, Sent};
use crate::world::event;

#[tokio::test]
async fn every_fault_parks_the_input_with_what_where_and_how_to_mend_it() {
    let typed =
        |content_type: &str| Sent { content_type: Some(content_type.to_owned()), ..Sent::json(event("e1")) };
    let headed = |pairs: &[(&str, &str)]| Sent {
        headers: pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        ..Sent::json("{}")
    };
    let deep = event("e1").replace("1.0", &format!("{}1{}", "[".repeat(70), "]".repeat(70)));
    let large = event("e1").replace("1.0", &format!("\"{}\"", "x".repeat(256 * 1024)));
    let cases = [
        (Sent::under("", event("e1")), "invalid_routing_key", "four parts"),
        (Sent::under("blog.master.Entry", event("e1")), "invalid_routing_key", "3 of its four parts"),
        (Sent::under("b?.master.Entry.publish", event("e1")), "invalid_routing_key", "space"),
        (Sent::under("nowhere.master.Entry.publish", event("e1")), "not_found", "no space \"nowhere\""),
        (Sent::under("blog.nowhere.Entry.publish", event("e1")), "not_found", "no environment \"nowhere\""),
        (Sent::json([b'{', 0xff]), "invalid_utf8", "from byte 1"),
        (Sent::json("{"), "malformed_json", "line 1"),
        (Sent::json("\"text\""), "invalid_event", "must be"),
        (Sent::json("[]"), "invalid_event", "no events"),
        (Sent::json("{}"), "invalid_event", "/resource"),
        (Sent::json(event("a b")), "invalid_event", "/id"),
        (Sent::json(deep), "invalid_event", "deeper than 64"),
        (Sent::json(large), "too_large", "262144"),
        (Sent::json("x".repeat(4 * 1024 * 1024 + 1)), "too_large", "4194305"),
        (typed("text/plain"), "unsupported_media_type", "text/plain"),
        (typed("application/json; charset=latin1"), "unsupported_media_type", "UTF-8"),
        (headed(&[("ce-specversion", "1.0")]), "invalid_event", "ce-id"),
        (headed(&[("ce-specversion", "1.0"), ("cloudEvents:specversion", "1.0")]), "invalid_event", "twice"),
        (
            Sent::under("blog.master.Asset.publish", event("e1")),
            "invalid_event",
            "\"Asset\" in the routing key",
        ),
        (
            Sent::under("blog.master.Entry.publish.start", event("e1")),
            "invalid_event",
            "\"publish.start\" in the routing key",
        ),
        (
            Sent::json(event("e1").replace("{\"id\"", "{\"space\":\"other\",\"id\"")),
            "invalid_event",
            "/space",
        ),
        (Sent::json(format!("[{},{{}}]", event("e1"))), "invalid_event", "event 1 /resource"),
    ];
    for (message, code, part) in cases {
        let mut door = Door::new();
        let key = message.key.clone();
        let end = door.end_of(message).await;
        let reason = end.reason();
        assert!(reason.contains(&format!("{key:?}: {code}: ")), "{code}: {reason}");
        assert!(reason.contains(part) && reason.contains("; to mend it: "), "{part}: {reason}");
        assert!(!reason.contains("secret"), "{reason}");
        assert!(reason.len() < 4096, "what a header of the broker takes: {reason}");
        door.idle().await;
        assert_eq!((door.published(), door.ailment()), (Vec::new(), String::new()), "no fault of ours");
    }
}

#[tokio::test]
async fn a_reason_lists_the_first_faults_and_counts_the_rest() {
    let mut door = Door::new();
    let events = vec!["{}"; 40].join(",");
    let end = door.end_of(Sent::json(format!("[{events}]"))).await;
    assert!(end.reason().contains("40 of 40 events") && end.reason().contains(" more"), "{}", end.reason());
    assert!(end.reason().len() < 4096, "{}", end.reason().len());
}

#[tokio::test]
async fn the_id_of_another_body_parks_its_input_alone() {
    let mut door = Door::new();
    let changed = |id| event(id).replace("1.0", "2.0");
    for id in ["e1", "e9"] {
        door.world.post(event(id)).await.assert_accepted();
    }
    let before = door.world.claims.calls.load(Ordering::Relaxed);
    door.inbox.push(Sent::json(event("e2")));
    door.inbox.push(Sent::json(changed("e1")));
    door.inbox.push(Sent::json(format!("[{},{}]", event("e3"), changed("e9"))));
    door.inbox.push(Sent::json(event("e4")));
    let ends = door.ended(4).await;
    assert_eq!((&ends[0], &ends[3]), (&End::Acked(0), &End::Acked(3)));
    assert!(ends[1].reason().contains("id_taken") && ends[1].reason().contains("e1"), "{ends:?}");
    assert!(ends[2].reason().contains("event 1 /id"), "{ends:?}");
    assert_eq!(door.world.claims.calls.load(Ordering::Relaxed), before + 1, "one round trip all the same");
    let again = door.end_of(Sent::json(event("e3"))).await;
    assert_eq!(again, End::Acked(4));
    let ids = door.published();
    let expected = ["e1", "e9", "e2", "e4", "e3"].map(|id| (id.to_owned(), false));
    assert_eq!(ids, expected, "what was refused gave its claims back");
}

#[tokio::test]
async fn two_bodies_under_one_id_in_one_batch_are_one_event_and_one_fault() {
    let mut door = Door::new();
    door.inbox.push(Sent::json(event("e1")));
    door.inbox.push(Sent::json(event("e1").replace("1.0", "2.0")));
    door.inbox.push(Sent::json(event("e1")));
    let ends = door.ended(3).await;
    assert_eq!((&ends[0], &ends[2]), (&End::Acked(0), &End::Acked(2)));
    assert!(ends[1].reason().contains("id_taken"), "{ends:?}");
    assert_eq!(door.published().len(), 1);
}

#[tokio::test]
async fn a_repeat_of_a_refused_input_is_not_taken_for_accepted() {
    let mut door = Door::new();
    door.world.post(event("e1")).await.assert_accepted();
    // The first holds e2 and a conflict, so it is refused as a whole; the second is e2 alone.
    let changed = event("e1").replace("1.0", "2.0");
    door.inbox.push(Sent::json(format!("[{},{changed}]", event("e2"))));
    door.inbox.push(Sent::json(event("e2")));
    let ends = door.ended(2).await;
    assert!(matches!(ends[0], End::Parked(..)) && ends[1] == End::Acked(1), "{ends:?}");
    assert!(door.published().contains(&("e2".to_owned(), false)), "{:?}", door.published());
}

#[tokio::test]
async fn good_and_bad_of_one_batch_do_not_hinder_each_other() {
    let mut door = Door::new();
    let mut bad = Vec::new();
    for number in 0..60 {
        let (key, body) = match number % 4 {
            0 => (KEY, "{".to_owned()),
            1 => ("nonsense", event("x")),
            2 => ("other.staging.Entry.publish", event(&format!("o{number}"))),
            _ => (KEY, event(&format!("b{number}"))),
        };
        if number % 4 < 2 {
            bad.push(number);
        }
        door.inbox.push(Sent::under(key, body));
    }
    let ends = door.ended(60).await;
    for end in ends {
        assert_eq!(matches!(end, End::Parked(..)), bad.contains(&end.number()), "{end:?}");
    }
    assert_eq!(door.published().len(), 30);
}

#[tokio::test]
async fn what_can_never_be_published_is_rejected_alone_until_it_is_parked() {
    let mut door = Door::new();
    *door.world.queue.poison.lock().expect("lock") = Some(EventId::new("bad").expect("id"));
    for id in ["a", "bad", "b"] {
        door.inbox.push(Sent::json(event(id)));
    }
    let ends = door.ended(3).await;
    assert_eq!(ends, [End::Acked(0), End::Rejected(1), End::Acked(2)]);
    let published = door.published();
    assert_eq!(published, [("a".to_owned(), true), ("b".to_owned(), true)], "tried a second time");
    for many in 4..=22 {
        door.idle().await;
        door.world.clock.advance(std::time::Duration::from_secs(5));
        door.ended(many).await;
    }
    let last = door.inbox.ends().pop().expect("it ended");
    assert!(last.number() == 1 && last.reason().contains("internal: cannot store the event"), "{last:?}");
}
