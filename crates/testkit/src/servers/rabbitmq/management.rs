//! The management API of a broker.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::LOOK;

/// `guest:guest`, RabbitMQ's user for loopback connections, as HTTP's basic authentication writes it.
const BASIC: &str = "Basic Z3Vlc3Q6Z3Vlc3Q=";

/// How far the list of connections may be behind on a busy machine.
const BEHIND: Duration = Duration::from_secs(30);

/// The management API of a broker, <https://rawcdn.githack.com/rabbitmq/rabbitmq-server/v3.10.8/deps/rabbitmq_management/priv/www/api/index.html>.
#[derive(Debug, Clone)]
pub struct Management {
    pub(super) port: u16,
}

impl Management {
    /// Its URL, with user and password.
    pub fn url(&self) -> String {
        format!("http://guest:guest@127.0.0.1:{}", self.port)
    }

    /// Makes a virtual host of a new name.
    pub async fn vhost(&self) -> io::Result<String> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("test-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        self.expect("PUT", &format!("/api/vhosts/{name}"), "").await?;
        Ok(name)
    }

    /// Closes the connections of a virtual host, once at least one is known: the list is up to five seconds behind. Answers
    /// how many.
    pub async fn close_connections(&self, vhost: &str) -> io::Result<usize> {
        let close = async {
            loop {
                match self.close_known(vhost).await? {
                    0 => tokio::time::sleep(LOOK).await,
                    closed => return Ok(closed),
                }
            }
        };
        let closed = tokio::time::timeout(BEHIND, close).await;
        closed.map_err(|_| io::Error::other(format!("no connection of virtual host {vhost} is known")))?
    }

    async fn close_known(&self, vhost: &str) -> io::Result<usize> {
        let body = self.expect("GET", &format!("/api/vhosts/{vhost}/connections"), "").await?;
        let connections: Vec<Value> = serde_json::from_str(&body)?;
        let mut closed = 0;
        for name in connections.iter().filter_map(|one| one["name"].as_str()) {
            // The names look like `127.0.0.1:51234 -> 127.0.0.1:5672`.
            let name = name.replace(' ', "%20").replace('>', "%3E");
            let (status, _) = self.request("DELETE", &format!("/api/connections/{name}"), "").await?;
            closed += usize::from(status == 204);
        }
        Ok(closed)
    }

    /// One request that must succeed; answers the body.
    pub async fn expect(&self, method: &str, path: &str, body: &str) -> io::Result<String> {
        match self.request(method, path, body).await? {
            (200..300, body) => Ok(body),
            (status, body) => Err(io::Error::other(format!("{method} {path}: {status} {body}"))),
        }
    }

    /// One request: status and body.
    pub async fn request(&self, method: &str, path: &str, body: &str) -> io::Result<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        // HTTP/1.0: the body ends with the connection, and is never chunked.
        let request = format!(
            "{method} {path} HTTP/1.0\r\nhost: localhost\r\nauthorization: {BASIC}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no HTTP answer: {answer:?}")))?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        Ok((status, body.to_owned()))
    }
}
