//! `cargo xtask bench`: what Postrider does on this machine, measured on the release binary. A benchmark, not a test: a
//! slow run is a figure, not a failure. But a run that loses, repeats or refuses something fails.
//!
//! ```text
//!  cargo xtask bench ─▶ builds the binary and itself with optimisation
//!      └─▶ postrider-test-servers (private RabbitMQ, Redis, Postgres that syncs)
//!              └─▶ the optimised xtask: starts Postrider's processes, generator ─▶ ingest … dispatcher ─▶ receiver
//! ```
//!
//! Generator and receiver live in one thread of this process, so both read one clock. Every run has processes, a virtual
//! host and a database of its own.

pub(crate) mod about;
mod book;
mod dialects;
mod fanout;
mod figures;
pub(crate) mod http;
pub(crate) mod isolation;
mod lists;
mod load;
mod reading;
mod receiver;
mod report;
mod run;
mod scenario;
mod servers;
mod starts;
pub(crate) mod system;
mod usage;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};

use book::Book;
use figures::number;
use load::Door;
use receiver::{Manner, Receiver};
use report::Results;
use run::Lab;
use scenario::{ALL, RUNS, Scenario, shown};
use servers::Servers;

/// The start figures, as they are asked for.
const STARTS: &str = "starts";
/// Requests of the generator straight to the receiver.
const CEILING_EVENTS: usize = 30_000;

/// Builds what is needed, and runs [`measure`] beside private servers.
///
/// # Errors
/// When something does not build or start.
pub(crate) fn run(root: &Path, names: &[&str]) -> Result<bool> {
    if names == [dialects::NAME] {
        return dialects::run(root);
    }
    if names != [lists::NAME] && ![Some(&fanout::NAME), Some(&isolation::NAME)].contains(&names.first()) {
        chosen(names)?;
    }
    for package in ["postrider-cli", "postrider-xtask"] {
        let built = ["build", "--release", "--quiet", "--package", package];
        let built = Command::new("cargo").args(built).current_dir(root).status()?;
        ensure!(built.success(), "{package} does not build");
    }
    let status = Command::new("cargo")
        .args(["run", "--quiet", "--package", "postrider-testkit", "--bin", "postrider-test-servers", "--"])
        .args(["rabbitmq", "redis", "postgres", "--"])
        .arg(target(root).join("release/postrider-xtask"))
        .arg("measure")
        .args(names)
        .env("POSTRIDER_TEST_SYNC", "1")
        .current_dir(root)
        .status()?;
    Ok(status.success())
}

/// Runs the chosen scenarios beside the servers that the environment names, or all, and prints the tables. Only after all
/// of them the page and the file in `docs` are written.
///
/// # Errors
/// When a run fails.
pub(crate) fn measure(root: &Path, names: &[&str]) -> Result<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if names == [lists::NAME] {
        return runtime.block_on(lists::measure(root));
    }
    if let [fanout::NAME, size @ ..] = names {
        return runtime.block_on(fanout::measure(root, &binary()?, *size == ["short"]));
    }
    if let [isolation::NAME, stories @ ..] = names {
        return runtime.block_on(isolation::measure(root, stories));
    }
    let results = runtime.block_on(measure_all(root, names))?;
    println!("\n{}", results.tables());
    if names.is_empty() {
        results.publish(root)?;
        println!("written to docs/benchmarks.md and docs/benchmarks/runs.json");
    } else {
        report::keep(&root.join("target/bench/runs.json"), &results.json())?;
        println!("every run is in target/bench/runs.json");
    }
    Ok(true)
}

async fn measure_all(root: &Path, names: &[&str]) -> Result<Results> {
    let (scenarios, starts) = chosen(names)?;
    let mut lab = Lab {
        binary: binary()?,
        servers: Servers::find()?,
        receiver: Receiver::start([127, 0, 0, 1]).await?,
        hanging: Receiver::start([127, 0, 0, 2]).await?,
    };
    let command = format!("cargo xtask bench {}", names.join(" "));
    let about = about::about(root, &lab.binary, &lab.servers, command.trim()).await?;
    let ceiling = ceiling(&lab.receiver).await?;
    println!("generator straight to receiver: {ceiling:.0} requests/s");
    let mut runs = Vec::new();
    for scenario in scenarios {
        for number in 1..=RUNS {
            let ran = lab.run(scenario, number).await;
            let ran = ran.with_context(|| format!("scenario {}, run {number}", scenario.name))?;
            println!("{} run {number}: {}", scenario.name, shown(ran.figure, scenario.unit));
            runs.push(ran.raw);
        }
    }
    let starts = starts.then(|| starts::measure(&lab.binary)).transpose()?;
    Ok(Results { about, ceiling, starts, runs })
}

/// Where cargo builds.
#[expect(clippy::disallowed_methods, reason = "cargo says in the environment where it builds")]
fn target(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

/// The binary to be measured: the one that was built beside this one.
fn binary() -> Result<PathBuf> {
    std::env::current_exe()?.with_file_name("postrider").canonicalize().context("the binary is not built")
}

/// The scenarios of these names, all for none, and whether the start figures are wanted.
fn chosen(names: &[&str]) -> Result<(Vec<&'static Scenario>, bool)> {
    let known = |name: &&str| *name == STARTS || ALL.iter().any(|scenario| scenario.name == *name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        let all: Vec<&str> = ALL.iter().map(|scenario| scenario.name).chain([STARTS]).collect();
        bail!(
            "there is no scenario {unknown}; there are {}, and `{}` and `{}` each by itself",
            all.join(", "),
            lists::NAME,
            dialects::NAME
        );
    }
    let wanted = |name| names.is_empty() || names.contains(&name);
    Ok((ALL.iter().filter(|scenario| wanted(scenario.name)).collect(), wanted(STARTS)))
}

/// How many requests per second generator and receiver manage between themselves: no figure can be higher.
async fn ceiling(receiver: &Receiver) -> Result<f64> {
    let book = Arc::new(Book::new(1, CEILING_EVENTS));
    let load = receiver.open(&book);
    let door = Door {
        address: receiver.address(),
        path: Receiver::path(load, Manner::AtOnce, 0),
        authorization: String::new(),
        prefix: "ceiling".to_owned(),
        event_type: "Entry",
        content_types: 1,
    };
    load::flood(&door, &book, CEILING_EVENTS).await?;
    let account = book.account()?;
    Ok(number(account.deliveries) / account.took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_that_is_not_there_is_refused_with_those_that_are() {
        let error = chosen(&["A", "Z"]).expect_err("there is no Z").to_string();
        assert!(error.contains('Z') && error.contains("A-serve"), "{error}");
        assert_eq!(chosen(&[]).expect("all").0.len(), ALL.len());
        assert!(!chosen(&["A"]).expect("one").1);
    }

    #[tokio::test]
    async fn the_generator_reaches_the_receiver_and_everything_arrives_once() {
        let receiver = Receiver::start([127, 0, 0, 1]).await.expect("a port");
        let book = Arc::new(Book::new(1, 50));
        let load = receiver.open(&book);
        let path = Receiver::path(load, Manner::AtOnce, 0);
        let door = Door {
            address: receiver.address(),
            path,
            authorization: String::new(),
            prefix: "t".to_owned(),
            event_type: "Entry",
            content_types: 1,
        };
        load::steadily(&door, &book, 50, 1000).await.expect("all are accepted");
        assert_eq!(book.account().expect("all came once").deliveries, 50);
    }
}
