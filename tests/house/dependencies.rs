//! Rules over the graph: arrows between our crates, places of outside crates, licences, unused dependencies.

use std::collections::BTreeSet;

use super::Breach;
use super::graph::{Dependency, Graph, OURS};

/// One row of the table of arrows: a crate, and which of ours it may use.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Without the prefix.
    pub name: &'static str,
    /// What it may use.
    pub may_use: MayUse,
}

/// Which of our crates one of our crates may use.
#[derive(Debug, Clone, Copy)]
pub enum MayUse {
    /// These, in code; in tests also `testkit` and what `testkit` speaks in (`domain`, `ports`).
    Only(&'static [&'static str]),
    /// All but `testkit`.
    AllButTestkit,
    /// All.
    All,
}

/// Where an outside crate may be used.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Outside crates.
    pub crates: &'static [&'static str],
    /// Our crates that may, or may not.
    pub rule: Where,
    /// Why.
    pub why: &'static str,
}

/// The rule of a [`Place`].
#[derive(Debug, Clone, Copy)]
pub enum Where {
    /// Only these, in tests too.
    OnlyIn(&'static [&'static str]),
    /// Only these; any other crate in its tests only.
    OnlyInOrTests(&'static [&'static str]),
    /// All but these.
    NotIn(&'static [&'static str]),
}

/// What `testkit` speaks in: who uses it in tests meets these types.
const TESTKIT_SPEAKS: [&str; 3] = ["testkit", "domain", "ports"];

/// Internal arrows that the table does not name, and crates that are not in the table.
pub fn arrows(graph: &Graph, table: &[Row]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for package in graph.ours() {
        let Some(row) = table.iter().find(|row| row.name == package.short_name()) else {
            breaches.push(Breach::new(
                &package.name,
                "is not in the table of arrows; give it a row (and DESIGN a reason)",
            ));
            continue;
        };
        for dependency in &package.dependencies {
            let Some(used) = dependency.package.strip_prefix(OURS) else { continue };
            if !row.may_use.permits(used, dependency.is_dev) {
                let kind = if dependency.is_dev { "tests of " } else { "" };
                breaches.push(Breach::new(&package.name, format!("{kind}{} must not use {used}", row.name)));
            }
        }
    }
    breaches
}

/// Outside crates that are used where their place does not allow it.
pub fn places(graph: &Graph, places: &[Place]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for package in graph.ours() {
        for Dependency { package: used, is_dev, .. } in &package.dependencies {
            for place in places.iter().filter(|place| place.crates.contains(&used.as_str())) {
                if !place.rule.permits(package.short_name(), *is_dev) {
                    breaches.push(Breach::new(&package.name, format!("must not use {used}: {}", place.why)));
                }
            }
        }
    }
    breaches
}

/// Packages whose licence the allow-list does not satisfy.
pub fn licences(graph: &Graph, allowed: &[&str]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for package in &graph.packages {
        let name = format!("{} {}", package.name, package.version);
        let Some(text) = &package.licence else {
            breaches.push(Breach::new(name, "states no licence"));
            continue;
        };
        match spdx::Expression::parse_mode(text, spdx::ParseMode::LAX) {
            Ok(licence) if licence.evaluate(|term| allowed.contains(&term.to_string().as_str())) => {}
            Ok(_) => breaches.push(Breach::new(name, format!("licence {text:?} is not in the allow-list"))),
            Err(error) => {
                breaches.push(Breach::new(name, format!("licence {text:?} cannot be read: {error}")));
            }
        }
    }
    breaches
}

/// Dependencies of one crate that nothing in its sources mentions. `in_code` are the words of `src/`, `in_tests` those
/// of its other targets.
pub fn unused(
    name: &str,
    dependencies: &[Dependency],
    in_code: &BTreeSet<String>,
    in_tests: &BTreeSet<String>,
) -> Vec<Breach> {
    let is_used = |dependency: &&Dependency| {
        in_code.contains(&dependency.ident) || (dependency.is_dev && in_tests.contains(&dependency.ident))
    };
    let unused = dependencies.iter().filter(|dependency| !is_used(dependency));
    unused
        .map(|dependency| {
            let only_tests = !dependency.is_dev && in_tests.contains(&dependency.ident);
            let advice = if only_tests { "only tests use it: make it a dev-dependency" } else { "remove it" };
            Breach::new(name, format!("declares {} but never uses it; {advice}", dependency.package))
        })
        .collect()
}

impl MayUse {
    fn permits(self, used: &str, is_dev: bool) -> bool {
        match self {
            Self::Only(names) => names.contains(&used) || (is_dev && TESTKIT_SPEAKS.contains(&used)),
            Self::AllButTestkit => is_dev || used != "testkit",
            Self::All => true,
        }
    }
}

impl Where {
    fn permits(self, user: &str, is_dev: bool) -> bool {
        match self {
            Self::OnlyIn(names) => names.contains(&user),
            Self::OnlyInOrTests(names) => is_dev || names.contains(&user),
            Self::NotIn(names) => is_dev || !names.contains(&user),
        }
    }
}
