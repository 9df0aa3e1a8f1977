//! What can be wrong with an address, a server and a database, and how to mend it.

use thiserror::Error;

use crate::settings::Place;

/// Why a database could not be opened. No text carries a password.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The address cannot be read.
    #[error(
        "the address of Postgres is not valid; it looks like postgres://user:password@host:5432/database, with special \
         characters percent-encoded"
    )]
    Url,
    /// Nobody answers.
    #[error("{place}: cannot be reached: {source}; is the server running, are host and port right?")]
    Unreachable {
        /// Where.
        place: Place,
        /// What the system says.
        source: Box<sqlx::Error>,
    },
    /// The server is starting, stopping, or full.
    #[error("{place}: takes no connection now: {source}; it is tried again")]
    Busy {
        /// Where.
        place: Place,
        /// What the server says.
        source: Box<sqlx::Error>,
    },
    /// User or password are wrong, or the server lets this user not in from here.
    #[error(
        "{place}: the server refuses the login: {source}; check user and password, and pg_hba.conf (a line that says \
         \"no encryption\" asks for sslmode=require)"
    )]
    Login {
        /// Where.
        place: Place,
        /// What the server says.
        source: Box<sqlx::Error>,
    },
    /// There is no such database.
    #[error("{place}: there is no such database; make it with CREATE DATABASE, or name another one")]
    NoDatabase {
        /// Where.
        place: Place,
    },
    /// TLS fails, or one side does not speak it.
    #[error(
        "{place}: TLS failed: {source}; sslmode=disable speaks to a server without TLS, sslmode=verify-full needs its \
         certificate authority in sslrootcert"
    )]
    Tls {
        /// Where.
        place: Place,
        /// What went wrong.
        source: Box<sqlx::Error>,
    },
    /// The user may not do what is needed.
    #[error("{place}: the user may not set up the schema: {source}; make it the owner of the database")]
    NotPermitted {
        /// Where.
        place: Place,
        /// What the server says.
        source: Box<sqlx::Error>,
    },
    /// The schema is of a later release.
    #[error(
        "{place}: the schema is of generation {found}, this binary knows {known}; start the release that made it, or a \
         later one"
    )]
    Newer {
        /// Where.
        place: Place,
        /// The generation of the schema.
        found: i32,
        /// The one of this binary.
        known: i32,
    },
    /// The database holds tables of the same names that are not ours.
    #[error("{place}: holds tables of another program: {source}; give postrider a database of its own")]
    NotOurs {
        /// Where.
        place: Place,
        /// What the server says.
        source: Box<sqlx::Error>,
    },
    /// A migration failed.
    #[error("{place}: the schema could not be brought up to date: {source}")]
    Migration {
        /// Where.
        place: Place,
        /// What went wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl OpenError {
    /// Classifies what the server, or the way to it, answered
    /// (<https://www.postgresql.org/docs/15/errcodes-appendix.html>).
    pub(crate) fn of(place: &Place, source: sqlx::Error) -> Self {
        let place = place.clone();
        let database = match &source {
            sqlx::Error::Database(database) => database,
            sqlx::Error::Tls(_) => return Self::Tls { place, source: source.into() },
            // A certificate that is not trusted surfaces as an error of the stream.
            sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                return Self::Tls { place, source: source.into() };
            }
            _ => return Self::Unreachable { place, source: source.into() },
        };
        let code = database.code().unwrap_or_default().into_owned();
        match code.as_str() {
            "28000" | "28P01" => Self::Login { place, source: source.into() },
            "3D000" => Self::NoDatabase { place },
            "42501" => Self::NotPermitted { place, source: source.into() },
            "42P07" | "42710" => Self::NotOurs { place, source: source.into() },
            _ if code.starts_with("57") || code.starts_with("53") => {
                Self::Busy { place, source: source.into() }
            }
            _ => Self::Migration { place, source: source.into() },
        }
    }

    /// Whether trying again later can help: the server is away, starting, or full.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Busy { .. })
    }
}
