//! Where a process listens, and what it may call.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use postrider_adapter_http::GuardedClient;
use postrider_domain::webhook::PlainHttp;
use postrider_runtime::http::{Bound, Limits, bind};
use postrider_vault::KeyRing;

use super::ports::Outward;
use crate::exit::{Code, Failure};
use crate::settings::Settings;

/// Binds the port of everything.
pub(super) async fn bound(settings: &Settings) -> Result<Bound, Failure> {
    bound_at(settings, settings.server.bind, "server.bind (flag --bind)").await
}

/// Binds an address that `name` asks for.
pub(super) async fn bound_at(settings: &Settings, addr: SocketAddr, name: &str) -> Result<Bound, Failure> {
    let server = &settings.server;
    let bound = bind(addr, name).await;
    let bound = bound.map_err(|error| Failure::new(Code::CannotStart, error.to_string()))?;
    let limits =
        Limits { connections: server.connections, head_timeout: server.head_timeout, ..Limits::default() };
    Ok(bound.with_limits(limits))
}

/// The address for people of this machine: one that stands for all of a machine's is shown as its own.
pub(crate) fn url(mut addr: SocketAddr) -> String {
    if addr.ip().is_unspecified() {
        addr.set_ip(if addr.is_ipv4() {
            IpAddr::V4(Ipv4Addr::LOCALHOST)
        } else {
            IpAddr::V6(Ipv6Addr::LOCALHOST)
        });
    }
    format!("http://{addr}")
}

/// The way out to receivers.
pub(super) fn outward(settings: &Settings, addr: SocketAddr, ring: Arc<KeyRing>) -> Result<Outward, Failure> {
    let on_this_machine = if addr.ip().is_loopback() { PlainHttp::Loopback } else { PlainHttp::Never };
    let plain_http = settings.outbound.plain_http.unwrap_or(on_this_machine);
    let guarded = postrider_adapter_http::Settings { plain_http, allow: settings.outbound.allow.clone() };
    let sender =
        GuardedClient::new(&guarded).map_err(|error| Failure::new(Code::CannotStart, error.to_string()))?;
    Ok(Outward { secrets: ring.clone(), keys: ring, sender: Arc::new(sender), plain_http })
}
