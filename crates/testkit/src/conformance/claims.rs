//! The suite for claims on event ids: the same id accepted twice is one event.

use postrider_ports::claims::{Claimed, Claims};

use super::{Bench, Checked, same, suite};
use crate::builders::{event_id, space};
use crate::clock::START;

suite!("claims", dyn Claims, [a_new_id_is_fresh]);

async fn a_new_id_is_fresh(bench: &Bench<'_, dyn Claims>) -> Checked {
    let claimed = bench.on.claim(&space("s"), &[(event_id("e"), [1; 32])], START).await?;
    same!(claimed, [Claimed::Fresh], "the first claim");
    Ok(())
}
