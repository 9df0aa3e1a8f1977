//! Rules over ARCHITECTURE.md: what it names exists, every crate is in it, every invariant names the test that holds it.

use super::Breach;

/// The page.
pub const PAGE: &str = "ARCHITECTURE.md";
/// The section whose list items are the invariants.
pub const INVARIANTS: &str = "## Invariants";

/// Endings by which a name in backticks is a file.
const FILE_ENDINGS: [&str; 12] =
    [".rs", ".toml", ".md", ".yml", ".yaml", ".sql", ".json", ".txt", ".sh", ".lua", ".html", ".css"];
/// Top folders by which a name in backticks is a path.
const FOLDERS: [&str; 5] = ["crates/", "tests/", "deploy/", "docs/", ".ci/"];

/// What the rules need to know of the repository.
#[derive(Debug, Clone, Default)]
pub struct Repository {
    /// Every file, from the root.
    pub files: Vec<String>,
    /// The files among them that hold tests.
    pub tests: Vec<String>,
    /// The folders under `crates/`.
    pub crates: Vec<String>,
}

/// What is wrong with the page.
pub fn breaches(page: &str, repository: &Repository) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for (number, name) in paths(page) {
        if !repository.has(&name) {
            breaches.push(Breach::at(PAGE, number, format!("names `{name}`, which does not exist")));
        }
    }
    for missing in repository.crates.iter().filter(|name| !page.contains(&format!("`crates/{name}`"))) {
        breaches.push(Breach::new(PAGE, format!("the code map does not name `crates/{missing}`")));
    }
    let invariants = invariants(page);
    if invariants.is_empty() {
        breaches.push(Breach::new(PAGE, format!("has no list under \"{INVARIANTS}\"")));
    }
    for (number, text) in invariants {
        let is_test = |(_, name): &(usize, String)| repository.tests.iter().any(|test| same(test, name));
        if !paths(&text).iter().any(is_test) {
            let what =
                "this invariant names no file with tests; one must hold it, with its path in backticks";
            breaches.push(Breach::at(PAGE, number, what));
        }
    }
    breaches
}

impl Repository {
    /// Whether there is such a file or folder; a path may leave out `crates/`, a bare file name may stand anywhere.
    fn has(&self, name: &str) -> bool {
        let folder = format!("{}/", name.trim_end_matches('/'));
        self.files.iter().any(|file| same(file, name) || file.starts_with(&folder))
    }
}

fn same(file: &str, name: &str) -> bool {
    file == name || file.ends_with(&format!("/{name}"))
}

/// What stands in backticks and is a path, with its line. Code blocks are no prose and are left out.
fn paths(page: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut in_block = false;
    for (number, line) in page.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            let quoted = line.split('`').skip(1).step_by(2);
            found.extend(quoted.filter(|name| is_path(name)).map(|name| (number + 1, name.to_owned())));
        }
    }
    found
}

fn is_path(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let is_file = FILE_ENDINGS.iter().any(|ending| name.len() > ending.len() && name.ends_with(ending));
    name.chars().all(is_plain)
        && !name.starts_with('/')
        && (is_file || FOLDERS.iter().any(|folder| name.starts_with(folder)))
}

/// The list items under the heading, each with its first line's number and all its lines.
fn invariants(page: &str) -> Vec<(usize, String)> {
    let lines = page.lines().enumerate().skip_while(|(_, line)| !line.starts_with(INVARIANTS)).skip(1);
    let mut items: Vec<(usize, String)> = Vec::new();
    for (number, line) in lines.take_while(|(_, line)| !line.starts_with("## ")) {
        if line.starts_with("- ") {
            items.push((number + 1, line.to_owned()));
        } else if let Some((_, text)) = items.last_mut().filter(|_| line.starts_with("  ")) {
            text.push('\n');
            text.push_str(line);
        }
    }
    items
}
