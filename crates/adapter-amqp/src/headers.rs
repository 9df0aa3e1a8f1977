//! What stands in the headers of a message, and how it is read. Headers of the broker (`x-…`) are read and never copied:
//! on RabbitMQ 3.10 a copied `x-death` counts as a cycle and holds a message in its delay queue for ever.

use lapin::types::{AMQPValue, FieldTable, LongString};
use postrider_domain::message::TraceContext;

/// The version of the wire form.
pub(crate) const WIRE: &str = "postrider-wire";
/// May be a copy.
pub(crate) const SUSPECT: &str = "postrider-suspect";
/// Not to be handed out before, in Unix milliseconds.
pub(crate) const NOT_BEFORE: &str = "postrider-not-before";
/// What is still to wait after the queue it is sent to, in milliseconds, when it is sent on its way.
pub(crate) const REST: &str = "postrider-rest";
/// Of a parked message: names it.
pub(crate) const PARKED_ID: &str = "postrider-parked-id";
/// Of a parked message: when, in Unix milliseconds.
pub(crate) const PARKED_AT: &str = "postrider-parked-at";
/// Of a parked message: where it was, by the name people see.
pub(crate) const QUEUE: &str = "postrider-queue";
/// Of a parked message: why.
pub(crate) const REASON: &str = "postrider-reason";
/// Of a parked message: how often it had been handed out.
pub(crate) const DELIVERIES: &str = "postrider-deliveries";
/// Of an input that was parked, or published again by us: what it was published with.
pub(crate) const ROUTING_KEY: &str = "postrider-routing-key";
/// The same: its media type and `message-id`, which were properties.
pub(crate) const CONTENT_TYPE: &str = "postrider-content-type";
pub(crate) const MESSAGE_ID: &str = "postrider-message-id";

/// W3C Trace Context, <https://www.w3.org/TR/trace-context/>.
const TRACE_PARENT: &str = "traceparent";
const TRACE_STATE: &str = "tracestate";

/// How often the queue handed the message out before; set by quorum queues.
const DELIVERY_COUNT: &str = "x-delivery-count";

/// The longest text that goes into one header: all headers must fit one frame of 128 KiB.
const LONGEST: usize = 4096;

/// As much of foreign headers is kept when a message is published again: 128 KiB less what we add, four texts at most.
const MOST_COPIED: usize = 96 * 1024;

/// Adds a text, cut at [`LONGEST`].
pub(crate) fn set_text(headers: &mut FieldTable, name: &str, text: &str) {
    let text = &text[..text.floor_char_boundary(LONGEST)];
    headers.insert(name.into(), AMQPValue::LongString(LongString::from(text)));
}

/// Adds a number.
pub(crate) fn set_number(headers: &mut FieldTable, name: &str, number: i64) {
    headers.insert(name.into(), AMQPValue::LongLongInt(number));
}

/// Adds the mark of a possible copy.
pub(crate) fn set_suspect(headers: &mut FieldTable) {
    headers.insert(SUSPECT.into(), AMQPValue::Boolean(true));
}

/// Adds the trace.
pub(crate) fn set_trace(headers: &mut FieldTable, trace: &TraceContext) {
    for (name, value) in [(TRACE_PARENT, &trace.parent), (TRACE_STATE, &trace.state)] {
        if let Some(value) = value {
            set_text(headers, name, value);
        }
    }
}

/// A text; numbers and truth values as they are written. Whatever else stands there is none.
pub(crate) fn text(headers: &FieldTable, name: &str) -> Option<String> {
    as_text(headers.inner().get(name)?)
}

/// A whole number of any width.
pub(crate) fn number(headers: &FieldTable, name: &str) -> Option<i64> {
    as_number(headers.inner().get(name)?)
}

/// A whole number that is ours alone to write: something else in its place is said, not passed over.
pub(crate) fn strict_number(headers: &FieldTable, name: &str) -> Result<Option<i64>, String> {
    let Some(value) = headers.inner().get(name) else { return Ok(None) };
    as_number(value).map(Some).ok_or_else(|| format!("its header {name} is no whole number"))
}

/// Whether the publisher marked it as a possible copy. What is not clearly none is one: that costs a lookup.
pub(crate) fn suspect(headers: &FieldTable) -> bool {
    !matches!(headers.inner().get(SUSPECT), None | Some(AMQPValue::Boolean(false)))
}

