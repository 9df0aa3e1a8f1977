//! What a failed call means for people: its cause, and what to do next.

use std::borrow::Cow;

use crate::call::{CallRecord, Failure};
use crate::outcome::FailureKind;

/// Why a call failed and what helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// What happened, in one line.
    pub cause: String,
    /// What to do about it, in one line.
    pub next_step: Cow<'static, str>,
}

/// How the message of a time-out ends that found no address in time.
pub const RESOLVING: &str = "the name was being resolved";
/// How the message of a time-out ends that found no connection in time, TLS included.
pub const CONNECTING: &str = "the connection was being opened";

/// Reads a call record; `None` when the call succeeded.
pub fn diagnose(call: &CallRecord) -> Option<Diagnosis> {
    match (&call.failure, &call.response) {
        (Some(failure), _) => Some(of_failure(failure)),
        (None, Some(response)) => of_status(response.status),
        (None, None) => None,
    }
}

fn of_failure(failure: &Failure) -> Diagnosis {
    let next_step = match failure.kind {
        FailureKind::Dns => {
            "check the host of the URL for a slip of the pen, and that its name exists in the public DNS"
        }
        FailureKind::Connect => {
            "check host and port of the URL, and that the receiver runs and its firewall lets this address in"
        }
        FailureKind::Tls => {
            "renew or correct the receiver's certificate: it must be valid now, for this host, and from a known authority"
        }
        FailureKind::Timeout if failure.message.ends_with(RESOLVING) => {
            "check the host of the URL, and the name servers that answer for it"
        }
        FailureKind::Timeout if failure.message.ends_with(CONNECTING) => {
            "check host and port of the URL, and that the receiver runs, is not overloaded, and its firewall lets this address in"
        }
        FailureKind::Timeout => {
            "let the receiver answer first and work afterwards, or give the webhook a longer timeout"
        }
        FailureKind::AddressBlocked => {
            "call a public address; the operator can allow a private network with outbound.allow"
        }
        FailureKind::Request => "mend the webhook as the message says, then send the call again",
        FailureKind::Protocol => "make sure that the URL leads to an HTTP server, and what stands before it",
        FailureKind::Slack => "look the code up in Slack's documentation of chat.postMessage",
    };
    Diagnosis { cause: failure.message.clone(), next_step: next_step.into() }
}

fn of_status(status: u16) -> Option<Diagnosis> {
    let (meaning, next_step) = match status {
        200..=299 => return None,
        300..=399 => (
            "the receiver sends on to another address, which is not followed",
            "set the URL of the webhook to the address it names in Location",
        ),
        401 | 403 => (
            "the receiver refused the authentication",
            "check the webhook's basic authentication, secret headers and signing secret against what the receiver expects",
        ),
        404 => ("there is nothing at this path", "check the path of the URL; the host answered"),
        405 => ("the receiver does not take this method", "set the method of the webhook to one it takes"),
        408 | 425 | 429 => (
            "the receiver has too much to do",
            "nothing, it is called again later; a rate limit at the webhook spares it",
        ),
        410 => (
            "the receiver is gone for good, and the webhook was disabled",
            "set another URL and enable the webhook, or delete it",
        ),
        413 => ("the request is too large for the receiver", "send less with a template, or raise its limit"),
        415 => (
            "the receiver does not take this content type",
            "set a header Content-Type, or another dialect, at the webhook",
        ),
        400 | 422 => (
            "the receiver does not understand the body",
            "compare the body with what it expects; its answer may say more",
        ),
        500..=599 => (
            "the receiver failed",
            "look into the receiver's own log; it is called again by the retry policy",
        ),
        _ => ("the receiver refused the call", "look at its answer, and into its own log"),
    };
    Some(Diagnosis { cause: format!("{status}: {meaning}"), next_step: next_step.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_needs_no_diagnosis_and_every_other_status_has_one() {
        for status in 100..=999 {
            let found = of_status(status);
            assert_eq!(found.is_none(), (200..=299).contains(&status), "{status}");
            if let Some(found) = found {
                assert!(found.cause.starts_with(&status.to_string()), "{found:?}");
                assert!(!found.next_step.is_empty(), "{found:?}");
            }
        }
    }

    #[test]
    fn a_failure_keeps_its_message_as_the_cause() {
        for kind in FailureKind::ALL {
            let failure = Failure { kind, message: format!("what {kind} says") };
            let found = of_failure(&failure);
            assert_eq!(found.cause, failure.message);
            assert!(!found.next_step.is_empty(), "{kind}");
        }
    }

    #[test]
    fn a_time_out_before_there_is_a_connection_is_no_slow_answer() {
        let step = |phase: &str| {
            let message = format!("receiver.example:443: no connection within 2s: {phase}");
            of_failure(&Failure { kind: FailureKind::Timeout, message }).next_step
        };
        assert!(step(RESOLVING).contains("name servers"));
        assert!(step(CONNECTING).contains("firewall"));
        assert!(step("no answer had begun").contains("longer timeout"));
    }
}
