//! The suite for what is noted of webhooks that are not well.

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::operational::{Condition, Ill};
use postrider_ports::wellness::{Patient, Wellness};
use tokio::task::JoinSet;

use super::{Bench, Checked, Fault, same, suite};
use crate::builders::{space, webhook_id};
use crate::clock::START;

suite!(
    "wellness",
    dyn Wellness,
    [
        what_is_noted_stands_until_it_is_forgotten,
        what_fails_already_does_not_fail_anew,
        it_gets_worse_and_keeps_its_beginning,
        another_version_begins_anew,
        only_the_condition_that_was_told_counts_as_told,
        only_the_condition_that_ended_is_forgotten,
        namesakes_in_other_spaces_are_others,
        of_many_at_once_all_hear_the_same,
        it_outlives_its_process,
    ]
);

type WellnessBench<'h> = Bench<'h, dyn Wellness>;

/// Found so many seconds after the start, of the webhook's first version.
fn found(ill: Ill, seconds: u64) -> Condition {
    let at = START.plus(Duration::from_secs(seconds));
    let reason = format!("Ä \"{}\" after {seconds} s", ill.as_str());
    Condition { ill, at, since: at, webhook_version: 1, reason, last_status: Some(503), told: false }
}

async fn listed(on: &dyn Wellness) -> Result<Vec<Patient>, Fault> {
    let mut ill = on.ill().await?;
    ill.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    Ok(ill)
}

async fn what_is_noted_stands_until_it_is_forgotten(bench: &WellnessBench<'_>) -> Checked {
    let (of, webhook) = (space("a"), webhook_id("w"));
    same!(listed(&*bench.on).await?, Vec::new(), "those who are not well");
    let failing = found(Ill::Failing, 1);
    same!(bench.on.note(&of, &webhook, &failing).await?, failing.clone(), "what stands");
    same!(listed(&*bench.on).await?, vec![(of.clone(), webhook.clone(), failing.clone())], "the list");
    bench.on.forget(&of, &webhook, failing.at).await?;
    same!(listed(&*bench.on).await?, Vec::new(), "the list after it ended");
    let unanswered = Condition { last_status: None, told: true, ..found(Ill::Failing, 2) };
    same!(bench.on.note(&of, &webhook, &unanswered).await?, unanswered.clone(), "the next");
    same!(listed(&*bench.on).await?, vec![(of, webhook, unanswered)], "the list with the next");
    Ok(())
}

async fn what_fails_already_does_not_fail_anew(bench: &WellnessBench<'_>) -> Checked {
    let (of, webhook) = (space("a"), webhook_id("w"));
    let first = found(Ill::Failing, 1);
    bench.on.note(&of, &webhook, &first).await?;
    same!(bench.on.note(&of, &webhook, &found(Ill::Failing, 2)).await?, first.clone(), "what stands");
    same!(listed(&*bench.on).await?, vec![(of, webhook, first)], "the list");
    Ok(())
}

async fn it_gets_worse_and_keeps_its_beginning(bench: &WellnessBench<'_>) -> Checked {
    let (of, webhook) = (space("a"), webhook_id("w"));
    let (failing, disabled) = (found(Ill::Failing, 1), found(Ill::Disabled, 2));
    bench.on.note(&of, &webhook, &failing).await?;
    bench.on.told(&of, &webhook, failing.at).await?;
    let worse = Condition { since: failing.since, ..disabled };
    same!(bench.on.note(&of, &webhook, &found(Ill::Disabled, 2)).await?, worse.clone(), "what stands");
    same!(bench.on.note(&of, &webhook, &found(Ill::Failing, 3)).await?, worse.clone(), "a late failure");
    same!(bench.on.note(&of, &webhook, &found(Ill::Disabled, 3)).await?, worse.clone(), "a late 410");
    same!(listed(&*bench.on).await?, vec![(of, webhook, worse)], "the list");
    Ok(())
}