/// The trace it belongs to.
pub(crate) fn trace(headers: &FieldTable) -> TraceContext {
    TraceContext { parent: text(headers, TRACE_PARENT), state: text(headers, TRACE_STATE) }
}

/// How often the broker handed it out before.
pub(crate) fn delivery_count(headers: &FieldTable, redelivered: bool) -> u32 {
    let counted = number(headers, DELIVERY_COUNT).and_then(|count| u32::try_from(count).ok()).unwrap_or(0);
    counted.max(u32::from(redelivered))
}

/// What the broker says of a message that it gave up itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Death {
    /// Why.
    pub(crate) reason: String,
    /// In which queue it was.
    pub(crate) queue: String,
    /// When, in Unix milliseconds; the broker knows seconds.
    pub(crate) at: i64,
}

/// The latest of the deaths in `x-death`, which come newest first (<https://www.rabbitmq.com/docs/dlx#effects>).
pub(crate) fn death(headers: &FieldTable) -> Option<Death> {
    let AMQPValue::FieldArray(deaths) = headers.inner().get("x-death")? else { return None };
    let AMQPValue::FieldTable(last) = deaths.as_slice().first()? else { return None };
    let at = match last.inner().get("time") {
        Some(AMQPValue::Timestamp(seconds)) => {
            i64::try_from(*seconds).ok().and_then(|it| it.checked_mul(1000))
        }
        _ => None,
    };
    Some(Death { reason: text(last, "reason")?, queue: text(last, "queue")?, at: at.unwrap_or(0) })
}

/// All headers but the broker's own, for a message that is published again; ours first, and others as long as there is
/// room for them beside what we may add.
pub(crate) fn copied(headers: &FieldTable) -> FieldTable {
    let mut copy = FieldTable::default();
    let mut room = MOST_COPIED;
    let ours = |name: &str| name.starts_with("postrider-") || [TRACE_PARENT, TRACE_STATE].contains(&name);
    for first in [true, false] {
        for (name, value) in headers.inner() {
            let name_text = name.as_str();
            let size = name_text.len() + size(value);
            if !name_text.starts_with("x-") && ours(name_text) == first && size <= room {
                room -= size;
                copy.insert(name.clone(), value.clone());
            }
        }
    }
    copy
}

/// About as many bytes as the value takes on the wire.
fn size(value: &AMQPValue) -> usize {
    let inside = match value {
        AMQPValue::LongString(text) => text.as_bytes().len(),
        AMQPValue::ShortString(text) => text.as_str().len(),
        AMQPValue::ByteArray(bytes) => bytes.as_slice().len(),
        AMQPValue::FieldArray(values) => values.as_slice().iter().map(size).sum(),
        AMQPValue::FieldTable(table) => {
            table.inner().iter().map(|(name, value)| name.as_str().len() + size(value)).sum()
        }
        _ => 8,
    };
    inside + 8
}

/// The headers but some.
pub(crate) fn without(headers: &FieldTable, names: &[&str]) -> FieldTable {
    let mut rest = FieldTable::default();
    for (name, value) in headers.inner() {
        if !names.contains(&name.as_str()) {
            rest.insert(name.clone(), value.clone());
        }
    }
    rest
}

/// Every header that has a text form, as received.
pub(crate) fn texts(headers: &FieldTable) -> Vec<(String, String)> {
    let texts = headers.inner().iter();
    texts.filter_map(|(name, value)| Some((name.as_str().to_owned(), as_text(value)?))).collect()
}

fn as_text(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        AMQPValue::ShortString(text) => Some(text.as_str().to_owned()),
        AMQPValue::Boolean(truth) => Some(truth.to_string()),
        other => as_number(other).map(|number| number.to_string()),
    }
}

