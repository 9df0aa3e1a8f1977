//! Deliveries: where they stand, what they are narrowed and ordered by, page after page.

use std::time::Duration;

use postrider_domain::delivery::DeliveryState;
use serde_json::{Value, json};

use crate::harness::Instance;

const CALLS: &str = "/spaces/default/calls";
const DELIVERIES: &str = "/spaces/default/deliveries";

/// The query parameter that goes on from an answer.
fn page(body: &Value) -> String {
    body["pages"]["next"].as_str().expect("a cursor").to_owned()
}

/// The events of the deliveries of an answer.
fn events(body: &Value) -> Vec<&str> {
    let items = body["items"].as_array().expect("a list");
    items.iter().map(|item| item["event"]["id"].as_str().expect("an id")).collect()
}

#[tokio::test]
async fn deliveries_are_listed_with_where_they_stand() {
    let instance = Instance::start().await;
    instance.log_event("e1", "w", DeliveryState::Pending);
    instance.log_event("e2", "w", DeliveryState::Delivered);
    let listed = instance.get("/spaces/default/deliveries?state=pending").await;
    let row = &listed.body["items"][0];
    assert_eq!((&listed.body["total"], &row["sys"]["type"]), (&json!(1), &json!("Delivery")));
    assert_eq!(
        (&row["event"]["id"], &row["state"], &row["attempt"]),
        (&json!("e1"), &json!("pending"), &json!(1))
    );
    assert_eq!(row["nextAt"], "2026-01-01T12:00:05.000Z");
    let first = instance.get("/spaces/default/deliveries?limit=1").await.body;
    let second =
        instance.get(&format!("/spaces/default/deliveries?limit=1&cursor={}", page(&first))).await.body;
    assert_ne!(events(&first), events(&second));
    assert_eq!(second["pages"]["next"], Value::Null);
    instance.get("/spaces/default/deliveries?wait=1").await.is_error(400, "InvalidQuery");
    instance.get("/spaces/default/deliveries?stat=x").await.is_error(400, "InvalidQuery");
}

#[tokio::test]
async fn deliveries_have_a_status_in_datocms_words_and_are_found_by_it_and_by_ours() {
    let instance = Instance::start().await;
    instance.log_event("fresh", "w", DeliveryState::Pending);
    instance.store.events.lock().expect("lock")[0].deliveries[0].attempt = 0;
    let states = [("again", "pending"), ("good", "delivered"), ("bad", "given_up"), ("off", "cancelled")];
    for (event, state) in states {
        instance.log_event(event, "w", DeliveryState::parse(state).expect("a state"));
    }
    for (status, event, shown) in [
        ("pending", "fresh", "pending"),
        ("rescheduled", "again", "rescheduled"),
        ("success", "good", "success"),
        ("delivered", "good", "success"),
        ("failed", "bad", "failed"),
        ("given_up", "bad", "failed"),
        ("cancelled", "off", "cancelled"),
    ] {
        let listed = instance.get(&format!("{DELIVERIES}?status={status}")).await.body;
        assert_eq!(
            (events(&listed), &listed["items"][0]["status"]),
            (vec![event], &json!(shown)),
            "{status}"
        );
    }
    let both = instance.get(&format!("{DELIVERIES}?state=pending")).await.body;
    assert_eq!(both["total"], 2, "Postrider's pending is both");
    let again = instance.get(&format!("{DELIVERIES}?state=pending&status=rescheduled")).await.body;
    assert_eq!(events(&again), ["again"]);
    for bad in ["status=lost", "state=rescheduled", "state=delivered&status=failed"] {
        instance.get(&format!("{DELIVERIES}?{bad}")).await.is_error(400, "InvalidQuery");
    }
}

#[tokio::test]
async fn deliveries_are_paged_in_the_order_asked_for_and_a_cursor_keeps_to_its_own() {
    let instance = Instance::start().await;
    for event in ["e1", "e2", "e3"] {
        instance.log_event(event, "w", DeliveryState::Pending);
        instance.clock.advance(Duration::from_secs(10));
    }
    instance.log_event("done", "w", DeliveryState::Delivered);
    for (order, expected) in [
        ("-sys.updatedAt", vec!["done", "e3", "e2", "e1"]),
        ("sys.updatedAt", vec!["e1", "e2", "e3", "done"]),
        ("nextAt", vec!["e1", "e2", "e3"]),
        ("-nextAt", vec!["e3", "e2", "e1"]),
    ] {
        let first = instance.get(&format!("{DELIVERIES}?order={order}&limit=2")).await.body;
        assert_eq!(events(&first), expected[..2], "{order}");
        let cursor = page(&first);
        for asked in [format!("&order={order}"), String::new()] {
            let rest = instance.get(&format!("{DELIVERIES}?limit=2&cursor={cursor}{asked}")).await.body;
            assert_eq!(
                (events(&rest), &rest["pages"]["next"]),
                (expected[2..].to_vec(), &Value::Null),
                "{order}"
            );
        }
        let other = if order == "nextAt" { "-nextAt" } else { "nextAt" };
        let foreign = instance.get(&format!("{DELIVERIES}?order={other}&cursor={cursor}")).await;
        foreign.is_error(400, "InvalidQuery");
        if order != "-sys.updatedAt" {
            instance.get(&format!("{CALLS}?cursor={cursor}")).await.is_error(400, "InvalidQuery");
        }
    }
    for (window, expected) in [
        ("nextAttemptFrom=2026-01-01T12:00:15Z", vec!["e2", "e3"]),
        ("nextAttemptTo=2026-01-01T12:00:15Z", vec!["e1"]),
        ("nextAttemptFrom=2026-01-01T12:00:05Z&nextAttemptTo=2026-01-01T12:00:25Z", vec!["e1", "e2"]),
        ("nextAttemptFrom=2026-01-01T12:00:05Z&order=-nextAt", vec!["e3", "e2", "e1"]),
    ] {
        let listed = instance.get(&format!("{DELIVERIES}?{window}")).await.body;
        assert_eq!(events(&listed), expected, "{window}");
    }
    let soon = "nextAttemptFrom=2026-01-01T12:00:05Z";
    for bad in [&format!("{soon}&order=sys.updatedAt"), "nextAttemptTo=soon", "order=webhook", "wait=1"] {
        instance.get(&format!("{DELIVERIES}?{bad}")).await.is_error(400, "InvalidQuery");
    }
    instance.get(&format!("{CALLS}?order=nextAt")).await.is_error(400, "InvalidQuery");
}
