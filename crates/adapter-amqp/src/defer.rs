//! How a delay travels: through the largest level that is not longer than it, again and again (DESIGN §4.2).
//!
//! Whoever receives the message more than [`EARLY`] before its time sends the rest the same way; the last second is
//! waited in the process. A delay of 128 s or more has at most six significant bits, so that it takes at most six hops: it
//! is rounded up, by at most 1/32. Shorter ones are exact and take at most seven. (Delays with jitter would do with four
//! bits; the port does not tell which those are, so all get six.)

use std::time::Duration;

use lapin::types::FieldTable;
use postrider_domain::retry::LONGEST_DELAY;
use postrider_domain::timestamp::Timestamp;

use crate::headers;
use crate::topology::DELAYS;

/// How much before its time a message may be received and is then kept in the process.
pub(crate) const EARLY: Duration = Duration::from_secs(1);

/// A hop ends some milliseconds late. What is sent on may therefore wait this much longer: 31.9 s are then one hop of 32 s
/// and not five of 16 s to 1 s.
pub(crate) const SLACK: Duration = Duration::from_millis(250);

/// The number of the longest level.
const LAST: u32 = 19;

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

/// When a message with these headers, which arrives `now`, may be handed out; both by the clock of this process.
///
/// Its `not-before` is an instant of its publisher's clock. What it said of its rest when it was sent on its last way is a
/// duration, true in any clock: it bounds the wait, so that a clock that is behind delays nothing.
///
/// # Errors
/// Why the headers cannot be ours.
pub(crate) fn on_arrival(headers: &FieldTable, now: Timestamp) -> Result<Option<Timestamp>, String> {
    let Some(at) = headers::strict_number(headers, headers::NOT_BEFORE)? else { return Ok(None) };
    let mut left = Timestamp::from_unix_ms(at).since(now);
    if let Some(rest) = headers::strict_number(headers, headers::REST)? {
        left = left.min(Duration::from_millis(u64::try_from(rest).unwrap_or(0)));
    }
    if left > LONGEST_DELAY + LONGEST_DELAY / 32 {
        return Err(format!(
            "its header {} is {at}, which is {} days from now: no delay is longer than {} days",
            headers::NOT_BEFORE,
            left.as_secs() / 86_400,
            LONGEST_DELAY.as_secs() / 86_400,
        ));
    }
    Ok(Some(now.plus(left)))
}

/// What is still to wait after the queue for a message that must wait so long.
pub(crate) fn after_level(rest: Duration) -> Duration {
    let level = rest.as_secs().checked_ilog2().map_or(0, |level| level.min(LAST));
    if rest.as_secs() == 0 { rest } else { rest.saturating_sub(Duration::from_secs(1 << level)) }
}

/// Notes on a message that must wait so long what is left after its next queue.
pub(crate) fn note_rest(headers: &mut FieldTable, rest: Duration) {
    let rest = i64::try_from(after_level(rest).as_millis()).unwrap_or(i64::MAX);
    headers::set_number(headers, headers::REST, rest);
}

/// The queue for what must still wait so long; `None` when the process waits itself.
pub(crate) fn level(rest: Duration) -> Option<&'static str> {
    let seconds = rest.as_secs();
    let level = seconds.checked_ilog2()?;
    // Longer than the longest: it comes back after 6 days, and is sent on.
    Some(DELAYS[level.min(LAST) as usize])
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

    fn put_off(at: Timestamp, rest: Option<i64>) -> FieldTable {
        let mut headers = FieldTable::default();
        headers::set_number(&mut headers, headers::NOT_BEFORE, at.unix_ms());
        if let Some(rest) = rest {
            headers::set_number(&mut headers, headers::REST, rest);
        }
        headers
    }

    #[test]
    fn a_clock_that_is_behind_waits_no_longer_than_the_rest() {
        let minutes = |count: u64| NOW.plus(Duration::from_secs(60 * count));
        let due = |at, rest| on_arrival(&put_off(at, rest), NOW);
        assert_eq!(on_arrival(&FieldTable::default(), NOW), Ok(None));
        assert_eq!(due(minutes(10), Some(400)), Ok(Some(NOW.plus(Duration::from_millis(400)))));
        assert_eq!(due(minutes(10), Some(-5)), Ok(Some(NOW)));
        assert_eq!(due(minutes(10), None), Ok(Some(minutes(10))));
        // Waited in a full queue, or our clock is ahead: which one, nobody can tell.
        assert_eq!(due(NOW.minus(Duration::from_secs(3)), Some(400)), Ok(Some(NOW)));
    }

    #[test]
    fn a_delay_that_nobody_asks_for_is_no_message_of_ours() {
        for at in [i64::MAX, NOW.plus(LONGEST_DELAY * 2).unix_ms()] {
            let refused = on_arrival(&put_off(Timestamp::from_unix_ms(at), None), NOW);
            assert!(refused.is_err_and(|why| why.contains("no delay is longer than 12 days")));
        }
        let longest = due(NOW, NOW.plus(LONGEST_DELAY));
        assert_eq!(on_arrival(&put_off(longest, None), NOW), Ok(Some(longest)));
        assert_eq!(on_arrival(&put_off(Timestamp::from_unix_ms(i64::MIN), None), NOW), Ok(Some(NOW)));
    }

    #[test]
    fn the_rest_is_what_remains_after_the_level() {
        let rest = |ms| after_level(Duration::from_millis(ms)).as_millis();
        assert_eq!([rest(0), rest(700), rest(1000), rest(3250), rest(75_000)], [0, 700, 0, 1250, 11_000]);
        assert_eq!(DELAYS.len(), LAST as usize + 1);
    }

    #[test]
    fn what_is_past_is_due_now() {
        assert!(due(NOW, NOW.minus(Duration::from_secs(5))) <= NOW);
    }
}
