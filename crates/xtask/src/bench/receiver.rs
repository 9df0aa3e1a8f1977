//! The receiver of the calls: answers at once, late or never, as the path says, and notes what arrived.
//!
//! A path is `/{load}/{manner}/{webhook}`; the event's number stands in the body after [`MARK`].

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::book::Book;
use super::http::{find, read_message};

/// Stands before the number of an event in its data.
pub(crate) const MARK: &str = "\"bench\":\"";
/// How late the slow one answers (scenario C).
const SLOW: Duration = Duration::from_millis(200);
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// How calls are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    AtOnce,
    Slow,
    Never,
    /// At once, until the receiver is told to hang.
    Turning,
}

/// A receiver, for any number of loads one after the other.
pub(crate) struct Receiver {
    address: SocketAddr,
    books: Arc<Books>,
    hang: Arc<Mutex<Duration>>,
    /// Accepts; ends with the receiver.
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Books(Mutex<Vec<Arc<Book>>>);

impl Manner {
    const ALL: [Self; 4] = [Self::AtOnce, Self::Slow, Self::Never, Self::Turning];

    fn word(self) -> &'static str {
        match self {
            Self::AtOnce => "now",
            Self::Slow => "slow",
            Self::Never => "never",
            Self::Turning => "turning",
        }
    }
}

impl Receiver {
    /// Listens on any port of this address.
    pub(crate) async fn start(address: [u8; 4]) -> Result<Self> {
        Self::start_at(SocketAddr::from((address, 0))).await
    }

    /// A port of this address where nobody listens, for one who shall listen there later.
    pub(crate) async fn free(address: [u8; 4]) -> Result<SocketAddr> {
        Ok(TcpListener::bind(SocketAddr::from((address, 0))).await?.local_addr()?)
    }

    /// Listens there.
    pub(crate) async fn start_at(address: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(address).await.context("no port for the receiver")?;
        let address = listener.local_addr()?;
        let books = Arc::<Books>::default();
        let mut tasks = JoinSet::new();
        let hang = Arc::<Mutex<Duration>>::default();
        tasks.spawn(accept(listener, Arc::clone(&books), Arc::clone(&hang)));
        Ok(Self { address, books, hang, _tasks: tasks })
    }

    /// From now on it answers calls of the manner [`Manner::Turning`] so much later.
    pub(crate) fn hang(&self, for_long: Duration) {
        *self.hang.lock().unwrap_or_else(PoisonError::into_inner) = for_long;
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes another load in; answers its number.
    pub(crate) fn open(&self, book: &Arc<Book>) -> usize {
        let mut books = self.books.lock();
        books.push(Arc::clone(book));
        books.len() - 1
    }

    /// What arrives for a load goes into another book from now on.
    pub(crate) fn replace(&self, load: usize, book: &Arc<Book>) {
        self.books.lock()[load] = Arc::clone(book);
    }

    /// The path of a webhook of a load.
    pub(crate) fn path(load: usize, manner: Manner, webhook: usize) -> String {
        format!("/{load}/{}/{webhook}", manner.word())
    }
}

impl Books {
    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Book>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a call, and says how it is answered. `None` for what the bench did not send.
    fn note(&self, message: &[u8]) -> Option<Manner> {
        let line = message.split(|byte| *byte == b'\r').next()?;
        let path = std::str::from_utf8(line).ok()?.split(' ').nth(1)?;
        let mut parts = path.split('/').skip(1);
        let load: usize = parts.next()?.parse().ok()?;
        let manner = parts.next()?;
        let manner = Manner::ALL.into_iter().find(|known| known.word() == manner)?;
        let webhook = parts.next()?.parse().ok()?;
        let number = &message[find(message, MARK.as_bytes())? + MARK.len()..];
        let digits = number.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let event = std::str::from_utf8(&number[..digits]).ok()?.parse().ok()?;
        let book = Arc::clone(self.lock().get(load)?);
        book.receive(webhook, event).then_some(manner)
    }
}

async fn accept(listener: TcpListener, books: Arc<Books>, hang: Arc<Mutex<Duration>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        // Those that have ended; the set would grow otherwise.
        while connections.try_join_next().is_some() {}
        connections.spawn(serve(stream, Arc::clone(&books), Arc::clone(&hang)));
    }
}

/// One connection to its end. How it ends is the other side's affair: what did not arrive is missing in the book.
async fn serve(mut stream: TcpStream, books: Arc<Books>, hang: Arc<Mutex<Duration>>) {
    drop(stream.set_nodelay(true));
    let mut buffer = Vec::with_capacity(8192);
    while let Ok(Some(extent)) = read_message(&mut stream, &mut buffer).await {
        match books.note(&buffer[..extent.total]) {
            Some(Manner::AtOnce) => {}
            Some(Manner::Slow) => tokio::time::sleep(SLOW).await,
            // Until the caller hangs up.
            Some(Manner::Turning) => {
                let hang = *hang.lock().unwrap_or_else(PoisonError::into_inner);
                // The caller says nothing more; what comes is that it hangs up.
                if !hang.is_zero() && timeout(hang, stream.read_buf(&mut buffer)).await.is_ok() {
                    return;
                }
            }
            Some(Manner::Never) => while stream.read_buf(&mut buffer).await.is_ok_and(|read| read > 0) {},
            None => return,
        }
        buffer.drain(..extent.total);
        if stream.write_all(ANSWER).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::book::now;

    #[test]
    fn a_call_is_noted_for_its_load_webhook_and_event() {
        let book = Arc::new(Book::new(2, 3));
        book.send(2, now());
        let books = Books(Mutex::new(vec![Arc::clone(&book)]));
        let message = |path: &str, event: &str| format!("POST {path} HTTP/1.1\r\n\r\n{{{MARK}{event}\"}}");
        assert_eq!(books.note(message("/0/slow/1", "2").as_bytes()), Some(Manner::Slow));
        assert_eq!(book.missing(), 5);
        for (path, event) in [("/1/now/0", "2"), ("/0/soon/0", "2"), ("/0/now/2", "2"), ("/0/now/0", "1")] {
            assert_eq!(books.note(message(path, event).as_bytes()), None, "{path} {event}");
        }
    }
}
