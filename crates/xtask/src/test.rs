//! `cargo xtask test`: everything a change must pass, in the order in which it fails fastest.

use std::path::Path;

use anyhow::Result;

use crate::counts::Counts;
use crate::{reliability, rows, schemathesis, stage, tools};

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

/// What takes too long for every change, with its seconds on two cores: told by `--full` alone.
const LEFT_TO_FULL: [(&str, &str); 1] = [("a_cluster_that_loses_its_leader_loses_nothing", "100 s")];

/// The stories among them.
const STORIES: [&str; 18] = [
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
    "--package",
    "postrider-tests",
    "--test",
    "e2e",
    "--test",
    "distributed",
    "--no-fail-fast",
];

/// The same for the one crate that speaks to RabbitMQ, beside another release of it than this system's.
const NEWER: [&str; 14] = [
    "cargo",
    "run",
    "--quiet",
    "--package",
    "postrider-testkit",
    "--bin",
    "postrider-test-servers",
    "--",
    "rabbitmq",
    "--",
    "cargo",
    "test",
    "--package=postrider-adapter-amqp",
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
    reliability::forget(root)?;
    let mut command = TESTS.to_vec();
    if !full {
        command.push("--");
        for (story, takes) in LEFT_TO_FULL {
            println!("left to --full ({takes}): {story}");
            command.extend(["--skip", story]);
        }
    }
    let tests = stage::run("tests", root, env, &command)?;
    let mut counts = counted(&tests);
    println!("== what the loss suite counted\n{}", reliability::figures(root)?);
    if !kept(root, &tests.output)? {
        failed.push("promises");
    }
    if !answers(root, full) {
        failed.push("answers are as documented");
    }
    if full {
        counts += rabbitmq_4(root);
    }
    counts.failed += failed.len();
    for heading in &failed {
        println!("failed stage: {heading}");
    }
    println!("{counts}");
    Ok(counts.failed == 0)
}

/// Whether every promise of `docs/promises.md` has a story that passed.
fn kept(root: &Path, output: &str) -> Result<bool> {
    println!("== promises");
    let faults = rows::faults(root, output)?;
    for fault in &faults {
        println!("   {fault}");
    }
    println!("   {}", if faults.is_empty() { "passed" } else { "FAILED" });
    Ok(faults.is_empty())
}

/// The stories alone, and whether they keep every promise.
///
/// # Errors
/// When they cannot be run.
pub(crate) fn rows_alone(root: &Path) -> Result<bool> {
    tools::ensure_installed(&tools::TOOLS, root)?;
    let told = stage::run("stories", root, &[], &STORIES)?;
    Ok(kept(root, &told.output)? && told.passed)
}

/// Asks the binary, which the tests have built, what the OpenAPI document allows and what not: briefly the same every time,
/// at length something new.
fn answers(root: &Path, full: bool) -> bool {
    let (seconds, seed) = if full {
        (schemathesis::AT_LENGTH, None)
    } else {
        (schemathesis::BRIEFLY, Some(schemathesis::SEED))
    };
    schemathesis::ask(root, seconds, seed).unwrap_or_else(|error| {
        println!("   FAILED: {error:#}");
        false
    })
}

/// Runs adapter-amqp's tests, the long ones too, against RabbitMQ 4, which is fetched first. Without it they have failed.
fn rabbitmq_4(root: &Path) -> Counts {
    let tested = tools::newer_rabbitmq(root).and_then(|debian| {
        let debian = debian.to_string_lossy();
        let env = [("POSTRIDER_TEST_FULL", "1"), ("POSTRIDER_TEST_RABBITMQ_ROOT", debian.as_ref())];
        stage::run("tests against RabbitMQ 4", root, &env, &NEWER)
    });
    tested.map_or_else(
        |error| {
            println!("   FAILED: {error:#}");
            Counts { passed: 0, failed: 1 }
        },
        |tested| counted(&tested),
    )
}

/// The same as a task of its own.
pub(crate) fn rabbitmq_4_alone(root: &Path) -> bool {
    let counts = rabbitmq_4(root);
    println!("{counts}");
    counts.failed == 0
}

/// The tests of a stage. One that ended badly has failed, also when no test says so: it may not even have been built.
fn counted(tested: &stage::Outcome) -> Counts {
    let mut counts = Counts::sum(&tested.output);
    if !tested.passed {
        counts.failed = counts.failed.max(1);
    }
    counts
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_that_ended_badly_has_failed_even_when_no_test_says_so() {
        let ended = |passed, output: &str| counted(&stage::Outcome { passed, output: output.to_owned() });
        let one = "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(ended(true, one), Counts { passed: 1, failed: 0 });
        assert_eq!(ended(false, one), Counts { passed: 1, failed: 1 });
        assert_eq!(ended(false, "error: could not compile"), Counts { passed: 0, failed: 1 });
        assert_eq!(ended(false, &one.replace("0 failed", "2 failed")), Counts { passed: 1, failed: 2 });
    }
}
