//! Secrets as the rest of the house may see them: sealed.

use std::fmt;
use std::sync::Arc;

/// A secret as `vault` sealed it (`v1.<key id>.<base64>`). It can be stored and copied; only the vault opens it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Sealed(Arc<str>);

impl Sealed {
    /// Takes a sealed text.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The sealed text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Everything secret of one webhook, opened for one request. Never stored, never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct OpenedSecrets {
    /// Signing secrets that count now, newest first.
    pub signing: Vec<String>,
    /// The signing secret of the space.
    pub space_signing: Option<String>,
    /// The private half of the space's key pair.
    pub space_rsa: Option<String>,
    /// What opens the door to Slack: the bot's token, or the incoming webhook's URL.
    pub slack: Option<String>,
    /// The password of basic authentication.
    pub basic_password: Option<String>,
    /// The webhook's custom headers in their order, secret values opened.
    pub headers: Vec<(String, String)>,
    /// The values among `headers` that are secret.
    pub secret_headers: Vec<String>,
}

impl OpenedSecrets {
    /// Every secret value that a request or its answer could hold, for masking what is recorded. The private half of a
    /// key pair is none: it is never sent, and whoever answers does not know it.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        let own = self.signing.iter().chain(&self.basic_password).chain(&self.secret_headers);
        let parts = own.chain(&self.space_signing).chain(&self.slack);
        parts.map(String::as_str)
    }
}

impl fmt::Debug for OpenedSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenedSecrets(…)")
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(…)")
    }
}
