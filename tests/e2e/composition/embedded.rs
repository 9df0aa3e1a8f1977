//! The embedded composition: the whole system in one process, on a folder of its own.

use reqwest::Method;

use crate::process::{self, Process};

/// A folder, and the process that works on it.
pub(crate) struct Composition {
    pub(crate) processes: Vec<Process>,
    settings: Vec<String>,
    token: String,
    /// Removed when the story ends.
    folder: tempfile::TempDir,
}

impl Composition {
    /// An empty folder. Each setting is `section.key=value`.
    #[expect(clippy::unused_async, reason = "the other composition waits for servers here")]
    pub(crate) async fn prepare(settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = settings.iter().map(|one| (*one).to_owned()).collect();
        Self { processes: Vec::new(), settings, token: String::new(), folder }
    }

    /// Starts what must run, and returns when it can work.
    pub(crate) async fn run(&mut self) {
        let command = process::command(self.folder.path());
        self.processes = vec![Process::start(command, "serve", &self.settings).await];
        let profile = std::fs::read_to_string(self.folder.path().join("data/cli.toml")).expect("cli.toml");
        let profile: toml::Table = profile.parse().expect("TOML");
        profile["token"].as_str().expect("a token").clone_into(&mut self.token);
    }

    /// Whom to ask for this.
    pub(crate) fn base(&self, _method: &Method, _path: &str) -> &str {
        self.processes.first().expect("it runs").url.as_str()
    }

    /// The first admin's token.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }
}
