//! The code blocks of a page of documentation, so that tests run what its readers copy.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

use crate::house;

/// A fenced code block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What stands behind the opening fence, such as `sh` or `js handler.mjs`.
    pub info: String,
    /// What stands between the fences, as CommonMark reads it: without the indentation of a list that it is in.
    pub text: String,
    /// The text of the heading it stands under, of any level; empty before the first.
    pub heading: String,
    /// The line of the opening fence, from 1.
    pub line: usize,
}

/// The fenced code blocks of a page, in its order. The path begins at the root of the repository.
///
/// # Panics
/// When the page cannot be read.
pub fn blocks(path: &str) -> Vec<Block> {
    let page = house::root().join(path);
    read(&std::fs::read_to_string(&page).unwrap_or_else(|error| panic!("{path} cannot be read: {error}")))
}

/// The one block under this heading whose info is this, so that a test fails when the page no longer has it.
///
/// # Panics
/// When there is none, or more than one; says what there is.
pub fn block<'a>(blocks: &'a [Block], heading: &str, info: &str) -> &'a Block {
    let mut found = blocks.iter().filter(|block| block.heading == heading && block.info == info);
    let there = || blocks.iter().map(|block| (&*block.heading, &*block.info)).collect::<Vec<_>>();
    match (found.next(), found.next()) {
        (Some(block), None) => block,
        (None, _) => panic!("no block {info:?} under {heading:?}; there are {:?}", there()),
        (Some(_), Some(second)) => panic!("a second {info:?} under {heading:?} in line {}", second.line),
    }
}

/// The fenced code blocks of this text (CommonMark 0.31, fenced code blocks).
pub fn read(text: &str) -> Vec<Block> {
    let (mut blocks, mut heading) = (Vec::<Block>::new(), String::new());
    let (mut in_heading, mut in_block) = (false, false);
    for (event, Range { start, .. }) in Parser::new(text).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { .. }) => (in_heading, heading) = (true, String::new()),
            Event::End(TagEnd::Heading(_)) => in_heading = false,
            Event::Text(part) | Event::Code(part) if in_heading => heading.push_str(&part),
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                let line = text[..start].matches('\n').count() + 1;
                let (info, heading) = (info.into_string(), heading.clone());
                blocks.push(Block { info, text: String::new(), heading, line });
                in_block = true;
            }
            Event::End(TagEnd::CodeBlock) => in_block = false,
            Event::Text(part) if in_block => {
                if let Some(block) = blocks.last_mut() {
                    block.text.push_str(&part);
                }
            }
            _ => {}
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_read_with_their_info_heading_and_line() {
        let page = "~~~\nbefore any heading\n~~~\n# A `b` *c*\n\n1. step\n\n   ```sh one two\n   a\n\n     b\n   ```\n\n    \
                    indented, so not fenced\n\n````text\n```\nnot a fence\n```\n````\n## D\n";
        let found = read(page);
        let told: Vec<_> =
            found.iter().map(|one| (&*one.heading, &*one.info, &*one.text, one.line)).collect();
        assert_eq!(
            told,
            [
                ("", "", "before any heading\n", 1),
                ("A b c", "sh one two", "a\n\n  b\n", 8),
                ("A b c", "text", "```\nnot a fence\n```\n", 16),
            ]
        );
        assert_eq!(block(&found, "A b c", "text").line, 16);
    }
}
