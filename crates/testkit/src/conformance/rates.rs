//! The suite for token buckets: never more calls than allowed in any window, and not far fewer in the long run.

use std::time::Duration;

use postrider_domain::webhook::RateLimit;
use postrider_ports::limits::Rates;

use super::{Bench, Checked, same, suite};
use crate::builders::{space, webhook_id};

suite!("rates", dyn Rates, [the_first_call_is_granted_at_once]);

async fn the_first_call_is_granted_at_once(bench: &Bench<'_, dyn Rates>) -> Checked {
    let limit = RateLimit { calls: 1, per: Duration::from_secs(60) };
    let leased = bench.on.lease(&space("s"), &webhook_id("w"), limit, 1).await?;
    same!(leased.granted, 1, "calls granted");
    Ok(())
}
