//! When a failed delivery is tried again: a pure function of policy, attempt, Retry-After and one random value.

use std::time::Duration;

use thiserror::Error;

/// No policy may wait longer than this between two attempts: the delay levels end at 2^20 − 1 s ≈ 12.1 days.
pub const LONGEST_DELAY: Duration = Duration::from_secs((1 << 20) - 1);
/// No policy may have more attempts than this; Contentful's withdrawn policy allowed 99 retries.
pub const MOST_ATTEMPTS: u32 = 100;

/// How a webhook's failed deliveries are retried.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryPolicy {
    /// The delays.
    pub schedule: Schedule,
    /// Which failures are worth another attempt.
    pub on: RetryOn,
}

/// The delays between attempts.
#[derive(Debug, Clone, PartialEq)]
pub enum Schedule {
    /// `initial × factor^(n−1)` before attempt n + 1, never above `max_delay`.
    Exponential {
        /// Before the second attempt.
        initial: Duration,
        /// Growth per attempt, at least 1.
        factor: f64,
        /// The longest delay.
        max_delay: Duration,
        /// Attempts in all, the first included.
        max_attempts: u32,
        /// Adds a random part of the delay between 0 and this (0.2 = up to 20 %).
        jitter: f64,
    },
    /// One delay after each failed attempt; attempts in all are one more than delays. Empty means no retry.
    Explicit {
        /// The delays in order.
        delays: Vec<Duration>,
        /// As above; 0 unless asked for.
        jitter: f64,
    },
}

/// Which failures are retried, beyond and against the defaults of DESIGN §4.4.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryOn {
    /// Statuses that are retried although they are final by default.
    pub statuses: Vec<u16>,
    /// Any answer outside 2xx is retried (DatoCMS, Contentstack).
    pub any_failure: bool,
    /// Time-outs and connection failures are retried (Contentful does not).
    pub transport: bool,
}

/// A policy that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidPolicy {
    /// No policy of that name.
    #[error("retry policy {0:?} is not known; known are {names}", names = NAMES.join(", "))]
    Name(String),
    /// A figure out of bounds.
    #[error("retry policy: {0}")]
    Bound(String),
}

/// The named policies.
pub const NAMES: [&str; 6] =
    ["default", "standard-webhooks", "contentful", "datocms", "contentstack", "none"];

/// What Contentful's `maxRetries` may be.
pub const CONTENTFUL_RETRIES: std::ops::RangeInclusive<u32> = 2..=99;

impl Default for RetryOn {
    fn default() -> Self {
        Self { statuses: Vec::new(), any_failure: false, transport: true }
    }
}

/// 5 s, ×4, at most 6 h, 10 attempts: 5 + 20 + 80 + 320 + 1,280 + 5,120 + 20,480 + 21,600 + 21,600 s = 70,505 s
/// ≈ 19.6 h without jitter.
impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            schedule: Schedule::Exponential {
                initial: Duration::from_secs(5),
                factor: 4.0,
                max_delay: Duration::from_hours(6),
                max_attempts: 10,
                jitter: 0.2,
            },
            on: RetryOn::default(),
        }
    }
}

impl RetryPolicy {
    /// A policy by its name. Sources: Standard Webhooks spec (schedule), the documents of Contentful (2 more attempts,
    /// 30 s apart, on 429 and 5xx only), DatoCMS (7 retries) and Contentstack (5, 25, 125, 625 s on any failure).
    pub fn named(name: &str) -> Result<Self, InvalidPolicy> {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        let explicit = |seconds: &[u64], on: RetryOn| Self {
            schedule: Schedule::Explicit {
                delays: seconds.iter().copied().map(Duration::from_secs).collect(),
                jitter: 0.0,
            },
            on,
        };
        let any = RetryOn { any_failure: true, ..RetryOn::default() };
        let hours = |list: &[u64]| list.iter().map(|hour| hour * HOUR).collect::<Vec<_>>();
        Ok(match name {
            "default" => Self::default(),
            "standard-webhooks" => {
                let mut seconds = vec![5, 5 * MINUTE, 30 * MINUTE];
                seconds.extend(hours(&[2, 5, 10, 14, 20, 24]));
                explicit(&seconds, RetryOn::default())
            }
            "contentful" => explicit(&[30, 30], RetryOn { transport: false, ..RetryOn::default() }),
            "datocms" => {
                let mut seconds = vec![2 * MINUTE, 6 * MINUTE, 30 * MINUTE];
                seconds.extend(hours(&[1, 5, 24, 48]));
                explicit(&seconds, any)
            }
            "contentstack" => explicit(&[5, 25, 125, 625], any),
            "none" => explicit(&[], RetryOn::default()),
            other => return Err(InvalidPolicy::Name(other.chars().take(64).collect())),
        })
    }

