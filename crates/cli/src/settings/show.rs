//! The configuration as people read it: the effective one with who gave what, and a commented sample.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::KEYS;
use super::key::{Key, Kind};
use super::layers::{Given, Layers, Source};

/// What stands in place of a secret.
const HIDDEN: &str = "•••";

/// The effective configuration as TOML; secrets hidden; who gave a value stands behind it.
pub fn effective(layers: &Layers) -> String {
    write_sections(|key| {
        let given = layers.get(key.name)?;
        let from = match &given.source {
            Source::Default => String::new(),
            other => format!("  # {other}"),
        };
        Some(format!("{} = {}{from}\n", key.parts().1, literal(key, given)))
    })
}

/// A sample file: every key with its meaning and its default, commented out.
pub fn sample() -> String {
    let head = "# Postrider's configuration with every default. A value is taken from here, from the variable\n\
                # POSTRIDER__SECTION__KEY, or from the flag --set section.key=value; the later one wins.\n\n";
    let sections = write_sections(|key| {
        let value = match key.kind {
            Kind::Number => key.default.to_owned(),
            Kind::List => "[]".to_owned(),
            Kind::Text | Kind::Secret => quoted(key.default),
        };
        Some(format!("# {}\n# {} = {value}\n", key.about, key.parts().1))
    });
    format!("{head}{sections}")
}

/// The effective configuration as JSON: value and source of every key.
pub fn as_json(layers: &Layers) -> Value {
    let mut all = Map::new();
    for key in KEYS.iter().flat_map(|section| section.iter()) {
        let Some(given) = layers.get(key.name) else { continue };
        let value = match key.kind {
            Kind::Secret if is_secret(given) => json!(HIDDEN),
            Kind::List => json!(given.values),
            Kind::Number | Kind::Text | Kind::Secret => json!(given.values.first()),
        };
        all.insert(key.name.to_owned(), json!({ "value": value, "source": given.source.to_string() }));
    }
    Value::Object(all)
}

fn write_sections(line: impl Fn(&Key) -> Option<String>) -> String {
    let mut text = String::new();
    for section in KEYS {
        let Some(first) = section.first() else { continue };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "[{}]", first.parts().0);
        section.iter().filter_map(&line).for_each(|line| text.push_str(&line));
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

fn literal(key: &Key, given: &Given) -> String {
    let first = given.values.first().map_or("", String::as_str);
    match key.kind {
        Kind::Secret if is_secret(given) => quoted(HIDDEN),
        Kind::Number => first.to_owned(),
        Kind::Text | Kind::Secret => quoted(first),
        Kind::List => {
            format!("[{}]", given.values.iter().map(|one| quoted(one)).collect::<Vec<_>>().join(", "))
        }
    }
}

/// A default is in the manual, and nothing is no secret.
fn is_secret(given: &Given) -> bool {
    given.source != Source::Default && given.values.iter().any(|value| !value.is_empty())
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
