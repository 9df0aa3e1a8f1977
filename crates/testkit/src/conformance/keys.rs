//! The suite for a key ring as those see it who look after it.

use postrider_domain::secret::Sealed;
use postrider_ports::keys::Keys;
use postrider_ports::secrets::{Place, SIGNING, Secrets};

use super::{Bench, Checked, ensure, same, suite};
use crate::builders::space;

/// A ring from both sides.
pub trait Ring: Secrets + Keys {}

impl<R: Secrets + Keys> Ring for R {}

suite!(
    "keys",
    dyn Ring,
    [
        the_active_key_is_the_one_that_seals,
        a_sealed_text_names_its_key_also_one_that_is_not_here,
        what_was_never_sealed_names_no_key,
        a_ring_names_each_key_once,
    ]
);

type KeysBench<'h> = Bench<'h, dyn Ring>;

fn sealed(bench: &KeysBench<'_>) -> Result<Sealed, super::Fault> {
    let space = space("s");
    Ok(bench.on.seal(Place { space: &space, owner: "w", field: SIGNING }, "correct horse")?)
}

async fn the_active_key_is_the_one_that_seals(bench: &KeysBench<'_>) -> Checked {
    let ids = bench.on.reread()?;
    let sealed = sealed(bench)?;
    same!(bench.on.sealed_with(&sealed), Some(ids.active.as_str()), "the key that sealed");
    same!(bench.on.reread()?, ids, "the keys, read once more");
    Ok(())
}

async fn a_sealed_text_names_its_key_also_one_that_is_not_here(bench: &KeysBench<'_>) -> Checked {
    let (ids, sealed) = (bench.on.reread()?, sealed(bench)?);
    let other = Sealed::new(sealed.as_str().replacen(&ids.active, "lost-key-7", 1));
    same!(bench.on.sealed_with(&other), Some("lost-key-7"), "the key that is not in the ring");
    ensure!(!ids.has("lost-key-7"), "the ring claims a key that it never had");
    Ok(())
}

async fn what_was_never_sealed_names_no_key(bench: &KeysBench<'_>) -> Checked {
    for text in ["", ".", "correct horse", "v1", "k1", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"] {
        same!(bench.on.sealed_with(&Sealed::new(text)), None, "the key of {text:?}");
    }
    Ok(())
}

async fn a_ring_names_each_key_once(bench: &KeysBench<'_>) -> Checked {
    let ids = bench.on.reread()?;
    let mut all = vec![ids.active.clone()];
    all.extend(ids.others.clone());
    ensure!(all.iter().all(|id| ids.has(id)), "a key that is named is not there: {all:?}");
    let count = all.len();
    all.sort();
    all.dedup();
    same!(all.len(), count, "different keys");
    Ok(())
}
