//! Where the database is, and how much of it one process takes.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;

use crate::open_error::OpenError;

/// How to reach and use the database. Its `Debug` shows no password.
#[derive(Clone)]
pub struct Settings {
    pub(crate) options: PgConnectOptions,
    /// At most so many connections of this process, beside the one that listens.
    pub connections: u32,
    /// A statement that takes longer is ended by the server.
    pub statement_timeout: Duration,
    /// How long a call waits for a connection: while the server is away, or all are in use.
    pub patience: Duration,
}

/// Where a database is, for messages: everything of the address but the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Name of the database.
    pub database: String,
    /// Who logs in.
    pub user: String,
}

impl Settings {
    /// Reads `postgres://user:password@host:port/database?sslmode=…` as libpq does
    /// (<https://www.postgresql.org/docs/15/libpq-connect.html>). A process takes 8 connections: 30 processes fit beside
    /// each other into 300.
    pub fn new(url: &str) -> Result<Self, OpenError> {
        // The parser's own words may repeat parts of the address, and with them the password.
        let well_formed = url.starts_with("postgres://") || url.starts_with("postgresql://");
        let parsed = PgConnectOptions::from_str(url).ok().filter(|_| well_formed);
        Ok(Self {
            options: parsed.ok_or(OpenError::Url)?.application_name("postrider"),
            connections: 8,
            statement_timeout: Duration::from_secs(30),
            patience: Duration::from_secs(5),
        })
    }

    /// Where it is.
    pub fn place(&self) -> Place {
        let user = self.options.get_username().to_owned();
        Place {
            host: self.options.get_host().to_owned(),
            port: self.options.get_port(),
            // Without a name libpq takes the user's.
            database: self.options.get_database().unwrap_or(&user).to_owned(),
            user,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("place", &self.place())
            .field("connections", &self.connections)
            .field("statement_timeout", &self.statement_timeout)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, database, user } = self;
        write!(f, "Postgres at {host}:{port}, database {database:?}, user {user:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        let settings = Settings::new("postgres://ann:hush@db.example:5433/post").expect("an address");
        assert_eq!(
            settings.place().to_string(),
            r#"Postgres at db.example:5433, database "post", user "ann""#
        );
        assert!(!format!("{settings:?}").contains("hush"));
    }

    #[test]
    fn what_is_no_address_of_postgres_is_refused_without_repeating_it() {
        for url in ["", "mysql://ann:hush@h/d", "postgres://ann:hush@h:99999/d", "postgres://ann:hush@[h/d"] {
            let error = Settings::new(url).expect_err(url);
            assert!(!format!("{error} {error:?}").contains("hush"), "{error}");
        }
    }
}
