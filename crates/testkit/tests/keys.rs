//! The ring in memory passes the suite for keys, and broken ones are rejected by the case that is about what they break.

use std::sync::Arc;

use postrider_domain::secret::Sealed;
use postrider_ports::error::PortResult;
use postrider_ports::keys::{KeyIds, Keys};
use postrider_ports::secrets::{Place, Secrets};
use postrider_testkit::conformance::{self, keys::Ring};
use postrider_testkit::ring::MemoryRing;

/// What is wrong with a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    SaysAnotherIsActive,
    KnowsOnlyItsOwn,
    TakesAnything,
    NamesOneTwice,
}

struct Flawed(MemoryRing, Flaw);

impl Secrets for Flawed {
    fn seal(&self, place: Place<'_>, secret: &str) -> PortResult<Sealed> {
        self.0.seal(place, secret)
    }

    fn open(&self, place: Place<'_>, sealed: &Sealed) -> PortResult<String> {
        self.0.open(place, sealed)
    }
}

impl Keys for Flawed {
    fn reread(&self) -> PortResult<KeyIds> {
        let mut ids = self.0.reread()?;
        match self.1 {
            Flaw::SaysAnotherIsActive => "k9".clone_into(&mut ids.active),
            Flaw::NamesOneTwice => ids.others.push(ids.active.clone()),
            _ => {}
        }
        Ok(ids)
    }

    fn sealed_with<'s>(&self, sealed: &'s Sealed) -> Option<&'s str> {
        match self.1 {
            Flaw::KnowsOnlyItsOwn => self.0.sealed_with(sealed).filter(|id| *id == "k1"),
            Flaw::TakesAnything => self.0.sealed_with(sealed).or(Some(sealed.as_str())),
            _ => self.0.sealed_with(sealed),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_ring_in_memory_passes() {
    let ring = || {
        let ring = MemoryRing::new("k1");
        ring.set(&["k1", "k2"]);
        ring
    };
    conformance::keys::run(&move |_| Arc::new(ring()) as Arc<dyn Ring>).await;
}

#[tokio::test(start_paused = true)]
async fn the_suite_for_keys_rejects_what_is_broken() {
    for (flaw, case) in [
        (Flaw::SaysAnotherIsActive, "the_active_key_is_the_one_that_seals"),
        (Flaw::KnowsOnlyItsOwn, "a_sealed_text_names_its_key_also_one_that_is_not_here"),
        (Flaw::TakesAnything, "what_was_never_sealed_names_no_key"),
        (Flaw::NamesOneTwice, "a_ring_names_each_key_once"),
    ] {
        let make = move |_| Arc::new(Flawed(MemoryRing::new("k1"), flaw)) as Arc<dyn Ring>;
        conformance::keys::check(&make).await.assert_rejected(case);
    }
}
