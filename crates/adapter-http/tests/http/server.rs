//! A receiver that answers with given bytes, right or wrong, and tells what it got.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use postrider_adapter_http::resolver::{Lookup, Unresolved};
use postrider_adapter_http::{GuardedClient, Settings};
use postrider_domain::webhook::PlainHttp;
use postrider_ports::sender::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// What happens after a request was read.
#[derive(Clone)]
pub(crate) enum Answer {
    /// These bytes; the connection stays open.
    Bytes(Vec<u8>),
    /// These bytes, then the connection closes.
    Last(Vec<u8>),
    /// These bytes, and then nothing more while the connection stays open.
    Stall(Vec<u8>),
    /// These bytes, and then this block again and again.
    Endless(Vec<u8>, Vec<u8>),
}

pub(crate) struct Server {
    pub(crate) port: u16,
    requests: mpsc::UnboundedReceiver<String>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let (told, requests) = mpsc::unbounded_channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, answer.clone(), told.clone()));
            }
        });
        Self { port, requests, connections }
    }

    /// A well-formed answer with these header lines and body.
    pub(crate) async fn saying(status: &str, headers: &str, body: &str) -> Self {
        Self::start(Answer::Bytes(reply(status, headers, body))).await
    }

    pub(crate) fn url(&self, rest: &str) -> String {
        format!("http://127.0.0.1:{}{rest}", self.port)
    }

    /// The next request, as it came.
    pub(crate) async fn request(&mut self) -> String {
        self.requests.recv().await.expect("the server runs")
    }

    pub(crate) fn requests_waiting(&self) -> usize {
        self.requests.len()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

pub(crate) fn reply(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

async fn serve(mut stream: TcpStream, answer: Answer, told: mpsc::UnboundedSender<String>) {
    while let Some(request) = read_request(&mut stream).await {
        // The test may have ended.
        let _ = told.send(request);
        let (first, again) = match &answer {
            Answer::Bytes(bytes) | Answer::Last(bytes) | Answer::Stall(bytes) => (bytes, None),
            Answer::Endless(bytes, block) => (bytes, Some(block)),
        };
        if stream.write_all(first).await.is_err() || matches!(answer, Answer::Last(_)) {
            return;
        }
        while let Some(block) = again {
            if stream.write_all(block).await.is_err() {
                return;
            }
        }
    }
}

/// Reads a head and as much body as its Content-Length says; `None` at the end. What is no HTTP counts as a request too.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut got = Vec::new();
    loop {
        let mut block = [0; 4096];
        let read = stream.read(&mut block).await.ok().filter(|read| *read > 0)?;
        got.extend_from_slice(&block[..read]);
        let text = String::from_utf8_lossy(&got).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            if got.first() == Some(&0x16) {
                return Some("TLS".to_owned()); // a handshake record
            }
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
        if body.len() >= length.map_or(0, |length| length.parse().expect("a length")) {
            return Some(text);
        }
    }
}

/// Names and their addresses.
pub(crate) struct Names(pub(crate) HashMap<&'static str, Vec<IpAddr>>);

#[async_trait]
impl Lookup for Names {
    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Unresolved> {
        self.0.get(name).cloned().ok_or_else(|| Unresolved("no such host".to_owned()))
    }
}

/// `inside.example` is this machine, `both.example` a public address and a private one.
pub(crate) fn client(plain_http: PlainHttp, allow: &[&str]) -> GuardedClient {
    let allow = allow.iter().map(|net| net.parse().expect("a network")).collect();
    let localhost = IpAddr::from(Ipv4Addr::LOCALHOST);
    let names = Names(HashMap::from([
        ("inside.example", vec![localhost]),
        ("both.example", vec![IpAddr::from([1, 1, 1, 1]), IpAddr::from([10, 0, 0, 1])]),
    ]));
    GuardedClient::with_lookup(&Settings { plain_http, allow }, Arc::new(names)).expect("a client")
}

/// A client as `serve` on loopback has it.
pub(crate) fn local() -> GuardedClient {
    client(PlainHttp::Loopback, &[])
}

pub(crate) fn post(url: impl Into<String>, body: &'static str) -> Request {
    Request {
        method: "POST".to_owned(),
        url: url.into(),
        headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
        body: Some(Bytes::from_static(body.as_bytes())),
        timeout: Duration::from_secs(20),
        connect: None,
    }
}
