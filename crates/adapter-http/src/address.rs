//! Which addresses a webhook may call: public unicast ones, and nothing else.
//!
//! The tables are the IANA special-purpose registries (RFC 6890, as of 2026) and the lists of comparable systems, with two
//! cloud addresses that lie in public space. Addresses that embed an IPv4 address are judged by it: blocking NAT64 whole
//! would cut off IPv6-only clusters, and letting it pass whole would open the private networks behind it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// An address that must not be called, and by which rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocked {
    /// The address as it was given or found.
    pub address: IpAddr,
    /// What it is.
    pub rule: &'static str,
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "address {} is blocked: {}", self.address, self.rule)
    }
}

impl std::error::Error for Blocked {}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(head: [u16; 4], prefix: u8) -> Ipv6Net {
    let [a, b, c, d] = head;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0), prefix)
}

/// Blocked IPv4 networks.
pub const BLOCKED_V4: [(Ipv4Net, &str); 17] = [
    (v4(0, 0, 0, 0, 8), "this network (0.0.0.0/8)"),
    (v4(10, 0, 0, 0, 8), "private network (10.0.0.0/8)"),
    (v4(100, 64, 0, 0, 10), "carrier-grade NAT (100.64.0.0/10)"),
    (v4(127, 0, 0, 0, 8), "loopback (127.0.0.0/8)"),
    (v4(168, 63, 129, 16, 32), "Azure host agent (168.63.129.16)"),
    (v4(169, 254, 0, 0, 16), "link-local and cloud metadata (169.254.0.0/16)"),
    (v4(172, 16, 0, 0, 12), "private network (172.16.0.0/12)"),
    (v4(192, 0, 0, 0, 24), "IETF protocol assignments (192.0.0.0/24)"),
    (v4(192, 0, 2, 0, 24), "documentation (192.0.2.0/24)"),
    (v4(192, 88, 99, 0, 24), "6to4 relays (192.88.99.0/24)"),
    (v4(192, 168, 0, 0, 16), "private network (192.168.0.0/16)"),
    (v4(198, 18, 0, 0, 15), "benchmarking (198.18.0.0/15)"),
    (v4(198, 51, 100, 0, 24), "documentation (198.51.100.0/24)"),
    (v4(203, 0, 113, 0, 24), "documentation (203.0.113.0/24)"),
    (v4(224, 0, 0, 0, 4), "multicast (224.0.0.0/4)"),
    (v4(255, 255, 255, 255, 32), "broadcast (255.255.255.255)"),
    (v4(240, 0, 0, 0, 4), "reserved (240.0.0.0/4)"),
];

/// Blocked IPv6 networks. Whatever is left outside 2000::/3 is no public unicast address and blocked too.
pub const BLOCKED_V6: [(Ipv6Net, &str); 14] = [
    (v6([0; 4], 128), "unspecified (::)"),
    (Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128), "loopback (::1)"),
    (v6([0; 4], 96), "IPv4-compatible (::/96)"),
    (v6([0x64, 0xff9b, 1, 0], 48), "local NAT64 (64:ff9b:1::/48)"),
    (v6([0x100, 0, 0, 0], 64), "discard only (100::/64)"),
    (v6([0x2001, 0, 0, 0], 32), "Teredo (2001::/32)"),
    (v6([0x2001, 0, 0, 0], 23), "IETF protocol assignments (2001::/23)"),
    (v6([0x2001, 0xdb8, 0, 0], 32), "documentation (2001:db8::/32)"),
    (v6([0x3fff, 0, 0, 0], 20), "documentation (3fff::/20)"),
    (v6([0x5f00, 0, 0, 0], 16), "segment routing (5f00::/16)"),
    (v6([0xfc00, 0, 0, 0], 7), "unique local (fc00::/7)"),
    (v6([0xfe80, 0, 0, 0], 10), "link-local (fe80::/10)"),
    (v6([0xfec0, 0, 0, 0], 10), "site-local (fec0::/10)"),
    (v6([0xff00, 0, 0, 0], 8), "multicast (ff00::/8)"),
];

/// Public unicast IPv6 (RFC 4291 §2.4; all that IANA has given out).
const PUBLIC_V6: Ipv6Net = v6([0x2000, 0, 0, 0], 3);
/// IPv4-mapped (RFC 4291 §2.5.5.2).
const MAPPED: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96);
/// IPv4-translated (RFC 2765 §2.1).
const TRANSLATED: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0), 96);
/// NAT64 (RFC 6052 §2.1).
const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0], 96);
/// 6to4 (RFC 3056 §2): the IPv4 address follows the first 16 bits.
const SIX_TO_FOUR: Ipv6Net = v6([0x2002, 0, 0, 0], 16);

/// Judges an address by the tables alone.
pub fn judge(address: IpAddr) -> Result<(), Blocked> {
    let rule = match address {
        IpAddr::V4(plain) => rule_v4(plain),
        IpAddr::V6(plain) => rule_v6(plain),
    };
    rule.map_or(Ok(()), |rule| Err(Blocked { address, rule }))
}

/// The IPv4 address that an IPv6 address stands for or carries.
pub fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [.., e, f, g, h] = address.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    if [MAPPED, TRANSLATED, NAT64].iter().any(|net| net.contains(&address)) {
        return Some(join(g, h));
    }
    if SIX_TO_FOUR.contains(&address) {
        return Some(join(address.segments()[1], address.segments()[2]));
    }
    // ISATAP (RFC 5214 §6.1): the interface id is 0000:5efe or 0200:5efe and then the IPv4 address.
    (e & !0x0200 == 0 && f == 0x5efe).then(|| join(g, h))
}

fn rule_v4(address: Ipv4Addr) -> Option<&'static str> {
    BLOCKED_V4.iter().find(|(net, _)| net.contains(&address)).map(|(_, rule)| *rule)
}

fn rule_v6(address: Ipv6Addr) -> Option<&'static str> {
    let listed = || BLOCKED_V6.iter().find(|(net, _)| net.contains(&address)).map(|(_, rule)| *rule);
    let carried = embedded(address);
    let stands_for_v4 = [MAPPED, TRANSLATED, NAT64].iter().any(|net| net.contains(&address));
    let outside =
        || (!PUBLIC_V6.contains(&address) && !stands_for_v4).then_some("not public (outside 2000::/3)");
    carried.and_then(rule_v4).or_else(listed).or_else(outside)
}
