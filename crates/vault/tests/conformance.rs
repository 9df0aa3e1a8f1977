//! The key ring passes the suite of its port.

use std::sync::Arc;

use postrider_ports::secrets::Secrets;
use postrider_testkit::{ManualClock, SeededRandom, conformance};
use postrider_vault::{Key, KeyRing};

#[tokio::test]
async fn the_key_ring_passes() {
    let ring = |_: Arc<ManualClock>| -> Arc<dyn Secrets> {
        let keys = [("k2", 2), ("k1", 1)].map(|(id, bits)| Key::new(id, [bits; 32]).expect("a key id"));
        Arc::new(KeyRing::new(&keys, Arc::new(SeededRandom::new(7))).expect("two keys"))
    };
    conformance::secrets::run(&ring).await;
}
