//! The suite for claims on event ids: the same id accepted twice is one event.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use postrider_domain::id::EventId;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::claims::{COMMITTED_FOR, Claimed, Claims, PENDING_FOR};
use tokio::task::JoinSet;

use super::{Bench, Checked, Fault, ensure, same, suite};
use crate::builders::{event_id, space};
use crate::clock::START;

suite!(
    "claims",
    dyn Claims,
    [
        a_new_id_is_fresh,
        a_repeat_before_the_commit_is_pending_since_the_first,
        a_repeat_after_the_commit_is_committed_since_the_first,
        another_body_is_told_while_it_is_pending_and_when_it_is_committed,
        equal_ids_in_one_batch_are_judged_one_after_the_other,
        answers_come_in_the_order_of_the_questions,
        a_claim_without_a_commit_ends_after_its_time,
        a_committed_id_is_forgotten_after_its_time,
        a_commit_counts_even_if_its_claim_has_run_out,
        a_released_id_is_free_for_anybody_at_once,
        a_release_leaves_what_is_committed,
        spaces_are_separate,
        of_many_claimers_exactly_one_is_fresh,
    ]
);

type ClaimsBench<'h> = Bench<'h, dyn Claims>;

/// The body that every id has first, and another one.
const BODY: [u8; 32] = [1; 32];
const OTHER: [u8; 32] = [2; 32];

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

fn wanted(ids: &[(&str, [u8; 32])]) -> Vec<(EventId, [u8; 32])> {
    ids.iter().map(|(id, body)| (event_id(id), *body)).collect()
}

fn pending(accepted_at: Timestamp) -> Claimed {
    Claimed::Pending { accepted_at }
}

fn committed(accepted_at: Timestamp) -> Claimed {
    Claimed::Committed { accepted_at }
}

impl ClaimsBench<'_> {
    /// Claims one id of the space `s`.
    async fn claim(&self, id: &str, body: [u8; 32], at: Timestamp) -> Result<Claimed, Fault> {
        self.claim_in("s", id, body, at).await
    }

    async fn claim_in(&self, of: &str, id: &str, body: [u8; 32], at: Timestamp) -> Result<Claimed, Fault> {
        let mut claimed = self.on.claim(&space(of), &wanted(&[(id, body)]), at).await?;
        match (claimed.pop(), claimed.len()) {
            (Some(one), 0) => Ok(one),
            (_, rest) => Err(Fault::new(format!("one id was claimed, {} answers came", rest + 1))),
        }
    }

    async fn commit(&self, id: &str, at: Timestamp) -> Checked {
        Ok(self.on.commit(&space("s"), &wanted(&[(id, BODY)]), at).await?)
    }
}

async fn a_new_id_is_fresh(bench: &ClaimsBench<'_>) -> Checked {
    same!(bench.claim("e", BODY, START).await?, Claimed::Fresh, "the first claim");
    Ok(())
}

async fn a_repeat_before_the_commit_is_pending_since_the_first(bench: &ClaimsBench<'_>) -> Checked {
    bench.claim("e", BODY, START).await?;
    for repeat in 1..4 {
        bench.clock.advance(SECOND);
        let claimed = bench.claim("e", BODY, START.plus(SECOND * repeat)).await?;
        same!(claimed, pending(START), "repeat {repeat}");
    }
    Ok(())
}

async fn a_repeat_after_the_commit_is_committed_since_the_first(bench: &ClaimsBench<'_>) -> Checked {
    bench.claim("e", BODY, START).await?;
    bench.clock.advance(SECOND);
    bench.commit("e", START).await?;
    bench.clock.advance(SECOND);
    let claimed = bench.claim("e", BODY, START.plus(SECOND * 2)).await?;
    same!(claimed, committed(START), "a repeat");
    // The repeat that met the pending claim commits too, under the same acceptance.
    bench.commit("e", START).await?;
    same!(bench.claim("e", BODY, START.plus(SECOND * 2)).await?, committed(START), "a second repeat");
    Ok(())
}

async fn another_body_is_told_while_it_is_pending_and_when_it_is_committed(
    bench: &ClaimsBench<'_>,
) -> Checked {
    bench.claim("e", BODY, START).await?;
    same!(bench.claim("e", OTHER, START).await?, Claimed::OtherBody, "another body of a pending id");
    same!(bench.claim("e", BODY, START).await?, pending(START), "the pending id after that");
    bench.commit("e", START).await?;
    same!(bench.claim("e", OTHER, START).await?, Claimed::OtherBody, "another body of a committed id");
    same!(bench.claim("e", BODY, START).await?, committed(START), "the committed id after that");
    Ok(())
}

async fn equal_ids_in_one_batch_are_judged_one_after_the_other(bench: &ClaimsBench<'_>) -> Checked {
    let batch = wanted(&[("a", BODY), ("a", BODY), ("b", BODY), ("a", OTHER)]);
    let claimed = bench.on.claim(&space("s"), &batch, START).await?;
    let expected = [Claimed::Fresh, pending(START), Claimed::Fresh, Claimed::OtherBody];
    same!(claimed, expected, "the answers");
    Ok(())
}

async fn answers_come_in_the_order_of_the_questions(bench: &ClaimsBench<'_>) -> Checked {
    bench.claim("committed", BODY, START).await?;
    bench.commit("committed", START).await?;
    bench.claim("pending", BODY, START).await?;
    let batch = wanted(&[("new", BODY), ("pending", BODY), ("committed", OTHER), ("committed", BODY)]);
    let claimed = bench.on.claim(&space("s"), &batch, START.plus(SECOND)).await?;
    let expected = [Claimed::Fresh, pending(START), Claimed::OtherBody, committed(START)];
    same!(claimed, expected, "the answers");
    ensure!(bench.on.claim(&space("s"), &[], START).await?.is_empty(), "no question, no answer");
    Ok(())
}

