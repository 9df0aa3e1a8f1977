//! What an error of SQLite means: which kind of trouble, and whether time may heal it.

use postrider_ports::error::PortError;
use postrider_wire::DecodeError;

/// Kinds of trouble, by SQLite's primary result code (<https://www.sqlite.org/rescode.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// SQLITE_BUSY (5), SQLITE_LOCKED (6): another program holds a lock.
    Busy,
    /// SQLITE_FULL (13).
    Full,
    /// SQLITE_READONLY (8).
    ReadOnly,
    /// SQLITE_PERM (3), SQLITE_CANTOPEN (14), SQLITE_AUTH (23).
    NotPermitted,
    /// SQLITE_NOTADB (26).
    NotADatabase,
    /// SQLITE_CORRUPT (11).
    Damaged,
    /// SQLITE_IOERR (10), SQLITE_NOMEM (7).
    Hardware,
    /// A unique constraint.
    Unique,
    /// The connection is gone: the database is being closed.
    Closed,
    /// Anything else: a fault of ours, or of the input.
    Other,
}

/// What goes wrong inside one piece of writing: the database's fault, or ours.
#[derive(Debug)]
pub(crate) enum Fault {
    /// SQLite's.
    Sql(sqlx::Error),
    /// A decision that is already in the words of the port.
    Port(PortError),
}

/// Classifies an error.
pub(crate) fn trouble(error: &sqlx::Error) -> Trouble {
    let database = match error {
        sqlx::Error::Database(database) => database,
        sqlx::Error::PoolClosed | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => {
            return Trouble::Closed;
        }
        sqlx::Error::Io(_) => return Trouble::Hardware,
        _ => return Trouble::Other,
    };
    if database.is_unique_violation() {
        return Trouble::Unique;
    }
    // The low byte of an extended code is the primary one.
    let code = database.code().and_then(|code| code.parse::<u32>().ok()).map_or(0, |code| code & 0xff);
    match code {
        5 | 6 => Trouble::Busy,
        13 => Trouble::Full,
        8 => Trouble::ReadOnly,
        3 | 14 | 23 => Trouble::NotPermitted,
        26 => Trouble::NotADatabase,
        11 => Trouble::Damaged,
        7 | 10 => Trouble::Hardware,
        _ => Trouble::Other,
    }
}

/// A port's error, `what` being what was attempted (`store the space`).
pub(crate) fn port_error(what: &str, error: sqlx::Error) -> PortError {
    let hint = |rest: &str| format!("could not {what}: {rest}");
    let port = match trouble(&error) {
        Trouble::Busy => PortError::transient(hint("another program holds the database file")),
        Trouble::Full => PortError::transient(hint("the disk or the database file is full; make room")),
        Trouble::Hardware => PortError::transient(hint("the disk or the memory failed")),
        Trouble::ReadOnly => PortError::transient(hint("the database file became read-only")),
        Trouble::NotPermitted => PortError::transient(hint("the database file cannot be opened")),
        Trouble::Closed => PortError::transient(hint("the database is closed")),
        Trouble::Unique => PortError::conflict(hint("it is already there")),
        Trouble::NotADatabase | Trouble::Damaged => {
            PortError::permanent(hint("the database file is damaged; restore it from a backup"))
        }
        Trouble::Other => PortError::permanent(hint("SQLite refused")),
    };
    port.because(error)
}

/// The same error for one more of those that a transaction failed for.
pub(crate) fn again(error: &PortError) -> PortError {
    let mut same = PortError::permanent(error.to_string());
    same.kind = error.kind;
    same
}

/// A stored thing (`webhook w1`) that does not decode.
pub(crate) fn undecodable(what: &str, error: &DecodeError) -> PortError {
    PortError::permanent(format!("the stored {what} cannot be read: {error}"))
}

impl Fault {
    /// After these SQLite may have rolled the whole transaction back (<https://www.sqlite.org/lang_transaction.html>
    /// §3); what the others of the same transaction did may be gone with it.
    pub(crate) fn ends_transaction(&self) -> bool {
        let Self::Sql(error) = self else { return false };
        !matches!(trouble(error), Trouble::Unique | Trouble::Other)
    }

    /// In the words of the port.
    pub(crate) fn into_port(self, what: &str) -> PortError {
        match self {
            Self::Sql(error) => port_error(what, error),
            Self::Port(error) => error,
        }
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<PortError> for Fault {
    fn from(error: PortError) -> Self {
        Self::Port(error)
    }
}
