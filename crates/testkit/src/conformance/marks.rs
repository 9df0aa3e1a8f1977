//! The suite for marks: how far deliveries have come, as the cache remembers it for ten minutes.

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::delivery::DeliveryState::{self, Delivered, GivenUp, Parked, Pending};
use postrider_domain::delivery::{DeliveryId, Progress};
use postrider_ports::progress::{MARKED_FOR, Marks};
use tokio::task::JoinSet;

use super::{Bench, Checked, Fault, ensure, same, suite};
use crate::builders::{event_id, scope, webhook_id};
use crate::clock::START;

suite!(
    "marks",
    dyn Marks,
    [
        what_was_never_marked_is_unknown,
        a_mark_says_how_far_its_delivery_has_come,
        answers_come_in_the_order_of_the_questions,
        a_mark_only_moves_forward,
        within_one_batch_a_mark_only_moves_forward,
        a_mark_ends_after_its_time,
        each_step_forward_lives_its_own_time,
        of_many_marks_at_once_the_furthest_stays,
    ]
);

type MarksBench<'h> = Bench<'h, dyn Marks>;

const MILLISECOND: Duration = Duration::from_millis(1);

fn id(webhook: &str) -> DeliveryId {
    DeliveryId::derive(&scope("s"), &event_id("e"), &webhook_id(webhook), 0)
}

fn at(state: DeliveryState, attempt: u32) -> Progress {
    Progress { state, attempt }
}

async fn what_was_never_marked_is_unknown(bench: &MarksBench<'_>) -> Checked {
    same!(bench.on.marked(&[id("a")]).await?, [None], "the mark");
    ensure!(bench.on.marked(&[]).await?.is_empty(), "no question, no answer");
    Ok(())
}

async fn a_mark_says_how_far_its_delivery_has_come(bench: &MarksBench<'_>) -> Checked {
    for (number, state) in (1..).zip(DeliveryState::ALL) {
        let one = id(state.as_str());
        bench.on.mark(&[(one, at(state, number))]).await?;
        same!(bench.on.marked(&[one]).await?, [Some(at(state, number))], "the mark");
    }
    Ok(())
}

async fn answers_come_in_the_order_of_the_questions(bench: &MarksBench<'_>) -> Checked {
    bench.on.mark(&[(id("a"), at(Pending, 1)), (id("b"), at(Delivered, 2))]).await?;
    let marked = bench.on.marked(&[id("b"), id("unknown"), id("a"), id("b")]).await?;
    let (a, b) = (Some(at(Pending, 1)), Some(at(Delivered, 2)));
    same!(marked, [b, None, a, b], "the answers");
    Ok(())
}

async fn a_mark_only_moves_forward(bench: &MarksBench<'_>) -> Checked {
    for (noted, expected) in [
        (at(Pending, 1), at(Pending, 1)),
        (at(Pending, 3), at(Pending, 3)),
        (at(Pending, 2), at(Pending, 3)),
        (at(Parked, 2), at(Pending, 3)),
        (at(Parked, 3), at(Parked, 3)),
        (at(Pending, 3), at(Parked, 3)),
        (at(Pending, 4), at(Pending, 4)),
        (at(Parked, 4), at(Parked, 4)),
        (at(GivenUp, 3), at(GivenUp, 3)),
        (at(Pending, 9), at(GivenUp, 3)),
        (at(Delivered, 9), at(GivenUp, 3)),
    ] {
        bench.on.mark(&[(id("a"), noted)]).await?;
        same!(bench.on.marked(&[id("a")]).await?, [Some(expected)], "the mark after {noted:?}");
    }
    Ok(())
}

async fn within_one_batch_a_mark_only_moves_forward(bench: &MarksBench<'_>) -> Checked {
    let batch = [(id("a"), at(Delivered, 1)), (id("b"), at(Pending, 1)), (id("a"), at(Pending, 2))];
    bench.on.mark(&batch).await?;
    let expected = [Some(at(Delivered, 1)), Some(at(Pending, 1))];
    same!(bench.on.marked(&[id("a"), id("b")]).await?, expected, "the marks");
    Ok(())
}

async fn a_mark_ends_after_its_time(bench: &MarksBench<'_>) -> Checked {
    bench.on.mark(&[(id("a"), at(Delivered, 2))]).await?;
    bench.clock.set(START.plus(MARKED_FOR).minus(MILLISECOND));
    same!(bench.on.marked(&[id("a")]).await?, [Some(at(Delivered, 2))], "a moment before");
    bench.clock.advance(MILLISECOND);
    same!(bench.on.marked(&[id("a")]).await?, [None], "when its time is over");
    bench.on.mark(&[(id("a"), at(Pending, 1))]).await?;
    same!(bench.on.marked(&[id("a")]).await?, [Some(at(Pending, 1))], "a new mark after that");
    Ok(())
}

async fn each_step_forward_lives_its_own_time(bench: &MarksBench<'_>) -> Checked {
    bench.on.mark(&[(id("a"), at(Pending, 1))]).await?;
    bench.clock.advance(MARKED_FOR / 2);
    bench.on.mark(&[(id("a"), at(Pending, 2))]).await?;
    bench.clock.set(START.plus(MARKED_FOR / 2 + MARKED_FOR).minus(MILLISECOND));
    same!(bench.on.marked(&[id("a")]).await?, [Some(at(Pending, 2))], "the second mark");
    Ok(())
}

async fn of_many_marks_at_once_the_furthest_stays(bench: &MarksBench<'_>) -> Checked {
    let mut workers = JoinSet::new();
    // 1 to 50 in a mixed order: 7 and 51 have no common divisor. The furthest comes early.
    for attempt in (1..=50).map(|number| number * 7 % 51) {
        let on = Arc::clone(&bench.on);
        workers.spawn(async move { on.mark(&[(id("a"), at(Pending, attempt))]).await });
    }
    while let Some(done) = workers.join_next().await {
        done.map_err(|panic| Fault::new(panic.to_string()))??;
    }
    same!(bench.on.marked(&[id("a")]).await?, [Some(at(Pending, 50))], "the mark");
    Ok(())
}