fn as_number(value: &AMQPValue) -> Option<i64> {
    match *value {
        AMQPValue::ShortShortInt(number) => Some(number.into()),
        AMQPValue::ShortShortUInt(number) => Some(number.into()),
        AMQPValue::ShortInt(number) => Some(number.into()),
        AMQPValue::ShortUInt(number) => Some(number.into()),
        AMQPValue::LongInt(number) => Some(number.into()),
        AMQPValue::LongUInt(number) => Some(number.into()),
        AMQPValue::LongLongInt(number) => Some(number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_broker_wrote_is_never_copied() {
        let mut headers = FieldTable::default();
        set_suspect(&mut headers);
        set_number(&mut headers, DELIVERY_COUNT, 3);
        set_text(&mut headers, "x-death", "once");
        let copy = copied(&headers);
        assert!(suspect(&copy));
        assert_eq!(copy.inner().len(), 1);
    }

    #[test]
    fn of_headers_that_fill_a_frame_ours_are_kept_and_there_is_room_for_more() {
        let mut headers = FieldTable::default();
        for name in ["a", "b", "z"] {
            headers.insert(name.into(), AMQPValue::LongString("x".repeat(60_000).into()));
        }
        set_text(&mut headers, REASON, "why");
        let copy = copied(&headers);
        assert_eq!(text(&copy, REASON).as_deref(), Some("why"));
        assert_eq!(copy.inner().len(), 2);
        let kept: usize = copy.inner().values().map(size).sum();
        assert!(kept <= MOST_COPIED, "{kept}");
    }

    #[test]
    fn what_is_not_clearly_no_copy_may_be_one() {
        let mut headers = FieldTable::default();
        assert!(!suspect(&headers));
        for (value, is) in [
            (AMQPValue::Boolean(false), false),
            (AMQPValue::Boolean(true), true),
            (AMQPValue::LongInt(0), true),
        ] {
            headers.insert(SUSPECT.into(), value);
            assert_eq!(suspect(&headers), is);
        }
    }

    #[test]
    fn a_number_of_ours_that_is_none_is_said() {
        let mut headers = FieldTable::default();
        assert_eq!(strict_number(&headers, NOT_BEFORE), Ok(None));
        set_number(&mut headers, NOT_BEFORE, -7);
        assert_eq!(strict_number(&headers, NOT_BEFORE), Ok(Some(-7)));
        set_text(&mut headers, NOT_BEFORE, "7");
        assert!(strict_number(&headers, NOT_BEFORE).is_err_and(|why| why.contains("postrider-not-before")));
    }

    #[test]
    fn a_redelivered_message_without_a_count_was_handed_out_once() {
        let mut headers = FieldTable::default();
        assert_eq!(delivery_count(&headers, false), 0);
        assert_eq!(delivery_count(&headers, true), 1);
        set_number(&mut headers, DELIVERY_COUNT, 4);
        assert_eq!(delivery_count(&headers, true), 4);
    }

    #[test]
    fn of_several_deaths_the_latest_counts_and_what_is_none_is_none() {
        let death = |reason: &str, queue: &str| {
            let mut table = FieldTable::default();
            set_text(&mut table, "reason", reason);
            set_text(&mut table, "queue", queue);
            table.insert("time".into(), AMQPValue::Timestamp(1_750_000_000));
            AMQPValue::FieldTable(table)
        };
        let mut headers = FieldTable::default();
        assert_eq!(super::death(&headers), None);
        let deaths = vec![death("delivery_limit", "late"), death("expired", "delay.03")];
        headers.insert("x-death".into(), AMQPValue::FieldArray(deaths.into()));
        let expected = Death { reason: "delivery_limit".into(), queue: "late".into(), at: 1_750_000_000_000 };
        assert_eq!(super::death(&headers), Some(expected));
        headers.insert("x-death".into(), AMQPValue::FieldArray(vec![AMQPValue::Void].into()));
        assert_eq!(super::death(&headers), None);
    }

    #[test]
    fn a_long_text_is_cut_between_letters() {
        let mut headers = FieldTable::default();
        set_text(&mut headers, REASON, &"é".repeat(LONGEST));
        assert_eq!(text(&headers, REASON).map(|text| text.len()), Some(LONGEST));
    }

    #[test]
    fn foreign_headers_are_read_as_texts_where_they_have_one() {
        let mut headers = FieldTable::default();
        headers.insert("a".into(), AMQPValue::LongUInt(7));
        headers.insert("b".into(), AMQPValue::Boolean(true));
        headers.insert("c".into(), AMQPValue::Void);
        let expected = [("a".to_owned(), "7".to_owned()), ("b".to_owned(), "true".to_owned())];
        assert_eq!(texts(&headers), expected);
        assert_eq!(number(&headers, "b"), None);
    }
}
