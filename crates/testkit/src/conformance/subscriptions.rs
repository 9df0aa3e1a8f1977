//! The suite for webhooks as dispatchers see them.

use std::collections::BTreeMap;

use postrider_domain::space::SpaceSettings;
use postrider_domain::webhook::{Disabled, DisabledBy, Webhook};
use postrider_ports::subscriptions::{Change, Changes};

use super::registry::{WebhookAdapter, WebhookBench};
use super::{Checked, ensure, same, suite};
use crate::builders::{SPACE, settings, space, webhook, webhook_id};
use crate::clock::START;

suite!(
    "subscriptions",
    dyn WebhookAdapter,
    [
        a_space_is_loaded_with_its_version_and_nothing_of_others,
        every_change_grows_the_version_and_nothing_else_does,
        changes_name_each_webhook_once_in_its_present_form,
        no_change_is_an_empty_and_complete_list,
        a_version_that_was_never_given_is_answered_as_incomplete,
        a_change_hints,
        settings_are_loaded_with_their_space,
        a_change_of_settings_is_a_change,
    ]
);

/// The changes by `space/id`: the name of each, `None` for a deleted one.
fn by_place(changes: &Changes) -> BTreeMap<String, Option<String>> {
    let name = |webhook: Option<&Webhook>| webhook.map(|one| one.name.clone());
    changes.webhooks().map(|(space, id, now)| (format!("{space}/{id}"), name(now))).collect()
}

async fn a_space_is_loaded_with_its_version_and_nothing_of_others(bench: &WebhookBench<'_>) -> Checked {
    same!(bench.on.load(&space("unknown")).await?.webhooks, [], "the webhooks of an unknown space");
    let (active, off) = (webhook("w1").topic("*.*").build(), webhook("w2").disabled().build());
    for one in [&active, &off, &webhook("w3").space("other").build()] {
        bench.on.create(one).await?;
    }
    let mut snapshot = bench.on.load(&space(SPACE)).await?;
    snapshot.webhooks.sort_by_key(|one| one.id.clone());
    same!(snapshot.webhooks, [active, off], "active and disabled ones of the space");
    same!(snapshot.version, bench.on.version().await?, "the version of the snapshot");
    Ok(())
}

async fn every_change_grows_the_version_and_nothing_else_does(bench: &WebhookBench<'_>) -> Checked {
    let (space, id) = (space(SPACE), webhook_id("w1"));
    let why = Disabled { at: START, by: DisabledBy::Failing, reason: "x".to_owned() };
    let mut last = bench.on.version().await?;
    for step in ["create", "update", "disable", "delete"] {
        match step {
            "create" => bench.on.create(&webhook("w1").build()).await?,
            "update" => drop(bench.on.update(&webhook("w1").version(1).build(), 0).await?),
            "disable" => drop(bench.on.disable(&space, &id, &why).await?),
            _ => drop(bench.on.delete(&space, &id, None).await?),
        }
        let now = bench.on.version().await?;
        ensure!(now > last, "after {step} the version is {now}, before it was {last}");
        last = now;
    }
    bench.on.update(&webhook("w1").version(1).build(), 0).await?;
    bench.on.delete(&space, &id, None).await?;
    bench.on.disable(&space, &id, &why).await?;
    same!(bench.on.version().await?, last, "the version after writes that changed nothing");
    Ok(())
}

