//! The suite for forgetting what is too old.

use postrider_domain::delivery::DeliveryState;
use postrider_domain::event::{Carriage, Carried};
use postrider_domain::timestamp::Day;

use super::log::{LogAdapter, LogBench, all, an_event, shown, write};
use super::{Checked, Fault, ensure, same, suite};
use crate::builders::{SPACE, call, event_id, matched, settled, space};
use crate::clock::START;

suite!(
    "retention",
    dyn LogAdapter,
    [
        what_belongs_to_older_days_is_removed_and_the_rest_stays,
        a_pending_delivery_keeps_its_event_and_its_body,
        nothing_to_remove_is_said_at_once,
    ]
);

/// An event of a day, counted from the day of [`START`].
fn on_day(id: &str, days_before: i32) -> Carried {
    an_event(id).at(START.day().minus(days_before).start()).carried()
}

/// Removes until there is nothing more; returns how many rows went.
async fn remove_all(bench: &LogBench<'_>, before: Day) -> Result<u64, Fault> {
    let mut rows = 0;
    for _ in 0..1000 {
        let removed = bench.on.remove_before(before).await?;
        rows += removed.rows;
        if !removed.more {
            return Ok(rows);
        }
    }
    Err(Fault::new("after a thousand calls it still says that there is more to remove"))
}

async fn what_belongs_to_older_days_is_removed_and_the_rest_stays(bench: &LogBench<'_>) -> Checked {
    for number in 0..40 {
        let old = on_day(&format!("old{number}"), 3);
        write(&bench.on, &[matched(&old, &["w1"], &[]), call(&old, "w1", 1).record()]).await?;
    }
    let young = on_day("young", 2);
    write(&bench.on, &[matched(&young, &["w1"], &[]), call(&young, "w1", 1).record()]).await?;
    let unused = bench.on.put(START.day().minus(3), &an_event("x").build().content).await?;
    let rows = remove_all(bench, START.day().minus(2)).await?;
    ensure!(rows >= 120, "40 events, deliveries and calls are at least 120 rows, it counted {rows}");
    same!(bench.on.calls(&space(SPACE), &all(100)).await?.total, 1, "calls that stay");
    same!(bench.on.deliveries(&space(SPACE), &all(100)).await?.total, 1, "deliveries that stay");
    ensure!(bench.on.event(&space(SPACE), &event_id("old7")).await?.is_none(), "an old event is still there");
    shown(&bench.on, "young").await?;
    let Err(gone) = bench.on.get(&unused).await else {
        return Err(Fault::new("a body of an old day that nothing names is still there"));
    };
    ensure!(!gone.is_transient(), "a body that is gone stays gone: the error must be permanent");
    Ok(())
}

async fn a_pending_delivery_keeps_its_event_and_its_body(bench: &LogBench<'_>) -> Checked {
    let old = on_day("e1", 40);
    let content = an_event("e1").data(r#""large""#).build().content;
    let body = bench.on.put(old.head.day(), &content).await?;
    let stored = Carried { content: Carriage::Stored(body), ..old };
    let parked = settled(&stored, "w3", DeliveryState::Parked, START);
    let records = [matched(&stored, &["w1", "w2", "w3"], &[]), call(&stored, "w2", 1).record(), parked];
    write(&bench.on, &records).await?;
    remove_all(bench, START.day()).await?;
    let row = shown(&bench.on, "e1").await?;
    same!(row.event.content, content, "the content of an event that a pending delivery needs");
    let left: Vec<_> = row.deliveries.iter().map(|row| row.delivery.webhook.as_str()).collect();
    ensure!(left.contains(&"w1"), "the pending delivery must stay, there are {left:?}");
    ensure!(left.contains(&"w3"), "the parked delivery must stay, there are {left:?}");
    Ok(())
}

async fn nothing_to_remove_is_said_at_once(bench: &LogBench<'_>) -> Checked {
    let removed = bench.on.remove_before(START.day()).await?;
    same!(
        (removed.rows, removed.more),
        (0, false),
        "rows removed from an empty log, and whether more follow"
    );
    Ok(())
}
