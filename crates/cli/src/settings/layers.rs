//! Defaults ← file ← environment ← flags: who said what. Nothing is interpreted here but the names.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::key::{Key, Kind, PREFIX, nearest};
use super::{Fault, KEYS};

/// The file that is read when none is named, if it exists.
pub const DEFAULT_FILE: &str = "postrider.toml";

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody gave one.
    Default,
    /// A file.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
    /// A flag of the command line.
    Flag(String),
}

/// A value as given, and by whom.
#[derive(Clone)]
pub struct Given {
    /// The values: exactly one unless the key takes a list.
    pub values: Vec<String>,
    /// Who gave it.
    pub source: Source,
}

/// Where settings are looked for.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// `--config`; else `./postrider.toml` if it exists.
    pub file: Option<PathBuf>,
    /// The environment.
    pub variables: Vec<(String, String)>,
    /// Flags: name of the setting, its value, the flag as the user wrote it.
    pub flags: Vec<(String, String, String)>,
}

/// The given values by name. What nobody gave has its default.
pub type Layers = BTreeMap<&'static str, Given>;

/// Lays the four layers over each other. Names that do not exist, and files that cannot be read, are faults.
pub fn lay(places: &Places, faults: &mut Vec<Fault>) -> Layers {
    let mut layers = Layers::new();
    for key in KEYS.iter().flat_map(|section| section.iter()) {
        layers.insert(key.name, Given { values: split(key, key.default), source: Source::Default });
    }
    let named = places.file.clone();
    let file = named.or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|file| file.exists()));
    if let Some(file) = file {
        lay_file(&file, &mut layers, faults);
    }
    for (variable, value) in places.variables.iter().filter(|(name, _)| name.starts_with(PREFIX)) {
        let name = variable[PREFIX.len()..].replace("__", ".").to_lowercase();
        give(&mut layers, faults, &name, value, Source::Variable(variable.clone()));
    }
    for (name, value, flag) in &places.flags {
        give(&mut layers, faults, name, value, Source::Flag(flag.clone()));
    }
    layers
}

fn give(layers: &mut Layers, faults: &mut Vec<Fault>, name: &str, value: &str, source: Source) {
    match find(name) {
        Some(key) => {
            layers.insert(key.name, Given { values: split(key, value), source });
        }
        None => faults.push(unknown(name, source)),
    }
}

fn lay_file(path: &Path, layers: &mut Layers, faults: &mut Vec<Fault>) {
    let source = Source::File(path.to_owned());
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            faults.push(Fault { source, key: String::new(), what: format!("cannot be read: {error}") });
            return;
        }
    };
    let table: toml::Table = match toml::from_str(&text) {
        Ok(table) => table,
        Err(error) => {
            faults.push(Fault { source, key: String::new(), what: format!("is not TOML: {error}") });
            return;
        }
    };
    for (section, value) in table {
        let toml::Value::Table(keys) = value else {
            faults.push(Fault {
                source: source.clone(),
                key: section,
                what: "stands outside a section; settings stand under [section]".to_owned(),
            });
            continue;
        };
        for (name, value) in keys {
            let name = format!("{section}.{name}");
            match find(&name).ok_or_else(|| unknown(&name, source.clone())).and_then(|key| {
                let values = values_of(key, &value, &source)?;
                Ok((key.name, Given { values, source: source.clone() }))
            }) {
                Ok((name, given)) => {
                    layers.insert(name, given);
                }
                Err(fault) => faults.push(fault),
            }
        }
    }
}

/// The values of one key in a file.
fn values_of(key: &Key, value: &toml::Value, source: &Source) -> Result<Vec<String>, Fault> {
    let scalar = |value: &toml::Value| match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(yes) => Some(yes.to_string()),
        toml::Value::Datetime(_) | toml::Value::Array(_) | toml::Value::Table(_) => None,
    };
    let values = match value {
        toml::Value::Array(items) if key.kind == Kind::List => items.iter().map(scalar).collect(),
        other => scalar(other).map(|text| split(key, &text)),
    };
    values.ok_or_else(|| Fault {
        source: source.clone(),
        key: key.name.to_owned(),
        what: match key.kind {
            Kind::List => "is not a list of strings such as [\"10.0.0.0/8\"]".to_owned(),
            Kind::Number | Kind::Text | Kind::Secret => format!("is a {}, not one value", value.type_str()),
        },
    })
}

fn split(key: &Key, text: &str) -> Vec<String> {
    match key.kind {
        Kind::List => {
            text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect()
        }
        Kind::Number | Kind::Text | Kind::Secret => vec![text.to_owned()],
    }
}

fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().flat_map(|section| section.iter()).find(|key| key.name == name)
}

fn unknown(name: &str, source: Source) -> Fault {
    let names = KEYS.iter().flat_map(|section| section.iter()).map(|key| key.name);
    let hint = match nearest(name, names) {
        Some(near) => format!("did you mean {near}?"),
        None => "`postrider config print --defaults` lists all".to_owned(),
    };
    Fault { source, key: name.to_owned(), what: format!("is not a setting; {hint}") }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// A value may be a secret: only who gave it is shown.
impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Given({} values, {})", self.values.len(), self.source)
    }
}
