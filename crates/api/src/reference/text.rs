//! Text as HTML.

/// Escaped, for text and for attributes in double quotes.
pub(super) fn escape(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for one in text.chars() {
        match one {
            '&' => written.push_str("&amp;"),
            '<' => written.push_str("&lt;"),
            '>' => written.push_str("&gt;"),
            '"' => written.push_str("&quot;"),
            '\'' => written.push_str("&#39;"),
            one => written.push(one),
        }
    }
    written
}

/// Escaped, and what stands between backticks is code.
pub(super) fn inline(text: &str) -> String {
    let mut written = String::new();
    for (at, part) in text.split('`').enumerate() {
        let part = escape(part);
        if at % 2 == 1 {
            written.push_str("<code>");
            written.push_str(&part);
            written.push_str("</code>");
        } else {
            written.push_str(&part);
        }
    }
    written
}

/// Paragraphs, which empty lines divide.
pub(super) fn paragraphs(text: &str) -> String {
    let parts = text.split("\n\n").map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| format!("<p>{}</p>", inline(part))).collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn backticks_make_code_and_empty_lines_paragraphs() {
        assert_eq!(paragraphs("a `b<c>` d\n\ne"), "<p>a <code>b&lt;c&gt;</code> d</p><p>e</p>");
    }

    proptest! {
        #[test]
        fn no_text_opens_a_tag_of_its_own(text in ".{0,60}") {
            let written = inline(&text).replace("<code>", "").replace("</code>", "");
            prop_assert!(!written.contains(['<', '>', '"', '\'']), "{written}");
        }
    }
}
