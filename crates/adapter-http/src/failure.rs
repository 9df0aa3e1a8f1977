//! From the HTTP client's errors to the classes of failure that retry rules know. Messages name host and port, never path or
//! query: those can be secrets.

use std::error::Error;
use std::io;
use std::iter;

use postrider_domain::call::Failure;
use postrider_domain::outcome::FailureKind;
use url::Url;

use crate::address::Blocked;
use crate::guard::Refused;
use crate::resolver::Unresolved;
use crate::stopwatch::TooSlow;

/// Causes are cut here: they can quote what the receiver sent.
const LONGEST_CAUSE: usize = 300;

/// Host and port of a URL, for people.
pub(crate) fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or("?");
    match url.port_or_known_default() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// A request that cannot be made as it is.
pub(crate) fn unusable(message: impl Into<String>) -> Failure {
    Failure { kind: FailureKind::Request, message: message.into() }
}

/// A URL that the guard refuses.
pub(crate) fn refused(refused: &Refused) -> Failure {
    match refused {
        Refused::Blocked(blocked) => self::blocked(blocked, None),
        other => unusable(other.to_string()),
    }
}

fn blocked(blocked: &Blocked, place: Option<&str>) -> Failure {
    let place = place.map_or_else(String::new, |place| format!("{place}: "));
    let message = format!("{place}{blocked}; if the receiver is yours, add its network to outbound.allow");
    Failure { kind: FailureKind::AddressBlocked, message }
}

/// What went wrong while a request was made or its answer read.
pub(crate) fn classify(error: &reqwest::Error, url: &Url) -> Failure {
    let place = place(url);
    if let Some(found) = find::<Blocked>(error) {
        return blocked(found, Some(&place));
    }
    if let Some(found) = find::<Unresolved>(error) {
        return Failure { kind: FailureKind::Dns, message: format!("{place}: {found}; check the host name") };
    }
    if let Some(found) = find::<TooSlow>(error) {
        return Failure { kind: FailureKind::Timeout, message: format!("{place}: {found}") };
    }
    if error.is_builder() {
        return unusable(format!("{place}: the request cannot be made: {}", cause(error)));
    }
    let by_system = find::<io::Error>(error).is_some_and(|error| error.raw_os_error().is_some());
    let (kind, what, advice) = if error.is_connect() && url.scheme() == "https" && !by_system {
        (
            FailureKind::Tls,
            "the TLS handshake failed",
            "check the receiver's certificate and that the port speaks TLS",
        )
    } else if error.is_connect() {
        (FailureKind::Connect, "cannot connect", "check that the receiver is running and reachable")
    } else if by_system || closed_early(error) {
        (FailureKind::Connect, "the connection broke before the answer was complete", "check the receiver")
    } else {
        (FailureKind::Protocol, "the answer is not valid HTTP", "check what listens on that port")
    };
    Failure { kind, message: format!("{place}: {what}: {}; {advice}", cause(error)) }
}

fn closed_early(error: &reqwest::Error) -> bool {
    let by_hyper = find::<hyper::Error>(error)
        .is_some_and(|error| error.is_incomplete_message() || error.is_closed() || error.is_canceled());
    by_hyper || find::<io::Error>(error).is_some_and(|error| error.kind() == io::ErrorKind::UnexpectedEof)
}

/// The error and all below it. An I/O error may wrap another without naming it as its source.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |error: &&'a (dyn Error + 'static)| {
        let error: &'a (dyn Error + 'static) = *error;
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

fn find<E: Error + 'static>(error: &reqwest::Error) -> Option<&E> {
    chain(error).find_map(|one| one.downcast_ref())
}

/// The innermost text: the ones above it only repeat that a request failed.
pub(crate) fn cause(error: &reqwest::Error) -> String {
    let text = chain(error).last().map(ToString::to_string).unwrap_or_default();
    text.chars().map(|one| if one.is_control() { ' ' } else { one }).take(LONGEST_CAUSE).collect()
}
