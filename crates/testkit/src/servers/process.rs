//! A server's process: started in a group of its own, stopped with a signal and, if that does not help, SIGKILL.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

/// How long a server may take to stop.
const STOP: Duration = Duration::from_secs(20);

/// A running server. Dropped, it is killed.
#[derive(Debug)]
pub(super) struct Process {
    name: &'static str,
    child: Child,
    group: u32,
    log: PathBuf,
}

/// A command that dies with whoever runs it: even a test that is killed leaves nothing behind.
pub(super) fn bound(words: &[impl AsRef<std::ffi::OsStr>]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "TERM", "--"]).args(words);
    command
}

impl Process {
    /// Starts it; what it prints goes to `{folder}/{name}.log`.
    pub(super) fn start(name: &'static str, command: &mut Command, folder: &Path) -> io::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()
            .map_err(|error| io::Error::other(format!("cannot start {name}: {error}")))?;
        let group = child.id().ok_or_else(|| io::Error::other(format!("{name} ended at once")))?;
        Ok(Self { name, child, group, log })
    }

    /// Fails, with what it printed, when it has ended.
    pub(super) fn check(&mut self) -> io::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => {
                let said = std::fs::read_to_string(&self.log).unwrap_or_default();
                Err(io::Error::other(format!("{} ended ({status}):\n{said}", self.name)))
            }
        }
    }

    /// Its number.
    pub(super) fn id(&self) -> u32 {
        self.group
    }

    /// Waits for it to end by itself; no longer than a server may take to stop.
    pub(super) async fn ended(mut self) -> io::Result<()> {
        match tokio::time::timeout(STOP, self.child.wait()).await {
            Ok(ended) => ended.map(drop),
            Err(_) => Err(io::Error::other(format!("{} does not end", self.name))),
        }
    }

    /// Asks it with this signal to end, and waits until it has.
    pub(super) async fn stop(mut self, signal: &str) {
        self.signal(signal);
        if tokio::time::timeout(STOP, self.child.wait()).await.is_err() {
            self.signal("KILL");
            // Nothing survives SIGKILL, so this wait ends.
            drop(self.child.wait().await);
        }
    }

    /// Kills it, as a power cut would.
    pub(super) async fn kill(mut self) {
        self.signal("KILL");
        drop(self.child.wait().await);
    }

    /// Sends it, and all that it has started, a signal by name.
    pub(super) fn signal(&self, signal: &str) {
        // The shell has `kill` built in; a group that has already ended is no fault.
        let mut kill = std::process::Command::new("sh");
        kill.args(["-c", &format!("kill -s {signal} -- -{}", self.group)]).stderr(Stdio::null());
        drop(kill.status());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal("KILL");
    }
}
