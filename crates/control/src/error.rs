//! Why a use-case was refused, in words that let a person mend it.

use postrider_dialects::{ReadError, ReadErrors};
use postrider_domain::token::Permission;
use postrider_ports::error::PortError;
use thiserror::Error;

/// Longest excerpt of a given value that a fault repeats, in characters.
const EXCERPT: usize = 80;

/// What a use-case answers.
pub type ControlResult<T> = Result<T, ControlError>;

/// Why a use-case was refused.
#[derive(Debug, Error)]
pub enum ControlError {
    /// There is no such thing, or none that this token may know of.
    #[error("{0}")]
    NotFound(String),
    /// The token may not do this.
    #[error("{}", denied(*.permission, *.whole_instance))]
    Denied {
        /// Which it lacks.
        permission: Permission,
        /// It must have that permission over the instance as a whole, not in one space.
        whole_instance: bool,
    },
    /// What was given cannot be taken; every fault of it.
    #[error("{} cannot be taken: {}", count(.0), listed(.0))]
    Invalid(Vec<FieldFault>),
    /// Somebody else changed it in the meantime.
    #[error(
        "it is at version {current}, not {given}; read it again, apply your change to that, and send it with version {current}"
    )]
    VersionMismatch {
        /// The version it has.
        current: u64,
        /// The version that was expected.
        given: u64,
    },
    /// It cannot be done as things stand.
    #[error("{0}")]
    Conflict(String),
    /// Somebody else's service did not answer as it must.
    #[error("{0}")]
    Outside(String),
    /// A part of the system did not answer as it must.
    #[error(transparent)]
    Unavailable(#[from] PortError),
}

/// One field that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    /// Where: `headers[2].key`.
    pub path: String,
    /// Which kind of fault, stable: `required`, `type`, `size`, `range`, `format`, `in`, `taken`, `unknown`, …
    pub name: &'static str,
    /// What is wrong.
    pub problem: String,
    /// What would be right.
    pub fix: String,
    /// What was given, shortened; never of a secret field.
    pub value: Option<String>,
}

impl FieldFault {
    /// A fault of the field at `path`.
    pub fn new(
        path: impl Into<String>,
        name: &'static str,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { path: path.into(), name, problem: problem.into(), fix: fix.into(), value: None }
    }

    /// Repeats what was given, shortened to 80 characters. Not for secrets.
    #[must_use]
    pub fn given(mut self, value: &str) -> Self {
        self.value = Some(value.chars().take(EXCERPT).collect());
        self
    }
}

/// What the dialects found, as faults of the field at `path`: their JSON pointers become paths.
pub(crate) fn faults_of(path: &str, found: ReadErrors) -> Vec<FieldFault> {
    let fault = |error: ReadError| {
        let within =
            error.path.trim_start_matches('/').replace('/', ".").replace("~1", "/").replace("~0", "~");
        let path = [path, &within].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".");
        FieldFault::new(path, "format", error.problem, error.fix)
    };
    found.into_iter().map(fault).collect()
}

impl ControlError {
    /// A single fault.
    pub(crate) fn fault(fault: FieldFault) -> Self {
        Self::Invalid(vec![fault])
    }

    /// There are as many as there may be.
    pub(crate) fn full(most: usize, what: &str, setting: &str) -> Self {
        Self::Conflict(format!(
            "there are {most} {what} here, as many as there may be; delete one first, or have the operator raise the \
             setting {setting}"
        ))
    }

    /// There is no such thing.
    pub(crate) fn missing(what: &str, id: impl std::fmt::Display) -> Self {
        Self::NotFound(format!("there is no {what} {id} here"))
    }
}

fn denied(permission: Permission, whole_instance: bool) -> String {
    if whole_instance {
        "this is about the whole instance, so it needs a token of the whole instance (space `*`) with the role admin"
            .to_owned()
    } else {
        format!("this token lacks the permission {permission}; use a token whose role includes it")
    }
}

fn count(faults: &[FieldFault]) -> String {
    match faults.len() {
        1 => "1 field".to_owned(),
        many => format!("{many} fields"),
    }
}

fn listed(faults: &[FieldFault]) -> String {
    let one = |fault: &FieldFault| format!("{}: {} ({})", fault.path, fault.problem, fault.fix);
    faults.iter().map(one).collect::<Vec<_>>().join("; ")
}
