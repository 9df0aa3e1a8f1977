//! `[amqp]`: the broker of the distributed processes.

use std::fmt;

use postrider_adapter_amqp::{check_url, each_url};

use crate::settings::key::Key;
use crate::settings::reader::Reader;

/// Where the broker is.
#[derive(Clone)]
pub struct Amqp {
    /// `amqp://user:password@host:port/vhost`, or `amqps://…`; several, separated by commas, for the nodes of a cluster.
    pub url: String,
    /// Address of its management API; only `doctor` asks it.
    pub management: Option<String>,
}

pub(in crate::settings) const KEYS: &[Key] = &[
    Key::secret_or(
        "amqp.url",
        "amqp://guest:guest@127.0.0.1:5672/%2f",
        "The broker of the distributed processes: amqp://user:password@host:5672/vhost (%2f is the vhost /), amqps:// for TLS. Of a cluster name each node, separated by commas: if one is gone the next is used.",
    ),
    Key::secret(
        "amqp.management",
        "The broker's management API, asked by doctor alone: http://user:password@host:15672. Empty: not asked.",
    ),
];

impl Amqp {
    pub(in crate::settings) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let url = reader.value("amqp.url", |text| {
            let text = text.trim();
            // The addresses hold passwords, so they are not repeated.
            if !text.starts_with("amqp://") && !text.starts_with("amqps://") {
                return Err(
                    "does not begin with amqp:// or amqps://; write amqp://user:password@host:5672/vhost"
                        .to_owned(),
                );
            }
            for (number, url) in (1..).zip(each_url(text)) {
                check_url(url).map_err(|error| format!("is not right in address {number}: {error}"))?;
            }
            Ok(text.to_owned())
        });
        let management = reader.value("amqp.management", |text| match text.trim() {
            "" => Ok(None),
            text if text.starts_with("http://") || text.starts_with("https://") => Ok(Some(text.to_owned())),
            _ => {
                Err("does not begin with http:// or https://; write http://user:password@host:15672"
                    .to_owned())
            }
        });
        Some(Self { url: url?, management: management? })
    }
}

/// The addresses hold passwords.
impl fmt::Debug for Amqp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Amqp").finish_non_exhaustive()
    }
}
