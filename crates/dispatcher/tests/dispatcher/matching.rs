//! From an event to its deliveries and the reasons of each.

use std::collections::HashSet;

use postrider_domain::matching::Rule;
use postrider_domain::message::Lane;
use postrider_domain::trigger::{Limits, Trigger, Written};
use postrider_domain::webhook::Wants;
use postrider_testkit::builders::{WebhookBuilder, event, webhook};

use crate::world::World;

#[tokio::test(start_paused = true)]
async fn an_event_is_matched_delivered_and_recorded() {
    let world = World::with([
        webhook("yes").topic("Entry.publish").build(),
        webhook("no").topic("Asset.*").build(),
        webhook("off").topic("*.*").disabled().build(),
    ]);
    world.accept(event("Entry.publish").data(r#"{"title":"Hi"}"#)).await;
    world.step().await;

    let arrived = world.arrived("yes");
    assert_eq!(arrived.len(), 1);
    let body = arrived[0].request.body.as_deref().expect("a body");
    assert!(String::from_utf8_lossy(body).contains(r#"{"title":"Hi"}"#));
    let call = &world.calls("yes")[0];
    assert_eq!((call.attempt, call.state.as_str(), call.next_at), (1, "delivered", None));
    assert_eq!(call.response.as_ref().map(|answer| answer.status), Some(200));
    let matched = &world.matches()[0];
    let reasons: Vec<_> = matched
        .decisions
        .iter()
        .map(|one| (one.webhook.as_str(), one.verdict.matched, one.verdict.rule))
        .collect();
    assert_eq!(
        reasons,
        [("yes", true, Rule::Topic), ("off", false, Rule::Disabled), ("no", false, Rule::Topic)]
    );
    assert_eq!(world.balance(), [("delivered", 1)].into());
    world.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn the_index_finds_exactly_what_testing_every_webhook_finds() {
    let patterns = [
        "*.*",
        "Entry.*",
        "*.publish",
        "Entry.publish",
        "Entry.publish.*",
        "Entry.publish.start",
        "Asset.publish",
        "Entry.publish.success",
        "*.publish.*",
        "Entry.publisher",
        "Release.execute.fail",
    ];
    let by_topic = |(at, topic): (usize, &&str)| webhook(&format!("t{at}")).topic(topic).build();
    let trigger = |event_type: Option<&str>, actions: &[&str]| {
        let parse = |text: &&str| postrider_domain::topic::ActionPattern::parse(text).expect("a pattern");
        let event_type =
            event_type.map(|text| postrider_domain::topic::EventType::new(text).expect("a type"));
        Trigger {
            event_type,
            actions: actions.iter().map(parse).collect(),
            limits: Limits::default(),
            written: Written::Plainly,
        }
    };
    let triggers = [
        trigger(None, &[]),
        trigger(Some("Entry"), &[]),
        trigger(Some("Entry"), &["publish.*", "delete"]),
        trigger(None, &["publish"]),
        trigger(Some("Asset"), &["*"]),
    ];
    let by_trigger =
        |(at, trigger): (usize, &Trigger)| webhook(&format!("r{at}")).trigger(trigger.clone()).build();
    let webhooks: Vec<_> = patterns
        .iter()
        .enumerate()
        .map(by_topic)
        .chain(triggers.iter().enumerate().map(by_trigger))
        .chain([webhook("none").wants(Wants::default()).build()])
        .collect();
    let world = World::with(webhooks.clone());
    let topics = [
        "Entry.publish",
        "Entry.publish.success",
        "Entry.publish.start",
        "Entry.publish.a.b",
        "Entry.publisher",
        "Asset.publish",
        "Hologram.publish.start",
        "Release.execute.fail",
        "Entry.delete",
        "Asset.archive",
    ];
    for (at, topic) in topics.iter().enumerate() {
        world.accept(event(topic).id(&format!("e{at}"))).await;
    }
    world.step().await;
    for matched in world.matches() {
        let head = &matched.event.head;
        let found: HashSet<_> = matched
            .decisions
            .iter()
            .filter(|one| one.verdict.matched)
            .map(|one| one.webhook.clone())
            .collect();
        let expected: HashSet<_> = webhooks
            .iter()
            .filter(|one| postrider_domain::matching::decide(one, head).matched)
            .map(|one| one.id.clone())
            .collect();
        assert_eq!(found, expected, "{}", head.topic());
        assert_eq!(matched.decisions.len(), webhooks.len(), "each webhook has its reason");
    }
    assert_eq!(world.matches().len(), topics.len());
}

#[tokio::test(start_paused = true)]
async fn a_hundred_misses_are_listed_the_near_ones_first_and_the_rest_is_counted() {
    let far = |at: usize| webhook(&format!("far{at:03}")).topic("Asset.*").build();
    let near = webhook("near").wants(Wants { states: vec!["published".to_owned()], ..Wants::default() });
    let world = World::with((0..250).map(far));
    world.put(near.topic("Entry.*").build());
    world.put(webhook("hit").topic("Entry.publish").build());
    world.accept(event("Entry.publish").state("draft")).await;
    world.step().await;
    let matched = &world.matches()[0];
    assert_eq!((matched.decisions.len(), matched.unlisted), (101, 151));
    assert_eq!(matched.decisions[0].webhook.as_str(), "hit");
    assert_eq!(matched.decisions[1].webhook.as_str(), "near");
    assert_eq!(matched.decisions[1].verdict.rule, Rule::State);
}

#[tokio::test(start_paused = true)]
async fn a_fan_out_travels_in_bundles_of_sixteen_and_its_far_end_in_bulk() {
    let mut world = World::with((0..100).map(|at| webhook(&format!("w{at:02}")).topic("*.*").build()));
    world.settings.bulk_after = 40;
    world.taps.fail("sender.send", 0);
    world.accept(event("Entry.publish")).await;
    let mut dispatcher =
        postrider_dispatcher::Dispatcher::new(world.settings.clone(), world.deps()).expect("good");
    assert_eq!(dispatcher.match_step().await.expect("matched"), 1);
    let sizes = |lane| world.waiting(lane).iter().map(|(one, _)| one.targets.len()).collect::<Vec<_>>();
    assert_eq!(sizes(Lane::Fresh), [16, 16, 8]);
    assert_eq!(sizes(Lane::Bulk), [16, 16, 16, 12]);
    dispatcher.deliver_step().await.expect("delivered");
    assert_eq!(world.balance(), [("delivered", 100)].into());
    world.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_huge_fan_out_tells_the_log_comes_in_parts_that_name_each_webhook_once() {
    let world = World::with((0..600).map(|at| webhook(&format!("w{at:03}")).topic("*.*").build()));
    world.put(webhook("other").topic("Asset.*").build());
    world.accept(event("Entry.publish")).await;
    world.step().await;
    let parts = world.matches();
    let shape: Vec<_> = parts.iter().map(|one| (one.part, one.decisions.len())).collect();
    assert_eq!(shape, [(0, 257), (1, 256), (2, 88)], "the misses are in the first");
    let mut named: Vec<_> = parts.iter().flat_map(|one| &one.decisions).map(|one| &one.webhook).collect();
    named.sort_unstable();
    named.dedup();
    assert_eq!(named.len(), 601);
    assert_eq!(world.balance(), [("delivered", 600)].into());
}

#[tokio::test(start_paused = true)]
async fn the_far_end_of_a_huge_fan_out_goes_out_behind_the_events_that_came_with_it() {
    let mut world = World::with((0..3000).map(|at| webhook(&format!("w{at}")).topic("Entry.*").build()));
    world.put(webhook("small").topic("Asset.*").build());
    world.settings.bulk_after = 40;
    world.accept(event("Entry.publish").id("huge")).await;
    world.accept(event("Asset.publish").id("small")).await;
    let mut dispatcher =
        postrider_dispatcher::Dispatcher::new(world.settings.clone(), world.deps()).expect("good");
    assert_eq!(dispatcher.match_step().await.expect("matched"), 2);
    let order = world.taps.order();
    let order: Vec<&str> =
        order.iter().map(String::as_str).filter(|name| name.ends_with("publish")).collect();
    assert_eq!(
        order[..3],
        ["deliver.publish", "records.publish", "deliver.publish"],
        "near ends, record, far end"
    );
    assert_eq!(world.waiting(Lane::Fresh).len(), 3 + 1, "the near ends of both, together");
    assert_eq!(world.waiting(Lane::Bulk).len(), (3000_usize - 40).div_ceil(16));
    let matches = world.matches();
    assert_eq!(matches[0].event.head.id.as_str(), "small", "it does not wait for the far end of the other");
    assert_eq!(matches[1].event.head.id.as_str(), "huge");
}

#[tokio::test(start_paused = true)]
async fn changed_fields_need_the_content_wherever_it_is() {
    let picky = |builder: WebhookBuilder, field: &str| {
        let topics = builder.topic("Entry.save").build().wants.topics;
        let wants = Wants { topics, changed_fields: vec![field.to_owned()], ..Wants::default() };
        webhook(&field.replace('/', "-")).wants(wants).build()
    };
    let world = World::with([
        picky(webhook("x"), "title"),
        picky(webhook("x"), "/body/en"),
        picky(webhook("x"), "slug"),
    ]);
    let changed = |id: &str| {
        let now = r#"{"title":"b","slug":"s","body":{"en":1}}"#;
        event("Entry.save").id(id).data(now).previous(r#"{"slug":"s","title":"a","body":{"en":1}}"#)
    };
    world.accept(changed("inline")).await;
    world.accept_stored(changed("stored")).await;
    world.step().await;
    for matched in world.matches() {
        let hits: Vec<_> = matched.decisions.iter().filter(|one| one.verdict.matched).collect();
        assert_eq!(hits.len(), 1, "{:?}", matched.event.head.id);
        assert_eq!(hits[0].webhook.as_str(), "title");
        let misses = matched.decisions.iter().filter(|one| one.verdict.rule == Rule::ChangedFields);
        assert_eq!(misses.count(), 2);
    }
    assert_eq!(world.arrived("title").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_a_dialect_cannot_say_is_no_match_and_no_delivery() {
    let world = World::with([webhook("comet").topic("*.*").dialect("cometcms").build()]);
    world.accept(event("Hologram.levitate")).await;
    world.step().await;
    let decision = &world.matches()[0].decisions[0];
    assert!(!decision.verdict.matched);
    assert_eq!(decision.verdict.rule, Rule::NotExpressible);
    assert!(world.balance().is_empty());
    world.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn the_publishers_trace_goes_on_to_the_receiver_and_the_log() {
    let world = World::with([webhook("w").topic("*.*").build()]);
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned();
    let mut message = postrider_testkit::builders::outgoing(event("Entry.publish").message());
    message.trace.parent = Some(parent.clone());
    world.accept_as(message).await;
    world.step().await;
    let headers = world.arrived("w")[0].request.headers.clone();
    assert!(headers.contains(&("traceparent".to_owned(), parent.clone())), "{headers:?}");
    let traces = world.servers.lock().traces.clone();
    assert_eq!(traces.len(), 2, "the match and the call");
    assert!(traces.iter().all(|trace| trace.parent.as_ref() == Some(&parent)), "{traces:?}");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_space_has_no_webhooks_and_its_event_is_recorded() {
    let world = World::new();
    world.accept(event("Entry.publish").space("elsewhere")).await;
    world.step().await;
    assert!(world.matches()[0].decisions.is_empty());
    world.assert_empty().await;
}
