//! The suite for marks: how far deliveries have come, as the cache remembers it for ten minutes.

use postrider_domain::delivery::DeliveryId;
use postrider_ports::progress::Marks;

use super::{Bench, Checked, same, suite};
use crate::builders::{event_id, scope, webhook_id};

suite!("marks", dyn Marks, [what_was_never_marked_is_unknown]);

async fn what_was_never_marked_is_unknown(bench: &Bench<'_, dyn Marks>) -> Checked {
    let id = DeliveryId::derive(&scope("s"), &event_id("e"), &webhook_id("w"), 0);
    same!(bench.on.marked(&[id]).await?, [None], "the mark");
    Ok(())
}
