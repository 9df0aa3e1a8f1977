//! From a template's text to its parts.
//!
//! A comment, section, partial or change of delimiters that stands alone on its line takes the whole line with it, as the
//! specification wants.

use super::{Fault, LONGEST_TEMPLATE, Name, Node};

/// Sections may be nested this deep.
const DEEPEST: usize = 64;
/// More faults than this are not listed: nobody mends more at once.
const MOST_FAULTS: usize = 20;
/// Longest delimiter, in bytes.
const LONGEST_DELIMITER: usize = 16;

/// Parses a template; `with_lines` marks where its lines begin.
pub(super) fn parse(source: &str, with_lines: bool) -> Result<Vec<Node<'_>>, Vec<Fault>> {
    if source.len() > LONGEST_TEMPLATE {
        let problem = format!("the template has {} bytes, more than {LONGEST_TEMPLATE}", source.len());
        return Err(vec![Fault::at(source, 0, problem, "shorten it")]);
    }
    let mut parser = Parser {
        source,
        with_lines,
        at: 0,
        delimiters: ("{{", "}}"),
        nodes: Vec::new(),
        open: Vec::new(),
        faults: Vec::new(),
    };
    while parser.tag() {}
    parser.finish()
}

/// A section that has been opened, and the parts before it.
struct Open<'t> {
    name: &'t str,
    inverted: bool,
    at: usize,
    before: Vec<Node<'t>>,
}

struct Parser<'t> {
    source: &'t str,
    with_lines: bool,
    /// Everything before this has been read.
    at: usize,
    delimiters: (&'t str, &'t str),
    nodes: Vec<Node<'t>>,
    open: Vec<Open<'t>>,
    faults: Vec<Fault>,
}

/// A tag as it stands in the source.
struct Tag<'t> {
    sigil: char,
    /// What is between sigil and closing delimiter.
    content: &'t str,
    start: usize,
    end: usize,
}

impl<'t> Parser<'t> {
    /// Reads up to and with the next tag; `false` when there is none.
    fn tag(&mut self) -> bool {
        let Some(tag) = self.next_tag() else {
            self.text(self.source.len());
            return false;
        };
        let alone = if tag.sigil == '{' || tag.sigil == '&' || tag.sigil == ' ' {
            None
        } else {
            standing_alone(self.source, &tag)
        };
        let (text_end, next) = alone.unwrap_or((tag.start, tag.end));
        self.text(text_end.max(self.at));
        if self.with_lines && alone.is_none() && starts_line(self.source, tag.start) && self.at == tag.start {
            self.nodes.push(Node::Line);
        }
        self.at = next;
        let indent = alone.map(|(start, _)| &self.source[start..tag.start]);
        self.take(&tag, indent);
        true
    }

