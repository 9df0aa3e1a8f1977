//! What an error of Postgres means: whether time may heal it, and whether a row is to blame.

use postrider_ports::error::PortError;
use postrider_wire::DecodeError;

/// A port's error, `what` being what was attempted (`store the space`). The classes of SQLSTATE are those of
/// <https://www.postgresql.org/docs/15/errcodes-appendix.html>.
pub(crate) fn port_error(what: &str, error: sqlx::Error) -> PortError {
    let hint = |rest: &str| format!("could not {what}: {rest}");
    let port = match &error {
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            match code.as_ref() {
                "23505" => PortError::conflict(hint("it is already there")),
                "57014" => PortError::transient(hint("it took longer than the statement time-out")),
                "25006" => PortError::transient(hint("the server is read-only; is it a standby?")),
                "42501" => PortError::transient(hint("the user may not; make it the owner of the database")),
                "42P01" | "42703" | "42883" => {
                    PortError::transient(hint("the schema is not up to date; run `postrider migrate`"))
                }
                _ if is_of_the_row(&error) => PortError::permanent(hint("Postgres cannot keep it")),
                _ => PortError::transient(hint("Postgres cannot do it now")),
            }
        }
        sqlx::Error::PoolTimedOut => PortError::transient(hint(
            "no connection in time; Postgres is away, or all connections are in use",
        )),
        sqlx::Error::PoolClosed => PortError::transient(hint("the database is closed")),
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
            PortError::transient(hint("the connection to Postgres was lost"))
        }
        _ => PortError::permanent(hint("a value has not the form it should have")),
    };
    port.because(error)
}

/// [`port_error`] for `map_err`.
pub(crate) fn fail(what: &str) -> impl Fn(sqlx::Error) -> PortError + Copy {
    move |error| port_error(what, error)
}

/// Whether the input is to blame, so that the same statement over other rows can work: data exceptions (22), integrity
/// (23), limits of the program (54) such as too large an index entry, or a value that cannot be encoded.
pub(crate) fn is_of_the_row(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            ["22", "23", "54"].iter().any(|class| code.starts_with(class))
        }
        sqlx::Error::Encode(_) => true,
        _ => false,
    }
}

/// A stored thing (`webhook w1`) that does not decode.
pub(crate) fn undecodable(what: &str, error: &DecodeError) -> PortError {
    PortError::permanent(format!("the stored {what} cannot be read: {error}"))
}

/// What only a hand on the database can have brought about.
pub(crate) fn damaged(what: impl std::fmt::Display) -> PortError {
    PortError::permanent(format!("a stored row is not as it was written: {what}"))
}
