//! The suite for circuit breakers: one state for all workers, one probe at a time.

use postrider_ports::limits::Breakers;

use super::{Bench, Checked, same, suite};
use crate::builders::{space, webhook_id};

suite!("breakers", dyn Breakers, [an_unknown_breaker_is_closed]);

async fn an_unknown_breaker_is_closed(bench: &Bench<'_, dyn Breakers>) -> Checked {
    same!(bench.on.breakers(&[(space("s"), webhook_id("w"))]).await?, [None], "the breaker");
    Ok(())
}