    /// What Contentful's space setting `maxRetries` (2 to 99, withdrawn) means: the first two retries after 30 s each, the
    /// next twelve after 4, 5, … 15 min, all others after 15 min; on 429 and 5xx only. 99 retries take 2 × 30 s + 114 min +
    /// 85 × 15 min = 23.2 h. Contentful's page prints the first two, "+1 min for the next 12", the 15 min and "≈ 24 h"; that
    /// the third waits 4 min follows from these.
    pub fn contentful_max_retries(retries: u32) -> Result<Self, InvalidPolicy> {
        if !CONTENTFUL_RETRIES.contains(&retries) {
            return Err(InvalidPolicy::Bound(format!("maxRetries must lie between 2 and 99, not {retries}")));
        }
        let delay = |retry: u32| match retry {
            1 | 2 => Duration::from_secs(30),
            _ => Duration::from_secs(60) * (retry + 1).min(15),
        };
        Ok(Self {
            schedule: Schedule::Explicit { delays: (1..=retries).map(delay).collect(), jitter: 0.0 },
            on: RetryOn { transport: false, ..RetryOn::default() },
        })
    }

    /// Checks the figures: attempts 1 to 100, delays up to 2^20 − 1 s, factor 1 to 100, jitter 0 to 1.
    pub fn check(&self) -> Result<(), InvalidPolicy> {
        let bound = |ok: bool, text: &str| if ok { Ok(()) } else { Err(InvalidPolicy::Bound(text.into())) };
        let jitter_ok = |jitter: f64| bound((0.0..=1.0).contains(&jitter), "jitter must lie between 0 and 1");
        match &self.schedule {
            Schedule::Exponential { initial, factor, max_delay, max_attempts, jitter } => {
                bound((1..=MOST_ATTEMPTS).contains(max_attempts), "maxAttempts must lie between 1 and 100")?;
                bound((1.0..=100.0).contains(factor), "factor must lie between 1 and 100")?;
                bound(
                    *initial <= LONGEST_DELAY && *max_delay <= LONGEST_DELAY,
                    "delays end at 1048575 s (12.1 days)",
                )?;
                jitter_ok(*jitter)
            }
            Schedule::Explicit { delays, jitter } => {
                bound(delays.len() < MOST_ATTEMPTS as usize, "a schedule has at most 99 delays")?;
                bound(
                    delays.iter().all(|delay| *delay <= LONGEST_DELAY),
                    "delays end at 1048575 s (12.1 days)",
                )?;
                jitter_ok(*jitter)
            }
        }
    }

    /// Attempts in all, the first included.
    pub fn max_attempts(&self) -> u32 {
        match &self.schedule {
            Schedule::Exponential { max_attempts, .. } => *max_attempts,
            Schedule::Explicit { delays, .. } => u32::try_from(delays.len()).unwrap_or(MOST_ATTEMPTS) + 1,
        }
    }

