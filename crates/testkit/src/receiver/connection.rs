//! One connection of the receiver: request after request, each answered by its script.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::{Answer, Manner, ReceivedRequest, Shared};

/// Longer heads are no requests of ours: 1 MiB.
const LONGEST_HEAD: u64 = 1024 * 1024;

/// Serves until the other side closes or a script says so.
pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    // A caller that goes away in the middle is part of many tests.
    drop(converse(stream, &shared).await);
}

async fn converse(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await? {
        let answer = shared.take(request);
        if answer.held {
            drop(shared.released.subscribe().wait_for(|released| *released).await);
        }
        give(stream.get_mut(), answer).await?;
    }
    Ok(())
}

async fn read(stream: &mut BufReader<TcpStream>) -> io::Result<Option<ReceivedRequest>> {
    let mut lines = Vec::new();
    let mut head = (&mut *stream).take(LONGEST_HEAD);
    loop {
        let mut line = String::new();
        if head.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let line = line.trim_end_matches(['\r', '\n']);
        if line.is_empty() {
            break;
        }
        lines.push(line.to_owned());
    }
    let mut words = lines.first().into_iter().flat_map(|line| line.split(' ')).map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let headers: Vec<(String, String)> = lines
        .iter()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let mut body = vec![0; length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    Ok(Some(ReceivedRequest { method, path, headers, body: Bytes::from(body), at: Instant::now() }))
}

async fn give(stream: &mut TcpStream, answer: Answer) -> io::Result<()> {
    match answer.manner {
        Manner::Whole => {
            let length = answer.body.len();
            stream.write_all(&head(&answer, Some(length))).await?;
            stream.write_all(&answer.body).await
        }
        Manner::Hang => stay(stream).await,
        Manner::Reset => {
            stream.set_zero_linger()?;
            Err(io::ErrorKind::ConnectionReset.into())
        }
        Manner::Stall => {
            stream.write_all(&head(&answer, Some(answer.body.len() + 1))).await?;
            stream.write_all(&answer.body).await?;
            stay(stream).await
        }
        Manner::Endless => {
            stream.write_all(&head(&answer, None)).await?;
            loop {
                stream.write_all(&answer.body).await?;
            }
        }
        Manner::Raw => {
            stream.write_all(&answer.body).await?;
            Err(io::ErrorKind::ConnectionAborted.into())
        }
    }
}

/// Keeps the connection open until the other side closes it.
async fn stay(stream: &mut TcpStream) -> io::Result<()> {
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await? > 0 {}
    Err(io::ErrorKind::ConnectionAborted.into())
}

/// The head; a body without a length ends with the connection (RFC 9112 §6.3).
fn head(answer: &Answer, length: Option<usize>) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} Scripted\r\n", answer.status);
    for (name, value) in &answer.headers {
        head.extend([name.as_str(), ": ", value.as_str(), "\r\n"]);
    }
    let has_body = answer.status >= 200 && answer.status != 204 && answer.status != 304;
    if let Some(length) = length.filter(|_| has_body) {
        head.extend(["Content-Length: ", &length.to_string(), "\r\n"]);
    }
    head.push_str("\r\n");
    head.into_bytes()
}
