//! `cargo xtask reliability`: the loss suite in full, and the measured runs about isolation and fan-out, gathered into
//! `docs/reliability.md` with the raw data beside it. Every bound is asserted where it is measured; a run that breaks one
//! fails, and the page is not written.

mod page;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::bench::{self, about};
use crate::{stage, tools};

/// The loss suite, as it is asked for.
const LOSSES: &str = "losses";
/// The measured runs, as they and their files are called.
const MEASURED: [&str; 2] = ["isolation", "fanout"];

/// The suite starts its own servers. One story at a time, so that none slows another down.
const SUITE: [&str; 9] = [
    "cargo",
    "test",
    "--package",
    "postrider-tests",
    "--test",
    "faults",
    "--no-fail-fast",
    "--",
    "--test-threads=2",
];

/// Runs the parts of these names, without names all of them; only then the page is written. Answers whether every bound was
/// kept.
///
/// # Errors
/// When a part cannot be run, or the page not be written.
pub(crate) fn run(root: &Path, names: &[&str]) -> Result<bool> {
    let wanted = chosen(names)?;
    tools::ensure_installed(&tools::TOOLS, root)?;
    forget(root)?;
    let mut passed = true;
    for part in &wanted {
        passed &= match *part {
            LOSSES => stage::run("losses", root, &[("POSTRIDER_TEST_FULL", "1")], &SUITE)?.passed,
            measured => bench::run(root, &[measured])?,
        };
    }
    let results = results(root)?;
    println!("{}", page::summary(&results));
    if !passed {
        println!(
            "a bound was not kept: docs/reliability.md is as it was, the results are in {}",
            folder(root).display()
        );
    } else if names.is_empty() {
        let mut about = about::of_tree(root, "cargo xtask reliability")?;
        let versions = about["versions"].as_str().unwrap_or_default();
        about["versions"] = format!("{versions}, {}", servers(&results)?).into();
        publish(root, &about, &results)?;
        println!("written to docs/reliability.md, raw data to docs/reliability/");
    } else {
        println!("the results are in {}; the page is written when all parts run", folder(root).display());
    }
    Ok(passed)
}

/// What the loss suite found when it was run last, a line for each story; for who runs it among other tests.
///
/// # Errors
/// When the results cannot be read.
pub(crate) fn figures(root: &Path) -> Result<String> {
    Ok(page::summary(&results(root)?))
}

/// Removes earlier results, so that none is taken for a new one.
///
/// # Errors
/// When one cannot be removed.
pub(crate) fn forget(root: &Path) -> Result<()> {
    for file in files(root)? {
        fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
    }
    Ok(())
}

fn chosen<'n>(names: &[&'n str]) -> Result<Vec<&'n str>> {
    let all: Vec<&str> = [LOSSES].into_iter().chain(MEASURED).collect();
    if let Some(unknown) = names.iter().find(|name| !all.contains(name)) {
        bail!("there is no part {unknown}; there are {}", all.join(", "));
    }
    Ok(if names.is_empty() { all } else { names.to_vec() })
}

/// Where stories and runs leave their results, in whatever folder cargo builds.
#[expect(clippy::disallowed_methods, reason = "cargo says in the environment where it builds")]
fn folder(root: &Path) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    target.join("reliability")
}

/// The files of the results, by name.
fn files(root: &Path) -> Result<Vec<PathBuf>> {
    let folder = folder(root);
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    Ok(files)
}

/// The results, each with the name of its file.
fn results(root: &Path) -> Result<Vec<(String, Value)>> {
    let read = |file: PathBuf| {
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let value = serde_json::from_str(&text).with_context(|| format!("{} is no JSON", file.display()))?;
        let name = file.file_name().and_then(|name| name.to_str()).context("a name in UTF-8")?;
        Ok((name.to_owned(), value))
    };
    files(root)?.into_iter().map(read).collect()
}

/// The versions of the servers: of RabbitMQ as the stories found it, of the others as their programs say.
fn servers(results: &[(String, Value)]) -> Result<String> {
    let rabbitmq = results.iter().find_map(|(_, result)| result["rabbitmq"].as_str()).unwrap_or("?");
    let mut versions = format!("RabbitMQ {rabbitmq}");
    for (program, name) in [("redis-server", "Redis"), ("psql", "PostgreSQL")] {
        let said =
            Command::new(program).arg("--version").output().with_context(|| format!("no {program}"))?;
        let said = String::from_utf8_lossy(&said.stdout);
        // "Redis server v=7.0.15 sha=…", "psql (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
        let mut version = said.split_whitespace().map(|word| word.trim_start_matches("v="));
        let version = version.find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
        versions = format!("{versions}, {name} {}", version.unwrap_or("?"));
    }
    Ok(versions)
}

/// Writes the page's tables, and the results into the folder beside it, instead of those of an earlier run.
fn publish(root: &Path, about: &Value, results: &[(String, Value)]) -> Result<()> {
    let beside = root.join("docs/reliability");
    if beside.exists() {
        fs::remove_dir_all(&beside).with_context(|| format!("cannot empty {}", beside.display()))?;
    }
    fs::create_dir_all(&beside)?;
    for (name, result) in results {
        fs::write(beside.join(name), format!("{result}\n"))?;
    }
    page::write(&root.join("docs/reliability.md"), about, results)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_is_not_there_is_refused_with_those_that_are() {
        let error = chosen(&["isolation", "luck"]).expect_err("there is no luck").to_string();
        assert!(error.contains("luck") && error.contains("losses, isolation, fanout"), "{error}");
        assert_eq!(chosen(&[]).expect("all"), ["losses", "isolation", "fanout"]);
        assert_eq!(chosen(&["fanout"]).expect("one"), ["fanout"]);
    }

    #[test]
    fn the_page_names_the_versions_of_the_servers() {
        let results = [("one.json".to_owned(), serde_json::json!({ "rabbitmq": "3.10.8" }))];
        let versions = servers(&results).expect("both programs are there");
        assert!(
            versions.starts_with("RabbitMQ 3.10.8, Redis ") && versions.contains(", PostgreSQL "),
            "{versions}"
        );
        assert!(!versions.contains('?'), "{versions}");
    }
}
