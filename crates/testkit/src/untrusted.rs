//! A receiver behind TLS whose certificate nobody trusts: it signed it itself. Whoever calls it all the same is answered, so
//! that a client which does not look shows.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// The receiver. It stops when it is dropped.
pub struct UntrustedReceiver {
    address: SocketAddr,
    counts: Arc<Counts>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Counts {
    connections: AtomicUsize,
    requests: AtomicUsize,
}

impl UntrustedReceiver {
    /// Listens on a free port of 127.0.0.1, with a fresh certificate for that address and `localhost`.
    pub async fn start() -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(self_signed()));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let counts = Arc::new(Counts::default());
        let counting = Arc::clone(&counts);
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counting.connections.fetch_add(1, Ordering::SeqCst);
                connections.spawn(serve(acceptor.clone(), stream, Arc::clone(&counting)));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, counts, accepting }
    }

    /// The URL of a path, which begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    /// How often somebody connected.
    pub fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::SeqCst)
    }

    /// How often somebody trusted it with something.
    pub fn requests(&self) -> usize {
        self.counts.requests.load(Ordering::SeqCst)
    }
}

impl Drop for UntrustedReceiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn self_signed() -> ServerConfig {
    let names = ["localhost".to_owned(), Ipv4Addr::LOCALHOST.to_string()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).expect("a certificate");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider knows TLS")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("key and certificate belong together")
}

/// Takes one request, whatever it is, and answers 200. A caller that goes away in the handshake is what is expected.
async fn serve(acceptor: TlsAcceptor, stream: TcpStream, counts: Arc<Counts>) {
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    let mut block = [0; 1024];
    if stream.read(&mut block).await.is_ok_and(|read| read > 0) {
        counts.requests.fetch_add(1, Ordering::SeqCst);
        drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await);
    }
}
