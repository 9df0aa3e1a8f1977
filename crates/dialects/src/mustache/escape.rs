//! How a value becomes safe where a tag puts it.

use std::fmt::Write;

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

/// As the inside of a JSON string: `"`, `\` and the control characters below U+0020 (RFC 8259 §7).
fn json(out: &mut String, value: &str) {
    let mut copied = 0;
    for (at, byte) in value.bytes().enumerate() {
        let short = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 => "",
            _ => continue,
        };
        out.push_str(&value[copied..at]);
        out.push_str(short);
        if short.is_empty() {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{byte:04x}");
        }
        copied = at + 1;
    }
    out.push_str(&value[copied..]);
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
