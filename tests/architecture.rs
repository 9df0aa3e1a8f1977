//! Who may use whom: DESIGN's table of the house as data, applied to what cargo says, and proof that each rule bites.

use std::collections::BTreeSet;
use std::fs;

use postrider_tests::house::dependencies::{MayUse, Place, Row, Where, arrows, licences, places, unused};
use postrider_tests::house::graph::{Dependency, Graph, Package};
use postrider_tests::house::source::{Source, files};
use postrider_tests::house::{Breach, assert_none, manifest, root};

/// The arrows between our crates. A new one is a decision of its own, never a by-product.
const ARROWS: [Row; 22] = [
    row("domain", &[]),
    row("runtime", &[]),
    row("dialects", &["domain"]),
    row("wire", &["domain"]),
    row("ports", &["domain"]),
    row("vault", &["domain", "ports"]),
    row("ingest", &["domain", "dialects", "ports", "wire", "runtime"]),
    row("dispatcher", &["domain", "dialects", "ports", "runtime"]),
    row("log-writer", &["domain", "ports", "runtime"]),
    row("jobs", &["domain", "ports", "runtime"]),
    row("control", &["domain", "dialects", "ports"]),
    row("adapter-amqp", &["domain", "ports", "wire"]),
    row("adapter-redis", &["domain", "ports", "wire"]),
    row("adapter-postgres", &["domain", "ports", "wire"]),
    row("adapter-sqlite", &["domain", "ports", "wire"]),
    row("adapter-http", &["domain", "ports", "wire"]),
    row("adapter-memory", &["domain", "ports", "wire"]),
    row("testkit", &["domain", "ports", "wire"]),
    row("api", &["control", "domain", "runtime"]),
    row("console", &["control", "domain", "runtime"]),
    Row { name: "cli", may_use: MayUse::AllButTestkit },
    Row { name: "tests", may_use: MayUse::All },
];

/// Crates without an arrow of either kind.
const LONERS: [Row; 1] = [row("xtask", &[])];

/// Where an outside crate may be used.
const PLACES: [Place; 19] = [
    Place {
        crates: &["lapin"],
        rule: Where::OnlyIn(&["adapter-amqp", "tests"]),
        why: "only adapter-amqp speaks AMQP; a story publishes as a CMS does",
    },
    Place {
        crates: &["redis"],
        rule: Where::OnlyIn(&["adapter-redis"]),
        why: "only adapter-redis speaks to Redis",
    },
    Place {
        crates: &["reqwest", "hickory-resolver"],
        rule: Where::OnlyIn(&["adapter-http", "runtime", "tests"]),
        why: "every call out passes the guard of adapter-http; runtime only tells the operator's own collector",
    },
    Place {
        crates: &["hyper", "hyper-util"],
        rule: Where::OnlyIn(&["runtime", "adapter-http"]),
        why: "runtime serves, adapter-http calls; nobody else speaks HTTP by hand",
    },
    Place {
        crates: &["sqlx"],
        rule: Where::OnlyIn(&["adapter-sqlite", "adapter-postgres", "tests"]),
        why: "only the two stores speak SQL",
    },
    Place {
        crates: &["axum", "tower", "tower-http"],
        rule: Where::OnlyInOrTests(&["runtime", "ingest", "api", "console", "cli", "testkit", "tests"]),
        why: "only doors know HTTP",
    },
    Place {
        crates: &["utoipa", "utoipa-axum"],
        rule: Where::OnlyIn(&["api"]),
        why: "only the management API is described to strangers",
    },
    Place {
        crates: &["getrandom", "rand", "fastrand"],
        rule: Where::OnlyIn(&["cli"]),
        why: "random values come through the port `Random`; cli holds the one source",
    },
    Place {
        crates: &["config", "clap", "clap_complete", "humantime", "indicatif", "comfy-table", "strsim"],
        rule: Where::OnlyIn(&["cli", "xtask"]),
        why: "only the binary knows files, environment and terminal",
    },
    Place {
        crates: &["anyhow"],
        rule: Where::OnlyInOrTests(&["cli", "xtask", "tests"]),
        why: "libraries have typed errors",
    },
    Place {
        crates: &["chacha20poly1305", "zeroize"],
        rule: Where::OnlyIn(&["vault"]),
        why: "only the vault seals and opens",
    },
    Place {
        crates: &["aws-lc-rs"],
        rule: Where::OnlyIn(&["dialects"]),
        why: "RSA-PSS is Contentstack's signature; everything else that is signed is HMAC",
    },
    Place {
        crates: &["tracing-subscriber"],
        rule: Where::OnlyIn(&["runtime"]),
        why: "only runtime decides where log lines go",
    },
    Place {
        crates: &[
            "opentelemetry",
            "opentelemetry_sdk",
            "opentelemetry-otlp",
            "opentelemetry-prometheus",
            "opentelemetry-appender-tracing",
            "prometheus",
        ],
        rule: Where::OnlyIn(&["runtime"]),
        why: "services make spans and metrics through runtime, which alone knows where they go",
    },
    Place {
        crates: &["opentelemetry-proto", "prost"],
        rule: Where::OnlyIn(&["testkit"]),
        why: "only the fake collector reads OTLP",
    },
    Place {
        crates: &["rcgen", "tokio-rustls"],
        rule: Where::OnlyIn(&["testkit"]),
        why: "only the receiver that nobody trusts speaks TLS by hand",
    },
    Place {
        crates: &["serde", "serde_json"],
        rule: Where::NotIn(&["domain", "ports"]),
        why: "a type that can be serialised is a promise, and wire is where promises are kept",
    },
    Place {
        crates: &["tokio", "tokio-util", "futures", "tracing", "url"],
        rule: Where::NotIn(&["domain", "ports", "wire", "vault"]),
        why: "no I/O, no clock, no logging in the ground crates",
    },
    Place {
        crates: &["tokio", "tokio-util", "futures", "tracing"],
        rule: Where::NotIn(&["dialects"]),
        why: "a dialect is a pure function of what it is given",
    },
];

