//! The publisher's trace context (<https://www.w3.org/TR/trace-context/>). What breaks the format is dropped without a
//! word, as the specification asks: a trace is worth less than an event.

use axum::http::HeaderMap;
use postrider_domain::message::TraceContext;

/// Longest `tracestate` that is carried on; the specification asks for at least 512.
const LONGEST_STATE: usize = 512;
/// `00-` + 32 digits of trace + `-` + 16 of parent + `-` + 2 of flags.
const PARENT_LENGTH: usize = 55;

/// The context that a request names.
pub(crate) fn of_headers(headers: &HeaderMap) -> TraceContext {
    let mut parents = headers.get_all("traceparent").iter();
    let parent = parents.next().and_then(|value| parent(value.to_str().ok()?));
    // Two parents are none; and a state means nothing without its parent.
    let Some(parent) = parent.filter(|_| parents.next().is_none()) else { return TraceContext::default() };
    let states =
        headers.get_all("tracestate").iter().map(|value| value.to_str()).collect::<Result<Vec<_>, _>>();
    TraceContext { parent: Some(parent), state: states.ok().and_then(|states| state(states.join(","))) }
}

/// What is good of the context that a message names.
pub(crate) fn of_message(context: &TraceContext) -> TraceContext {
    let Some(parent) = context.parent.as_deref().and_then(parent) else { return TraceContext::default() };
    TraceContext { parent: Some(parent), state: context.state.clone().and_then(state) }
}

fn state(text: String) -> Option<String> {
    (1..=LONGEST_STATE).contains(&text.len()).then_some(text)
}

/// Checks a `traceparent`. One of a later version is read as far as version 00 goes.
fn parent(text: &str) -> Option<String> {
    let text = text.trim();
    let known = text.get(..PARENT_LENGTH)?;
    let rest = &text[PARENT_LENGTH..];
    let mut parts = known.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |part: &str, length| {
        part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_not_zero = |part: &str| part.bytes().any(|byte| byte != b'0');
    let is_good = parts.next().is_none()
        && hex(version, 2)
        && version != "ff"
        && hex(trace, 32)
        && is_not_zero(trace)
        && hex(span, 16)
        && is_not_zero(span)
        && hex(flags, 2)
        && (rest.is_empty() || (version != "00" && rest.starts_with('-')));
    is_good.then(|| format!("00-{trace}-{span}-{flags}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().expect("a header value"));
        }
        headers
    }

    #[test]
    fn a_well_formed_context_is_carried_on() {
        let context =
            of_headers(&headers(&[("traceparent", GOOD), ("tracestate", "a=1"), ("tracestate", "b=2")]));
        assert_eq!(context, TraceContext { parent: Some(GOOD.into()), state: Some("a=1,b=2".into()) });
    }

    #[test]
    fn a_later_version_is_read_as_far_as_this_one_goes() {
        assert_eq!(parent(&format!("cc{}-more", &GOOD[2..])).as_deref(), Some(GOOD));
        assert_eq!(parent(&format!("{GOOD}-more")), None);
        assert_eq!(parent(&format!("cc{}.more", &GOOD[2..])), None);
    }

    #[test]
    fn what_breaks_the_format_is_dropped() {
        let zero_trace = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
        let zero_span = "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01";
        let upper = GOOD.to_uppercase();
        let unknown = format!("ff{}", &GOOD[2..]);
        for bad in ["", "00", &GOOD[1..], zero_trace, zero_span, &upper, &unknown, &"é".repeat(40)] {
            assert_eq!(parent(bad), None, "{bad}");
        }
        assert_eq!(of_headers(&headers(&[("tracestate", "a=1")])), TraceContext::default());
        assert_eq!(
            of_headers(&headers(&[("traceparent", GOOD), ("traceparent", GOOD)])),
            TraceContext::default()
        );
        let long = "x".repeat(513);
        let context = of_headers(&headers(&[("traceparent", GOOD), ("tracestate", &long)]));
        assert_eq!(context.state, None);
    }
}
