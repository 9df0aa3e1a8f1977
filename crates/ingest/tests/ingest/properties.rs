//! Whatever comes in, the door answers, and never blames itself.

use axum::body::Body;
use proptest::prelude::*;

use crate::world::{EVENTS, World, event, publish_to};

const TYPES: [&str; 4] =
    ["application/json", "application/cloudevents+json", "application/cloudevents-batch+json", "text/plain"];

/// Bytes of any kind, and bytes that come close to an event.
pub(crate) fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let damaged = (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(place, byte)| {
        let mut bytes = event("e1").into_bytes();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        bytes
    });
    let cut = any::<prop::sample::Index>().prop_map(|place| {
        let text = format!("[{0},{0}]", event("e1"));
        text.as_bytes()[..place.index(text.len())].to_vec()
    });
    let fields = prop::collection::vec(
        (prop::sample::select(vec!["id", "type", "action", "resource", "data", "x"]), any::<String>()),
        0..6,
    );
    let odd = fields.prop_map(|fields| {
        let fields = fields.into_iter().map(|(name, text)| format!("\"{name}\":{}", serde_json::json!(text)));
        format!("{{{}}}", fields.collect::<Vec<_>>().join(",")).into_bytes()
    });
    prop_oneof![prop::collection::vec(any::<u8>(), 0..300), damaged, cut, odd]
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_answered_and_never_with_500(
        body in bodies(),
        content_type in prop::sample::select(TYPES.to_vec()),
        attributes in prop::collection::vec(
            (prop::sample::select(vec!["ce-specversion", "ce-id", "ce-source", "ce-type", "traceparent"]), "[ -~]{0,40}"),
            0..6,
        ),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let world = World::new();
        let mut request = publish_to(EVENTS).header("content-type", content_type);
        for (name, value) in &attributes {
            request = request.header(*name, value);
        }
        let answer = runtime.block_on(world.send(request.body(Body::from(body))));
        prop_assert!([202, 400, 409, 413, 415, 422].contains(&answer.status), "{answer:?}");
        prop_assert_eq!(answer.status == 202, !world.published().is_empty());
    }
}
