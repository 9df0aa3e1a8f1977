//! The suite for what a store keeps of epochs and runs, and for finding open deliveries.

use std::time::Duration;

use postrider_domain::delivery::DeliveryState;
use postrider_domain::event::{Carriage, Carried};
use postrider_domain::record::Record;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::log::LogWrite;
use postrider_ports::reconcile::{
    Cause, Epoch, Era, OpenDeliveries, OpenDelivery, Place, Reconciliations, Run, Wanted,
};
use uuid::Uuid;

use super::{Bench, Checked, Fault, ensure, same, suite};
use crate::builders::{call, event, matched, settled, space};
use crate::clock::START;

/// A store with a log.
pub trait ReconcileAdapter: Reconciliations + OpenDeliveries + LogWrite {}

impl<T: Reconciliations + OpenDeliveries + LogWrite> ReconcileAdapter for T {}

suite!(
    "reconciling",
    dyn ReconcileAdapter,
    [
        the_epoch_changes_only_from_the_one_that_is_known,
        one_run_at_a_time_and_the_latest_is_listed_first,
        a_run_goes_on_from_where_it_stands_and_from_nowhere_else,
        what_is_kept_outlives_its_process,
        every_open_delivery_is_found_once_page_by_page,
        only_what_last_changed_before_an_instant_is_found,
        only_what_was_due_before_an_instant_is_found,
        what_is_parked_is_found_on_demand,
        what_has_no_content_is_found_without_it,
        the_last_change_is_that_of_any_space,
    ]
);

type ReconcileBench<'h> = Bench<'h, dyn ReconcileAdapter>;