async fn a_claim_without_a_commit_ends_after_its_time(bench: &ClaimsBench<'_>) -> Checked {
    bench.on.claim(&space("s"), &wanted(&[("a", BODY), ("b", BODY)]), START).await?;
    bench.clock.set(START.plus(PENDING_FOR).minus(MILLISECOND));
    same!(bench.claim("a", BODY, START.plus(PENDING_FOR)).await?, pending(START), "a moment before");
    bench.clock.advance(MILLISECOND);
    let again = START.plus(PENDING_FOR);
    same!(bench.claim("b", OTHER, again).await?, Claimed::Fresh, "when its time is over, with any body");
    same!(bench.claim("b", OTHER, again.plus(SECOND)).await?, pending(again), "a repeat of the new claim");
    Ok(())
}

async fn a_committed_id_is_forgotten_after_its_time(bench: &ClaimsBench<'_>) -> Checked {
    let both = wanted(&[("a", BODY), ("b", BODY)]);
    bench.on.claim(&space("s"), &both, START).await?;
    bench.on.commit(&space("s"), &both, START).await?;
    bench.clock.set(START.plus(COMMITTED_FOR).minus(MILLISECOND));
    let now = START.plus(COMMITTED_FOR);
    same!(bench.claim("a", BODY, now).await?, committed(START), "a moment before");
    bench.clock.advance(MILLISECOND);
    same!(bench.claim("b", BODY, now).await?, Claimed::Fresh, "when its time is over");
    Ok(())
}

async fn a_commit_counts_even_if_its_claim_has_run_out(bench: &ClaimsBench<'_>) -> Checked {
    bench.claim("e", BODY, START).await?;
    bench.clock.advance(PENDING_FOR + SECOND);
    bench.commit("e", START).await?;
    let now = START.plus(PENDING_FOR + SECOND);
    same!(bench.claim("e", BODY, now).await?, committed(START), "a repeat after the late commit");
    same!(bench.claim("e", OTHER, now).await?, Claimed::OtherBody, "another body after the late commit");
    Ok(())
}

async fn a_released_id_is_free_for_anybody_at_once(bench: &ClaimsBench<'_>) -> Checked {
    bench.on.claim(&space("s"), &wanted(&[("a", BODY), ("b", BODY)]), START).await?;
    bench.on.release(&space("s"), &[event_id("a"), event_id("unknown")]).await?;
    let again = START.plus(SECOND);
    same!(bench.claim("a", OTHER, again).await?, Claimed::Fresh, "the released id, with any body");
    same!(bench.claim("a", OTHER, again.plus(SECOND)).await?, pending(again), "a repeat of the new claim");
    same!(bench.claim("b", BODY, again).await?, pending(START), "the id beside it");
    Ok(())
}

async fn a_release_leaves_what_is_committed(bench: &ClaimsBench<'_>) -> Checked {
    bench.claim("e", BODY, START).await?;
    bench.commit("e", START).await?;
    bench.on.release(&space("s"), &[event_id("e")]).await?;
    same!(bench.claim("e", BODY, START).await?, committed(START), "the committed id");
    Ok(())
}

async fn spaces_are_separate(bench: &ClaimsBench<'_>) -> Checked {
    bench.claim_in("s", "e", BODY, START).await?;
    same!(bench.claim_in("t", "e", OTHER, START).await?, Claimed::Fresh, "the same id of another space");
    bench.commit("e", START).await?;
    same!(bench.claim_in("t", "e", OTHER, START).await?, pending(START), "another space after the commit");
    bench.on.release(&space("t"), &[event_id("e")]).await?;
    same!(bench.claim_in("s", "e", BODY, START).await?, committed(START), "the space after the release");
    Ok(())
}

/// Forty claimers of the same eight ids, each in an order of its own.
async fn of_many_claimers_exactly_one_is_fresh(bench: &ClaimsBench<'_>) -> Checked {
    const IDS: usize = 8;
    let mut claimers = JoinSet::new();
    for claimer in 0..40_u32 {
        let on = Arc::clone(&bench.on);
        let mut ids: Vec<_> = (0..IDS).map(|id| (event_id(&format!("e{id}")), BODY)).collect();
        ids.rotate_left(claimer as usize % IDS);
        let at = START.plus(MILLISECOND * claimer);
        claimers.spawn(async move { (at, on.claim(&space("s"), &ids, at).await, ids) });
    }
    let mut first: HashMap<EventId, Timestamp> = HashMap::new();
    let mut repeats = Vec::new();
    while let Some(done) = claimers.join_next().await {
        let (at, claimed, ids) = done.map_err(|panic| Fault::new(panic.to_string()))?;
        for ((id, _), claimed) in ids.into_iter().zip(claimed?) {
            if claimed != Claimed::Fresh {
                repeats.push((id, claimed));
            } else if let Some(before) = first.insert(id.clone(), at) {
                return Err(Fault::new(format!("{id} was fresh at {before} and again at {at}")));
            }
        }
    }
    same!(first.len(), IDS, "ids that were fresh for somebody");
    for (id, claimed) in repeats {
        same!(claimed, pending(first[&id]), "a repeat of {id}");
    }
    Ok(())
}
