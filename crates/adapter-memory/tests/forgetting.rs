//! A memory that had to forget for room says so: until what it forgot would have ended, unknown ids are suspect.

use std::sync::Arc;
use std::time::Duration;

use postrider_adapter_memory::MemoryClaims;
use postrider_domain::id::EventId;
use postrider_ports::claims::{COMMITTED_FOR, Claimed, Claims};
use postrider_ports::clock::Clock;
use postrider_testkit::builders::{event_id, space};
use postrider_testkit::{ManualClock, START};

/// As many ids as the memory holds.
const ROOM: usize = 100_000;

async fn claim(claims: &MemoryClaims, id: &str) -> Claimed {
    let claimed = claims.claim(&space("s"), &[(event_id(id), [1; 32])], START).await;
    claimed.expect("memory answers").pop().expect("one answer")
}

#[tokio::test]
async fn what_was_forgotten_for_room_makes_unknown_ids_suspect_for_a_day() {
    let clock = Arc::new(ManualClock::new());
    let claims = MemoryClaims::new(Arc::clone(&clock) as Arc<dyn Clock>, false);
    let full: Vec<(EventId, [u8; 32])> =
        (0..ROOM).map(|number| (event_id(&format!("e{number}")), [1; 32])).collect();
    claims.commit(&space("s"), &full, START).await.expect("memory answers");
    // For the first that is one too many, e0 has to go.
    assert_eq!(claim(&claims, "e1").await, Claimed::Committed { accepted_at: START });
    assert_eq!(claim(&claims, "one-too-many").await, Claimed::Fresh);
    assert_eq!(claim(&claims, "e0").await, Claimed::FreshButForgetful);
    assert_eq!(claim(&claims, "never-seen").await, Claimed::FreshButForgetful);
    clock.set(START.plus(COMMITTED_FOR).minus(Duration::from_millis(1)));
    assert_eq!(claim(&claims, "late").await, Claimed::FreshButForgetful);
    clock.advance(Duration::from_millis(1));
    assert_eq!(claim(&claims, "after-a-day").await, Claimed::Fresh);
}
