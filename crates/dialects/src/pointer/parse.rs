//! A text with pointers in it, taken apart.

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'t> {
    /// As it stands.
    Literal(&'t str),
    /// The pointer between `{ ` and ` }`, for example `/payload/sys/id`, and where its brace stands, in bytes.
    Pointer {
        /// The pointer.
        pointer: &'t str,
        /// Where.
        at: usize,
    },
}

/// Takes a text apart. Every byte is looked at twice at most: a pointer ends at the next brace of either kind.
pub(super) fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let (mut begun, mut from) = (0, 0);
    while let Some(found) = text[from..].find("{ /") {
        let at = from + found;
        let inner = at + 2;
        let end = text[inner..].find(['{', '}']).map(|end| inner + end);
        let pointer = end
            .filter(|end| text.as_bytes()[*end] == b'}')
            .and_then(|end| Some((text[inner..end].strip_suffix(' ')?, end + 1)));
        let Some((pointer, next)) = pointer else {
            from = end.unwrap_or(text.len());
            continue;
        };
        if begun < at {
            parts.push(Part::Literal(&text[begun..at]));
        }
        parts.push(Part::Pointer { pointer, at });
        (begun, from) = (next, next);
    }
    if begun < text.len() {
        parts.push(Part::Literal(&text[begun..]));
    }
    parts
}

/// The reference tokens of a pointer, `~1` and `~0` read (RFC 6901 §4); `None` where a `~` stands alone.
pub(super) fn tokens(pointer: &str) -> Option<Vec<String>> {
    let token = |token: &str| {
        let alone = token.split('~').skip(1).any(|rest| !rest.starts_with(['0', '1']));
        (!alone).then(|| token.replace("~1", "/").replace("~0", "~"))
    };
    pointer.strip_prefix('/')?.split('/').map(token).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let show = |part: &Part<'_>| match part {
            Part::Literal(text) => (*text).to_owned(),
            Part::Pointer { pointer, at } => format!("<{pointer}>@{at}"),
        };
        parts(text).iter().map(show).collect()
    }

    #[test]
    fn only_the_exact_form_is_a_pointer() {
        assert_eq!(shown("{ /payload/sys/id }"), ["</payload/sys/id>@0"]);
        assert_eq!(shown("a { /topic } b{ /user }"), ["a ", "</topic>@2", " b", "</user>@14"]);
        assert_eq!(shown("{ /a b/ü }"), ["</a b/ü>@0"]);
        for literal in
            ["{/topic}", "{ topic }", "{ /topic}", "{  /topic }", "{ /topic", "{}", "{ /a { }", "/topic"]
        {
            assert_eq!(shown(literal), [literal], "{literal}");
        }
        assert_eq!(shown("{ /a { /topic }"), ["{ /a ", "</topic>@5"]);
        assert!(shown("").is_empty());
    }

    #[test]
    fn tokens_are_read_as_rfc_6901_says() {
        let read = |pointer| tokens(pointer).map(|tokens| tokens.join("|"));
        assert_eq!(read("/payload/a~1b/m~0n/0").as_deref(), Some("payload|a/b|m~n|0"));
        assert_eq!(read("/~01").as_deref(), Some("~1"));
        assert_eq!(read("/").as_deref(), Some(""));
        assert_eq!(read("/a~2"), None);
        assert_eq!(read("/a~"), None);
        assert_eq!(read("a"), None);
    }
}
