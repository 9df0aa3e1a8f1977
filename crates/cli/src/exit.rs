//! Exit codes, and the failure that carries one.

use std::fmt;

use postrider_runtime::supervisor::Exit;

/// What the process's exit code says. The table is printed by `--help` and by the README.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Done.
    Ok,
    /// It was not as it should be: the demo, a test call, a receiver that refused.
    Failure,
    /// The server cannot be reached, or failed itself (5xx).
    Server,
    /// The server refused the token (401, 403).
    Refused,
    /// What was named does not exist (404).
    NotFound,
    /// The input is not valid (other 4xx, an unreadable file).
    Invalid,
    /// The server cannot start: data folder, database or port cannot be had.
    CannotStart,
    /// A part of the server failed while it ran.
    TaskFailed,
    /// The server was stopped before its work in hand was finished.
    GraceExceeded,
    /// The configuration has faults.
    Configuration,
}

/// The table for `--help`.
pub const TABLE: &str = "\
Exit codes:
   0  done
   1  it did not come out as it should (demo, webhooks test and ping, doctor)
   2  the command line is not understood
   3  the server cannot be reached, or failed itself (5xx)
   4  the server refused the token (401, 403)
   5  what was named does not exist (404)
   6  the input is not valid (other 4xx, an unreadable file)
  69  serve cannot start: data folder, database or port cannot be had
  70  a part of the server failed while it ran
  75  stopped before the work in hand was finished; it is taken up at the next start
  78  the configuration has faults";

/// Why a command failed: the code for whoever started it, the cause and the next step for people.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: Code,
    /// What went wrong, and where.
    pub cause: String,
    /// What to do about it.
    pub next: Option<String>,
}

impl Code {
    /// The number.
    pub fn number(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failure => 1,
            Self::Server => 3,
            Self::Refused => 4,
            Self::NotFound => 5,
            Self::Invalid => 6,
            Self::CannotStart => 69,
            Self::TaskFailed => 70,
            Self::GraceExceeded => 75,
            Self::Configuration => 78,
        }
    }
}

impl From<&Exit> for Code {
    fn from(exit: &Exit) -> Self {
        match exit {
            Exit::Clean => Self::Ok,
            Exit::TaskFailed { .. } => Self::TaskFailed,
            Exit::GraceExceeded { .. } => Self::GraceExceeded,
        }
    }
}

impl Failure {
    /// A failure without advice.
    pub fn new(code: Code, cause: impl Into<String>) -> Self {
        Self { code, cause: cause.into(), next: None }
    }

    /// Adds the next step.
    #[must_use]
    pub fn next(mut self, step: impl Into<String>) -> Self {
        self.next = Some(step.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.cause)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_in_the_table_of_the_help() {
        use Code::{
            CannotStart, Configuration, Failure, GraceExceeded, Invalid, NotFound, Ok, Refused, Server,
            TaskFailed,
        };
        for code in [
            Ok,
            Failure,
            Server,
            Refused,
            NotFound,
            Invalid,
            CannotStart,
            TaskFailed,
            GraceExceeded,
            Configuration,
        ] {
            let start = format!("{:>4}  ", code.number());
            assert!(TABLE.lines().any(|line| line.starts_with(&start)), "{code:?}");
        }
    }
}
