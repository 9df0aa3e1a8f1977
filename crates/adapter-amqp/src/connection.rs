//! One connection to the broker, and what its refusals mean.

use std::fmt;
use std::time::Duration;

use lapin::types::LongString;
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties, ErrorKind};
use postrider_ports::error::{PortError, PortResult};

/// The longest frame, in bytes: the broker's own default, <https://www.rabbitmq.com/docs/configure>. Said before the broker
/// says it, the client takes its buffers (32 frames for each direction) as zero pages, which cost no memory until they are
/// used; told later, it grows them and writes all of it: 16 MiB in every process.
const FRAME: u32 = 128 << 10;
/// How long connecting may take.
pub(crate) const CONNECT: Duration = Duration::from_secs(5);
/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// Where the broker is, and how much is fetched ahead from it.
#[derive(Clone)]
pub struct Settings {
    /// `amqp://user:password@host:port/vhost`, or `amqps://…` for TLS.
    pub url: String,
    /// How many deliveries of one lane this process holds at most: what its worker has in hand and what is fetched ahead.
    pub prefetch: u16,
}

impl Settings {
    /// The broker at this URL; up to 2,560 deliveries are held (4 × the 640 permits of a worker, DESIGN §4.4).
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), prefetch: 2560 }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL holds the password.
        let place = place(&self.url).unwrap_or_else(|_| "no URL".to_owned());
        f.debug_struct("Settings").field("broker", &place).field("prefetch", &self.prefetch).finish()
    }
}

/// Connects. `role` names the connection in the broker's lists.
pub(crate) async fn connect(settings: &Settings, role: &str) -> PortResult<Connection> {
    let mut uri = parse(&settings.url)?;
    uri.query.frame_max.get_or_insert(FRAME);
    let place = place(&settings.url)?;
    let properties =
        ConnectionProperties::default().with_connection_name(LongString::from(format!("postrider {role}")));
    match tokio::time::timeout(CONNECT, Connection::connect_uri(uri, properties)).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(refused(&place, &error)),
        Err(_) => Err(PortError::transient(format!(
            "the broker at {place} did not answer within {} s: check host, port, and that amqp:// and amqps:// are not mixed up",
            CONNECT.as_secs()
        ))),
    }
}

/// Closes a connection in good order. What it still held goes back to its queues in any case.
pub(crate) async fn bid_farewell(connection: &Connection) {
    drop(tokio::time::timeout(FAREWELL, connection.close(200, "bye".into())).await);
}

pub(crate) fn parse(url: &str) -> PortResult<AMQPUri> {
    url.parse().map_err(|error| {
        PortError::permanent(format!(
            "the AMQP URL cannot be read ({error}): write amqp://user:password@host:5672/vhost"
        ))
    })
}

/// Host, port, virtual host and user: what may be shown.
pub(crate) fn place(url: &str) -> PortResult<String> {
    let uri = parse(url)?;
    let authority = uri.authority;
    let (host, port, user) = (authority.host, authority.port, authority.userinfo.username);
    Ok(format!("{host}:{port}, virtual host {:?}, user {user:?}", uri.vhost))
}

fn refused(place: &str, error: &lapin::Error) -> PortError {
    let text = error.to_string();
    let says = |word: &str| text.contains(word);
    let advice = if says("ACCESS_REFUSED") || says("ACCESS-REFUSED") {
        "check user and password in the AMQP URL"
    } else if says("NOT_ALLOWED") || says("NOT-ALLOWED") {
        "check that the virtual host exists and that the user may use it"
    } else {
        let otherwise = "check that it runs, and that amqp:// and amqps:// are not mixed up";
        let advice = match error.kind() {
            ErrorKind::ParsingError(_) => NO_AMQP,
            _ => mixed_up(&text).unwrap_or(otherwise),
        };
        return PortError::transient(format!("cannot connect to the broker at {place} ({text}): {advice}"));
    };
    PortError::permanent(format!("the broker at {place} refuses the connection ({text}): {advice}"))
}

/// What to do when the answer is no AMQP.
const NO_AMQP: &str = "it does not speak AMQP 0-9-1 there: check the port, and if it is the one for TLS, write amqps:// \
                       instead of amqp://";

/// What to do when TLS was spoken where none is, as the error tells it.
pub(crate) fn mixed_up(error: &str) -> Option<&'static str> {
    // rustls's name for an answer that is no TLS record.
    let no_tls = error.contains("InvalidContentType");
    no_tls.then_some(
        "no TLS is spoken there: write amqp:// instead of amqps://, or the port for TLS (5671 as a rule)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let settings = Settings::new("amqp://carl:secret@broker:5673/live");
        let shown = format!("{settings:?}");
        assert!(
            shown.contains("broker:5673") && shown.contains("live") && !shown.contains("secret"),
            "{shown}"
        );
    }

    #[tokio::test]
    async fn a_url_that_is_none_is_refused_without_showing_it() {
        let error = connect(&Settings::new("http://carl:secret@broker/"), "test").await.expect_err("no URL");
        assert!(!error.is_transient());
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
