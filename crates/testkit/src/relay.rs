//! A TCP relay that stands between a process and its server and is the network's bad day: it cuts, refuses, says nothing,
//! is slow, or cuts at an exact byte.
//!
//! ```no_run
//! # async fn story() -> std::io::Result<()> {
//! use postrider_testkit::relay::{Direction, Relay};
//! let relay = Relay::before("amqp://guest:guest@127.0.0.1:5672").await?;
//! let url = relay.url("amqp://guest:guest@127.0.0.1:5672/live"); // for the process
//! relay.cut_before(Direction::Back, &[0, 60, 0, 80]); // the next confirm of a publish is not heard
//! relay.until_triggered().await;
//! # Ok(()) }
//! ```

mod carry;
mod trigger;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use self::carry::carry;
use self::trigger::Triggers;
use crate::servers::free_port;

/// Connections that may wait for being accepted, as a server's own backlog.
const BACKLOG: u32 = 1024;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From who connects to the server.
    There,
    /// From the server to who connected.
    Back,
}

/// The relay. It passes everything until it is told otherwise. Dropped, its connections end.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    commands: mpsc::UnboundedSender<(Command, oneshot::Sender<()>)>,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

/// The ports of one connection: a server that names its clients by their ports knows the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// Of who connected.
    pub client: u16,
    /// Of the relay, as the server sees it.
    pub ours: u16,
}

/// What all connections see.
#[derive(Debug)]
struct Shared {
    weather: watch::Sender<Weather>,
    /// Changes when all connections are to be cut.
    cuts: watch::Sender<u64>,
    triggers: Triggers,
    /// Bytes passed on, there and back.
    carried: [AtomicU64; 2],
    /// Connections that stand.
    open: watch::Sender<usize>,
    /// Those of them that reach the server.
    standing: Mutex<Vec<Ends>>,
}

/// How what is on its way fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weather {
    /// It arrives, this much later.
    Passing(Duration),
    /// It goes nowhere.
    Nowhere,
}

#[derive(Debug)]
enum Command {
    Cut,
    Refuse,
    Listen,
}

impl Relay {
    /// A relay to this address, `host:port`, on a port of its own.
    pub async fn to(target: &str) -> io::Result<Self> {
        let missing = || io::Error::other(format!("{target} is no address"));
        let target = lookup_host(target).await?.next().ok_or_else(missing)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let listener = bind(address)?.listen(BACKLOG)?;
        let shared = Arc::new(Shared {
            weather: watch::Sender::new(Weather::Passing(Duration::ZERO)),
            cuts: watch::Sender::new(0),
            triggers: Triggers::default(),
            carried: Default::default(),
            open: watch::Sender::new(0),
            standing: Mutex::default(),
        });
        let (commands, told) = mpsc::unbounded_channel();
        let serving = tokio::spawn(serve(listener, target, Arc::clone(&shared), told));
        Ok(Self { address, commands, shared, serving })
    }

