//! As little HTTP/1.1 as the bench needs, so that it takes little of the processor it shares with what it measures:
//! messages with a Content-Length over connections that are kept open.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// More than any message of the bench has; beyond it somebody is not speaking HTTP.
const LONGEST: usize = 8 << 20;

/// The bytes of one message at the start of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Start line, headers and the empty line.
    pub(crate) head: usize,
    /// Head and body.
    pub(crate) total: usize,
}

/// A connection of a client.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What a server answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// Whether it says when to come again.
    pub(crate) retry_after: bool,
}

/// A server that is asked now and then, with its token.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// The value of `Authorization`.
    pub(crate) authorization: String,
}

/// Reads until a whole message stands at the start of the buffer; `None` when the other side has nothing more to say.
pub(crate) async fn read_message(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<Option<Extent>> {
    loop {
        if let Some(extent) = extent(buffer)?
            && buffer.len() >= extent.total
        {
            return Ok(Some(extent));
        }
        ensure!(buffer.len() < LONGEST, "a message has no end after {LONGEST} bytes");
        if stream.read_buf(buffer).await? == 0 {
            ensure!(buffer.is_empty(), "a connection ended in the middle of a message");
            return Ok(None);
        }
    }
}

/// How long the message at the start of the buffer is, once its head is complete.
fn extent(buffer: &[u8]) -> Result<Option<Extent>> {
    let Some(end) = find(buffer, b"\r\n\r\n") else { return Ok(None) };
    let head = &buffer[..end];
    let length = header(head, b"content-length:").unwrap_or("0");
    let length: usize = length.parse().context("Content-Length is no number")?;
    ensure!(header(head, b"transfer-encoding:").is_none(), "a body in chunks is not read here");
    Ok(Some(Extent { head: end + 4, total: end + 4 + length }))
}

/// The value of a header whose name is given in lower case with its colon.
fn header<'h>(head: &'h [u8], name: &[u8]) -> Option<&'h str> {
    let mut lines = head.split(|byte| *byte == b'\n');
    let line = lines.find(|line| line.len() > name.len() && line[..name.len()].eq_ignore_ascii_case(name))?;
    std::str::from_utf8(&line[name.len()..]).ok().map(str::trim)
}

/// Where a text begins in another.
pub(crate) fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// A request with a body, ready to be sent.
pub(crate) fn request(method: &str, path: &str, authorization: &str, body: &str) -> Vec<u8> {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: bench\r\nauthorization: {authorization}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(address: SocketAddr) -> Result<Self> {
        let stream =
            TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    /// Sends a request and waits for its answer.
    pub(crate) async fn send(&mut self, request: &[u8]) -> Result<Answer> {
        self.stream.write_all(request).await?;
        let extent = read_message(&mut self.stream, &mut self.buffer).await?;
        let extent = extent.context("the server closed the connection instead of answering")?;
        // `HTTP/1.1 200 …`
        let status = self.buffer.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        let status = status.context("no HTTP answer")?;
        let retry_after = header(&self.buffer[..extent.head], b"retry-after:").is_some();
        let body = self.buffer[extent.head..extent.total].to_vec();
        self.buffer.drain(..extent.total);
        Ok(Answer { status, body, retry_after })
    }
}

impl Server {
    /// One request that must succeed, on a connection of its own.
    pub(crate) async fn ask(&self, method: &str, path: &str, body: &str) -> Result<Vec<u8>> {
        let mut connection = Connection::open(self.address).await?;
        let answer = connection.send(&request(method, path, &self.authorization, body)).await?;
        if !(200..300).contains(&answer.status) {
            bail!("{method} {path}: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
        }
        Ok(answer.body)
    }

    /// The same for an answer in JSON.
    pub(crate) async fn ask_json(&self, method: &str, path: &str, body: &str) -> Result<Value> {
        let answer = self.ask(method, path, body).await?;
        serde_json::from_slice(&answer).with_context(|| format!("{method} {path}: the answer is no JSON"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_ends_where_its_length_says() {
        let message = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET";
        assert_eq!(extent(message).expect("HTTP"), Some(Extent { head: 38, total: 41 }));
        assert_eq!(extent(&message[..30]).expect("HTTP"), None, "the head is not complete");
        assert_eq!(extent(b"GET / HTTP/1.1\r\n\r\n").expect("HTTP"), Some(Extent { head: 18, total: 18 }));
    }

    #[test]
    fn what_is_no_length_is_an_error() {
        assert!(extent(b"X\r\ncontent-length: many\r\n\r\n").is_err());
        assert!(extent(b"X\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }
}
