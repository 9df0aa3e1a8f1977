//! What Slack refuses about a message (Block Kit's reference: blocks, section, context, header, divider; chat.postMessage).

use serde_json::Value;

/// Most blocks of a message.
const MOST_BLOCKS: usize = 50;
/// Longest text of a section.
const SECTION: usize = 3000;
/// Longest field of a section, and most of them.
const FIELD: usize = 2000;
const MOST_PARTS: usize = 10;
/// Longest text of a header.
const HEADER: usize = 150;
/// Longest text of a message.
const TEXT: usize = 40_000;

/// Slack's code for what is wrong with a message.
pub(super) fn check(message: &Value) -> Result<(), &'static str> {
    let text = message["text"].as_str().unwrap_or_default();
    if text.chars().count() > TEXT {
        return Err("msg_too_long");
    }
    match message.get("blocks") {
        None if text.trim().is_empty() => Err("no_text"),
        None => Ok(()),
        Some(Value::Array(blocks)) if blocks.len() <= MOST_BLOCKS && blocks.iter().all(is_block) => Ok(()),
        Some(Value::Array(_)) => Err("invalid_blocks"),
        Some(_) => Err("invalid_blocks_format"),
    }
}

/// The blocks that a test may send; others are refused, so that a slip of the pen is seen.
fn is_block(block: &Value) -> bool {
    match block["type"].as_str() {
        Some("section") => {
            let (text, fields) = (block.get("text"), block.get("fields"));
            (text.is_some() || fields.is_some())
                && text.is_none_or(|text| is_text(text, SECTION))
                && fields.is_none_or(|fields| are_texts(fields, FIELD))
        }
        Some("context") => block.get("elements").is_some_and(|elements| are_texts(elements, FIELD)),
        Some("header") => block["text"]["type"] == "plain_text" && is_text(&block["text"], HEADER),
        Some("divider") => true,
        _ => false,
    }
}

fn are_texts(list: &Value, longest: usize) -> bool {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    (1..=MOST_PARTS).contains(&list.len()) && list.iter().all(|text| is_text(text, longest))
}

fn is_text(text: &Value, longest: usize) -> bool {
    let is_kind = matches!(text["type"].as_str(), Some("mrkdwn" | "plain_text"));
    let length = text["text"].as_str().map_or(0, |text| text.chars().count());
    is_kind && (1..=longest).contains(&length)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn section(text: &str) -> Value {
        json!({"type": "section", "text": {"type": "mrkdwn", "text": text}})
    }

    #[test]
    fn what_slack_refuses_is_refused_with_its_code() {
        let field = json!({"type": "mrkdwn", "text": "f"});
        let fields = |count| json!({"type": "section", "fields": vec![field.clone(); count]});
        for (message, said) in [
            (json!({"text": "hello"}), Ok(())),
            (json!({"blocks": [section("hello"), fields(10), {"type": "divider"}]}), Ok(())),
            (json!({}), Err("no_text")),
            (json!({"text": " "}), Err("no_text")),
            (json!({"text": "x".repeat(TEXT + 1)}), Err("msg_too_long")),
            (json!({"blocks": {}}), Err("invalid_blocks_format")),
            (json!({"blocks": vec![section("x"); 51]}), Err("invalid_blocks")),
            (json!({"blocks": [section(&"x".repeat(3001))]}), Err("invalid_blocks")),
            (json!({"blocks": [section("")]}), Err("invalid_blocks")),
            (json!({"blocks": [fields(11)]}), Err("invalid_blocks")),
            (json!({"blocks": [{"type": "section"}]}), Err("invalid_blocks")),
            (json!({"blocks": [{"type": "context", "elements": []}]}), Err("invalid_blocks")),
            (json!({"blocks": [{"type": "paragraph"}]}), Err("invalid_blocks")),
        ] {
            assert_eq!(check(&message), said, "{message}");
        }
    }
}