async fn another_version_begins_anew(bench: &WellnessBench<'_>) -> Checked {
    let (of, webhook) = (space("a"), webhook_id("w"));
    let disabled = found(Ill::Disabled, 1);
    bench.on.note(&of, &webhook, &disabled).await?;
    bench.on.told(&of, &webhook, disabled.at).await?;
    let anew = Condition { webhook_version: 2, ..found(Ill::Failing, 2) };
    same!(bench.on.note(&of, &webhook, &anew).await?, anew.clone(), "what stands");
    same!(listed(&*bench.on).await?, vec![(of, webhook, anew)], "the list");
    Ok(())
}

async fn only_the_condition_that_was_told_counts_as_told(bench: &WellnessBench<'_>) -> Checked {
    let (of, webhook) = (space("a"), webhook_id("w"));
    let failing = found(Ill::Failing, 2);
    bench.on.note(&of, &webhook, &failing).await?;
    bench.on.told(&of, &webhook, found(Ill::Failing, 1).at).await?;
    let told = |list: Vec<Patient>| list.into_iter().map(|(.., one)| one.told).collect::<Vec<_>>();
    same!(told(listed(&*bench.on).await?), vec![false], "told, after another was told");
    bench.on.told(&of, &webhook, failing.at).await?;
    same!(told(listed(&*bench.on).await?), vec![true], "told, after it was");
    Ok(())
}

async fn only_the_condition_that_ended_is_forgotten(bench: &WellnessBench<'_>) -> Checked {
    let (of, webhook) = (space("a"), webhook_id("w"));
    let failing = found(Ill::Failing, 2);
    bench.on.note(&of, &webhook, &failing).await?;
    bench.on.forget(&of, &webhook, found(Ill::Failing, 1).at).await?;
    same!(listed(&*bench.on).await?, vec![(of, webhook, failing)], "the list after another ended");
    Ok(())
}

async fn namesakes_in_other_spaces_are_others(bench: &WellnessBench<'_>) -> Checked {
    let webhook = webhook_id("w");
    let (one, other) = (found(Ill::Failing, 1), found(Ill::Disabled, 1));
    bench.on.note(&space("a"), &webhook, &one).await?;
    same!(bench.on.note(&space("b"), &webhook, &other).await?, other.clone(), "its namesake");
    bench.on.told(&space("b"), &webhook, other.at).await?;
    bench.on.note(&space("a"), &webhook_id("v"), &one).await?;
    bench.on.forget(&space("a"), &webhook_id("v"), one.at).await?;
    let other = Condition { told: true, ..other };
    let expected = vec![(space("a"), webhook.clone(), one), (space("b"), webhook, other)];
    same!(listed(&*bench.on).await?, expected, "the list");
    Ok(())
}

async fn of_many_at_once_all_hear_the_same(bench: &WellnessBench<'_>) -> Checked {
    let mut noting = JoinSet::new();
    for second in 1..=8 {
        let on = Arc::clone(&bench.on);
        noting
            .spawn(async move { on.note(&space("a"), &webhook_id("w"), &found(Ill::Failing, second)).await });
    }
    let mut heard = Vec::new();
    while let Some(noted) = noting.join_next().await {
        heard.push(noted.map_err(|panic| Fault::new(panic.to_string()))??);
    }
    let stands = listed(&*bench.on).await?.pop().map(|(.., one)| one);
    let stands = stands.ok_or_else(|| Fault::new("nothing is noted"))?;
    same!(heard, vec![stands; 8], "what each of them heard");
    Ok(())
}

async fn it_outlives_its_process(bench: &WellnessBench<'_>) -> Checked {
    let (of, webhook) = (space("a"), webhook_id("w"));
    let failing = found(Ill::Failing, 1);
    bench.on.note(&of, &webhook, &failing).await?;
    bench.on.told(&of, &webhook, failing.at).await?;
    let Some(reopened) = bench.reopened().await else { return Ok(()) };
    let failing = Condition { told: true, ..failing };
    same!(listed(&*reopened).await?, vec![(of, webhook, failing)], "the list in the next process");
    Ok(())
}
