//! Runs the binary and reads what it says. Nothing waits for time: only for lines and for ends.

use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::Value;

/// A command that reads nothing of the machine the test runs on.
pub(crate) fn postrider(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
    command.current_dir(dir).args(arguments).stdin(Stdio::null()).env("HOME", dir);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("POSTRIDER")) {
        command.env_remove(name);
    }
    command
}

/// Runs it to its end.
pub(crate) fn run(dir: &Path, arguments: &[&str]) -> Ended {
    Ended(postrider(dir, arguments).output().expect("the binary runs"))
}

/// What it said, and its exit code.
pub(crate) struct Ended(Output);

impl Ended {
    pub(crate) fn code(&self) -> i32 {
        self.0.status.code().expect("it ended by itself")
    }

    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    /// Its answer as JSON, after an exit code of 0.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code(), 0, "{}", self.stderr());
        serde_json::from_str(&self.stdout()).expect("an answer in JSON")
    }
}

/// A process that runs until it is told to stop, or dropped.
pub(crate) struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    /// Starts it and waits for its first line, which is JSON.
    pub(crate) fn start(dir: &Path, arguments: &[&str]) -> (Self, Value) {
        let mut child = postrider(dir, arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs");
        let lines = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
        let mut running = Self { child, lines };
        let first = running.line();
        (running, first)
    }

    /// The next line of its output.
    pub(crate) fn line(&mut self) -> Value {
        let line = self.lines.next().expect("another line").expect("its output can be read");
        serde_json::from_str(&line).expect("a line of JSON")
    }

    /// Asks it to stop, and waits for its end; the exit code.
    pub(crate) fn terminate(mut self) -> i32 {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().expect("kill runs");
        assert!(sent.success());
        self.child.wait().expect("it ends").code().expect("it ended by itself")
    }

    /// Ends it without a chance to tidy up.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it is killed");
        self.child.wait().expect("it ends");
    }

    /// Waits for its end; the exit code.
    pub(crate) fn wait(mut self) -> i32 {
        self.child.wait().expect("it ends").code().expect("it ended by itself")
    }
}

/// A test that failed leaves no process behind.
impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
