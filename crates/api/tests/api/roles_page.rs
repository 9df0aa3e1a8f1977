//! `docs/roles.md`: the table of `roles.rs` for people, and for the tests of the command line, which hold it too.

use std::fs;
use std::path::PathBuf;

use crate::roles::{NEEDS, ROLES};

const RENEW: &str = "UPDATE_ROLES=1 cargo test -p postrider-api roles_page";
/// What stands before and behind the table.
const FENCES: [&str; 2] = ["<!-- made: operations -->\n", "<!-- end -->\n"];

fn committed() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/roles.md")
}

/// Whether a role of a space may do what needs this.
fn may(role: &str, needs: &str) -> bool {
    match (role, needs) {
        (_, "none" | "public" | "any") | ("instance", _) => true,
        (_, "instance") => false,
        ("admin", _) => true,
        _ => ROLES.iter().any(|(one, has)| *one == role && has.contains(&needs)),
    }
}

fn table() -> String {
    let roles: Vec<&str> =
        ["instance", "admin"].into_iter().chain(ROLES.iter().map(|(role, _)| *role)).collect();
    let mut table =
        format!("| operation | needs | {} |\n|---|---|{}\n", roles.join(" | "), "---|".repeat(roles.len()));
    for (name, needs, _) in NEEDS {
        let cells = roles.iter().map(|role| if may(role, needs) { "yes" } else { "–" });
        table.extend(["| ", name, " | ", needs, " | ", &cells.collect::<Vec<_>>().join(" | "), " |\n"]);
    }
    table
}

#[test]
#[expect(clippy::disallowed_methods, reason = "whoever changes a role says so to this test")]
fn the_page_of_roles_is_the_table_that_every_operation_is_held_to() {
    let stored = fs::read_to_string(committed()).expect("docs/roles.md");
    let (before, rest) = stored.split_once(FENCES[0]).expect("the beginning of the table");
    let (shown, after) = rest.split_once(FENCES[1]).expect("the end of the table");
    let table = table();
    if std::env::var_os("UPDATE_ROLES").is_some() {
        fs::write(committed(), format!("{before}{}{table}{}{after}", FENCES[0], FENCES[1]))
            .expect("it can be written");
        return;
    }
    assert!(shown == table, "docs/roles.md has another table than `roles.rs`; renew it: {RENEW}");
}
