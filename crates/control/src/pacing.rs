//! Checks how fast and how often a webhook is called: time-out, retry policy, coalescing, rate limit.

use std::time::Duration;

use postrider_domain::coalesce::{CoalesceSetting, LONGEST_WINDOW};
use postrider_domain::retry::RetryPolicy;
use postrider_domain::webhook::RateLimit;

use crate::draft::RetryDraft;
use crate::error::FieldFault;

/// Shortest time-out: less fails for distance alone (once round the world and TLS is about 0.8 s).
pub(crate) const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest time-out: what Contentful and Contentstack wait, the most patient of the five.
pub const LONGEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Shortest coalescing window; below a second it saves nothing that the batches do not save anyway.
pub(crate) const SHORTEST_WINDOW: Duration = Duration::from_secs(1);
/// Most calls of a rate limit in one `per`.
pub(crate) const MOST_CALLS: u32 = 1_000_000;
/// Shortest `per` of a rate limit: a lease slice is 100 ms (DESIGN §5).
pub(crate) const SHORTEST_PER: Duration = Duration::from_millis(100);
/// Longest `per` of a rate limit.
pub(crate) const LONGEST_PER: Duration = Duration::from_hours(24);

/// A time-out within bounds.
pub(crate) fn timeout(given: Option<Duration>, faults: &mut Vec<FieldFault>) -> Option<Duration> {
    if let Some(given) = given
        && !(SHORTEST_TIMEOUT..=LONGEST_TIMEOUT).contains(&given)
    {
        faults.push(out_of_range("timeout", given, "give 1 to 30 seconds"));
    }
    given
}

/// A retry policy that can be kept.
pub(crate) fn retry(given: Option<&RetryDraft>, faults: &mut Vec<FieldFault>) -> Option<RetryPolicy> {
    let policy = match given? {
        RetryDraft::Named(name) => RetryPolicy::named(name),
        RetryDraft::Own { schedule, on } => {
            let policy = RetryPolicy { schedule: schedule.clone(), on: on.clone() };
            policy.check().map(|()| policy)
        }
    };
    policy
        .map_err(|error| {
            let fix = "name a known policy, or give figures within their bounds";
            faults.push(FieldFault::new("retryPolicy", "range", error.to_string(), fix));
        })
        .ok()
}

/// A coalescing window within bounds.
pub(crate) fn coalesce(given: CoalesceSetting, faults: &mut Vec<FieldFault>) -> CoalesceSetting {
    if let CoalesceSetting::All(rule) = given
        && !(SHORTEST_WINDOW..=LONGEST_WINDOW).contains(&rule.window)
    {
        faults.push(out_of_range("coalesce.window", rule.window, "give 1 second to 1 hour"));
    }
    given
}

/// A rate limit within bounds.
pub(crate) fn rate_limit(given: Option<RateLimit>, faults: &mut Vec<FieldFault>) -> Option<RateLimit> {
    let limit = given?;
    if !(1..=MOST_CALLS).contains(&limit.calls) {
        let problem = format!("{} calls are out of range", limit.calls);
        faults.push(FieldFault::new("rateLimit.calls", "range", problem, "give 1 to 1000000"));
    }
    if !(SHORTEST_PER..=LONGEST_PER).contains(&limit.per) {
        faults.push(out_of_range("rateLimit.per", limit.per, "give 0.1 second to 24 hours"));
    }
    Some(limit)
}

fn out_of_range(path: &str, given: Duration, fix: &str) -> FieldFault {
    FieldFault::new(path, "range", format!("{given:?} is out of range"), fix)
}
