//! Where log lines go and what they look like: to standard error, for people on a terminal, as JSON everywhere else.
//!
//! Standard output belongs to the answers of commands. Traces and metrics over OTLP will be set up and flushed here too.

use std::io::IsTerminal;

use thiserror::Error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// What log lines look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// `Human` when standard error is a terminal, else `Json`.
    #[default]
    Auto,
    /// One coloured line each, for people.
    Human,
    /// One JSON object each, for log collectors.
    Json,
}

/// Keeps telemetry alive; to be held until the very end of `main`, since dropping it is the moment of the last flush.
/// Log lines are written at once and need none.
#[derive(Debug)]
#[must_use = "telemetry ends when this is dropped"]
pub struct Telemetry {
    _private: (),
}

/// Why logging could not be set up.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The filter cannot be read.
    #[error(
        "the log filter {filter:?} is not valid: {source}; write for example \"info\" or \"warn,postrider_dispatcher=debug\""
    )]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// Logging is already set up; it can be only once in a process.
    #[error("logging is already set up in this process")]
    Twice(#[from] TryInitError),
}

/// Sets up logging for the whole process. `filter` has the syntax of `tracing_subscriber::EnvFilter`
/// (`level` or `target=level`, comma-separated); the caller decides where it comes from.
///
/// # Errors
/// When the filter cannot be read, or logging is already set up.
pub fn init(filter: &str, format: Format) -> Result<Telemetry, TelemetryError> {
    let terminal = std::io::stderr().is_terminal();
    let layer = match format {
        Format::Auto if terminal => human(true),
        Format::Human => human(terminal),
        Format::Auto | Format::Json => json(),
    };
    tracing_subscriber::registry().with(layer.with_filter(parse(filter)?)).try_init()?;
    Ok(Telemetry { _private: () })
}

type Lines = Box<dyn Layer<Registry> + Send + Sync>;

fn human(colour: bool) -> Lines {
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    // Colour is only ever taken away here: by itself the layer already obeys NO_COLOR.
    if colour { layer.boxed() } else { layer.with_ansi(false).boxed() }
}

fn json() -> Lines {
    tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_writer(std::io::stderr)
        .boxed()
}

fn parse(filter: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::builder()
        .parse(filter)
        .map_err(|source| TelemetryError::Filter { filter: filter.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_cannot_be_read_is_named_with_an_example() {
        let message = parse("postrider=lout").expect_err("no such level").to_string();
        assert!(message.contains("\"postrider=lout\""), "{message}");
        assert!(message.contains("postrider_dispatcher=debug"), "{message}");
        assert!(parse("warn,postrider_dispatcher=debug").is_ok());
    }

    #[test]
    fn logging_is_set_up_once_and_the_second_time_says_so() {
        let first = init("info", Format::Json);
        assert!(first.is_ok(), "{first:?}");
        let second = init("info", Format::Auto).expect_err("already set up").to_string();
        assert!(second.contains("already set up"), "{second}");
    }
}