async fn changes_name_each_webhook_once_in_its_present_form(bench: &WebhookBench<'_>) -> Checked {
    bench.on.create(&webhook("old").build()).await?;
    bench.on.create(&webhook("doomed").build()).await?;
    let since = bench.on.version().await?;
    bench.on.create(&webhook("new").space("other").name("New").build()).await?;
    for version in 1..4 {
        let named = webhook("old").name(&format!("Version {version}")).version(version).build();
        bench.on.update(&named, version - 1).await?;
    }
    bench.on.delete(&space(SPACE), &webhook_id("doomed"), None).await?;
    let changes = bench.on.changes_since(since).await?;
    ensure!(!changes.incomplete, "a short list of changes is complete");
    same!(changes.version, bench.on.version().await?, "the version after the changes");
    same!(changes.changed.len(), 3, "entries, one for each webhook");
    let expected = BTreeMap::from([
        (format!("{SPACE}/old"), Some("Version 3".to_owned())),
        (format!("{SPACE}/doomed"), None),
        ("other/new".to_owned(), Some("New".to_owned())),
    ]);
    same!(by_place(&changes), expected, "the changes");
    Ok(())
}

async fn no_change_is_an_empty_and_complete_list(bench: &WebhookBench<'_>) -> Checked {
    bench.on.create(&webhook("w1").build()).await?;
    let version = bench.on.version().await?;
    let changes = bench.on.changes_since(version).await?;
    same!(changes, Changes { version, changed: Vec::new(), incomplete: false }, "the changes");
    Ok(())
}

async fn a_version_that_was_never_given_is_answered_as_incomplete(bench: &WebhookBench<'_>) -> Checked {
    bench.on.create(&webhook("w1").build()).await?;
    let version = bench.on.version().await?;
    ensure!(bench.on.changes_since(version + 1000).await?.incomplete, "it cannot know what changed since");
    Ok(())
}

async fn a_change_hints(bench: &WebhookBench<'_>) -> Checked {
    // Hints may be lost, so changes are made until one comes.
    let mut number = 0;
    let mut hint = bench.on.hint();
    loop {
        let webhook = webhook(&format!("w{number}")).build();
        tokio::select! {
            biased;
            () = &mut hint => return Ok(()),
            made = bench.on.create(&webhook) => made?,
        }
        ensure!(number < 1000, "a thousand changes and no hint");
        number += 1;
    }
}

async fn settings_are_loaded_with_their_space(bench: &WebhookBench<'_>) -> Checked {
    let own = space(SPACE);
    same!(bench.on.load(&own).await?.settings, SpaceSettings::default(), "settings that were never put");
    bench.on.create(&webhook("w1").build()).await?;
    bench.on.put_settings(&own, &settings(1), 0).await?;
    let snapshot = bench.on.load(&own).await?;
    same!(snapshot.settings, settings(1), "the settings");
    same!(snapshot.webhooks.len(), 1, "webhooks");
    same!(snapshot.version, bench.on.version().await?, "the version of the snapshot");
    let other = bench.on.load(&space("other")).await?;
    same!(other.settings, SpaceSettings::default(), "the settings of another space");
    same!(bench.on.load(&own).await?, snapshot, "the space, loaded again");
    Ok(())
}

async fn a_change_of_settings_is_a_change(bench: &WebhookBench<'_>) -> Checked {
    let own = space(SPACE);
    bench.on.create(&webhook("w1").build()).await?;
    let since = bench.on.version().await?;
    for version in 1..4 {
        let before = bench.on.version().await?;
        bench.on.put_settings(&own, &settings(version), version - 1).await?;
        ensure!(bench.on.version().await? > before, "the version grows with settings {version}");
    }
    let last = bench.on.version().await?;
    bench.on.put_settings(&own, &settings(9), 1).await?;
    same!(bench.on.version().await?, last, "the version after settings that were not taken");
    bench.on.update(&webhook("w1").name("New").version(1).build(), 0).await?;
    let mut changes = bench.on.changes_since(since).await?;
    ensure!(!changes.incomplete, "a short list of changes is complete");
    same!(
        by_place(&changes),
        BTreeMap::from([(format!("{SPACE}/w1"), Some("New".to_owned()))]),
        "the webhooks"
    );
    changes.changed.retain(|(_, change)| matches!(change, Change::Settings(_)));
    let once = (own, Change::Settings(Box::new(settings(3))));
    same!(changes.changed, [once], "the settings, once, in their present form");
    Ok(())
}
