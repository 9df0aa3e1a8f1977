//! What one call means for its delivery (DESIGN §4.4).

use std::fmt;
use std::time::{Duration, SystemTime};

use crate::retry::RetryOn;
use crate::timestamp::Timestamp;

/// Why a call got no complete answer, or none that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The deadline over resolve, connect, headers and body passed.
    Timeout,
    /// The connection was refused, reset or could not be opened.
    Connect,
    /// The host name has no address.
    Dns,
    /// The TLS handshake failed.
    Tls,
    /// The guard refused the address.
    AddressBlocked,
    /// The request could not be made: a template, a header, a URL, a secret that does not open.
    Request,
    /// The receiver broke the HTTP protocol.
    Protocol,
    /// Slack answered, and did not take the message. Only in records: a call itself never ends so.
    Slack,
}

/// How one call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The receiver answered.
    Answered {
        /// The HTTP status.
        status: u16,
        /// What its Retry-After asks for, counted from the answer.
        retry_after: Option<Duration>,
    },
    /// No answer.
    Failed(FailureKind),
}

/// What becomes of the delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Delivered.
    Success,
    /// Worth another attempt, not before this delay if given.
    Retry {
        /// From Retry-After on 429 and 503.
        not_before: Option<Duration>,
    },
    /// Not worth another attempt.
    Final,
    /// 410: given up, and the webhook is disabled.
    Gone,
}

impl FailureKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Timeout,
        Self::Connect,
        Self::Dns,
        Self::Tls,
        Self::AddressBlocked,
        Self::Request,
        Self::Protocol,
        Self::Slack,
    ];

    /// The stable name, as the API and the log show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Connect => "connect",
            Self::Dns => "dns",
            Self::Tls => "tls",
            Self::AddressBlocked => "address_blocked",
            Self::Request => "request",
            Self::Protocol => "protocol",
            Self::Slack => "slack",
        }
    }

    /// Reads the stable name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether time may heal it. A blocked address or a request we cannot make stays as it is.
    fn may_heal(self) -> bool {
        !matches!(self, Self::AddressBlocked | Self::Request)
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Judges a call: 2xx is success; 410 disables; time-out, connect, DNS, TLS and protocol failures, 408, 425, 429 and
/// 5xx are retried; everything else, 3xx included, is final unless the policy says otherwise. 408 and 425 tell of the
/// transport: a policy that does not retry a failed connection does not retry them.
pub fn judge(ended: &Ended, on: &RetryOn) -> Outcome {
    match *ended {
        Ended::Answered { status: 200..=299, .. } => Outcome::Success,
        Ended::Answered { status: 410, .. } => Outcome::Gone,
        Ended::Answered { status, retry_after } => {
            let transient = matches!(status, 429 | 500..=599) || on.transport && matches!(status, 408 | 425);
            if transient || on.any_failure || on.statuses.contains(&status) {
                Outcome::Retry { not_before: retry_after.filter(|_| matches!(status, 429 | 503)) }
            } else {
                Outcome::Final
            }
        }
        Ended::Failed(kind) if kind.may_heal() && on.transport => Outcome::Retry { not_before: None },
        Ended::Failed(_) => Outcome::Final,
    }
}

/// Reads a Retry-After header: seconds, or an HTTP date (RFC 9110 §10.2.3). `None` for anything else; a date in the
/// past is zero.
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if value.bytes().all(|byte| byte.is_ascii_digit()) && !value.is_empty() {
        // More digits than a u64 holds still means "very long".
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let at = httpdate::parse_http_date(value).ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let at = Timestamp::from_unix_ms(i64::try_from(at.as_millis()).ok()?);
    Some(at.since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16) -> Ended {
        Ended::Answered { status, retry_after: Some(Duration::from_secs(7)) }
    }

    #[test]
    fn statuses_fall_into_their_classes() {
        let on = RetryOn::default();
        for good in [200, 201, 204, 299] {
            assert_eq!(judge(&status(good), &on), Outcome::Success);
        }
        for again in [408, 425, 500, 502, 504, 599] {
            assert_eq!(judge(&status(again), &on), Outcome::Retry { not_before: None }, "{again}");
        }
        for throttled in [429, 503] {
            assert_eq!(
                judge(&status(throttled), &on),
                Outcome::Retry { not_before: Some(Duration::from_secs(7)) }
            );
        }
        for done in [301, 302, 307, 400, 401, 403, 404, 409, 422, 199] {
            assert_eq!(judge(&status(done), &on), Outcome::Final, "{done}");
        }
        assert_eq!(judge(&status(410), &on), Outcome::Gone);
    }

    #[test]
    fn a_policy_can_retry_what_is_final_and_leave_what_is_not() {
        let any = RetryOn { any_failure: true, ..RetryOn::default() };
        assert_eq!(judge(&status(404), &any), Outcome::Retry { not_before: None });
        let listed = RetryOn { statuses: vec![404], ..RetryOn::default() };
        assert_eq!(judge(&status(404), &listed), Outcome::Retry { not_before: None });
        assert_eq!(judge(&status(403), &listed), Outcome::Final);
        let no_transport = RetryOn { transport: false, ..RetryOn::default() };
        assert_eq!(judge(&Ended::Failed(FailureKind::Timeout), &no_transport), Outcome::Final);
        assert_eq!(judge(&status(408), &no_transport), Outcome::Final);
        assert_eq!(judge(&status(502), &no_transport), Outcome::Retry { not_before: None });
    }

    #[test]
    fn what_time_cannot_heal_is_not_retried() {
        for kind in FailureKind::ALL {
            let again =
                judge(&Ended::Failed(kind), &RetryOn::default()) == Outcome::Retry { not_before: None };
            assert_eq!(again, !matches!(kind, FailureKind::AddressBlocked | FailureKind::Request), "{kind}");
            assert_eq!(FailureKind::parse(kind.as_str()), Some(kind));
        }
    }

    #[test]
    fn retry_after_reads_seconds_and_dates() {
        let now = Timestamp::parse("2026-01-01T12:00:00Z").expect("valid");
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after(" 0 ", now), Some(Duration::ZERO));
        assert_eq!(retry_after("Thu, 01 Jan 2026 12:01:30 GMT", now), Some(Duration::from_secs(90)));
        assert_eq!(retry_after("Thu, 01 Jan 2026 11:00:00 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
        assert_eq!(retry_after("", now), None);
        assert_eq!(retry_after("-5", now), None);
        assert_eq!(retry_after(&"9".repeat(30), now), Some(Duration::from_secs(u64::MAX)));
    }
}
