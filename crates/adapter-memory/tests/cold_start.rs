//! After a start over the data of a process before, unknown ids are suspect for as long as they might have been remembered.

use std::sync::Arc;
use std::time::Duration;

use postrider_adapter_memory::MemoryClaims;
use postrider_domain::id::EventId;
use postrider_ports::claims::{COMMITTED_FOR, Claimed, Claims};
use postrider_ports::clock::Clock;
use postrider_testkit::builders::{event_id, space};
use postrider_testkit::{ManualClock, START};

const MILLISECOND: Duration = Duration::from_millis(1);

fn one(id: &str) -> [(EventId, [u8; 32]); 1] {
    [(event_id(id), [1; 32])]
}

async fn claim(claims: &MemoryClaims, clock: &ManualClock, id: &str) -> Claimed {
    let claimed = claims.claim(&space("s"), &one(id), clock.now()).await;
    claimed.expect("memory answers").pop().expect("one answer")
}

#[tokio::test]
async fn an_unknown_id_is_fresh_but_forgetful_for_a_day_after_a_cold_start() {
    let clock = Arc::new(ManualClock::new());
    let claims = MemoryClaims::new(Arc::clone(&clock) as Arc<dyn Clock>, true);
    assert_eq!(claim(&claims, &clock, "a").await, Claimed::FreshButForgetful);
    clock.set(START.plus(COMMITTED_FOR).minus(MILLISECOND));
    assert_eq!(claim(&claims, &clock, "b").await, Claimed::FreshButForgetful);
    clock.advance(MILLISECOND);
    assert_eq!(claim(&claims, &clock, "c").await, Claimed::Fresh);
}

#[tokio::test]
async fn what_was_claimed_since_a_cold_start_is_known_like_any_other() {
    let clock = Arc::new(ManualClock::new());
    let claims = MemoryClaims::new(Arc::clone(&clock) as Arc<dyn Clock>, true);
    assert_eq!(claim(&claims, &clock, "a").await, Claimed::FreshButForgetful);
    clock.advance(MILLISECOND);
    assert_eq!(claim(&claims, &clock, "a").await, Claimed::Pending { accepted_at: START });
    claims.commit(&space("s"), &one("a"), START).await.expect("memory answers");
    assert_eq!(claim(&claims, &clock, "a").await, Claimed::Committed { accepted_at: START });
}
