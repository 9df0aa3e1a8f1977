//! Whom a call may reach: the rules of [`crate::address`], the setting for plain http and the allow-list.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use postrider_domain::webhook::PlainHttp;
use thiserror::Error;
use url::{Host, Url};

use crate::address::{self, Blocked};

/// Why a URL is not called.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refused {
    /// It does not parse. The URL itself may hold secrets and is not shown.
    #[error("the URL is not valid: {0}")]
    NotAUrl(String),
    /// Another scheme than http or https.
    #[error("the URL's scheme is {0:?}: use https://")]
    Scheme(String),
    /// `http://` although it is not allowed.
    #[error(
        "http:// receivers are not allowed: use https://, or set outbound.plain_http to loopback or always"
    )]
    PlainHttp,
    /// `https://user:password@…`
    #[error("the URL contains a user name or password: use basic authentication or a secret header instead")]
    UserInfo,
    /// Port 0 cannot be connected to.
    #[error("the URL's port is 0: leave it out or name the receiver's port")]
    Port,
    /// A literal address that may not be called.
    #[error(transparent)]
    Blocked(#[from] Blocked),
}

/// Judges addresses. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Guard {
    reach: Reach,
    allow: Arc<[IpNet]>,
}

/// Which addresses come into question at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Public ones, and those on the allow-list.
    Public,
    /// Loopback ones only, which pass without being on the allow-list.
    ThisMachine,
}

/// The rule that keeps plain http on this machine.
const LOOPBACK_ONLY: &str =
    "plain http goes only to this machine (127.0.0.0/8, ::1) while outbound.plain_http is loopback";

impl Guard {
    /// For `https://`: public addresses and those on the allow-list.
    pub fn for_https(allow: &[IpNet]) -> Self {
        Self { reach: Reach::Public, allow: allow.into() }
    }

    /// For `http://`. With [`PlainHttp::Loopback`] it passes loopback addresses and no others, not even those on the
    /// allow-list; otherwise it judges as for `https://` (whether `http://` is allowed at all is [`check_url`]'s matter).
    pub fn for_http(plain: PlainHttp, allow: &[IpNet]) -> Self {
        let reach = if plain == PlainHttp::Loopback { Reach::ThisMachine } else { Reach::Public };
        Self { reach, allow: allow.into() }
    }

    /// Judges one address. An IPv6 address that embeds an IPv4 address is also looked up in the allow-list by that one.
    pub fn judge(&self, address: IpAddr) -> Result<(), Blocked> {
        if self.reach == Reach::ThisMachine {
            let this_machine = address.to_canonical().is_loopback();
            return if this_machine { Ok(()) } else { Err(Blocked { address, rule: LOOPBACK_ONLY }) };
        }
        let embedded = match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(plain) => address::embedded(plain).map(IpAddr::V4),
        };
        let listed = |one: &IpAddr| self.allow.iter().any(|net| net.contains(one));
        if listed(&address) || embedded.as_ref().is_some_and(listed) {
            Ok(())
        } else {
            address::judge(address)
        }
    }

    /// Judges every address of a name. One blocked address refuses the name: a name that points both inside and outside is
    /// how rebinding begins.
    pub fn judge_all(&self, addresses: Vec<IpAddr>) -> Result<Vec<IpAddr>, Blocked> {
        addresses.iter().try_for_each(|address| self.judge(*address))?;
        Ok(addresses)
    }
}

/// Parses a URL and judges all that can be judged without resolving a name. The parser reads decimal, octal, hexadecimal and
/// shortened IPv4 literals as what they mean, and refuses zone ids.
pub fn check_url(text: &str, plain: PlainHttp, guards: &Guards) -> Result<Url, Refused> {
    let url = Url::parse(text).map_err(|error| Refused::NotAUrl(error.to_string()))?;
    let guard = match url.scheme() {
        "https" => &guards.https,
        "http" if plain == PlainHttp::Never => return Err(Refused::PlainHttp),
        "http" => &guards.http,
        other => return Err(Refused::Scheme(other.chars().take(32).collect())),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refused::UserInfo);
    }
    if url.port() == Some(0) {
        return Err(Refused::Port);
    }
    match url.host() {
        Some(Host::Ipv4(literal)) => guard.judge(literal.into())?,
        Some(Host::Ipv6(literal)) => guard.judge(literal.into())?,
        Some(Host::Domain(_)) => {}
        None => return Err(Refused::NotAUrl("it has no host".to_owned())),
    }
    Ok(url)
}

/// The guards of both schemes.
#[derive(Debug, Clone)]
pub struct Guards {
    /// For `https://`.
    pub https: Guard,
    /// For `http://`.
    pub http: Guard,
}
