//! The suite for leadership.

use std::sync::Arc;

use async_trait::async_trait;
use postrider_ports::leader::Leadership;
use tokio::task::JoinSet;

use super::{Bench, Checked, Fault, ensure, same, suite};

/// Processes that contend for one term.
#[async_trait]
pub trait Contest: Send + Sync {
    /// One more process; `None` where there is never more than one. Then the cases about several are passed over.
    async fn process(&self) -> Option<Arc<dyn Leadership>>;

    /// Kills a process, and returns when whoever keeps the term has noticed.
    async fn kill(&self, process: Arc<dyn Leadership>);
}

suite!(
    "leadership",
    dyn Contest,
    [
        who_is_alone_leads_and_keeps_leading,
        of_two_only_the_first_leads_however_often_both_ask,
        of_many_at_once_one_leads,
        when_the_leader_is_gone_another_leads,
        when_a_follower_is_gone_the_leader_leads_on,
    ]
);

type ContestBench<'h> = Bench<'h, dyn Contest>;

async fn first(bench: &ContestBench<'_>) -> Result<Arc<dyn Leadership>, Fault> {
    bench.on.process().await.ok_or_else(|| Fault::new("there is not even one process"))
}

async fn who_is_alone_leads_and_keeps_leading(bench: &ContestBench<'_>) -> Checked {
    let alone = first(bench).await?;
    for time in 1..=3 {
        ensure!(
            alone.hold().await?,
            "nobody else is there, and it does not lead when it asks for the {time}. time"
        );
    }
    Ok(())
}

async fn of_two_only_the_first_leads_however_often_both_ask(bench: &ContestBench<'_>) -> Checked {
    let one = first(bench).await?;
    let Some(other) = bench.on.process().await else { return Ok(()) };
    for _ in 0..3 {
        same!(
            (one.hold().await?, other.hold().await?),
            (true, false),
            "whether the first and the second lead"
        );
    }
    Ok(())
}

async fn of_many_at_once_one_leads(bench: &ContestBench<'_>) -> Checked {
    let mut all = vec![first(bench).await?];
    for _ in 1..8 {
        all.extend(bench.on.process().await);
    }
    let mut asking = JoinSet::new();
    for one in all.iter().map(Arc::clone) {
        asking.spawn(async move { one.hold().await });
    }
    let mut leads = 0;
    while let Some(held) = asking.join_next().await {
        leads += u32::from(held.map_err(|panic| Fault::new(panic.to_string()))??);
    }
    same!(leads, 1, "how many of {} lead", all.len());
    Ok(())
}

async fn when_the_leader_is_gone_another_leads(bench: &ContestBench<'_>) -> Checked {
    let one = first(bench).await?;
    let Some(other) = bench.on.process().await else { return Ok(()) };
    same!((one.hold().await?, other.hold().await?), (true, false), "whether the first and the second lead");
    bench.on.kill(one).await;
    ensure!(other.hold().await?, "the leader is gone, and the other does not lead");
    if let Some(third) = bench.on.process().await {
        ensure!(!third.hold().await?, "a third leads beside the second");
    }
    Ok(())
}

async fn when_a_follower_is_gone_the_leader_leads_on(bench: &ContestBench<'_>) -> Checked {
    let one = first(bench).await?;
    let Some(other) = bench.on.process().await else { return Ok(()) };
    same!((one.hold().await?, other.hold().await?), (true, false), "whether the first and the second lead");
    bench.on.kill(other).await;
    ensure!(one.hold().await?, "a follower is gone, and the leader does not lead any more");
    Ok(())
}