/// Licences under which a crate may be linked: all let us distribute under Apache-2.0. The same list is in `deny.toml`.
const LICENCES: [&str; 14] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

const fn row(name: &'static str, may_use: &'static [&'static str]) -> Row {
    Row { name, may_use: MayUse::Only(may_use) }
}

fn table() -> Vec<Row> {
    ARROWS.into_iter().chain(LONERS).collect()
}

#[test]
fn the_house_stands_as_designed() {
    let root = root();
    let graph = Graph::load(&root);
    let mut breaches = arrows(&graph, &table());
    breaches.extend(places(&graph, &PLACES));
    breaches.extend(licences(&graph, &LICENCES));
    for package in graph.ours() {
        let folder =
            package.folder.strip_prefix(&root).unwrap_or(&package.folder).to_string_lossy().into_owned();
        let path = format!("{folder}/Cargo.toml");
        let text = fs::read_to_string(root.join(&path)).expect("the manifest can be read");
        breaches.extend(manifest::breaches(&path, &text));
        let (in_code, in_tests) = words(&folder);
        breaches.extend(unused(&package.name, &package.dependencies, &in_code, &in_tests));
    }
    assert_none(breaches);
}

/// The words of a crate's code and of its tests. Of the `tests` member the library is the code.
fn words(folder: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut in_code, mut in_tests) = (BTreeSet::new(), BTreeSet::new());
    for path in files(&root(), &[folder], &[".rs"]) {
        let text = fs::read_to_string(root().join(&path)).expect("the source can be read");
        // A file that cannot be parsed is the tidy test's to report.
        let words = Source::parse(&path, &text).map(|source| source.words()).unwrap_or_default();
        let is_code = path.starts_with(&format!("{folder}/src/"))
            || ["tests/lib.rs", "tests/markdown.rs"].contains(&path.as_str())
            || path.starts_with("tests/house");
        if is_code { &mut in_code } else { &mut in_tests }.extend(words);
    }
    (in_code, in_tests)
}

// --- proof that each rule bites ---

fn ours(name: &str, dependencies: &[(&str, bool)]) -> Package {
    let dependency = |(name, is_dev): &(&str, bool)| Dependency {
        package: (*name).to_owned(),
        ident: name.replace('-', "_"),
        is_dev: *is_dev,
    };
    Package {
        name: format!("postrider-{name}"),
        is_ours: true,
        licence: Some("Apache-2.0".to_owned()),
        dependencies: dependencies.iter().map(dependency).collect(),
        ..Package::default()
    }
}

fn theirs(licence: Option<&str>) -> Graph {
    let licence = licence.map(str::to_owned);
    let package =
        Package { name: "theirs".to_owned(), version: "1.0.0".to_owned(), licence, ..Package::default() };
    Graph { packages: vec![package] }
}

fn arrow(from: &str, to: &str, is_dev: bool) -> Vec<Breach> {
    arrows(&Graph { packages: vec![ours(from, &[(&format!("postrider-{to}"), is_dev)])] }, &table())
}

fn place(user: &str, used: &str, is_dev: bool) -> Vec<Breach> {
    places(&Graph { packages: vec![ours(user, &[(used, is_dev)])] }, &PLACES)
}

