//! A webhook's retry policy, version 1. Delays are whole milliseconds.

use std::time::Duration;

use postrider_domain::retry::{RetryOn, RetryPolicy, Schedule};
use serde::{Deserialize, Serialize};

use crate::fields::to_ms;

#[derive(Serialize, Deserialize)]
pub(crate) struct RetryV1 {
    schedule: ScheduleV1,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    statuses: Vec<u16>,
    any: bool,
    transport: bool,
}

#[derive(Serialize, Deserialize)]
enum ScheduleV1 {
    #[serde(rename = "exp")]
    Exponential { initial: u64, factor: f64, max: u64, attempts: u32, jitter: f64 },
    #[serde(rename = "list")]
    Explicit { delays: Vec<u64>, jitter: f64 },
}

impl From<&RetryPolicy> for RetryV1 {
    fn from(policy: &RetryPolicy) -> Self {
        let schedule = match &policy.schedule {
            Schedule::Exponential { initial, factor, max_delay, max_attempts, jitter } => {
                ScheduleV1::Exponential {
                    initial: to_ms(*initial),
                    factor: *factor,
                    max: to_ms(*max_delay),
                    attempts: *max_attempts,
                    jitter: *jitter,
                }
            }
            Schedule::Explicit { delays, jitter } => {
                ScheduleV1::Explicit { delays: delays.iter().copied().map(to_ms).collect(), jitter: *jitter }
            }
        };
        let RetryOn { statuses, any_failure, transport } = &policy.on;
        Self { schedule, statuses: statuses.clone(), any: *any_failure, transport: *transport }
    }
}

impl RetryV1 {
    pub(crate) fn into_domain(self) -> RetryPolicy {
        let schedule = match self.schedule {
            ScheduleV1::Exponential { initial, factor, max, attempts, jitter } => Schedule::Exponential {
                initial: Duration::from_millis(initial),
                factor,
                max_delay: Duration::from_millis(max),
                max_attempts: attempts,
                jitter,
            },
            ScheduleV1::Explicit { delays, jitter } => {
                Schedule::Explicit { delays: delays.into_iter().map(Duration::from_millis).collect(), jitter }
            }
        };
        let on = RetryOn { statuses: self.statuses, any_failure: self.any, transport: self.transport };
        RetryPolicy { schedule, on }
    }
}
