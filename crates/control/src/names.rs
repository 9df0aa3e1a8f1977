//! Names for people: of webhooks, tokens and spaces.

use crate::error::FieldFault;

/// Longest name in characters (Contentful's limit for webhooks).
const LONGEST: usize = 256;

/// Notes what is wrong with a name.
pub(crate) fn check(name: &str, faults: &mut Vec<FieldFault>) {
    let problem = if name.trim().is_empty() {
        ("size", "the name is empty")
    } else if name.chars().count() > LONGEST {
        ("size", "the name is too long")
    } else if name.chars().any(char::is_control) {
        ("format", "the name contains a line break or control character")
    } else {
        return;
    };
    faults.push(
        FieldFault::new("name", problem.0, problem.1, "give 1 to 256 characters on one line").given(name),
    );
}
