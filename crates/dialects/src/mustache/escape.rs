//! How a value becomes safe where a tag puts it.

use super::Escaping;
use crate::percent;

/// Writes values into what a template makes.
pub(super) trait Escaper {
    /// Appends a value. Refuses one that must not stand where the output ends, with problem and fix.
    fn write(&self, out: &mut String, value: &str, escaped: bool) -> Result<(), (String, String)>;
}

/// Escapes every value the same way.
pub(super) struct Values(pub(super) Escaping);

impl Escaper for Values {
    fn write(&self, out: &mut String, value: &str, escaped: bool) -> Result<(), (String, String)> {
        match self.0 {
            Escaping::Json if escaped => json(out, value),
            Escaping::Html if escaped => html(out, value),
            Escaping::Form if escaped => out.push_str(&percent::encode(value)),
            _ => out.push_str(value),
        }
        Ok(())
    }
}

/// As the inside of a JSON string: serde_json's escapes without its quotes.
fn json(out: &mut String, value: &str) {
    if value.bytes().any(|byte| byte < 0x20 || matches!(byte, b'"' | b'\\')) {
        let quoted = serde_json::Value::from(value).to_string();
        out.push_str(&quoted[1..quoted.len() - 1]);
    } else {
        out.push_str(value);
    }
}

fn html(out: &mut String, value: &str) {
    for one in value.chars() {
        match one {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(one),
        }
    }
}
