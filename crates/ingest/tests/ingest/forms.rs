//! What is read in which form, and how it travels on.

use axum::body::Body;
use postrider_domain::event::{Carriage, INLINE_LIMIT};
use postrider_domain::timestamp::Timestamp;
use postrider_testkit::START;

use crate::world::{EVENTS, World, data, event, publish_to};

const CLOUD: &str = r#"{"specversion":"1.0","id":"7","source":"/cms","type":"com.example.Entry.publish","subject":"r1","data":{ "x" : 1e2 }}"#;

#[tokio::test]
async fn a_native_event_is_accepted_with_its_data_byte_for_byte() {
    let world = World::new();
    let answer = world.post(format!("  {}\n", event("e1"))).await;
    assert_eq!(answer.assert_accepted(), [("e1".into(), "accepted".into())]);
    let published = world.published();
    assert_eq!(data(&published[0]), "{ \"a\": 1.0 }");
    let head = &published[0].message.event.head;
    assert_eq!((head.topic().as_str(), head.accepted_at, head.occurred_at), ("Entry.publish", START, START));
    assert_eq!((head.scope.space.as_str(), head.scope.environment.as_str()), ("blog", "master"));
    assert!(!published[0].suspect && published[0].not_before.is_none());
}

#[tokio::test]
async fn an_array_is_accepted_in_order_and_each_data_stays_as_it_is() {
    let world = World::new();
    let second = event("b").replace("{ \"a\": 1.0 }", "[ 1,\t2 ]");
    let answer = world.post(format!("[ {} ,\n{second}\t]", event("a"))).await;
    let ids = answer.assert_accepted();
    assert_eq!(ids, [("a".into(), "accepted".into()), ("b".into(), "accepted".into())]);
    assert_eq!(world.published().iter().map(data).collect::<Vec<_>>(), ["{ \"a\": 1.0 }", "[ 1,\t2 ]"]);
}

#[tokio::test]
async fn an_event_without_an_id_gets_one_of_its_own_each_time() {
    let world = World::new();
    let nameless = event("x").replace("\"id\":\"x\",", "");
    let first = world.post(nameless.clone()).await.assert_accepted();
    let second = world.post(nameless).await.assert_accepted();
    assert_ne!(first[0].0, second[0].0);
    let drawn = uuid::Uuid::parse_str(&first[0].0).expect("a UUID");
    assert_eq!(drawn.get_version_num(), 7);
    assert_eq!(world.published().len(), 2);
}

#[tokio::test]
async fn cloud_events_are_read_in_all_three_modes_as_the_same_event() {
    let world = World::new();
    let structured =
        world.post_as("application/cloudevents+json; charset=utf-8", CLOUD).await.assert_accepted();
    let other = CLOUD.replace("\"id\":\"7\"", "\"id\":\"8\"");
    let batch =
        world.post_as("application/cloudevents-batch+json", format!("[{other}]")).await.assert_accepted();
    let binary = world
        .send(
            publish_to(EVENTS)
                .header("content-type", "application/json")
                .header("ce-specversion", "1.0")
                .header("ce-id", "9")
                .header("ce-source", "/cms")
                .header("CE-Type", "com.example.Entry.publish")
                .header("ce-subject", "%72%31")
                .body(Body::from("{ \"x\" : 1e2 }")),
        )
        .await
        .assert_accepted();
    assert_eq!(structured.len() + batch.len() + binary.len(), 3);
    let published = world.published();
    assert_eq!(published.len(), 3);
    for message in published {
        let head = &message.message.event.head;
        assert_eq!((head.topic().as_str(), head.resource.id.as_str()), ("Entry.publish", "r1"));
        assert_eq!(data(&message), "{ \"x\" : 1e2 }");
    }
}

#[tokio::test]
async fn a_cloud_event_is_known_again_by_source_and_id_in_whatever_order_its_headers_come() {
    let world = World::new();
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", "9"),
        ("ce-source", "/cms"),
        ("ce-type", "Entry.save"),
        ("ce-subject", "r"),
    ];
    let send = |order: Vec<(&'static str, &'static str)>| {
        let mut request = publish_to(EVENTS);
        for (name, value) in order {
            request = request.header(name, value);
        }
        world.send(request.body(Body::empty()))
    };
    let first = send(headers.to_vec()).await.assert_accepted();
    let again = send(headers.into_iter().rev().collect()).await.assert_accepted();
    assert_eq!(first[0].0, again[0].0);
    assert_eq!((first[0].1.as_str(), again[0].1.as_str()), ("accepted", "duplicate"));
    assert_eq!(data(&world.published()[0]), "null");
}

#[tokio::test]
async fn a_large_content_is_stored_before_it_is_published_by_reference() {
    let world = World::new();
    let large = format!("\"{}\"", "x".repeat(INLINE_LIMIT));
    let just_small = format!("\"{}\"", "x".repeat(INLINE_LIMIT - 2));
    world.post(event("large").replace("{ \"a\": 1.0 }", &large)).await.assert_accepted();
    world.post(event("small").replace("{ \"a\": 1.0 }", &just_small)).await.assert_accepted();
    let published = world.published();
    assert!(matches!(published[0].message.event.content, Carriage::Stored(_)));
    assert!(matches!(published[1].message.event.content, Carriage::Inline(_)));
    let kept = world.bodies.kept.lock().expect("lock");
    let kept = kept.iter().map(|(day, content)| (*day, content.data.as_str())).collect::<Vec<_>>();
    assert_eq!(kept, [(START.day(), large.as_str())]);
}

#[tokio::test]
async fn the_publishers_trace_travels_with_the_message_and_a_broken_one_does_not() {
    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let world = World::new();
    for (id, parent) in [("a", PARENT), ("b", "00-zz")] {
        let request = publish_to(EVENTS).header("content-type", "application/json");
        let request = request.header("traceparent", parent).header("tracestate", "v=1");
        world.send(request.body(Body::from(event(id)))).await.assert_accepted();
    }
    let traces =
        world.published().into_iter().map(|one| (one.trace.parent, one.trace.state)).collect::<Vec<_>>();
    assert_eq!(traces, [(Some(PARENT.into()), Some("v=1".into())), (None, None)]);
}

#[tokio::test]
async fn what_the_publisher_says_about_time_stays() {
    let world = World::new();
    let said = event("e1").replace("\"type\"", "\"occurredAt\":\"2025-12-31T23:59:59.5+01:00\",\"type\"");
    world.post(said).await.assert_accepted();
    let head = &world.published()[0].message.event.head;
    assert_eq!(head.occurred_at, Timestamp::parse("2025-12-31T22:59:59.500Z").expect("valid"));
    assert_eq!(head.accepted_at, START);
}
