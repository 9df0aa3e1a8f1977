//! The suite for the key ring: what is sealed opens in its place and nowhere else, and is never shown.

use postrider_ports::secrets::{Place, SIGNING, Secrets};

use super::{Bench, Checked, same, suite};
use crate::builders::space;

suite!("secrets", dyn Secrets, [what_was_sealed_opens_in_its_place]);

async fn what_was_sealed_opens_in_its_place(bench: &Bench<'_, dyn Secrets>) -> Checked {
    let space = space("s");
    let place = Place { space: &space, owner: "w", field: SIGNING };
    let sealed = bench.on.seal(place, "hunter2 ü")?;
    same!(bench.on.open(place, &sealed)?, "hunter2 ü", "the opened text");
    Ok(())
}