    /// A relay to the server of this URL.
    pub async fn before(url: &str) -> io::Result<Self> {
        Self::to(&url[authority(url)]).await
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// This URL with the relay's host and port in place of the server's.
    pub fn url(&self, url: &str) -> String {
        let mut url = url.to_owned();
        url.replace_range(authority(&url), &self.address.to_string());
        url
    }

    /// Cuts all connections: both ends are told by a reset. New ones pass. Returns once they are gone.
    pub async fn cut(&self) {
        self.tell(Command::Cut).await;
    }

    /// Cuts all connections and refuses new ones, as a machine on which no server runs. Returns once it is so.
    pub async fn refuse(&self) {
        self.tell(Command::Refuse).await;
    }

    /// From now on nothing arrives, and nobody is told: what is sent is held as if on its way, and connections are taken but
    /// not served. After [`Relay::restore`] it goes on where it stood, as TCP does after a lost cable; with
    /// [`Relay::cut`] before that, it is lost.
    pub fn black_hole(&self) {
        self.shared.weather.send_replace(Weather::Nowhere);
    }

    /// From now on what is sent arrives this much later, in each direction.
    pub fn delay(&self, each_way: Duration) {
        self.shared.weather.send_replace(Weather::Passing(each_way));
    }

    /// Passes everything again, at once. Returns once it listens.
    pub async fn restore(&self) {
        self.shared.triggers.disarm();
        self.shared.weather.send_replace(Weather::Passing(Duration::ZERO));
        self.tell(Command::Listen).await;
    }

    /// Passes exactly this many bytes more in this direction, of all connections together, and cuts the one that carried
    /// the last of them. Once; it replaces what was armed before.
    pub fn cut_after(&self, direction: Direction, bytes: u64) {
        self.shared.triggers.arm_after(direction, bytes);
    }

    /// Cuts the connection on which these bytes come next in this direction, before the last of them is passed on. Once; it
    /// replaces what was armed before.
    pub fn cut_before(&self, direction: Direction, frame: &[u8]) {
        self.shared.triggers.arm_before(direction, frame);
    }

    /// Returns once what [`Relay::cut_after`] or [`Relay::cut_before`] armed has cut, at once if nothing is armed.
    pub async fn until_triggered(&self) {
        self.shared.triggers.until_disarmed().await;
    }

    /// How many bytes it has passed on in this direction, of all connections.
    pub fn carried(&self, direction: Direction) -> u64 {
        self.shared.carried[direction as usize].load(Ordering::SeqCst)
    }

    /// How many connections stand, as they come and go.
    pub fn connections(&self) -> watch::Receiver<usize> {
        self.shared.open.subscribe()
    }

    /// The ports of the connections that reach the server.
    pub fn ends(&self) -> Vec<Ends> {
        self.shared.standing().clone()
    }

    async fn tell(&self, command: Command) {
        let (done, told) = oneshot::channel();
        self.commands.send((command, done)).expect("it serves for as long as the relay lives");
        told.await.expect("it answers");
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Shared {
    /// Tells all connections to end as if cut.
    fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    fn standing(&self) -> MutexGuard<'_, Vec<Ends>> {
        // Nothing is left half done in it.
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where host and port stand in a URL.
fn authority(url: &str) -> std::ops::Range<usize> {
    let begin = url.find("://").map_or(0, |at| at + 3);
    let end = url[begin..].find(['/', '?']).map_or(url.len(), |length| begin + length);
    let begin = url[begin..end].rfind('@').map_or(begin, |at| begin + at + 1);
    begin..end
}

/// A socket that holds the port: whoever connects is refused until it listens.
fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // Else the port would be barred for a minute after connections have ended.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Whether connections are taken.
enum Door {
    Open(TcpListener),
    /// The socket holds the port.
    Shut(TcpSocket),
}

impl Door {
    /// The next connection, if the door is open.
    async fn next(&self) -> TcpStream {
        if let Self::Open(listener) = self
            && let Ok((stream, _)) = listener.accept().await
        {
            return stream;
        }
        std::future::pending().await
    }
}

async fn serve(
    listener: TcpListener,
    target: SocketAddr,
    shared: Arc<Shared>,
    mut commands: mpsc::UnboundedReceiver<(Command, oneshot::Sender<()>)>,
) {
    let here = listener.local_addr().expect("it is bound");
    let mut door = Door::Open(listener);
    let mut connections = JoinSet::new();
    loop {
        let (command, done) = tokio::select! {
            command = commands.recv() => match command {
                Some(command) => command,
                None => return,
            },
            stream = door.next() => {
                connections.spawn(carry(stream, target, Arc::clone(&shared)));
                continue;
            }
            Some(_) = connections.join_next() => continue,
        };
        match command {
            Command::Cut => shared.cut(),
            Command::Refuse => {
                // The listener first: the port cannot be held twice.
                drop(door);
                door = Door::Shut(bind(here).expect("the port was ours until now"));
                shared.cut();
            }
            Command::Listen => {
                door = match door {
                    Door::Shut(socket) => Door::Open(socket.listen(BACKLOG).expect("the port is held")),
                    open @ Door::Open(_) => open,
                };
            }
        }
        if !matches!(command, Command::Listen) {
            while connections.join_next().await.is_some() {}
        }
        // Who asked may have gone.
        done.send(()).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_of_a_url_are_found() {
        for (url, found) in [
            ("amqp://guest:guest@127.0.0.1:5672/live", "127.0.0.1:5672"),
            ("redis://127.0.0.1:6379", "127.0.0.1:6379"),
            ("postgres://postgres@db:5432/one?sslmode=disable", "db:5432"),
            ("127.0.0.1:80", "127.0.0.1:80"),
        ] {
            assert_eq!(&url[authority(url)], found);
        }
    }
}
