//! The Dockerfile: what of it others rely on.

use std::collections::BTreeMap;

use postrider_tests::house::Breach;

const FILE: &str = "Dockerfile";

/// The instructions that matter outside.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dockerfile {
    text: String,
    /// What it builds on, stage by stage.
    pub(crate) from: Vec<String>,
    /// The variables of the last stage.
    pub(crate) env: BTreeMap<String, String>,
    /// The defaults of its build arguments.
    args: BTreeMap<String, String>,
    expose: Option<u64>,
    user: String,
    entrypoint: Vec<String>,
    /// What runs when nobody says what to run.
    pub(crate) default: Vec<String>,
    healthcheck: Vec<String>,
}

impl Dockerfile {
    /// Reads the instructions. Of two with the same name the later one counts, as for Docker.
    pub(crate) fn parse(text: &str) -> Self {
        let mut file = Self { text: text.to_owned(), ..Self::default() };
        let joined = text.replace("\\\n", " ");
        for line in joined.lines().map(str::trim) {
            let (instruction, rest) = line.split_once(' ').unwrap_or((line, ""));
            let pairs = || {
                let words = rest.split_whitespace().filter_map(|word| word.split_once('='));
                words.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned()))
            };
            match instruction {
                "FROM" => {
                    file.from.extend(rest.split_whitespace().next().map(str::to_owned));
                    file.env.clear();
                }
                "ENV" => file.env.extend(pairs()),
                "ARG" => file.args.extend(pairs()),
                "EXPOSE" => file.expose = rest.parse().ok(),
                "USER" => rest.clone_into(&mut file.user),
                "ENTRYPOINT" => file.entrypoint = words(rest),
                "CMD" => file.default = words(rest),
                "HEALTHCHECK" => {
                    let command = rest.split_once("CMD ").map_or("", |(_, command)| command);
                    file.healthcheck = words(command);
                }
                _ => {}
            }
        }
        file
    }

    /// The arguments with which the image asks itself how it is.
    pub(crate) fn healthcheck(&self) -> &[String] {
        self.healthcheck.get(1..).unwrap_or_default()
    }

    /// What is wrong with it. `rust` and `version` are the pinned toolchain and the version of the workspace.
    pub(crate) fn breaches(&self, rust: &str, version: &str) -> Vec<Breach> {
        let port =
            self.env.get("POSTRIDER__SERVER__BIND").and_then(|bind| bind.rsplit_once(':')?.1.parse().ok());
        let checks = [
            (
                self.text.lines().any(|line| line.starts_with("# syntax")),
                "has a `# syntax` line, which fetches an image that nothing pins".to_owned(),
            ),
            (
                !self.from.first().is_some_and(|image| image.starts_with(&format!("rust:{rust}-"))),
                format!("is not built with rust {rust}, as rust-toolchain.toml says"),
            ),
            (
                self.user.split(':').next().and_then(|user| user.parse::<u32>().ok()).is_none_or(|user| user == 0),
                "does not run as a user by number other than 0: Kubernetes cannot see that a name is not root".to_owned(),
            ),
            (
                self.args.get("VERSION").map(String::as_str) != Some(version),
                format!("is not labelled with version {version}, the one of Cargo.toml"),
            ),
            (
                self.expose.is_none() || self.expose != port,
                format!("exposes {:?} but listens on {port:?}", self.expose),
            ),
            (
                self.healthcheck.is_empty() || self.healthcheck.first() != self.entrypoint.first(),
                "has no health check by its own binary".to_owned(),
            ),
        ];
        let broken = checks.into_iter().filter(|(is_broken, _)| *is_broken);
        broken.map(|(_, what)| Breach::new(FILE, what)).collect()
    }
}

/// `["a", "b"]`.
fn words(json: &str) -> Vec<String> {
    serde_json::from_str(json).unwrap_or_default()
}
