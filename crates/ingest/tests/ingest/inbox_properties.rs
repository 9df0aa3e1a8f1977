//! Whatever is published, it is accepted, parked or given back; nothing is lost and nothing breaks the door.

use proptest::prelude::*;

use crate::inbox_world::{Door, End, Sent};
use crate::properties::bodies;

fn keys() -> impl Strategy<Value = String> {
    let good = prop::sample::select(vec!["blog.master.Entry.publish", "other.staging.Entry.publish.success"]);
    let near = prop::collection::vec(
        prop::sample::select(vec!["blog", "master", "Entry", "publish", "", "*", "#", "é", "x y"]),
        0..7,
    );
    prop_oneof![good.prop_map(str::to_owned), near.prop_map(|parts| parts.join(".")), any::<String>()]
}

fn messages() -> impl Strategy<Value = Sent> {
    let types = prop::sample::select(vec![
        "application/json",
        "application/cloudevents+json",
        "application/cloudevents-batch+json",
        "text/plain",
        "",
    ]);
    let names = prop::sample::select(vec!["specversion", "id", "source", "type", "subject", "time", "é"]);
    let prefixes = prop::sample::select(vec!["ce-", "cloudEvents:", "cloudEvents_", ""]);
    let values = prop_oneof![Just("1.0".to_owned()), Just("Entry.publish".to_owned()), any::<String>()];
    let header =
        (prefixes, names, values).prop_map(|(prefix, name, value)| (format!("{prefix}{name}"), value));
    let rest = (prop::option::of(types), prop::option::of(any::<String>()), any::<bool>());
    (keys(), bodies(), prop::collection::vec(header, 0..8), rest).prop_map(
        |(key, body, headers, (content_type, message_id, suspect))| Sent {
            content_type: content_type.map(str::to_owned),
            message_id,
            headers,
            suspect,
            ..Sent::under(&key, body)
        },
    )
}

proptest! {
    #[test]
    fn every_input_is_accepted_or_parked_with_a_reason(inputs in prop::collection::vec(messages(), 1..5)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let mut door = Door::new();
        for input in &inputs {
            door.inbox.push(input.clone());
        }
        let ends = runtime.block_on(door.ended(inputs.len()));
        for (number, end) in ends.iter().enumerate() {
            prop_assert_eq!(end.number(), number);
            match end {
                End::Acked(_) => prop_assert!(!door.published().is_empty()),
                End::Parked(_, reason) => prop_assert!(reason.contains("; to mend it: "), "{reason}"),
                other => prop_assert!(false, "no fault of ours: {other:?}"),
            }
        }
        prop_assert_eq!(door.inbox.waiting(), 0);
    }

    #[test]
    fn while_nothing_can_be_stored_none_is_acknowledged(inputs in prop::collection::vec(messages(), 1..5)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let mut door = Door::new();
        door.world.queue.fault.transient();
        for input in &inputs {
            door.inbox.push(input.clone());
        }
        let ends = runtime.block_on(door.ended(inputs.len()));
        let parked = ends.iter().filter(|end| matches!(end, End::Parked(..))).count();
        prop_assert!(!ends.iter().any(|end| matches!(end, End::Acked(_))), "{ends:?}");
        prop_assert_eq!(door.inbox.waiting() + parked, inputs.len());
    }
}
