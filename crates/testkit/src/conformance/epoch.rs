//! The suite for the epoch in the broker.

use postrider_ports::reconcile::{BrokerEpoch, Epoch, Standing};
use uuid::Uuid;

use super::{Bench, Checked, same, suite};

suite!(
    "the epoch of a broker",
    dyn BrokerEpoch,
    [
        an_empty_disk_knows_of_none_however_often_it_is_asked,
        what_is_begun_is_begun_and_what_is_kept_is_kept,
        what_is_kept_is_not_begun_anew,
        of_another_it_is_known_that_there_is_one,
        it_outlives_its_process,
    ]
);

type EpochBench<'h> = Bench<'h, dyn BrokerEpoch>;

fn epoch(number: u128) -> Epoch {
    Epoch(Uuid::from_u128(number))
}

async fn an_empty_disk_knows_of_none_however_often_it_is_asked(bench: &EpochBench<'_>) -> Checked {
    for time in 1..=5 {
        same!(bench.on.standing(epoch(1)).await?, Standing::Blank, "asked for the {time}. time");
    }
    bench.on.keep(epoch(1)).await?;
    same!(bench.on.standing(epoch(1)).await?, Standing::Kept, "kept after the questions");
    Ok(())
}

async fn what_is_begun_is_begun_and_what_is_kept_is_kept(bench: &EpochBench<'_>) -> Checked {
    bench.on.begin(epoch(1)).await?;
    same!(bench.on.standing(epoch(1)).await?, Standing::Begun, "what was begun");
    bench.on.keep(epoch(1)).await?;
    same!(bench.on.standing(epoch(1)).await?, Standing::Kept, "what was kept");
    bench.on.keep(epoch(1)).await?;
    same!(bench.on.standing(epoch(1)).await?, Standing::Kept, "what was kept twice");
    Ok(())
}

async fn what_is_kept_is_not_begun_anew(bench: &EpochBench<'_>) -> Checked {
    bench.on.keep(epoch(1)).await?;
    bench.on.begin(epoch(1)).await?;
    same!(bench.on.standing(epoch(1)).await?, Standing::Kept, "what was kept before it was begun");
    Ok(())
}

async fn of_another_it_is_known_that_there_is_one(bench: &EpochBench<'_>) -> Checked {
    bench.on.begin(epoch(1)).await?;
    same!(bench.on.standing(epoch(2)).await?, Standing::Other, "beside one that was begun");
    bench.on.keep(epoch(1)).await?;
    same!(bench.on.standing(epoch(2)).await?, Standing::Other, "beside one that is kept");
    bench.on.keep(epoch(2)).await?;
    same!(bench.on.standing(epoch(2)).await?, Standing::Kept, "the second");
    same!(bench.on.standing(epoch(1)).await?, Standing::Kept, "the first");
    Ok(())
}

async fn it_outlives_its_process(bench: &EpochBench<'_>) -> Checked {
    bench.on.keep(epoch(1)).await?;
    bench.on.begin(epoch(2)).await?;
    let Some(reopened) = bench.reopened().await else { return Ok(()) };
    same!(reopened.standing(epoch(1)).await?, Standing::Kept, "what the process before kept");
    same!(reopened.standing(epoch(2)).await?, Standing::Begun, "what the process before began");
    same!(reopened.standing(epoch(3)).await?, Standing::Other, "one that nobody knows");
    Ok(())
}