fn after(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

fn a_run(number: u128) -> Run {
    let run = Run::new(Epoch(Uuid::from_u128(number)), Cause::DiskLost, after(7));
    Run { due_before: Some(after(5)), missing_ms: Some(1234), ..run }
}

fn place(number: u128) -> Place {
    Place { space: space("a"), parked: true, at: after(3), id: Uuid::from_u128(number) }
}

/// Everything up to an instant.
fn until(seconds: u64) -> Wanted {
    Wanted { parked: false, until: after(seconds), due_before: None, after: None, limit: 1000 }
}

/// An event of a space that was accepted so many seconds after the start.
fn an_event(of: &str, id: &str, seconds: u64) -> Carried {
    event("Entry.publish").space(of).id(id).at(after(seconds)).carried()
}

async fn write(bench: &ReconcileBench<'_>, records: &[Record]) -> Checked {
    let poisoned = bench.on.write(records).await?;
    ensure!(poisoned.is_empty(), "healthy records were called poisoned: {poisoned:?}");
    Ok(())
}

/// All pages of this size together.
async fn found(bench: &ReconcileBench<'_>, wanted: Wanted) -> Result<Vec<OpenDelivery>, Fault> {
    let (mut items, mut wanted) = (Vec::new(), wanted);
    for _ in 0..1000 {
        let page = bench.on.open(&wanted).await?;
        ensure!(page.items.len() <= wanted.limit, "a page of {} has {}", wanted.limit, page.items.len());
        items.extend(page.items);
        let Some(next) = page.next else { return Ok(items) };
        ensure!(wanted.after.as_ref() < Some(&next), "{next:?} follows {:?}", wanted.after);
        wanted.after = Some(next);
    }
    Err(Fault::new("a walk over a few deliveries has no end"))
}

fn names(items: &[OpenDelivery]) -> Vec<String> {
    let name = |one: &OpenDelivery| format!("{} {} {}", one.event.scope.space, one.event.id, one.webhook);
    items.iter().map(name).collect()
}

async fn the_epoch_changes_only_from_the_one_that_is_known(bench: &ReconcileBench<'_>) -> Checked {
    let era = |number, at| Era { epoch: Epoch(Uuid::from_u128(number)), seen_at: after(at) };
    same!(bench.on.era().await?, None, "the epoch of an empty store");
    ensure!(
        !bench.on.note_era(Some(era(9, 0).epoch), &era(1, 0)).await?,
        "it took one for known that is not"
    );
    ensure!(bench.on.note_era(None, &era(1, 1)).await?, "the first is noted");
    ensure!(!bench.on.note_era(None, &era(2, 2)).await?, "a second first is not");
    ensure!(!bench.on.note_era(Some(era(2, 2).epoch), &era(3, 3)).await?, "nor one after an unknown one");
    same!(bench.on.era().await?, Some(era(1, 1)), "the epoch");
    ensure!(bench.on.note_era(Some(era(1, 1).epoch), &era(1, 4)).await?, "it is seen again");
    same!(bench.on.era().await?, Some(era(1, 4)), "the epoch, seen again");
    ensure!(bench.on.note_era(Some(era(1, 4).epoch), &era(2, 5)).await?, "the next one follows");
    same!(bench.on.era().await?, Some(era(2, 5)), "the next epoch");
    Ok(())
}

async fn one_run_at_a_time_and_the_latest_is_listed_first(bench: &ReconcileBench<'_>) -> Checked {
    ensure!(bench.on.enter(&a_run(1)).await?, "the first is entered");
    ensure!(!bench.on.enter(&a_run(2)).await?, "a second is not while the first has not ended");
    let told = a_run(3).ended(after(9), Some("only told".to_owned()));
    ensure!(bench.on.enter(&told).await?, "what has ended is");
    let ended = a_run(1).ended(after(9), None);
    ensure!(bench.on.advance(&a_run(1), &ended).await?, "the first ends");
    ensure!(!bench.on.enter(&a_run(1)).await?, "it is not entered again");
    ensure!(bench.on.enter(&a_run(2)).await?, "the second is, once the first has ended");
    same!(bench.on.runs().await?, vec![a_run(2), told, ended], "the runs");
    Ok(())
}

async fn a_run_goes_on_from_where_it_stands_and_from_nowhere_else(bench: &ReconcileBench<'_>) -> Checked {
    bench.on.enter(&a_run(1)).await?;
    let one = Run { began_at: Some(after(8)), place: Some(place(1)), put_back: 3, ..a_run(1) };
    let two = Run { place: Some(place(2)), put_back: 5, without_content: 1, ..one.clone() };
    ensure!(bench.on.advance(&a_run(1), &one).await?, "it goes on");
    ensure!(!bench.on.advance(&a_run(1), &two).await?, "who does not know how far it is takes it nowhere");
    same!(bench.on.runs().await?, vec![one.clone()], "the run");
    ensure!(bench.on.advance(&one, &two).await?, "it goes on again");
    let elsewhere = Run { place: Some(place(7)), ..two.clone() };
    ensure!(!bench.on.advance(&elsewhere, &a_run(1)).await?, "another place is not where it stands");
    let anew = Run { asked_at: after(9), until: after(9), began_at: None, ..a_run(1) };
    ensure!(bench.on.advance(&two, &anew).await?, "it begins anew");
    ensure!(!bench.on.advance(&a_run(1), &one).await?, "who knew it before it began anew takes it nowhere");
    let ended = anew.ended(after(9), Some("enough".to_owned()));
    ensure!(bench.on.advance(&anew, &ended).await?, "it ends");
    ensure!(!bench.on.advance(&anew, &one).await?, "what has ended goes nowhere");
    same!(bench.on.runs().await?, vec![ended], "the run");
    Ok(())
}

async fn what_is_kept_outlives_its_process(bench: &ReconcileBench<'_>) -> Checked {
    let one = Run { began_at: Some(after(8)), place: Some(place(1)), put_back: 3, ..a_run(1) };
    bench.on.enter(&a_run(1)).await?;
    bench.on.advance(&a_run(1), &one).await?;
    let era = Era { epoch: a_run(1).id, seen_at: START };
    bench.on.note_era(None, &era).await?;
    let Some(reopened) = bench.reopened().await else { return Ok(()) };
    same!(reopened.runs().await?, vec![one], "the runs");
    same!(reopened.era().await?, Some(era), "the epoch");
    Ok(())
}

async fn every_open_delivery_is_found_once_page_by_page(bench: &ReconcileBench<'_>) -> Checked {
    let mut expected = Vec::new();
    for of in ["a", "b", "c"] {
        for number in 0..7_u64 {
            // Two change at the same instant.
            let event = an_event(of, &format!("e{number}"), number / 2);
            let retry = call(&event, "v", 1).failed(500, Some(after(100))).record();
            let ended = call(&event, "w", 1).record();
            write(bench, &[matched(&event, &["u", "v", "w"], &["x"]), retry, ended]).await?;
            if of == "b" {
                write(bench, &["u", "v"].map(|one| call(&event, one, 2).record())).await?;
            } else {
                expected.extend(["u", "v"].map(|webhook| format!("{of} e{number} {webhook}")));
            }
        }
    }
    expected.sort();
    for limit in [1, 4, 1000] {
        let items = found(bench, Wanted { limit, ..until(1000) }).await?;
        let mut names = names(&items);
        names.sort();
        same!(names, expected.clone(), "open deliveries in pages of {limit}");
    }
    let items = found(bench, until(1000)).await?;
    let one = |webhook| items.iter().find(|one| one.webhook.as_str() == webhook);
    let (first, retry) = (one("u"), one("v"));
    let (Some(first), Some(retry)) = (first, retry) else { return Err(Fault::new("none of u or v")) };
    same!((first.attempt, first.next_at, first.generation), (0, None, 0), "one that was not tried");
    same!((retry.attempt, retry.next_at), (1, Some(after(100))), "one that was tried");
    let whole = an_event("a", first.event.id.as_str(), 0);
    ensure!(matches!(&first.content, Some(Carriage::Inline(_))), "a small content travels with it");
    same!(first.content, Some(whole.content), "the content");
    Ok(())
}

async fn only_what_last_changed_before_an_instant_is_found(bench: &ReconcileBench<'_>) -> Checked {
    for number in 0..4 {
        write(bench, &[matched(&an_event("a", &format!("e{number}"), number), &["w"], &[])]).await?;
    }
    let items = found(bench, until(2)).await?;
    same!(names(&items), vec!["a e0 w", "a e1 w"], "what last changed before the third");
    Ok(())
}

async fn only_what_was_due_before_an_instant_is_found(bench: &ReconcileBench<'_>) -> Checked {
    for (id, next) in [("early", 20), ("late", 21)] {
        let event = an_event("a", id, 0);
        let retry = call(&event, "w", 1).failed(500, Some(after(next))).record();
        write(bench, &[matched(&event, &["w"], &[]), retry]).await?;
    }
    write(bench, &[matched(&an_event("a", "untried", 19), &["w"], &[])]).await?;
    write(bench, &[matched(&an_event("a", "untried-late", 21), &["w"], &[])]).await?;
    let due_before = Some(after(21));
    let items = found(bench, Wanted { due_before, limit: 1, ..until(1000) }).await?;
    same!(names(&items), vec!["a early w", "a untried w"], "what was due before");
    Ok(())
}

async fn what_is_parked_is_found_on_demand(bench: &ReconcileBench<'_>) -> Checked {
    for (number, of) in [(0, "a"), (1, "b")] {
        let event = an_event(of, "e", number);
        let aside = settled(&event, "v", DeliveryState::Parked, after(number));
        let ended = settled(&event, "w", DeliveryState::Cancelled, after(number));
        write(bench, &[matched(&event, &["u", "v", "w"], &[]), aside, ended]).await?;
    }
    let items = found(bench, until(1000)).await?;
    same!(names(&items), vec!["a e u", "b e u"], "without what is parked");
    let items = found(bench, Wanted { parked: true, limit: 1, ..until(1000) }).await?;
    same!(names(&items), vec!["a e u", "a e v", "b e u", "b e v"], "with what is parked");
    same!(items[1].state, DeliveryState::Parked, "the state of the second");
    Ok(())
}

async fn what_has_no_content_is_found_without_it(bench: &ReconcileBench<'_>) -> Checked {
    let event = an_event("a", "e", 0);
    write(bench, &[call(&event, "w", 1).failed(500, Some(after(9))).record()]).await?;
    let items = found(bench, until(1000)).await?;
    let contents = |items: &[OpenDelivery]| items.iter().map(|one| one.content.is_some()).collect::<Vec<_>>();
    same!(contents(&items), vec![false], "whether its content is known");
    write(bench, &[matched(&event, &["w"], &[])]).await?;
    let items = found(bench, until(1000)).await?;
    same!(contents(&items), vec![true], "whether its content is known, once its matching is");
    same!(items[0].attempt, 1, "attempts made");
    Ok(())
}

async fn the_last_change_is_that_of_any_space(bench: &ReconcileBench<'_>) -> Checked {
    same!(bench.on.last_change(after(1000)).await?, None, "the last change of an empty log");
    for (of, seconds) in [("a", 1), ("b", 5), ("c", 3)] {
        write(bench, &[matched(&an_event(of, "e", seconds), &["w"], &[])]).await?;
    }
    same!(bench.on.last_change(after(1000)).await?, Some(after(5)), "the last change");
    same!(bench.on.last_change(after(5)).await?, Some(after(3)), "the last change before that");
    Ok(())
}
