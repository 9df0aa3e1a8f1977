//! The key ring passes the suites of its ports.

use std::sync::Arc;

use postrider_ports::secrets::Secrets;
use postrider_testkit::conformance::keys::Ring;
use postrider_testkit::{ManualClock, SeededRandom, conformance};
use postrider_vault::{Key, KeyRing};

fn ring() -> KeyRing {
    let keys = [("k2", 2), ("k1", 1)].map(|(id, bits)| Key::new(id, [bits; 32]).expect("a key id"));
    KeyRing::new(&keys, Arc::new(SeededRandom::new(7))).expect("two keys")
}

/// The same, read from a file again and again.
fn following(clock: Arc<ManualClock>) -> KeyRing {
    let keys = [("k2", 2), ("k1", 1)].map(|(id, bits)| Key::new(id, [bits; 32]).expect("a key id"));
    let lines = keys.map(|key| key.to_line().as_str().to_owned());
    ring().read_again(move || Ok(lines.join("\n")), clock)
}

#[tokio::test]
async fn the_key_ring_passes() {
    conformance::secrets::run(&|_| Arc::new(ring()) as Arc<dyn Secrets>).await;
    conformance::keys::run(&|_| Arc::new(ring()) as Arc<dyn Ring>).await;
}

#[tokio::test]
async fn a_key_ring_that_is_read_again_passes() {
    conformance::secrets::run(&|clock| Arc::new(following(clock)) as Arc<dyn Secrets>).await;
    conformance::keys::run(&|clock| Arc::new(following(clock)) as Arc<dyn Ring>).await;
}
