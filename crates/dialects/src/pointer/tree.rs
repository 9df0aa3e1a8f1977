//! JSON that is read only as deep as somebody looks.

use std::cell::OnceCell;

use serde_json::value::RawValue;

use crate::ordered::{elements, members};

/// A value; what it holds is read when it is first looked into, once.
pub(crate) struct Tree<'a> {
    raw: &'a RawValue,
    inside: OnceCell<Inside<'a>>,
}

enum Inside<'a> {
    Object(Vec<(String, Tree<'a>)>),
    Array(Vec<Tree<'a>>),
    Nothing,
}

impl<'a> Tree<'a> {
    pub(crate) fn new(raw: &'a RawValue) -> Self {
        Self { raw, inside: OnceCell::new() }
    }

    /// What the reference tokens of a pointer lead to (RFC 6901 §4).
    pub(crate) fn find(&self, tokens: &[impl AsRef<str>]) -> Option<&'a RawValue> {
        let Some((first, rest)) = tokens.split_first() else { return Some(self.raw) };
        match self.inside.get_or_init(|| Inside::of(self.raw)) {
            // Of duplicates the last counts, as for `JSON.parse`.
            Inside::Object(members) => {
                members.iter().rev().find(|(name, _)| name == first.as_ref())?.1.find(rest)
            }
            Inside::Array(elements) => elements.get(index(first.as_ref())?)?.find(rest),
            Inside::Nothing => None,
        }
    }
}

impl<'a> Inside<'a> {
    fn of(raw: &'a RawValue) -> Self {
        if let Some(members) = members(raw) {
            Self::Object(members.into_iter().map(|(name, raw)| (name, Tree::new(raw))).collect())
        } else if let Some(elements) = elements(raw) {
            Self::Array(elements.into_iter().map(Tree::new).collect())
        } else {
            Self::Nothing
        }
    }
}

/// Digits without leading zeros (RFC 6901 §4).
fn index(token: &str) -> Option<usize> {
    let digits = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit());
    let plain = digits && (token == "0" || !token.starts_with('0'));
    plain.then(|| token.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pointer::parse::tokens;

    #[test]
    fn pointers_find_what_rfc_6901_says() {
        // RFC 6901 §5, the example; the last member is ours.
        let text = r#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8,"x":1,"x":2.50}"#;
        let raw: &RawValue = serde_json::from_str(text).expect("JSON");
        let tree = Tree::new(raw);
        let find = |pointer: &str| tree.find(&tokens(pointer).expect("a pointer")).map(RawValue::get);
        for (pointer, value) in [
            ("/foo", r#"["bar","baz"]"#),
            ("/foo/0", "\"bar\""),
            ("/", "0"),
            ("/a~1b", "1"),
            ("/c%d", "2"),
            ("/e^f", "3"),
            ("/g|h", "4"),
            ("/i\\j", "5"),
            ("/k\"l", "6"),
            ("/ ", "7"),
            ("/m~0n", "8"),
            ("/x", "2.50"),
        ] {
            assert_eq!(find(pointer), Some(value), "{pointer}");
        }
        for nowhere in ["/bar", "/foo/2", "/foo/01", "/foo/-", "/foo/+1", "/foo/0/0", "/a~1b/c"] {
            assert_eq!(find(nowhere), None, "{nowhere}");
        }
    }
}
