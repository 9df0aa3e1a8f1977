//! What commands print: tables for people, JSON for programs. Standard output is for answers, standard error for the rest.

use std::io::{IsTerminal, Write};

use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{Cell, ContentArrangement, Table};
use serde_json::Value;

use crate::client::Answer;

/// On a terminal narrower than this, wrapped cells would be harder to read than wrapped lines.
const NARROWEST: u16 = 60;

/// How answers are printed.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// Whether for programs.
    pub json: bool,
}

impl Output {
    /// Prints a value as JSON, or what `human` makes of it.
    pub fn print(self, value: &Value, human: impl FnOnce(&Value) -> String) {
        if self.json { line(&pretty(value)) } else { line(&human(value)) }
    }

    /// Prints what a server answered: as it came, so that nothing is reordered or rounded, or what `human` makes of it.
    pub fn answer(self, answer: &Answer, human: impl FnOnce(&Value) -> String) {
        if self.json { line(&answer.text) } else { line(&human(&answer.body)) }
    }
}

/// One line, or several, on standard output. A reader that has gone away is no failure of ours.
pub fn line(text: &str) {
    let _ = line_if_read(text);
}

/// The same; `false` when nobody reads any more, so that what has no end of its own can stop.
pub fn line_if_read(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).is_ok()
}

/// One line on standard error.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// A JSON value over several lines.
pub fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

/// A table; a row may be shorter than the head. Cells wrap to the terminal; in a file or pipe nothing is wrapped.
pub fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_preset(UTF8_BORDERS_ONLY).set_header(head);
    if std::io::stdout().is_terminal() && table.width().is_some_and(|width| width >= NARROWEST) {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    for row in rows {
        table.add_row(row.map(Cell::new));
    }
    table.to_string()
}

/// The text at a JSON pointer; what is no text is shown as JSON, what is absent as `-`.
pub fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
