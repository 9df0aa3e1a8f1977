//! `cargo xtask test`: everything a change must pass, in the order in which it fails fastest.

use std::path::Path;

use anyhow::Result;

use crate::counts::Counts;
use crate::{stage, tools};

/// A stage: its heading, what it adds to the environment, its command.
type Stage = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);

const STAGES: [Stage; 3] = [
    ("format", &[], &["cargo", "fmt", "--all", "--check"]),
    ("lints", &[], &["cargo", "clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    ("documentation", &[("RUSTDOCFLAGS", "-D warnings")], &DOCUMENTATION),
];

/// `--examples` (there are none) makes cargo choose the features that tests need too. With others than the lints had,
/// tokio and everything above it would be checked a second time.
const DOCUMENTATION: [&str; 7] =
    ["cargo", "doc", "--workspace", "--no-deps", "--lib", "--bins", "--examples"];

/// The tests run beside private servers, which the first program starts and stops.
const TESTS: [&str; 13] = [
    "cargo",
    "run",
    "--quiet",
    "--package",
    "postrider-testkit",
    "--bin",
    "postrider-test-servers",
    "--",
    "--",
    "cargo",
    "test",
    "--workspace",
    "--no-fail-fast",
];

/// Runs every stage, also after a failure, and ends with the line `N passed, N failed`: tests, and among the failed also
/// each other stage that failed. Answers whether nothing failed.
///
/// # Errors
/// When a stage cannot be run at all.
pub(crate) fn run(root: &Path, full: bool) -> Result<bool> {
    tools::ensure_installed(&tools::TOOLS, root)?;
    tools::python_packages(root)?;
    let mut failed = Vec::new();
    for (heading, env, command) in STAGES {
        if !stage::run(heading, root, env, command)?.passed {
            failed.push(heading);
        }
    }
    if !deny(root, "dependencies", &["bans", "licenses", "sources"])? {
        failed.push("dependencies");
    }
    if full && !advisories(root)? {
        failed.push("advisories");
    }
    let env: &[(&str, &str)] = if full { &[("POSTRIDER_TEST_FULL", "1")] } else { &[] };
    let tests = stage::run("tests", root, env, &TESTS)?;
    let mut counts = Counts::sum(&tests.output);
    if !tests.passed && counts.failed == 0 {
        failed.push("tests");
    }
    counts.failed += failed.len();
    for heading in &failed {
        println!("failed stage: {heading}");
    }
    println!("{counts}");
    Ok(counts.failed == 0)
}

/// Checks all dependencies against the RustSec advisory database, which is fetched from github.com.
///
/// # Errors
/// When cargo-deny cannot be installed or run.
pub(crate) fn advisories(root: &Path) -> Result<bool> {
    let passed = deny(root, "advisories", &["advisories"])?;
    if !passed {
        println!(
            "   Either a dependency has an advisory, or the database could not be fetched: the output above says which.\n   \
             The database is https://github.com/rustsec/advisory-db; without it nothing was checked."
        );
    }
    Ok(passed)
}

fn deny(root: &Path, heading: &str, checks: &[&str]) -> Result<bool> {
    let program = tools::cargo_deny(root)?;
    let program = program.to_string_lossy();
    let command: Vec<&str> = [program.as_ref(), "check"].into_iter().chain(checks.iter().copied()).collect();
    Ok(stage::run(heading, root, &[], &command)?.passed)
}
