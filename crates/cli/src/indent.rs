//! JSON laid out for people without being taken apart: order, numbers and escapes stay as they came.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// A JSON text over several lines, indented by two blanks; `None` when it is not JSON.
pub fn indented(text: &str) -> Option<String> {
    let json: &RawValue = serde_json::from_str(text).ok()?;
    let mut out = String::with_capacity(text.len() * 2);
    let mut depth = 0_usize;
    let mut rest = json.get().chars().peekable();
    while let Some(one) = rest.next() {
        match one {
            '"' => {
                out.push(one);
                copy_string(&mut rest, &mut out);
            }
            '{' | '[' => {
                while rest.next_if(char::is_ascii_whitespace).is_some() {}
                out.push(one);
                if let Some(end) = rest.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    break_line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                break_line(&mut out, depth);
                out.push(one);
            }
            ',' => {
                out.push(one);
                break_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            one if one.is_ascii_whitespace() => {}
            one => out.push(one),
        }
    }
    Some(out)
}

/// The text of a part of a JSON object, found by the names that lead to it.
pub fn part(text: &str, path: &[&str]) -> Option<String> {
    let Some((first, further)) = path.split_first() else { return Some(text.to_owned()) };
    let fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text).ok()?;
    part(fields.get(*first)?.get(), further)
}

/// Copies the rest of a string, closing quote included.
fn copy_string(rest: &mut impl Iterator<Item = char>, out: &mut String) {
    let mut escaped = false;
    for one in rest.by_ref() {
        out.push(one);
        match one {
            '"' if !escaped => return,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
}

fn break_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_numbers_and_escapes_stay_as_they_came() {
        let text = r#"{"z":1.50,"a":[],"s":"a\\\"{[,:\u00e9 ","n":[1, {"b":null}],"o":{ }}"#;
        let wanted = "{\n  \"z\": 1.50,\n  \"a\": [],\n  \"s\": \"a\\\\\\\"{[,:\\u00e9 \",\n  \"n\": [\n    1,\n    {\n      \
                      \"b\": null\n    }\n  ],\n  \"o\": {}\n}";
        assert_eq!(indented(text).as_deref(), Some(wanted));
    }

    #[test]
    fn a_part_is_cut_out_as_it_stands() {
        let text = r#"{"a":{"data": {"z":1.50, "a":2}},"b":1}"#;
        assert_eq!(part(text, &["a", "data"]).as_deref(), Some(r#"{"z":1.50, "a":2}"#));
        assert_eq!(part(text, &["a", "none"]), None);
    }

    #[test]
    fn what_is_indented_means_the_same() {
        for text in ["1", "\"x\"", "{\"a\":{\"b\":[1,2,{\"c\":\"d e\\n\"}]}}", "[[],[{}],[[1]]]"] {
            let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
            assert_eq!(read(&indented(text).expect("JSON")), read(text), "{text}");
        }
        assert_eq!(indented("{\"a\":1"), None);
        assert_eq!(indented("hello"), None);
    }
}
