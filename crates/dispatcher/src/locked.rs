//! Deliveries whose secrets do not open because the key that sealed them is not in this process's ring. The fault is ours and
//! the key can come back (a ring that was not rolled out yet, a line deleted by mistake), so they are tried again by the
//! webhook's policy, and beyond its end for a day. Each attempt is on record with the id of the key.

use std::time::Duration;

use postrider_domain::delivery::DeliveryState;
use postrider_domain::timestamp::Timestamp;

/// From when an event was accepted on. Whoever loses a key notices within a day; what is given up can be resent.
const KEPT: Duration = Duration::from_hours(24);
/// A roll-out of a new ring takes seconds.
const SHORTEST: Duration = Duration::from_secs(5);
/// 24 in a day: few enough for a hundred thousand deliveries to wait like this.
const LONGEST: Duration = Duration::from_hours(1);

/// Where such a delivery stands when its policy has no further attempt: once more after as long again as it has waited.
pub(crate) fn beyond_policy(accepted_at: Timestamp, now: Timestamp) -> (DeliveryState, Option<Timestamp>) {
    let waited = now.since(accepted_at);
    if waited >= KEPT {
        return (DeliveryState::GivenUp, None);
    }
    (DeliveryState::Pending, Some(now.plus(waited.clamp(SHORTEST, LONGEST))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_double_up_to_an_hour_and_end_after_a_day() {
        let accepted = Timestamp::from_unix_ms(0);
        let (mut now, mut pauses) = (accepted, Vec::new());
        while let (DeliveryState::Pending, Some(at)) = beyond_policy(accepted, now) {
            pauses.push(at.since(now).as_secs());
            now = at;
        }
        assert_eq!(pauses[..5], [5, 5, 10, 20, 40]);
        assert!(pauses.iter().all(|pause| *pause <= 3600), "{pauses:?}");
        assert_eq!(pauses.last(), Some(&3600));
        assert!(pauses.len() < 40 && now.since(accepted) < KEPT + LONGEST, "{pauses:?}");
    }
}
