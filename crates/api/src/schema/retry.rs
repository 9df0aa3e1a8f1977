//! Retry policies.

use utoipa::ToSchema;

use super::text::{Duration, Seconds};

/// How failed calls are tried again: the name of a policy, or figures of one's own.
#[derive(ToSchema)]
#[serde(untagged)]
pub(crate) enum RetryPolicyBody {
    /// The name of a policy.
    Name(#[schema(inline)] RetryPolicyName),
    /// A named policy as an object, as answers show it.
    Named(NamedRetryPolicy),
    /// Delays that grow.
    Exponential(ExponentialBody),
    /// A delay after each failed attempt.
    Schedule(ScheduleBody),
}

/// Every named policy.
#[derive(ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RetryPolicyName {
    Default,
    StandardWebhooks,
    Contentful,
    Datocms,
    Contentstack,
    None,
}

/// A policy by its name.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NamedRetryPolicy {
    #[schema(inline)]
    name: RetryPolicyName,
}

/// `initial × factor^(n−1)` before attempt n + 1, never above `maxDelay`. What is not given is that of the default policy:
/// 5 s, × 4, at most 6 h, 10 attempts, 20 % jitter.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ExponentialBody {
    /// Before the second attempt, at most 1,048,575 s (12.1 days).
    initial: Option<Duration>,
    /// Growth per attempt.
    #[schema(minimum = 1, maximum = 100)]
    factor: Option<f64>,
    /// The longest delay, at most 1,048,575 s (12.1 days).
    max_delay: Option<Duration>,
    /// Attempts in all, the first included.
    #[schema(minimum = 1, maximum = 100)]
    max_attempts: Option<u32>,
    /// Adds a random part of the delay between 0 and this.
    #[schema(minimum = 0, maximum = 1)]
    jitter: Option<f64>,
    on: Option<RetryOnBody>,
}

/// One delay after each failed attempt.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ScheduleBody {
    /// The delays in order, each at most 1,048,575 s (12.1 days); an empty list is no retry.
    #[schema(max_items = 99)]
    schedule: Vec<Duration>,
    /// Adds a random part of the delay between 0 and this; 0 unless given.
    #[schema(minimum = 0, maximum = 1)]
    jitter: Option<f64>,
    on: Option<RetryOnBody>,
}

/// Which failures are tried again beyond the usual ones (408, 425, 429, 5xx, no answer).
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RetryOnBody {
    /// Statuses that are otherwise final.
    #[schema(value_type = Option<Vec<Status>>)]
    statuses: Option<Vec<u16>>,
    /// Every answer outside 2xx.
    any_failure: Option<bool>,
    /// Time-outs and failed connections; true unless given.
    transport: Option<bool>,
}

/// A status of HTTP.
#[derive(ToSchema)]
#[schema(minimum = 100, maximum = 599, examples(409))]
pub(crate) struct Status(u16);

/// A retry policy: its name, or growing delays (`initial`, `factor`, `maxDelay`, `maxAttempts`), or a `schedule`.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RetryPolicy {
    #[schema(inline, nullable = false)]
    name: Option<RetryPolicyName>,
    #[schema(nullable = false)]
    initial: Option<Seconds>,
    #[schema(nullable = false)]
    factor: Option<f64>,
    #[schema(nullable = false)]
    max_delay: Option<Seconds>,
    #[schema(nullable = false, minimum = 1)]
    max_attempts: Option<u32>,
    #[schema(nullable = false)]
    schedule: Option<Vec<Seconds>>,
    #[schema(nullable = false)]
    jitter: Option<f64>,
    #[schema(nullable = false)]
    on: Option<RetryOn>,
}

/// Which failures are tried again beyond the usual ones.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RetryOn {
    statuses: Vec<Status>,
    any_failure: bool,
    transport: bool,
}
