//! What a setting is: its name, its default, what it means. Each section lists its own beside the type they fill.

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// `section.key`, as written in files, in `--set` and (in capitals, with `__`) in the environment.
    pub name: &'static str,
    /// Its value when nobody gives one, as text. For a list: comma-separated.
    pub default: &'static str,
    /// What it means, for people: the comment of the sample file.
    pub about: &'static str,
    /// How many values it takes.
    pub kind: Kind,
}

/// How many values a key takes, and whether they may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One value that is a number in TOML.
    Number,
    /// One value that is a string in TOML.
    Text,
    /// One string that is never shown.
    Secret,
    /// A list of strings; in the environment and in `--set` comma-separated.
    List,
}

impl Key {
    /// A key that takes a string.
    pub const fn text(name: &'static str, default: &'static str, about: &'static str) -> Self {
        Self { name, default, about, kind: Kind::Text }
    }

    /// A key that takes a number.
    pub const fn number(name: &'static str, default: &'static str, about: &'static str) -> Self {
        Self { name, default, about, kind: Kind::Number }
    }

    /// A key that takes a secret.
    pub const fn secret(name: &'static str, about: &'static str) -> Self {
        Self { name, default: "", about, kind: Kind::Secret }
    }

    /// A key that takes a secret and has a default, which everybody may know.
    pub const fn secret_or(name: &'static str, default: &'static str, about: &'static str) -> Self {
        Self { name, default, about, kind: Kind::Secret }
    }

    /// A key that takes a list.
    pub const fn list(name: &'static str, about: &'static str) -> Self {
        Self { name, default: "", about, kind: Kind::List }
    }

    /// The section and the name within it.
    pub fn parts(&self) -> (&'static str, &'static str) {
        self.name.split_once('.').unwrap_or(("", self.name))
    }

    /// `POSTRIDER__SECTION__KEY`.
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.replace('.', "__").to_uppercase())
    }
}

/// What every variable of a setting begins with.
pub const PREFIX: &str = "POSTRIDER__";

/// The name among `known` that is most like `given`, if any is like it at all: at most a third of it differs.
pub fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|name| (strsim::damerau_levenshtein(given, name), name))
        .filter(|(distance, name)| distance * 3 <= name.len().max(given.len()))
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_a_stranger_has_none() {
        let known = ["server.bind", "data.dir", "retention.days"];
        assert_eq!(nearest("server.bnid", known.into_iter()), Some("server.bind"));
        assert_eq!(nearest("retension.days", known.into_iter()), Some("retention.days"));
        assert_eq!(nearest("colour", known.into_iter()), None);
    }

    #[test]
    fn a_variable_is_the_name_in_capitals() {
        assert_eq!(Key::text("server.bind", "", "").variable(), "POSTRIDER__SERVER__BIND");
    }
}
