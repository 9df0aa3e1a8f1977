//! `[server]`: where the process listens.

use std::net::SocketAddr;

use crate::settings::key::Key;
use crate::settings::reader::{Reader, between, duration, parsed};

/// Where the process listens.
#[derive(Debug, Clone)]
pub struct Server {
    /// Address and port of everything: ingest, management API, health.
    pub bind: SocketAddr,
    /// Where health and metrics are instead, if not there.
    pub admin: Option<SocketAddr>,
    /// Connections open at once.
    pub connections: usize,
    /// How long a client may take for a request head, and a kept-alive connection may idle.
    pub head_timeout: std::time::Duration,
}

pub(in crate::settings) const KEYS: &[Key] = &[
    Key::text(
        "server.bind",
        "127.0.0.1:8026",
        "Address and port of ingest, API and health. Port 0 takes any free port.",
    ),
    Key::text(
        "server.admin",
        "",
        "Address and port for health and metrics alone, which then are nowhere else. Empty: they are on server.bind.",
    ),
    Key::number("server.connections", "1000", "Connections open at once; further ones wait."),
    Key::text("server.head_timeout", "30s", "How long a client may take for a request head."),
];

impl Server {
    pub(in crate::settings) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let bind = reader.value("server.bind", parsed("an address and port such as 127.0.0.1:8026"));
        let admin = reader.value("server.admin", |text| match text.trim() {
            "" => Ok(None),
            text => parsed("an address and port such as 127.0.0.1:8027")(text).map(Some),
        });
        let connections = reader.value("server.connections", between(1, 65_536));
        let head_timeout = reader.value("server.head_timeout", duration);
        Some(Self { bind: bind?, admin: admin?, connections: connections?, head_timeout: head_timeout? })
    }
}
