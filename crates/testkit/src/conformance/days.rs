//! The suite for days that are prepared before their records come.

use std::sync::Arc;

use postrider_domain::timestamp::Day;
use postrider_ports::log::Days;
use tokio::task::JoinSet;

use super::log::{LogAdapter, all, an_event};
use super::{Bench, Checked, Fault, ensure, same, suite};
use crate::builders::{SPACE, call, event_id, matched, space};
use crate::clock::START;

/// A log whose days are prepared.
pub trait DaysAdapter: Days + LogAdapter {}

impl<T: Days + LogAdapter> DaysAdapter for T {}

suite!(
    "prepared days",
    dyn DaysAdapter,
    [
        a_prepared_day_takes_records,
        preparing_again_changes_nothing,
        many_may_prepare_at_once,
        a_day_that_was_forgotten_can_be_prepared_again,
    ]
);

type DaysBench<'h> = Bench<'h, dyn DaysAdapter>;

/// Writes an event of a day with one call.
async fn write(on: &Arc<dyn DaysAdapter>, id: &str, day: Day) -> Checked {
    let event = an_event(id).at(day.start()).carried();
    let poisoned = on.write(&[matched(&event, &["w1"], &[]), call(&event, "w1", 1).record()]).await?;
    if poisoned.is_empty() { Ok(()) } else { Err(Fault::new(format!("not taken: {poisoned:?}"))) }
}

fn in_days(days: i32) -> Day {
    START.day().minus(-days)
}

async fn a_prepared_day_takes_records(bench: &DaysBench<'_>) -> Checked {
    bench.on.prepare(in_days(0)).await?;
    for days in [-1, 0, 1, 3] {
        write(&bench.on, &format!("e{days}"), in_days(days)).await?;
    }
    same!(bench.on.deliveries(&space(SPACE), &all(10)).await?.total, 4, "deliveries of prepared days");
    Ok(())
}

async fn preparing_again_changes_nothing(bench: &DaysBench<'_>) -> Checked {
    bench.on.prepare(in_days(0)).await?;
    write(&bench.on, "e1", in_days(0)).await?;
    for day in [0, 0, 1, 2, -1] {
        bench.on.prepare(in_days(day)).await?;
    }
    ensure!(bench.on.event(&space(SPACE), &event_id("e1")).await?.is_some(), "preparing lost an event");
    same!(bench.on.calls(&space(SPACE), &all(10)).await?.total, 1, "calls after preparing again");
    Ok(())
}

async fn many_may_prepare_at_once(bench: &DaysBench<'_>) -> Checked {
    let mut preparing = JoinSet::new();
    for number in 0..6 {
        let on = Arc::clone(&bench.on);
        preparing.spawn(async move { on.prepare(in_days(number / 2)).await });
    }
    while let Some(prepared) = preparing.join_next().await {
        prepared.map_err(|panic| Fault::new(panic.to_string()))??;
    }
    write(&bench.on, "e1", in_days(2)).await
}

async fn a_day_that_was_forgotten_can_be_prepared_again(bench: &DaysBench<'_>) -> Checked {
    bench.on.prepare(in_days(0)).await?;
    write(&bench.on, "e1", in_days(0)).await?;
    while bench.on.remove_before(in_days(5)).await?.more {}
    bench.on.prepare(in_days(0)).await?;
    write(&bench.on, "e2", in_days(0)).await?;
    same!(
        bench.on.deliveries(&space(SPACE), &all(10)).await?.total,
        1,
        "deliveries of the day, prepared again"
    );
    Ok(())
}
