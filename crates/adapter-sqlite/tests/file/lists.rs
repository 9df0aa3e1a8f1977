//! The lists against a model: every combination of filters, walked page by page, gives what filtering by hand gives.

use std::time::Duration;

use postrider_domain::call::CallRecord;
use postrider_domain::delivery::DeliveryState;
use postrider_domain::id::EnvironmentId;
use postrider_domain::record::Record;
use postrider_ports::log::{LogQuery, LogRead, LogWrite};
use postrider_testkit::builders::{SPACE, call, event, event_id, space, webhook_id};
use uuid::Uuid;

use crate::rig::{NOON, Rig};

/// 48 calls of two environments, types, actions and webhooks, in two states, two in each second; and one of another
/// space.
fn calls() -> Vec<CallRecord> {
    let mut calls = Vec::new();
    for n in 0..48_u32 {
        let either = |bit: u32, one, other| if n & (1 << bit) == 0 { one } else { other };
        let topic = format!("{}.{}", either(0, "Entry", "Asset"), either(1, "publish", "delete"));
        let event = event(&topic).id(&format!("e{n}")).environment(either(2, "master", "staging")).at(NOON);
        let mut one = call(&event.carried(), either(3, "w1", "w2"), 1)
            .at(NOON.plus(Duration::from_secs(u64::from(n / 2))))
            .build();
        one.state = if n < 16 { DeliveryState::Delivered } else { DeliveryState::GivenUp };
        calls.push(one);
    }
    calls.push(call(&event("Entry.publish").id("other").space("other").at(NOON).carried(), "w1", 1).build());
    calls
}

fn queries() -> Vec<LogQuery> {
    let mut queries = Vec::new();
    for bits in 0..128_u32 {
        let asked = |bit: u32| bits & (1 << bit) != 0;
        queries.push(LogQuery {
            webhook: asked(0).then(|| webhook_id("w2")),
            environment: asked(1).then(|| EnvironmentId::new("staging").expect("valid")),
            event: asked(2).then(|| event_id("e30")),
            event_type: asked(3).then(|| "Entry".to_owned()),
            action: asked(4).then(|| "delete".to_owned()),
            state: asked(5).then_some(DeliveryState::GivenUp),
            from: asked(6).then(|| NOON.plus(Duration::from_secs(3))),
            to: asked(6).then(|| NOON.plus(Duration::from_secs(17))),
            limit: 5,
            ..LogQuery::default()
        });
    }
    queries
}

/// What of the calls is asked for, newest first.
fn by_hand(calls: &[CallRecord], query: &LogQuery) -> Vec<Uuid> {
    let mut found: Vec<&CallRecord> = calls
        .iter()
        .filter(|one| {
            let head = &one.delivery.event;
            head.scope.space == space(SPACE)
                && query.webhook.as_ref().is_none_or(|asked| *asked == one.delivery.webhook)
                && query.environment.as_ref().is_none_or(|asked| *asked == head.scope.environment)
                && query.event.as_ref().is_none_or(|asked| *asked == head.id)
                && query.event_type.as_ref().is_none_or(|asked| asked == head.event_type.as_str())
                && query.action.as_ref().is_none_or(|asked| asked == head.action.as_str())
                && query.state.is_none_or(|asked| asked == one.state)
                && query.from.is_none_or(|from| from <= one.started_at)
                && query.to.is_none_or(|to| one.started_at < to)
        })
        .collect();
    found.sort_by_key(|one| std::cmp::Reverse((one.started_at, one.id)));
    found.iter().map(|one| one.id.0).collect()
}

#[tokio::test]
async fn calls_are_listed_by_every_combination_of_filters_page_by_page() {
    let rig = Rig::new().await;
    let calls = calls();
    let batch: Vec<Record> = calls.iter().map(|one| Record::Call(Box::new(one.clone()))).collect();
    rig.database.write(&batch).await.expect("written");
    for mut query in queries() {
        let expected = by_hand(&calls, &query);
        let mut found = Vec::new();
        loop {
            let page = rig.database.calls(&space(SPACE), &query).await.expect("listed");
            assert_eq!(page.total, expected.len(), "{query:?}");
            assert!(page.items.len() <= 5);
            found.extend(page.items.iter().map(|one| one.id.0));
            query.cursor = page.next;
            if query.cursor.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "{query:?}");
        let skipping = LogQuery { cursor: None, skip: 3, ..query };
        let page = rig.database.calls(&space(SPACE), &skipping).await.expect("listed");
        let skipped: Vec<Uuid> = page.items.iter().map(|one| one.id.0).collect();
        assert_eq!(skipped, expected.iter().skip(3).take(5).copied().collect::<Vec<_>>(), "{skipping:?}");
    }
}

#[tokio::test]
async fn deliveries_are_listed_by_every_combination_of_filters_page_by_page() {
    let rig = Rig::new().await;
    let mut calls = calls();
    let batch: Vec<Record> = calls.iter().map(|one| Record::Call(Box::new(one.clone()))).collect();
    rig.database.write(&batch).await.expect("written");
    // A delivery is listed by when it last changed: when its call ended.
    for one in &mut calls {
        one.started_at = one.started_at.plus(one.timings.total);
        one.id.0 = one.delivery.id().0;
    }
    for mut query in queries() {
        let expected = by_hand(&calls, &query);
        let mut found = Vec::new();
        loop {
            let page = rig.database.deliveries(&space(SPACE), &query).await.expect("listed");
            assert_eq!(page.total, expected.len(), "{query:?}");
            found.extend(page.items.iter().map(|one| one.id.0));
            query.cursor = page.next;
            if query.cursor.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "{query:?}");
    }
}

#[tokio::test]
async fn a_call_is_found_by_its_id_in_its_own_space_only() {
    let rig = Rig::new().await;
    let wanted = call(&event("Entry.publish").at(NOON).carried(), "w1", 1).build();
    rig.database.write(&[Record::Call(Box::new(wanted.clone()))]).await.expect("written");
    let id = wanted.id;
    assert_eq!(rig.database.call(&space(SPACE), id).await.expect("read"), Some(wanted));
    assert_eq!(rig.database.call(&space("other"), id).await.expect("read"), None);
}

#[tokio::test]
async fn two_resends_at_the_same_instant_open_two_generations() {
    let rig = Rig::new().await;
    let (w1, e1) = (webhook_id("w1"), event_id("e1"));
    let carried = event("Entry.publish").at(NOON).carried();
    rig.database.write(&[call(&carried, "w1", 1).record()]).await.expect("written");
    let space = space(SPACE);
    let open = || rig.database.open_generation(&space, &e1, &w1, NOON);
    let (one, other) = tokio::join!(open(), open());
    let mut generations =
        [one, other].map(|row| row.expect("opened").expect("a delivery").delivery.generation);
    generations.sort_unstable();
    assert_eq!(generations, [1, 2]);
    let none = rig.database.open_generation(&space, &e1, &webhook_id("w9"), NOON).await;
    assert_eq!(none.expect("asked"), None);
    let counts = rig.database.balance(Some(&space)).await.expect("counted");
    assert_eq!(counts, [(DeliveryState::Delivered, 1)], "resends are not counted");
}
