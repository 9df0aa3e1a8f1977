//! How a delay travels: through the largest level that is not longer than it, again and again (DESIGN §4.2).
//!
//! Whoever receives the message more than [`EARLY`] before its time sends the rest the same way; the last second is
//! waited in the process. A delay of 128 s or more has at most six significant bits, so that it takes at most six hops: it
//! is rounded up, by at most 1/32. Shorter ones are exact and take at most seven. (Delays with jitter would do with four
//! bits; the port does not tell which those are, so all get six.)

use std::time::Duration;

use postrider_domain::timestamp::Timestamp;

use crate::topology::DELAYS;

/// How much before its time a message may be received and is then kept in the process.
pub(crate) const EARLY: Duration = Duration::from_secs(1);

/// A hop ends some milliseconds late. What is sent on may therefore wait this much longer: 31.9 s are then one hop of 32 s
/// and not five of 16 s to 1 s.
pub(crate) const SLACK: Duration = Duration::from_millis(250);

/// Significant bits of a delay in seconds.
const BITS: u32 = 6;

/// When a message that shall come at `not_before` does come: not earlier, and within six hops from `now`.
pub(crate) fn due(now: Timestamp, not_before: Timestamp) -> Timestamp {
    let delay = not_before.since(now);
    let seconds = delay.as_secs();
    let used = u64::BITS - seconds.leading_zeros();
    if used <= BITS + 1 {
        return not_before;
    }
    let step = 1_u64 << (used - BITS);
    // A started second is a whole one.
    let seconds = seconds + u64::from(delay.subsec_nanos() > 0);
    now.plus(Duration::from_secs(seconds.div_ceil(step) * step))
}

/// The queue for what must still wait so long; `None` when the process waits itself.
pub(crate) fn level(rest: Duration) -> Option<&'static str> {
    let seconds = rest.as_secs();
    let level = seconds.checked_ilog2()?;
    // Longer than the longest: it comes back after 6 days, and is sent on.
    Some(DELAYS[(level as usize).min(DELAYS.len() - 1)])
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_ms(1_767_225_600_123);

    /// Lets a message travel over a broker that is 20 ms late: how often it was sent, and when it is handed out.
    fn travel(delay: Duration) -> (usize, Duration) {
        let due = due(NOW, NOW.plus(delay));
        let (mut now, mut hops) = (NOW, 0);
        let mut next = level(delay);
        while let Some(queue) = next {
            let level: u32 = queue.rsplit('.').next().and_then(|text| text.parse().ok()).expect("a number");
            now = now.plus(Duration::from_millis((1000 << level) + 20));
            hops += 1;
            let rest = due.since(now);
            next = if rest > EARLY { super::level(rest + SLACK) } else { None };
        }
        (hops, due.max(now).since(NOW))
    }

    #[test]
    fn what_is_shorter_than_a_second_waits_in_the_process() {
        assert_eq!(level(Duration::from_millis(999)), None);
        assert_eq!(level(Duration::ZERO), None);
        assert_eq!(level(Duration::from_secs(1)), Some(DELAYS[0]));
        assert_eq!(level(Duration::from_millis(3_999)), Some(DELAYS[1]));
        assert_eq!(level(Duration::from_secs(1 << 30)), Some(DELAYS[19]));
    }

    #[test]
    fn delays_up_to_two_minutes_are_exact_and_take_at_most_seven_hops() {
        for ms in (0..128_000).step_by(37) {
            let delay = Duration::from_millis(ms);
            let (hops, waited) = travel(delay);
            assert!(hops <= 7, "{delay:?} takes {hops} hops");
            let late = SLACK + Duration::from_millis(20);
            assert!(waited >= delay && waited <= delay + late, "{delay:?} comes after {waited:?}");
        }
    }

    #[test]
    fn longer_delays_are_never_early_at_most_a_32nd_late_and_take_at_most_six_hops() {
        for ms in (128_000..1_048_575_000_u64).step_by(7_654_321) {
            let delay = Duration::from_millis(ms);
            let (hops, waited) = travel(delay);
            assert!(hops <= 6, "{delay:?} takes {hops} hops");
            assert!(waited >= delay, "{delay:?} comes after {waited:?}");
            assert!(
                waited <= delay + delay / 32 + Duration::from_secs(1),
                "{delay:?} comes after {waited:?}"
            );
        }
    }

    #[test]
    fn what_is_past_is_due_now() {
        assert!(due(NOW, NOW.minus(Duration::from_secs(5))) <= NOW);
    }
}
