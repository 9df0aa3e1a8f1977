//! The reader of a guide: a shell in a folder of its own, with `postrider` on its path and a running system to talk to.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use reqwest::Method;
use tokio::process::Command;
use tokio::time::timeout;

use crate::process::{self, PATIENCE};
use crate::system::System;

/// Where events go in.
const DOOR: &str = "/spaces/default/environments/master/events";

/// A shell. What it leaves in its folder goes with it.
pub(crate) struct Shell {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

impl Shell {
    /// One whose `postrider` finds this system.
    pub(crate) fn of(system: &System) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let binary = process::command(folder.path());
        let binary = Path::new(binary.get_program()).parent().expect("a folder").to_owned();
        let own = folder.path().join("bin");
        std::fs::create_dir(&own).expect("a folder");
        let base = |method: &Method, path: &str| system.composition().base(method, path).to_owned();
        let variables = [
            ("PROGRAMS", format!("{}:{}", own.display(), binary.display())),
            ("POSTRIDER_SERVER", base(&Method::GET, "/")),
            ("POSTRIDER_INGEST", base(&Method::POST, DOOR)),
            ("POSTRIDER_TOKEN", system.token().to_owned()),
        ];
        Self { folder, variables: variables.map(|(name, value)| (name.to_owned(), value)).into() }
    }

    /// Where it works; what is in `bin` there comes before all other programs of a script.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Exports a variable.
    pub(crate) fn export(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// Saves a file that can be run.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let file = self.folder().join(name);
        std::fs::write(&file, text).expect("the file is written");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).expect("it may be run");
        file
    }

    /// A command in its folder, with its variables.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder()).stdin(Stdio::null()).kill_on_drop(true);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// What a script prints, all of whose commands must succeed.
    pub(crate) async fn run(&self, script: &str) -> String {
        let output = self.tried(script).await;
        let said = String::from_utf8(output.stdout).expect("text");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {said}{errors}\n{script}", output.status);
        said
    }

    /// How a script ended, which stops at the first command that fails.
    pub(crate) async fn tried(&self, script: &str) -> Output {
        let mut bash = self.command("bash");
        bash.args(["-euo", "pipefail", "-c", &format!("export PATH=$PROGRAMS:$PATH\n{script}")]);
        timeout(PATIENCE, bash.output()).await.expect("it ends").expect("bash starts")
    }
}
