//! Everything that can be wrong with a data directory and its file, each with what, where and how to mend it.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::fault::{Trouble, trouble};

/// Why the database could not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The path of the data directory is something else.
    #[error("the data directory {path} is not a directory; name a directory, or move the file away", path = .0.display())]
    NotADirectory(PathBuf),
    /// The operating system does not let us in.
    #[error("cannot open {path}: {reason}; let the user that runs postrider read and write there, or name another data directory", path = .path.display())]
    NotPermitted {
        /// What was to be opened or made.
        path: PathBuf,
        /// What the operating system or SQLite says.
        reason: String,
    },
    /// Another process uses the directory.
    #[error("the data directory {path} is in use by another postrider{by}; stop that one, or name another data directory", path = .path.display(), by = .pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default())]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The process that holds it, as far as it is known.
        pid: Option<u32>,
    },
    /// Another program (a shell, a backup) holds the file's own lock.
    #[error("{path} is locked by another program; close it there (a sqlite3 shell, a backup) and try again", path = .0.display())]
    Locked(PathBuf),
    /// The file is no SQLite database.
    #[error("{path} is not a SQLite database; move it away, or name another data directory", path = .0.display())]
    NotADatabase(PathBuf),
    /// It is a SQLite database of somebody else.
    #[error("{path} is a database of another program (application_id {found:#010x}); move it away, or name another data directory", path = .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its application id.
        found: i64,
    },
    /// A newer release changed it beyond what this one can work with.
    #[error("{path} has schema {found}, this postrider knows up to {known}; run the release that wrote it or a newer one", path = .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its `user_version`.
        found: i64,
        /// What this binary knows.
        known: i64,
    },
    /// It cannot be written.
    #[error("{path} cannot be written: it or its file system is read-only; make it writable, or name another data directory", path = .0.display())]
    ReadOnly(PathBuf),
    /// There is no room.
    #[error("there is no room to write {path}: the disk is full, or the file is as large as it may grow; make room and start again", path = .0.display())]
    Full(PathBuf),
    /// SQLite found it damaged.
    #[error("{path} is damaged ({reason}); restore it from a backup, or salvage it with `sqlite3 {path} .recover`", path = .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
    /// Anything else.
    #[error("cannot open {path}: {reason}", path = .path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What SQLite or the operating system says.
        reason: String,
    },
}

impl OpenError {
    /// What an error of the file system means for a path.
    pub(crate) fn from_io(path: &Path, error: &io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => Self::NotADirectory(path),
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly(path),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(path),
            io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound | io::ErrorKind::IsADirectory => {
                Self::NotPermitted { path, reason: error.to_string() }
            }
            _ => Self::Other { path, reason: error.to_string() },
        }
    }

    /// What an error of SQLite means for a file.
    pub(crate) fn from_sql(path: &Path, error: &sqlx::Error) -> Self {
        let (path, reason) = (path.to_owned(), error.to_string());
        match trouble(error) {
            Trouble::Busy => Self::Locked(path),
            Trouble::Full => Self::Full(path),
            Trouble::ReadOnly => Self::ReadOnly(path),
            Trouble::NotPermitted => Self::NotPermitted { path, reason },
            Trouble::NotADatabase => Self::NotADatabase(path),
            Trouble::Damaged => Self::Damaged { path, reason },
            Trouble::Unique | Trouble::Hardware | Trouble::Closed | Trouble::Other => {
                Self::Other { path, reason }
            }
        }
    }
}
