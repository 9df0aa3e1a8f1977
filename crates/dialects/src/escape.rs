//! JSON texts as PHP's `json_encode` writes them with `JSON_UNESCAPED_SLASHES`: everything beyond ASCII as lower-case
//! `\uXXXX`, characters beyond U+FFFF as a surrogate pair (source: php-src, ext/json/json_encoder.c).

use std::fmt::Write;

/// Writes a text in quotes.
pub(crate) fn php_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for one in text.chars() {
        match one {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ' '..='\u{7f}' => out.push(one),
            _ => {
                for unit in one.encode_utf16(&mut [0; 2]) {
                    // Writing to a String cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_as_php_does() {
        assert_eq!(php_json("a/b"), r#""a/b""#);
        assert_eq!(php_json("Grüße"), r#""Gr\u00fc\u00dfe""#);
        assert_eq!(php_json("😀\u{2028}"), r#""\ud83d\ude00\u2028""#);
        assert_eq!(php_json("\"\\\u{8}\u{c}\n\r\t\u{1}\u{7f}"), "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\u{7f}\"");
    }
}
