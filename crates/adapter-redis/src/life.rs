//! How long Redis keeps a key. What a key says has its own end, judged by the port `Clock`; this is only the broom.

use std::time::Duration;

/// Swept this much later than it ends, so that a clock that is a little behind Redis's never misses it.
const SLACK: Duration = Duration::from_secs(60);
/// Nothing is kept longer than this: twice the longest that anything counts (a committed id, a rate per day: 24 h).
const LONGEST: Duration = Duration::from_hours(48);

/// The milliseconds after which a key that counts for `counts` is swept.
pub(crate) fn life_ms(counts: Duration) -> u64 {
    let life = counts.saturating_add(SLACK).min(LONGEST);
    // At most 48 h.
    u64::try_from(life.as_millis()).unwrap_or(u64::MAX)
}
