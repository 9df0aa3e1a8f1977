//! Dead hosts: addresses of this machine's own network 127.0.0.0/8, each a host of its own to whoever counts calls by host.
//!
//! | host | what a call meets |
//! |---|---|
//! | 0, 3, 6, … | a black hole: nothing answers its SYN, so that it waits for its own deadline |
//! | 1, 4, 7, … | a refused connection, at once: it comes back the sooner |
//! | 2, 5, 8, … | a connection, and then silence until its deadline |
//!
//! A black hole without a firewall: a listener whose queue of connections is full and that takes none drops every SYN
//! (listen(2), `tcp_abort_on_overflow` of tcp(7)).

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

/// A connection that is not there after so long is not coming: the first SYN is only repeated after a second.
const SILENCE: Duration = Duration::from_millis(300);
/// A listener with the shortest queue holds fewer connections than this.
const FILLING: usize = 16;
/// Connections that nobody ever takes, each for one call.
const UNTAKEN: u32 = 4096;

/// What must stay open so that they stay dead.
pub(super) struct Dead {
    ports: [u16; 3],
    _hole: (TcpListener, Vec<TcpStream>),
    _refusing: TcpSocket,
    _silent: TcpListener,
}

impl Dead {
    /// Takes their ports on all addresses of this machine.
    pub(super) async fn start() -> Result<Self> {
        let (hole, filling) = black_hole().await?;
        let refusing = bound()?;
        let silent = bound()?.listen(UNTAKEN)?;
        let ports = [hole.local_addr()?.port(), refusing.local_addr()?.port(), silent.local_addr()?.port()];
        Ok(Self { ports, _hole: (hole, filling), _refusing: refusing, _silent: silent })
    }

    /// The URL of a host.
    pub(super) fn url(&self, host: usize) -> String {
        // From 127.1.0.0 on: nobody else is there.
        let [high, low] = u16::try_from(host).unwrap_or(u16::MAX).to_be_bytes();
        format!("http://{}:{}/", Ipv4Addr::new(127, 1, high, low), self.ports[host % self.ports.len()])
    }
}

async fn black_hole() -> Result<(TcpListener, Vec<TcpStream>)> {
    let listener = bound()?.listen(1)?;
    let address = SocketAddr::from(([127, 0, 0, 1], listener.local_addr()?.port()));
    let mut filling = Vec::new();
    while let Ok(connected) = timeout(SILENCE, TcpStream::connect(address)).await {
        filling.push(connected?);
        ensure!(filling.len() < FILLING, "a listener that takes no connections never fills up");
    }
    Ok((listener, filling))
}

fn bound() -> Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))).context("no port for dead hosts")?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    async fn connect(dead: &Dead, host: usize) -> Option<std::io::Result<TcpStream>> {
        let url = dead.url(host);
        let address: SocketAddr = url["http://".len()..].trim_end_matches('/').parse().expect("an address");
        timeout(SILENCE, TcpStream::connect(address)).await.ok()
    }

    #[tokio::test]
    async fn each_third_is_dead_in_its_own_way_on_every_address() {
        let dead = Dead::start().await.expect("three ports");
        for first in [0, 3, 999] {
            assert!(connect(&dead, first).await.is_none(), "a black hole takes no connection");
            let refused = connect(&dead, first + 1).await.expect("an answer").expect_err("it is refused");
            assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
            let mut silent = connect(&dead, first + 2).await.expect("an answer").expect("a connection");
            assert!(timeout(SILENCE, silent.read_u8()).await.is_err(), "it says nothing");
        }
        assert_ne!(dead.url(0), dead.url(3), "each is a host of its own");
    }
}