#[test]
fn an_arrow_that_the_table_does_not_name_is_rejected() {
    for (from, to) in [
        ("dispatcher", "wire"),
        ("dispatcher", "ingest"),
        ("ingest", "adapter-sqlite"),
        ("adapter-sqlite", "adapter-http"),
        ("domain", "ports"),
        ("api", "ports"),
        ("xtask", "domain"),
    ] {
        assert_eq!(arrow(from, to, false).len(), 1, "{from} -> {to}");
    }
    assert!(arrow("ingest", "wire", false).is_empty());
    assert!(arrow("cli", "adapter-sqlite", false).is_empty());
}

#[test]
fn a_crate_that_is_not_in_the_table_is_rejected() {
    let graph = Graph { packages: vec![ours("helpers", &[])] };
    assert_eq!(arrows(&graph, &table()).len(), 1);
}

#[test]
fn testkit_is_for_tests_only() {
    for user in ["dispatcher", "cli", "domain"] {
        assert_eq!(arrow(user, "testkit", false).len(), 1, "{user} would deliver test code");
        assert!(arrow(user, "testkit", true).is_empty(), "{user} may use it in its tests");
    }
    assert!(arrow("tests", "testkit", false).is_empty());
    assert_eq!(arrow("dispatcher", "adapter-sqlite", true).len(), 1, "tests are bound by the table too");
}

#[test]
fn an_outside_crate_in_the_wrong_place_is_rejected() {
    for (user, used) in [
        ("dispatcher", "lapin"),
        ("ingest", "redis"),
        ("cli", "reqwest"),
        ("dialects", "hyper-util"),
        ("jobs", "sqlx"),
        ("control", "axum"),
        ("dispatcher", "getrandom"),
        ("ingest", "config"),
        ("control", "anyhow"),
        ("adapter-sqlite", "chacha20poly1305"),
        ("api", "tracing-subscriber"),
        ("dispatcher", "opentelemetry"),
        ("runtime", "prost"),
        ("domain", "serde"),
        ("ports", "serde_json"),
        ("wire", "tokio"),
        ("dialects", "tokio"),
    ] {
        assert_eq!(place(user, used, false).len(), 1, "{user} with {used}");
    }
    assert_eq!(place("dispatcher", "reqwest", true).len(), 1, "not even in tests");
    assert!(place("adapter-http", "axum", true).is_empty(), "a test may serve");
    assert!(place("adapter-http", "reqwest", false).is_empty());
}

#[test]
fn a_licence_outside_the_list_is_rejected() {
    for bad in
        ["MPL-2.0", "GPL-3.0-only", "MIT AND MPL-2.0", "Apache-2.0 WITH Classpath-exception-2.0", "nonsense"]
    {
        assert_eq!(licences(&theirs(Some(bad)), &LICENCES).len(), 1, "{bad}");
    }
    assert_eq!(licences(&theirs(None), &LICENCES).len(), 1, "no licence is no permission");
    for good in ["MIT", "MIT OR GPL-3.0-only", "MIT/Apache-2.0", "(MIT OR Apache-2.0) AND Unicode-3.0"] {
        assert!(licences(&theirs(Some(good)), &LICENCES).is_empty(), "{good}");
    }
}

#[test]
fn a_dependency_that_nothing_mentions_is_rejected() {
    let package =
        ours("jobs", &[("time", false), ("tokio", false), ("async-trait", false), ("proptest", true)]);
    let words = |text: &str| Source::parse("crates/jobs/src/lib.rs", text).expect("it parses").words();
    let code = words("//! Not time.\n/// Nor tokio.\n#[async_trait::async_trait] impl A for B {}");
    let tests = words("use tokio::time;");
    let whats: Vec<String> = unused(&package.name, &package.dependencies, &code, &tests)
        .into_iter()
        .map(|breach| breach.what)
        .collect();
    assert_eq!(
        whats,
        [
            "declares time but never uses it; only tests use it: make it a dev-dependency",
            "declares tokio but never uses it; only tests use it: make it a dev-dependency",
            "declares proptest but never uses it; remove it",
        ]
    );
}

#[test]
fn a_manifest_with_versions_lints_or_features_of_its_own_is_rejected() {
    let bad = "[dependencies]\ntime = \"0.3\"\n[dev-dependencies]\ntokio = { version = \"1\" }\n[features]\nredis = []";
    assert_eq!(manifest::breaches("crates/jobs/Cargo.toml", bad).len(), 4);
    let good = "[lints]\nworkspace = true\n[dependencies]\ntime.workspace = true\n\
                tokio = { workspace = true, features = [\"test-util\"] }";
    assert_eq!(manifest::breaches("crates/jobs/Cargo.toml", good), []);
}