    /// Finds the next tag. One that is never closed is a fault and ends the template.
    fn next_tag(&mut self) -> Option<Tag<'t>> {
        let (opening, closing) = self.delimiters;
        let start = self.at + self.source[self.at..].find(opening)?;
        let inside = start + opening.len();
        let rest = &self.source[inside..];
        let (sigil, length) = match rest.chars().next() {
            Some(one @ ('!' | '=' | '{' | '&' | '#' | '^' | '/' | '>' | '<' | '$')) => (one, 1),
            _ => (' ', 0),
        };
        let end_mark = match sigil {
            '{' => format!("}}{closing}"),
            '=' => format!("={closing}"),
            _ => closing.to_owned(),
        };
        let Some(found) = rest[length..].find(&end_mark) else {
            let problem = format!("the tag that begins here is never closed by {end_mark}");
            self.fault(start, problem, "close it, or write the delimiter another way with {{=<% %>=}}");
            self.at = self.source.len();
            return None;
        };
        let content_start = inside + length;
        let content_end = content_start + found;
        let content = &self.source[content_start..content_end];
        Some(Tag { sigil, content, start, end: content_end + end_mark.len() })
    }

    /// Notes the text up to an offset.
    fn text(&mut self, end: usize) {
        let mut rest = &self.source[self.at..end];
        let mut at = self.at;
        while !rest.is_empty() {
            if self.with_lines && starts_line(self.source, at) {
                self.nodes.push(Node::Line);
            }
            let newline = rest.find('\n').filter(|_| self.with_lines);
            let length = newline.map_or(rest.len(), |newline| newline + 1);
            self.nodes.push(Node::Text { text: &rest[..length], at });
            at += length;
            rest = &rest[length..];
        }
        self.at = end;
    }

    fn take(&mut self, tag: &Tag<'t>, indent: Option<&'t str>) {
        let content = tag.content.trim();
        match tag.sigil {
            '!' => {}
            '=' => self.change_delimiters(tag),
            '/' => self.close(content, tag.start),
            '#' | '^' => {
                if self.open.len() >= DEEPEST {
                    let problem = format!("sections are nested deeper than {DEEPEST} levels");
                    self.fault(tag.start, problem, "flatten the template");
                }
                let before = std::mem::take(&mut self.nodes);
                let inverted = tag.sigil == '^';
                self.open.push(Open { name: content, inverted, at: tag.start, before });
            }
            '>' => {
                if self.is_word(content, tag.start) {
                    self.nodes.push(Node::Partial { name: content, indent, at: tag.start });
                }
            }
            '<' | '$' => {
                let fix = "inheritance is an optional part of Mustache that is not offered: write it out";
                self.fault(tag.start, format!("{{{{{}…}}}} is not known", tag.sigil), fix);
            }
            _ => {
                if let Some(name) = self.name(content, tag.start) {
                    let escaped = tag.sigil == ' ';
                    self.nodes.push(Node::Value { name, escaped, at: tag.start });
                }
            }
        }
    }

    fn change_delimiters(&mut self, tag: &Tag<'t>) {
        let mut words = tag.content.split_whitespace();
        let (opening, closing, more) = (words.next(), words.next(), words.next());
        let usable = |word: &str| word.len() <= LONGEST_DELIMITER && !word.contains('=');
        match (opening, closing, more) {
            (Some(opening), Some(closing), None) if usable(opening) && usable(closing) => {
                self.delimiters = (opening, closing);
            }
            _ => {
                let fix = format!(
                    "write two delimiters of at most {LONGEST_DELIMITER} bytes without =, as in {{{{=<% %>=}}}}"
                );
                self.fault(tag.start, "the change of delimiters is not two delimiters", fix);
            }
        }
    }

    fn close(&mut self, name: &str, at: usize) {
        let Some(place) = self.open.iter().rposition(|open| open.name == name) else {
            let (problem, fix) = match self.open.last() {
                Some(open) => (
                    format!("{{{{/{}}}}} closes no open section", shown(name)),
                    format!("close {{{{/{}}}}} first, or correct the name", shown(open.name)),
                ),
                None => (
                    format!("{{{{/{}}}}} closes a section that was not opened", shown(name)),
                    format!("open it with {{{{#{}}}}}, or remove this tag", shown(name)),
                ),
            };
            self.fault(at, problem, fix);
            return;
        };
        while self.open.len() > place + 1 {
            self.never_closed();
        }
        self.end_section();
    }

    /// Ends the innermost section.
    fn end_section(&mut self) {
        let Some(Open { name, inverted, at, before }) = self.open.pop() else { return };
        let nodes = std::mem::replace(&mut self.nodes, before);
        if let Some(name) = self.name(name, at) {
            self.nodes.push(Node::Section { name, inverted, nodes, at });
        }
    }

    fn never_closed(&mut self) {
        if let Some(open) = self.open.last() {
            let (name, at) = (shown(open.name), open.at);
            let problem = format!("the section {name:?} is never closed");
            self.fault(at, problem, format!("add {{{{/{name}}}}} where it ends"));
        }
        self.end_section();
    }

    /// The parts of a name.
    fn name(&mut self, content: &'t str, at: usize) -> Option<Name<'t>> {
        if content == "." {
            return Some(Vec::new());
        }
        if !self.is_word(content, at) {
            return None;
        }
        let parts: Name<'t> = content.split('.').collect();
        if parts.iter().any(|part| part.is_empty()) {
            let problem = format!("the name {:?} begins, ends or goes on with an empty part", shown(content));
            self.fault(at, problem, "write one dot between two names, as in entity.id");
            return None;
        }
        Some(parts)
    }

    fn is_word(&mut self, content: &str, at: usize) -> bool {
        if content.is_empty() {
            self.fault(at, "the tag names nothing", "write a name, as in {{entity_type}}");
            return false;
        }
        if content.starts_with('*') || content.contains(char::is_whitespace) {
            let fix = "a tag holds one name: Mustache has no helpers, arguments or conditions; show a part only if \
                       something is there with {{#name}}…{{/name}}, or only if it is not with {{^name}}…{{/name}}";
            self.fault(at, format!("{:?} is not a name", shown(content)), fix);
            return false;
        }
        true
    }

    fn fault(&mut self, at: usize, problem: impl Into<String>, fix: impl Into<String>) {
        if self.faults.len() < MOST_FAULTS {
            self.faults.push(Fault::at(self.source, at, problem, fix));
        }
    }

    fn finish(mut self) -> Result<Vec<Node<'t>>, Vec<Fault>> {
        while !self.open.is_empty() {
            self.never_closed();
        }
        if self.faults.is_empty() {
            return Ok(self.nodes);
        }
        self.faults.sort_by_key(|fault| (fault.line, fault.column));
        Err(self.faults)
    }
}

/// If only white space shares the line with a tag: where that line begins and where the next one does.
fn standing_alone(source: &str, tag: &Tag<'_>) -> Option<(usize, usize)> {
    let line_start = source[..tag.start].rfind('\n').map_or(0, |newline| newline + 1);
    let blank = |text: &str| text.bytes().all(|byte| matches!(byte, b' ' | b'\t'));
    let rest = &source[tag.end..];
    let (line, next) = match rest.find('\n') {
        Some(newline) => {
            let line = &rest[..newline];
            (line.strip_suffix('\r').unwrap_or(line), tag.end + newline + 1)
        }
        None => (rest, source.len()),
    };
    (blank(&source[line_start..tag.start]) && blank(line)).then_some((line_start, next))
}

fn starts_line(source: &str, at: usize) -> bool {
    at == 0 || source.as_bytes().get(at - 1) == Some(&b'\n')
}

fn shown(name: &str) -> String {
    name.chars().take(64).collect()
}
