//! Trace context as text: <https://www.w3.org/TR/trace-context/>.

use std::str::FromStr;

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

use super::{Carried, Remote};

/// `00-` + 32 digits of trace + `-` + 16 of span + `-` + 2 of flags.
const LENGTH: usize = 55;

/// Reads a context; `None` when it breaks the format. A state that cannot be read is left out: it means nothing to us.
pub(super) fn read(context: Remote<'_>) -> Option<SpanContext> {
    let text = context.parent?;
    if text.len() != LENGTH || !text.is_ascii() || !text.starts_with("00-") || text.as_bytes()[35] != b'-' {
        return None;
    }
    let trace = TraceId::from_hex(&text[3..35]).ok()?;
    let span = SpanId::from_hex(&text[36..52]).ok()?;
    let flags = u8::from_str_radix(text[52..].strip_prefix('-')?, 16).ok()?;
    let state = context.state.and_then(|state| TraceState::from_str(state).ok()).unwrap_or_default();
    let read = SpanContext::new(trace, span, TraceFlags::new(flags), true, state);
    read.is_valid().then_some(read)
}

/// Writes a context.
pub(super) fn write(context: &SpanContext) -> Carried {
    // Only the flag that this version defines, as the format asks.
    let flags = context.trace_flags() & TraceFlags::SAMPLED;
    let parent = format!("00-{}-{}-{:02x}", context.trace_id(), context.span_id(), flags.to_u8());
    let state = context.trace_state().header();
    Carried { parent: Some(parent), state: (!state.is_empty()).then_some(state) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn reread(parent: &str, state: Option<&str>) -> Option<Carried> {
        read(Remote { parent: Some(parent), state }).map(|context| write(&context))
    }

    #[test]
    fn what_was_read_is_written_as_it_was() {
        let expected = Carried { parent: Some(GOOD.to_owned()), state: Some("a=1,b=2".to_owned()) };
        assert_eq!(reread(GOOD, Some("a=1,b=2")), Some(expected));
        let unsampled = GOOD.replace("-01", "-00");
        assert_eq!(reread(&unsampled, None), Some(Carried { parent: Some(unsampled), state: None }));
    }

    #[test]
    fn what_breaks_the_format_is_no_context() {
        let zero_trace = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
        let zero_span = "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01";
        let moved = GOOD.replace("-00f", "f-00");
        let wide = "é".repeat(27) + "x";
        for bad in ["", "00", zero_trace, zero_span, &GOOD.replace("00-4", "01-4"), &moved, &wide] {
            assert_eq!(reread(bad, None), None, "{bad}");
        }
        assert_eq!(reread(GOOD, Some("no state")).and_then(|context| context.state), None);
    }
}
