//! The suite for webhooks as management writes them, and for switching them off.

use postrider_domain::webhook::{Disabled, DisabledBy, Status, Webhook};
use postrider_ports::access::Spaces;
use postrider_ports::error::PortErrorKind;
use postrider_ports::registry::{Disable, Registry, Written};
use postrider_ports::subscriptions::Subscriptions;

use super::{Bench, Checked, Fault, ensure, same, suite};
use crate::builders::{SPACE, space, webhook, webhook_id};
use crate::clock::START;

/// Webhooks and settings from both sides.
pub trait WebhookAdapter: Registry + Disable + Spaces + Subscriptions {}

impl<T: Registry + Disable + Spaces + Subscriptions> WebhookAdapter for T {}

suite!(
    "the registry of webhooks",
    dyn WebhookAdapter,
    [
        a_webhook_is_read_back_as_it_was_made,
        a_taken_id_is_a_conflict_but_only_in_its_space,
        an_update_needs_the_expected_version,
        of_two_updates_at_once_one_wins,
        a_delete_returns_the_last_form,
        a_delete_can_insist_on_a_version,
        what_does_not_exist_is_missing,
        webhooks_are_listed_newest_first_with_their_number,
        disabling_happens_once_and_grows_the_version,
    ]
);

pub(super) type WebhookBench<'h> = Bench<'h, dyn WebhookAdapter>;

fn rich() -> Webhook {
    use postrider_domain::secret::Sealed;
    webhook("w1")
        .topic("Entry.*")
        .header("X-Own", "1")
        .signing(Sealed::new("v1.k1.abc"))
        .delays(&[std::time::Duration::from_secs(5)])
        .rate_limit(10, std::time::Duration::from_secs(1))
        .build()
}

async fn a_webhook_is_read_back_as_it_was_made(bench: &WebhookBench<'_>) -> Checked {
    bench.on.create(&rich()).await?;
    same!(bench.on.get(&space(SPACE), &webhook_id("w1")).await?, Some(rich()), "the webhook");
    Ok(())
}

async fn a_taken_id_is_a_conflict_but_only_in_its_space(bench: &WebhookBench<'_>) -> Checked {
    bench.on.create(&rich()).await?;
    let Err(error) = bench.on.create(&webhook("w1").name("Second").build()).await else {
        return Err(Fault::new("a second webhook of the same id was taken"));
    };
    same!(error.kind, PortErrorKind::Conflict, "the kind of error");
    bench.on.create(&webhook("w1").space("other").build()).await?;
    same!(bench.on.get(&space(SPACE), &webhook_id("w1")).await?, Some(rich()), "the first webhook");
    Ok(())
}

async fn an_update_needs_the_expected_version(bench: &WebhookBench<'_>) -> Checked {
    bench.on.create(&webhook("w1").build()).await?;
    let renamed = webhook("w1").name("Renamed").version(1).build();
    let done = bench.on.update(&renamed, 0).await?;
    same!(done, Written::Done(Box::new(renamed.clone())), "the first update");
    let late = bench.on.update(&webhook("w1").name("Late").version(1).build(), 0).await?;
    same!(late, Written::VersionMismatch { current: 1 }, "an update of what is no longer there");
    same!(bench.on.get(&space(SPACE), &webhook_id("w1")).await?, Some(renamed), "the webhook");
    Ok(())
}

async fn of_two_updates_at_once_one_wins(bench: &WebhookBench<'_>) -> Checked {
    bench.on.create(&webhook("w1").build()).await?;
    let (one, other) = (webhook("w1").name("One").version(1), webhook("w1").name("Other").version(1));
    let (one, other) = (one.build(), other.build());
    let (one, other) = tokio::join!(bench.on.update(&one, 0), bench.on.update(&other, 0));
    let won = [one?, other?].iter().filter(|written| matches!(written, Written::Done(_))).count();
    same!(won, 1, "updates that won");
    Ok(())
}

async fn a_delete_returns_the_last_form(bench: &WebhookBench<'_>) -> Checked {
    bench.on.create(&rich()).await?;
    let deleted = bench.on.delete(&space(SPACE), &webhook_id("w1"), None).await?;
    same!(deleted, Written::Done(Box::new(rich())), "what the delete returns");
    same!(bench.on.get(&space(SPACE), &webhook_id("w1")).await?, None, "the webhook after it");
    bench.on.create(&rich()).await?;
    Ok(())
}

async fn a_delete_can_insist_on_a_version(bench: &WebhookBench<'_>) -> Checked {
    bench.on.create(&webhook("w1").version(3).build()).await?;
    let refused = bench.on.delete(&space(SPACE), &webhook_id("w1"), Some(2)).await?;
    same!(refused, Written::VersionMismatch { current: 3 }, "a delete of another version");
    let done = bench.on.delete(&space(SPACE), &webhook_id("w1"), Some(3)).await?;
    ensure!(matches!(done, Written::Done(_)), "a delete of the version it has: {done:?}");
    Ok(())
}

async fn what_does_not_exist_is_missing(bench: &WebhookBench<'_>) -> Checked {
    same!(bench.on.update(&rich(), 0).await?, Written::Missing, "an update");
    same!(bench.on.delete(&space(SPACE), &webhook_id("w1"), None).await?, Written::Missing, "a delete");
    same!(bench.on.get(&space(SPACE), &webhook_id("w1")).await?, None, "a read");
    Ok(())
}

async fn webhooks_are_listed_newest_first_with_their_number(bench: &WebhookBench<'_>) -> Checked {
    for id in ["b", "c", "a"] {
        bench.on.create(&webhook(id).build()).await?;
    }
    bench.on.create(&webhook("z").space("other").build()).await?;
    // A change makes nothing newer.
    bench.on.update(&webhook("b").version(1).build(), 0).await?;
    let ids = |page: &(Vec<Webhook>, usize)| {
        (page.0.iter().map(|one| one.id.to_string()).collect::<Vec<_>>().join(" "), page.1)
    };
    let space = space(SPACE);
    same!(ids(&bench.on.list(&space, 0, 10).await?), ("a c b".to_owned(), 3), "all");
    same!(ids(&bench.on.list(&space, 1, 1).await?), ("c".to_owned(), 3), "one, the first left out");
    same!(ids(&bench.on.list(&space, 5, 10).await?), (String::new(), 3), "beyond the end");
    Ok(())
}

async fn disabling_happens_once_and_grows_the_version(bench: &WebhookBench<'_>) -> Checked {
    bench.on.create(&webhook("w1").version(4).build()).await?;
    let (space, id) = (space(SPACE), webhook_id("w1"));
    let why = Disabled { at: START, by: DisabledBy::Gone, reason: "410 Gone".to_owned() };
    let (one, other) = tokio::join!(bench.on.disable(&space, &id, &why), bench.on.disable(&space, &id, &why));
    same!(usize::from(one?) + usize::from(other?), 1, "how many of two callers at once did it");
    let found = bench.on.get(&space, &id).await?.ok_or_else(|| Fault::new("the webhook is gone"))?;
    same!(found.status, Status::Disabled(why.clone()), "the status");
    same!(found.version, 5, "the version");
    let again = Disabled { reason: "again".to_owned(), ..why.clone() };
    ensure!(!bench.on.disable(&space, &id, &again).await?, "it is disabled already");
    let found = bench.on.get(&space, &id).await?.ok_or_else(|| Fault::new("the webhook is gone"))?;
    same!(found.status, Status::Disabled(why.clone()), "the first reason stays");
    ensure!(!bench.on.disable(&space, &webhook_id("w9"), &why).await?, "there is nothing to disable");
    Ok(())
}
