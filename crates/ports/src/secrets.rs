//! Opening and sealing secrets.

use postrider_domain::id::SpaceId;
use postrider_domain::secret::{OpenedSecrets, Sealed};
use postrider_domain::space::{SlackAccess, SpaceSettings};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::webhook::{HeaderValue, Webhook};

use crate::error::PortResult;

/// Where a secret belongs. It is bound to its place: moved elsewhere, it does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The space.
    pub space: &'a SpaceId,
    /// What holds it: a webhook's id, a source's, [`SPACE`].
    pub owner: &'a str,
    /// Which of the holder's secrets (`signing`, `basic_auth`, `header`).
    pub field: &'a str,
}

/// The field of a webhook's signing secrets.
pub const SIGNING: &str = "signing";
/// The field of the private half of a space's key pair.
pub const RSA: &str = "rsa";
/// The field of a webhook's basic-auth password.
pub const BASIC_AUTH: &str = "basic_auth";
/// The field of a webhook's secret header values.
pub const HEADER: &str = "header";
/// The field of a source's secret.
pub const SOURCE: &str = "source";
/// The field of what opens the door to a Slack workspace; the owner is the connection's id.
pub const SLACK: &str = "slack";

/// The holder of what belongs to a space as a whole. No webhook has this id: they have no `#`.
pub const SPACE: &str = "#space";

/// The key ring. Synchronous: it is arithmetic, and now and then the reading of a file of a few hundred bytes.
pub trait Secrets: Send + Sync {
    /// Seals a text for its place.
    fn seal(&self, place: Place<'_>, secret: &str) -> PortResult<Sealed>;

    /// Opens it. A transient error names the key that the ring lacks: it can be put back. A permanent one says that the
    /// value was tampered with. None of them shows the secret.
    fn open(&self, place: Place<'_>, sealed: &Sealed) -> PortResult<String>;
}

/// Opens everything that a request of this webhook, made now in a space with these settings, needs. What belongs to the space
/// is opened only for a dialect that signs with it (`space_signs`), so that no other webhook suffers from a key it lost.
pub fn open_webhook(
    secrets: &dyn Secrets,
    webhook: &Webhook,
    settings: &SpaceSettings,
    space_signs: bool,
    now: Timestamp,
) -> PortResult<OpenedSecrets> {
    let place = |field| Place { space: &webhook.space, owner: webhook.id.as_str(), field };
    let mut opened = OpenedSecrets::default();
    for sealed in webhook.signing_at(now) {
        opened.signing.push(secrets.open(place(SIGNING), sealed)?);
    }
    if let Some(signing) = settings.signing.as_ref().filter(|_| space_signs) {
        let place = Place { space: &webhook.space, owner: SPACE, field: SIGNING };
        opened.space_signing = Some(secrets.open(place, &signing.secret)?);
    }
    if let Some(key) = settings.rsa.as_ref().filter(|_| space_signs) {
        let place = Place { space: &webhook.space, owner: SPACE, field: RSA };
        opened.space_rsa = Some(secrets.open(place, &key.secret)?);
    }
    let connection = webhook.action.slack().and_then(|target| settings.slack(&target.connection));
    if let Some(connection) = connection {
        let (SlackAccess::Bot { token: sealed, .. } | SlackAccess::Incoming { url: sealed }) =
            &connection.access;
        let place = Place { space: &webhook.space, owner: &connection.id, field: SLACK };
        opened.slack = Some(secrets.open(place, sealed)?);
    }
    let Some(target) = webhook.action.http() else { return Ok(opened) };
    if let Some(auth) = &target.basic_auth {
        opened.basic_password = Some(secrets.open(place(BASIC_AUTH), &auth.password)?);
    }
    for header in &target.headers {
        let value = match &header.value {
            HeaderValue::Plain(value) | HeaderValue::Open(value) => value.clone(),
            HeaderValue::Secret(sealed) => {
                let value = secrets.open(place(HEADER), sealed)?;
                opened.secret_headers.push(value.clone());
                value
            }
        };
        opened.headers.push((header.name.clone(), value));
    }
    Ok(opened)
}