    /// How long to wait after failed attempt number `attempt` (from 1), or `None` when that was the last.
    ///
    /// `retry_after` moves the next attempt later, never earlier. `random` lies in [0, 1) and picks the jitter.
    pub fn next_delay(&self, attempt: u32, retry_after: Option<Duration>, random: f64) -> Option<Duration> {
        if attempt == 0 || attempt >= self.max_attempts() {
            return None;
        }
        let (base, jitter) = match &self.schedule {
            Schedule::Exponential { initial, factor, max_delay, jitter, .. } => {
                let power = i32::try_from(attempt - 1).unwrap_or(i32::MAX);
                let seconds = (initial.as_secs_f64() * factor.powi(power)).min(max_delay.as_secs_f64());
                (seconds, *jitter)
            }
            Schedule::Explicit { delays, jitter } => (delays[attempt as usize - 1].as_secs_f64(), *jitter),
        };
        let jittered = base * (1.0 + jitter * random.clamp(0.0, 1.0));
        let wanted = Duration::from_secs_f64(jittered.clamp(0.0, LONGEST_DELAY.as_secs_f64()));
        Some(wanted.max(retry_after.unwrap_or(Duration::ZERO)).min(LONGEST_DELAY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(policy: &RetryPolicy, random: f64) -> Vec<u64> {
        (1..)
            .map_while(|attempt| policy.next_delay(attempt, None, random))
            .map(|delay| delay.as_secs())
            .collect()
    }

    #[test]
    fn the_default_policy_is_the_documented_schedule() {
        let policy = RetryPolicy::default();
        assert_eq!(delays(&policy, 0.0), [5, 20, 80, 320, 1280, 5120, 20480, 21600, 21600]);
        assert_eq!(delays(&policy, 0.0).iter().sum::<u64>(), 70_505);
        assert_eq!(policy.max_attempts(), 10);
    }

    #[test]
    fn jitter_adds_up_to_a_fifth_and_takes_nothing() {
        assert_eq!(RetryPolicy::default().next_delay(3, None, 1.0), Some(Duration::from_secs(96)));
        assert_eq!(RetryPolicy::default().next_delay(3, None, 0.0), Some(Duration::from_secs(80)));
    }

    #[test]
    fn named_policies_are_those_of_their_documents() {
        let named = |name| delays(&RetryPolicy::named(name).expect("known"), 0.5);
        assert_eq!(named("contentstack"), [5, 25, 125, 625]);
        assert_eq!(named("contentful"), [30, 30]);
        assert_eq!(named("datocms"), [120, 360, 1800, 3600, 18000, 86400, 172_800]);
        assert_eq!(named("standard-webhooks").len(), 9);
        assert!(named("none").is_empty());
        let error = RetryPolicy::named("eager").expect_err("unknown");
        assert!(error.to_string().contains("contentstack"), "{error}");
    }

    #[test]
    fn contentfuls_max_retries_grow_to_a_quarter_of_an_hour() {
        let policy = |retries| RetryPolicy::contentful_max_retries(retries);
        let waits = |retries| delays(&policy(retries).expect("allowed"), 0.5);
        assert_eq!(waits(2), [30, 30]);
        assert_eq!(waits(4), [30, 30, 240, 300]);
        let all = waits(99);
        assert_eq!(all.len(), 99);
        assert_eq!(all[2..14], [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15].map(|minutes| minutes * 60));
        assert!(all[14..].iter().all(|wait| *wait == 900));
        assert_eq!(all.iter().sum::<u64>(), 83_400, "23.2 h");
        for retries in CONTENTFUL_RETRIES {
            let policy = policy(retries).expect("allowed");
            assert_eq!((policy.check(), policy.max_attempts()), (Ok(()), retries + 1));
            assert!(!policy.on.transport, "time-outs are not retried");
        }
        for bad in [0, 1, 100, u32::MAX] {
            assert!(policy(bad).expect_err("out of bounds").to_string().contains("between 2 and 99"));
        }
    }

    #[test]
    fn retry_after_moves_later_and_never_earlier() {
        let policy = RetryPolicy::default();
        assert_eq!(policy.next_delay(1, Some(Duration::from_secs(60)), 0.0), Some(Duration::from_secs(60)));
        assert_eq!(policy.next_delay(1, Some(Duration::from_secs(1)), 0.0), Some(Duration::from_secs(5)));
        assert_eq!(policy.next_delay(1, Some(Duration::MAX), 0.0), Some(LONGEST_DELAY));
        assert_eq!(policy.next_delay(10, Some(Duration::from_secs(1)), 0.0), None);
    }

    #[test]
    fn every_named_policy_passes_its_own_check() {
        for name in NAMES {
            RetryPolicy::named(name).expect("known").check().expect(name);
        }
    }
}
