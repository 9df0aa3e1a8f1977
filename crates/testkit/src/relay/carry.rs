//! One connection that is carried.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Direction, Ends, Shared, Weather};

/// The largest piece that is carried at once.
const PIECE: usize = 16 * 1024;
/// How many pieces may be on their way in one direction: 4 MiB, so that a delay costs time and, up to 20 MB/s at 200 ms, no
/// throughput.
const ON_THEIR_WAY: usize = 256;

/// A piece, and when it arrives. An empty one is the end.
type Piece = (Instant, Vec<u8>);

/// Counts a connection for as long as it stands, and knows it by its ends once it reaches the server.
struct Standing<'s> {
    shared: &'s Shared,
    ends: Option<Ends>,
}

impl<'s> Standing<'s> {
    fn new(shared: &'s Shared) -> Self {
        shared.open.send_modify(|open| *open += 1);
        Self { shared, ends: None }
    }

    fn reaches(&mut self, near: &TcpStream, far: &TcpStream) {
        // Without an address it is already over.
        let (Ok(client), Ok(ours)) = (near.peer_addr(), far.local_addr()) else { return };
        let ends = Ends { client: client.port(), ours: ours.port() };
        self.ends = Some(ends);
        self.shared.standing().push(ends);
    }
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        if let Some(ends) = self.ends {
            self.shared.standing().retain(|one| *one != ends);
        }
        self.shared.open.send_modify(|open| *open -= 1);
    }
}

/// Carries a connection to its end, or until it is cut.
pub(super) async fn carry(mut near: TcpStream, target: SocketAddr, shared: Arc<Shared>) {
    let mut cuts = shared.cuts.subscribe();
    let mut standing = Standing::new(&shared);
    let mut far = tokio::select! {
        far = reach(target, &shared) => match far {
            Ok(far) => far,
            // Dropped without a word: the server is not there.
            Err(_) => return abort(&near),
        },
        _ = cuts.changed() => return abort(&near),
    };
    standing.reaches(&near, &far);
    // Who carries small pieces must not wait for more of them.
    drop((near.set_nodelay(true), far.set_nodelay(true)));
    let carried = {
        let (near_read, near_write) = near.split();
        let (far_read, far_write) = far.split();
        let there = one_way(near_read, far_write, Direction::There, &shared);
        let back = one_way(far_read, near_write, Direction::Back, &shared);
        tokio::select! {
            carried = async { tokio::try_join!(there, back) } => carried.is_ok(),
            _ = cuts.changed() => false,
        }
    };
    if !carried {
        abort(&near);
        abort(&far);
    }
}

/// Connects to the server, as soon as anything arrives there.
async fn reach(target: SocketAddr, shared: &Shared) -> io::Result<TcpStream> {
    until_passing(shared).await;
    TcpStream::connect(target).await
}

/// Makes the end of a connection a reset.
fn abort(stream: &TcpStream) {
    // One that is already gone needs none.
    drop(stream.set_zero_linger());
}

async fn one_way(
    from: ReadHalf<'_>,
    to: WriteHalf<'_>,
    direction: Direction,
    shared: &Shared,
) -> io::Result<()> {
    let (pieces, arriving) = mpsc::channel(ON_THEIR_WAY);
    tokio::try_join!(take(from, pieces, shared), give(to, arriving, direction, shared)).map(drop)
}

async fn take(mut from: ReadHalf<'_>, pieces: mpsc::Sender<Piece>, shared: &Shared) -> io::Result<()> {
    loop {
        until_passing(shared).await;
        let mut piece = vec![0; PIECE];
        let count = from.read(&mut piece).await?;
        piece.truncate(count);
        let later = match *shared.weather.borrow() {
            Weather::Passing(later) => later,
            Weather::Nowhere => std::time::Duration::ZERO,
        };
        // It fails only after the other half did, which ends this one.
        drop(pieces.send((Instant::now() + later, piece)).await);
        if count == 0 {
            return Ok(());
        }
    }
}

async fn give(
    mut to: WriteHalf<'_>,
    mut arriving: mpsc::Receiver<Piece>,
    direction: Direction,
    shared: &Shared,
) -> io::Result<()> {
    let mut before = Vec::new();
    while let Some((arrives, piece)) = arriving.recv().await {
        tokio::time::sleep_until(arrives).await;
        until_passing(shared).await;
        let cut = shared.triggers.judge(direction, &mut before, &piece);
        let passing = &piece[..cut.unwrap_or(piece.len())];
        to.write_all(passing).await?;
        shared.carried[direction as usize].fetch_add(passing.len() as u64, Ordering::SeqCst);
        if cut.is_some() {
            return Err(io::Error::other("cut here"));
        }
        if piece.is_empty() {
            to.shutdown().await?;
        }
    }
    Ok(())
}

/// Returns once anything arrives anywhere.
async fn until_passing(shared: &Shared) {
    let mut weather = shared.weather.subscribe();
    // `shared` holds the sender, so waiting cannot fail.
    drop(weather.wait_for(|weather| matches!(weather, Weather::Passing(_))).await);
}
