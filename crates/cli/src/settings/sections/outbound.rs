//! `[outbound]`: whom webhooks may call.

use ipnet::IpNet;
use postrider_domain::webhook::PlainHttp;

use crate::settings::key::Key;
use crate::settings::reader::{Reader, parsed};

/// Whom webhooks may call.
#[derive(Debug, Clone)]
pub struct Outbound {
    /// Whether `http://` is allowed; `None` decides by the address the server listens on.
    pub plain_http: Option<PlainHttp>,
    /// Private networks that may be called although the guard blocks them by default.
    pub allow: Vec<IpNet>,
}

pub(in crate::settings) const KEYS: &[Key] = &[
    Key::text(
        "outbound.plain_http",
        "auto",
        "Whether http:// receivers are allowed: never, loopback, always. auto: loopback while server.bind is a loopback address, else never.",
    ),
    Key::list("outbound.allow", "Networks (CIDR) that may be called although private addresses are blocked."),
];

impl Outbound {
    pub(in crate::settings) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let plain_http = reader.value("outbound.plain_http", |text| match text {
            "auto" => Ok(None),
            "never" => Ok(Some(PlainHttp::Never)),
            "loopback" => Ok(Some(PlainHttp::Loopback)),
            "always" => Ok(Some(PlainHttp::Always)),
            other => Err(format!("{other:?} is not auto, never, loopback or always")),
        });
        let allow = reader.list("outbound.allow", parsed("a network such as 10.0.0.0/8"));
        Some(Self { plain_http: plain_http?, allow: allow? })
    }
}
