//! What commands print: tables for people, JSON for programs. Standard output is for answers, standard error for the rest.

use std::io::{IsTerminal, Write};

use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{Cell, ColumnConstraint, ContentArrangement, Table};
use serde_json::Value;

use crate::client::Answer;

/// What is longer than this may be broken in a table: longer than a UUID (36) and than an instant (24).
const UNBROKEN: usize = 40;
/// A column in which text may be broken is at least this wide.
const READABLE: usize = 16;
/// What a table adds to each column: a blank on each side, and its part of the gaps (comfy-table's preset draws three).
const GAP: usize = 3;

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
        for warning in &answer.warnings {
            note(&format!("warning: {warning}"));
        }
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

/// A table. On a terminal that is too narrow for it, text with blanks is broken into lines; ids, instants and numbers never
/// are, so that they can be copied, and if there is no room for them, each row becomes lines of its own.
pub fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let rows: Vec<[String; N]> = rows.into_iter().collect();
    let width = Table::new().width().filter(|_| std::io::stdout().is_terminal());
    fitted(head, &rows, width)
}

/// The table in a terminal of this width, or as wide as it wants to be.
fn fitted<const N: usize>(head: [&str; N], rows: &[[String; N]], width: Option<u16>) -> String {
    let whole: [bool; N] = std::array::from_fn(|column| {
        rows.iter().all(|row| row[column].len() <= UNBROKEN && !is_text(&row[column]))
    });
    let least = |column: usize| {
        let longest = rows.iter().map(|row| row[column].chars().count()).chain([head[column].len()]).max();
        let longest = longest.unwrap_or_default();
        (if whole[column] { longest } else { longest.min(READABLE) }) + GAP
    };
    let mut table = Table::new();
    table.load_preset(UTF8_BORDERS_ONLY).set_header(head);
    if let Some(width) = width {
        if (0..N).map(least).sum::<usize>() > usize::from(width) {
            return stacked(head, rows, usize::from(width));
        }
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    for row in rows {
        table.add_row(row.iter().map(Cell::new));
    }
    for (column, _) in whole.iter().enumerate().filter(|(_, whole)| **whole) {
        if let Some(column) = table.column_mut(column) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table.to_string()
}

/// Whether a cell is text that reads as well over two lines: words, and more than an instant's two.
fn is_text(cell: &str) -> bool {
    cell.split_whitespace().count() > 2
}

/// Each row as lines: its first column, then the others with their heads, as many in a line as fit.
fn stacked<const N: usize>(head: [&str; N], rows: &[[String; N]], width: usize) -> String {
    let row = |row: &[String; N]| {
        let mut lines = vec![row[0].clone()];
        let mut last = 0;
        for (head, cell) in
            head.iter().zip(row).skip(1).filter(|(_, cell)| !matches!(cell.as_str(), "" | "-"))
        {
            let said = format!("{head} {}", cell.replace('\n', "\n    "));
            let joined = last + " · ".len() + said.chars().count();
            if lines.len() > 1 && joined < width && !said.contains('\n') {
                let line = lines.len() - 1;
                lines[line] = format!("{} · {said}", lines[line]);
                last = joined;
            } else {
                last = said.chars().count() + 2;
                lines.push(format!("  {said}"));
            }
        }
        lines.join("\n")
    };
    rows.iter().map(row).collect::<Vec<_>>().join("\n")
}

/// Names and values, one pair a line, the values under each other. A value of several lines stays in its column, and what
/// has no value is left out.
pub fn fields<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let pairs: Vec<(&str, String)> =
        pairs.into_iter().filter(|(_, value)| !matches!(value.as_str(), "" | "-")).collect();
    let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default() + 2;
    let gap = format!("\n{:width$}", "");
    let lines = pairs.iter().map(|(name, value)| format!("{name:width$}{}", value.replace('\n', &gap)));
    lines.collect::<Vec<_>>().join("\n")
}

/// The text at a JSON pointer; what is no text is shown as JSON, what is absent as `-`.
pub fn text(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// The instant at a JSON pointer, to the second and in UTC, as lists show it; `-` when there is none.
pub fn instant(value: &Value, pointer: &str) -> String {
    let text = text(value, pointer);
    match (text.get(..10), text.get(11..19)) {
        (Some(day), Some(time)) if text.ends_with('Z') => format!("{day} {time}"),
        _ => text,
    }
}

/// The milliseconds at a JSON pointer, with as much precision as a person reads.
pub fn took(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer).and_then(Value::as_f64) {
        None => "-".to_owned(),
        Some(ms) if ms < 10.0 => format!("{ms:.1} ms"),
        Some(ms) if ms < 10_000.0 => format!("{ms:.0} ms"),
        Some(ms) => format!("{:.1} s", ms / 1000.0),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "01a1feb0-af61-7e7a-b8ef-5ef530efe0ea";

    fn rows() -> [[String; 3]; 1] {
        [[ID.to_owned(), "2026-01-01 12:00:00".to_owned(), "the receiver was slow and gave up".to_owned()]]
    }

    #[test]
    fn ids_and_instants_are_never_broken_and_text_is() {
        let narrow = fitted(["id", "at", "why"], &rows(), Some(90));
        assert!(narrow.contains(ID) && narrow.contains("2026-01-01 12:00:00"), "{narrow}");
        assert!(!narrow.contains("slow and gave up"), "the text wraps:\n{narrow}");
        assert!(narrow.lines().all(|line| line.chars().count() <= 90), "{narrow}");
        assert!(fitted(["id", "at", "why"], &rows(), None).contains("slow and gave up"));
    }

    #[test]
    fn where_there_is_no_room_a_row_becomes_lines() {
        let said = |width| fitted(["id", "at", "why"], &rows(), Some(width));
        let [at, why] = ["at 2026-01-01 12:00:00", "why the receiver was slow and gave up"];
        assert_eq!(said(50), format!("{ID}\n  {at}\n  {why}"));
        assert_eq!(said(70), format!("{ID}\n  {at} · {why}"));
    }

    #[test]
    fn fields_stand_under_each_other() {
        let said = fields([("id", "a".to_owned()), ("topics", "x\ny".to_owned()), ("no", "-".to_owned())]);
        assert_eq!(said, "id      a\ntopics  x\n        y");
    }

    #[test]
    fn instants_and_durations_are_shortened_for_people() {
        let value = json!({"at": "2026-01-01T12:00:00.123Z", "ms": [1.995, 7160.0, 25_000.4]});
        assert_eq!(instant(&value, "/at"), "2026-01-01 12:00:00");
        assert_eq!(instant(&value, "/none"), "-");
        assert_eq!(["/ms/0", "/ms/1", "/ms/2"].map(|at| took(&value, at)), ["2.0 ms", "7160 ms", "25.0 s"]);
    }
}
