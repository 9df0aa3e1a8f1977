//! The only place that spawns. No task outlives the supervisor, and none dies silently.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tracing::{error, info, warn};

use crate::shutdown::Shutdown;

/// How long tasks that watch [`Shutdown::hard`] get to leave by themselves before they are dropped where they stand.
/// Short, because the operator asked for "now"; long enough to close a file or send a last frame.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Named tasks of one process and the wish to stop that binds them.
///
/// A supervised task ends in one of two ways: because the process stops, or as the reason why it stops. A task that
/// has finished the process's work (a script, a one-shot job) calls [`Shutdown::begin`] before it returns.
#[derive(Debug)]
pub struct Supervisor {
    shutdown: Shutdown,
    tasks: JoinSet<Result<(), String>>,
    names: HashMap<Id, String>,
    failure: Option<(String, String)>,
}

/// How a process ended. The process's exit code says it to whoever started it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// Somebody asked to stop, and every task finished what it held. Code 0.
    Clean,
    /// A task returned an error, panicked, or ended though nobody had asked it to. Code 70 (sysexits.h `EX_SOFTWARE`).
    TaskFailed {
        /// The task, as it was named to [`Supervisor::spawn`]. The first one, if several failed.
        name: String,
        /// Its error with all causes, or the panic's message.
        error: String,
    },
    /// The grace period ended, or a second signal came, and these tasks were cut off. Code 75 (sysexits.h
    /// `EX_TEMPFAIL`): nothing is lost, what was unfinished is taken up again at the next start.
    GraceExceeded {
        /// The tasks that had not finished, sorted.
        names: Vec<String>,
    },
}

impl Supervisor {
    /// A supervisor without tasks that obeys, and can express, this wish to stop.
    pub fn new(shutdown: Shutdown) -> Self {
        Self { shutdown, tasks: JoinSet::new(), names: HashMap::new(), failure: None }
    }

    /// Starts a task. Whatever way it ends, the process begins to stop; its name is in the log and in [`Exit`].
    /// Must be called inside a tokio runtime.
    pub fn spawn<F, E>(&mut self, name: impl Into<String>, work: F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let shutdown = self.shutdown.clone();
        let guard = shutdown.guard();
        let handle = self.tasks.spawn(async move {
            let _guard = guard;
            match work.await {
                Ok(()) if shutdown.is_stopping() => Ok(()),
                Ok(()) => Err("it ended though nobody had asked it to stop".to_owned()),
                Err(error) => Err(with_causes(error.into().as_ref())),
            }
        });
        self.names.insert(handle.id(), name.into());
    }

    /// Waits until anything asks to stop, gives every task up to `grace` to finish, then cuts off the rest.
    pub async fn run_until_stopped(mut self, grace: Duration) -> Exit {
        loop {
            tokio::select! {
                () = self.shutdown.stopping() => break,
                Some(ended) = self.tasks.join_next_with_id() => self.note(ended),
            }
        }
        info!(grace_seconds = grace.as_secs(), tasks = self.names.len(), "stopping");

        let shutdown = self.shutdown.clone();
        tokio::select! {
            () = self.drain() => {}
            () = shutdown.hard() => warn!("asked to stop at once"),
            () = tokio::time::sleep(grace) => warn!("the grace period is over"),
        }
        self.shutdown.force();
        let mut unfinished: Vec<String> = self.names.values().cloned().collect();
        unfinished.sort();
        if !unfinished.is_empty() {
            warn!(tasks = ?unfinished, "cutting off unfinished tasks");
            if tokio::time::timeout(LAST_WORDS, self.drain()).await.is_err() {
                self.tasks.abort_all();
            }
        }

        match self.failure {
            Some((name, error)) => Exit::TaskFailed { name, error },
            None if unfinished.is_empty() => Exit::Clean,
            None => Exit::GraceExceeded { names: unfinished },
        }
    }

    /// Waits until no task is left.
    async fn drain(&mut self) {
        while let Some(ended) = self.tasks.join_next_with_id().await {
            self.note(ended);
        }
    }

    /// Strikes an ended task off the list, and remembers the first failure.
    fn note(&mut self, ended: Result<(Id, Result<(), String>), JoinError>) {
        let (id, failure) = match ended {
            Ok((id, result)) => (id, result.err()),
            Err(joined) => (joined.id(), Some(panic_message(joined))),
        };
        let name = self.names.remove(&id).unwrap_or_else(|| "unnamed".to_owned());
        match failure {
            None => info!(task = name, "task finished"),
            Some(error) => {
                error!(task = name, error, "task failed");
                self.failure.get_or_insert((name, error));
            }
        }
    }
}

impl Exit {
    /// The number the process ends with: 0, 70 or 75.
    pub fn code(&self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::TaskFailed { .. } => 70,
            Self::GraceExceeded { .. } => 75,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clean => f.write_str("stopped cleanly"),
            Self::TaskFailed { name, error } => {
                write!(f, "stopped because the task \"{name}\" failed: {error}")
            }
            Self::GraceExceeded { names } => {
                write!(f, "stopped before these tasks had finished: {}", names.join(", "))
            }
        }
    }
}

/// An error and its causes in one line; a cause that the text before it already spells out is not said twice.
fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

/// What a panic said, as far as it said it in text.
fn panic_message(joined: JoinError) -> String {
    match joined.try_into_panic() {
        Ok(panic) => {
            let said = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let said = said.or_else(|| panic.downcast_ref::<String>().cloned());
            format!("it panicked: {}", said.as_deref().unwrap_or("without a message"))
        }
        Err(joined) => joined.to_string(),
    }
}
