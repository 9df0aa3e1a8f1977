//! Rules over one crate's `Cargo.toml`: versions and lints live in the root, once.

use toml::{Table, Value};

use super::Breach;

const SECTIONS: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// What a member's manifest breaks: a dependency with a version of its own, lints of its own, features for backends.
pub fn breaches(path: &str, text: &str) -> Vec<Breach> {
    let manifest: Table = match text.parse() {
        Ok(manifest) => manifest,
        Err(error) => return vec![Breach::new(path, format!("cannot be read: {error}"))],
    };
    let mut breaches = Vec::new();
    for section in SECTIONS {
        let Some(Value::Table(dependencies)) = manifest.get(section) else { continue };
        for (name, value) in dependencies {
            if !inherits(value) {
                let what = format!(
                    "{section}.{name}: write `{name}.workspace = true`, with the version in the root"
                );
                breaches.push(Breach::new(path, what));
            }
        }
    }
    if !manifest.get("lints").is_some_and(inherits) {
        breaches.push(Breach::new(path, "write `[lints] workspace = true`; the lints are the same for all"));
    }
    if manifest.contains_key("features") {
        breaches
            .push(Breach::new(path, "no cargo features: what is chosen is chosen at run time and tested"));
    }
    breaches
}

fn inherits(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}
