//! What a broker says of itself before anybody signs in: the `connection.start` of AMQP 0-9-1 (§4.2.2 of the
//! specification, <https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf>). lapin reads it and keeps it to itself.

use futures::{AsyncReadExt, AsyncWriteExt};
use lapin::protocol::connection::AMQPMethod;
use lapin::protocol::{AMQPClass, parse_class};
use lapin::tcp::AMQPUriTcpExt;
use postrider_ports::error::{PortError, PortResult};

use crate::connection::{CONNECT, mixed_up, parse, place};
use crate::headers;

/// The protocol header: AMQP 0-9-1.
const HELLO: [u8; 8] = *b"AMQP\x00\x00\x09\x01";
/// A frame begins with a byte for its type, two for its channel, four for its size.
const FRAME_HEADER: usize = 7;
/// The type of frame that holds a method.
const METHOD: u8 = 1;
/// Real ones have less than a kilobyte.
const LONGEST: usize = 64 * 1024;
/// A TLS server that is not spoken to in TLS answers with a record of type 21, alert (RFC 8446, §5.1), or says nothing.
const TLS_ALERT: u8 = 21;

/// What a broker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Greeting {
    /// Such as `RabbitMQ`.
    pub(crate) product: String,
    /// Such as `4.0.5`.
    pub(crate) version: String,
    /// The name of its cluster, if it says one.
    pub(crate) cluster: Option<String>,
}

/// Connects, listens to the greeting, and leaves.
pub(crate) async fn greeting(url: &str) -> PortResult<Greeting> {
    let place = place(url)?;
    match tokio::time::timeout(CONNECT, listen(url)).await {
        Ok(Ok(greeting)) => Ok(greeting),
        Ok(Err(why)) => Err(PortError::transient(format!("the broker at {place} gives no greeting: {why}"))),
        Err(_) => Err(PortError::transient(format!(
            "the broker at {place} gives no greeting within {} s: check host and port",
            CONNECT.as_secs()
        ))),
    }
}

async fn listen(url: &str) -> Result<Greeting, String> {
    let uri = parse(url).map_err(|error| error.to_string())?;
    let runtime = lapin::runtime::default_runtime().map_err(|error| error.to_string())?;
    let said = |error: std::io::Error| match mixed_up(&error.to_string()) {
        Some(advice) => advice.to_owned(),
        None => format!("{error}: check that it runs, and host and port"),
    };
    let mut stream = uri.connect_async(&runtime).await.map_err(said)?;
    stream.write_all(&HELLO).await.map_err(said)?;
    let mut header = [0; FRAME_HEADER];
    stream.read_exact(&mut header).await.map_err(said)?;
    if header[0] == TLS_ALERT {
        return Err("it speaks TLS there: write amqps:// instead of amqp://".to_owned());
    }
    let size = u32::from_be_bytes([header[3], header[4], header[5], header[6]]) as usize;
    if header[0] != METHOD || size > LONGEST {
        return Err("what answers there does not speak AMQP 0-9-1: check host and port".to_owned());
    }
    let mut method = vec![0; size];
    stream.read_exact(&mut method).await.map_err(said)?;
    read(&method).ok_or_else(|| "it greets with something else than connection.start".to_owned())
}

fn read(method: &[u8]) -> Option<Greeting> {
    let Ok((_, AMQPClass::Connection(AMQPMethod::Start(start)))) = parse_class(method) else { return None };
    let text = |name| headers::text(&start.server_properties, name);
    Some(Greeting {
        product: text("product").unwrap_or_else(|| "an unnamed product".to_owned()),
        version: text("version").unwrap_or_default(),
        cluster: text("cluster_name"),
    })
}
