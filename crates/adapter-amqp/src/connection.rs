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
/// How often, in seconds, each side says that it is there when it says nothing else. Who has not heard the other for twice
/// as long takes it for dead, so a broker whose machine vanished is noticed within 20 s, also by who only listens. The broker's
/// own proposal is a minute; 5 to 20 s is advised, <https://www.rabbitmq.com/docs/heartbeats>.
const HEARTBEAT: u16 = 10;
/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// Where the broker is, and how much is fetched ahead from it.
#[derive(Clone)]
pub struct Settings {
    /// `amqp://user:password@host:port/vhost`, or `amqps://…` for TLS; of a cluster as many of its nodes as there are. They
    /// must be nodes of one cluster: whatever is published to one is consumed from another.
    pub urls: Vec<String>,
    /// How many deliveries of one lane this process holds at most: what its worker has in hand and what is fetched ahead.
    pub prefetch: u16,
}

impl Settings {
    /// The broker at this URL, or the cluster at these, separated by commas; up to 2,560 deliveries are held (4 × the 640
    /// permits of a worker, DESIGN §4.4).
    pub fn new(urls: impl AsRef<str>) -> Self {
        Self { urls: each_url(urls.as_ref()).map(str::to_owned).collect(), prefetch: 2560 }
    }

    /// The address for this attempt: one after the other, around and around.
    pub(crate) fn url(&self, attempt: usize) -> &str {
        // A list of one is never empty, and an empty one is refused as no URL.
        self.urls.get(attempt % self.urls.len().max(1)).map_or("", String::as_str)
    }
}

/// The URLs of a text in which commas separate them. A comma within one, as a password may have it, separates nothing: what
/// follows it does not begin as a URL does.
pub fn each_url(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let next = |at: &usize| {
            ["amqp://", "amqps://"].iter().any(|scheme| text[at + 1..].trim_start().starts_with(scheme))
        };
        let end = text.match_indices(',').map(|(at, _)| at).find(next);
        rest = end.map(|at| &text[at + 1..]);
        Some(text[..end.unwrap_or(text.len())].trim())
    })
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL holds the password.
        let places = self.urls.iter().map(|url| place(url).unwrap_or_else(|_| "no URL".to_owned()));
        let places = places.collect::<Vec<_>>();
        f.debug_struct("Settings").field("brokers", &places).field("prefetch", &self.prefetch).finish()
    }
}

/// Whether an AMQP URL can be read. The reason says what is wrong and how to mend it, and never shows the URL.
///
/// # Errors
/// When it cannot.
pub fn check_url(url: &str) -> PortResult<()> {
    parse(url).map(drop)
}

/// Connects to whichever address answers first, in their order.
pub(crate) async fn connect_any(settings: &Settings, role: &str) -> PortResult<Connection> {
    let mut refusal = None;
    for url in &settings.urls {
        match connect(url, role).await {
            Ok(connection) => return Ok(connection),
            Err(error) => refusal = Some(error),
        }
    }
    Err(refusal.unwrap_or_else(|| PortError::permanent("no AMQP URL is set")))
}

/// Connects. `role` names the connection in the broker's lists.
pub(crate) async fn connect(url: &str, role: &str) -> PortResult<Connection> {
    let mut uri = parse(url)?;
    uri.query.frame_max.get_or_insert(FRAME);
    uri.query.heartbeat.get_or_insert(HEARTBEAT);
    let place = place(url)?;
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
        let error = connect("http://carl:secret@broker/", "test").await.expect_err("no URL");
        assert!(!error.is_transient());
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn urls_are_separated_by_commas_and_a_password_may_have_one() {
        let urls = |text| each_url(text).collect::<Vec<_>>();
        assert_eq!(urls("amqp://a"), ["amqp://a"]);
        assert_eq!(urls("amqp://a/x, amqps://b/x,amqp://c/x "), ["amqp://a/x", "amqps://b/x", "amqp://c/x"]);
        assert_eq!(urls("amqp://u:a,b@c/d,amqp://e"), ["amqp://u:a,b@c/d", "amqp://e"]);
        // What is no URL is kept, to be refused.
        assert_eq!(urls("amqp://a,b"), ["amqp://a,b"]);
        assert_eq!(urls(""), [""]);
    }

    #[test]
    fn attempts_go_around_the_addresses() {
        let settings = Settings::new("amqp://a,amqp://b,amqp://c");
        let asked: Vec<_> = (2..6).map(|attempt| settings.url(attempt)).collect();
        assert_eq!(asked, ["amqp://c", "amqp://a", "amqp://b", "amqp://c"]);
    }
}
