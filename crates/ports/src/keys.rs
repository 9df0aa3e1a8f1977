//! The keys behind [`Secrets`](crate::secrets::Secrets), for whoever looks after them, and where sealed values are.

use postrider_domain::id::SpaceId;
use postrider_domain::secret::Sealed;
use postrider_domain::source::Source;
use postrider_domain::space::{SlackAccess, SpaceSettings};
use postrider_domain::webhook::{HeaderValue, Webhook};

use crate::error::PortResult;
use crate::secrets::{BASIC_AUTH, HEADER, Place, RSA, SIGNING, SLACK, SOURCE, SPACE};

/// The ring as a process knows it. Synchronous, as [`Secrets`](crate::secrets::Secrets) is.
pub trait Keys: Send + Sync {
    /// Reads the ring again where it is kept, and says which keys it has. Transient when it cannot be read; then the keys
    /// read before stay.
    fn reread(&self) -> PortResult<KeyIds>;

    /// The id of the key that sealed this, whether the ring has it or not; `None` for what was never sealed.
    fn sealed_with<'s>(&self, sealed: &'s Sealed) -> Option<&'s str>;
}

/// Which keys a ring has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyIds {
    /// The one that seals.
    pub active: String,
    /// Those that only open, in the ring's order.
    pub others: Vec<String>,
}

impl KeyIds {
    /// Whether a key is in the ring.
    pub fn has(&self, id: &str) -> bool {
        self.active == id || self.others.iter().any(|other| other == id)
    }
}

/// What is done with one sealed value at its place.
pub type Visit<'v> = dyn FnMut(Place<'_>, &mut Sealed) -> PortResult<()> + 'v;

/// Visits every sealed value of a webhook, signing secrets that are over included: they are stored as well.
pub fn visit_webhook(webhook: &mut Webhook, visit: &mut Visit<'_>) -> PortResult<()> {
    let Webhook { id, space, signing, action, .. } = webhook;
    let place = |field| Place { space, owner: id.as_str(), field };
    for one in signing {
        visit(place(SIGNING), &mut one.secret)?;
    }
    let Some(target) = action.http_mut() else { return Ok(()) };
    if let Some(auth) = &mut target.basic_auth {
        visit(place(BASIC_AUTH), &mut auth.password)?;
    }
    for header in &mut target.headers {
        if let HeaderValue::Secret(sealed) = &mut header.value {
            visit(place(HEADER), sealed)?;
        }
    }
    Ok(())
}

/// Visits the secret of a source.
pub fn visit_source(source: &mut Source, visit: &mut Visit<'_>) -> PortResult<()> {
    let place = Place { space: &source.space, owner: source.id.as_str(), field: SOURCE };
    visit(place, &mut source.secret)
}

/// Visits every sealed value of a space's settings.
pub fn visit_settings(
    space: &SpaceId,
    settings: &mut SpaceSettings,
    visit: &mut Visit<'_>,
) -> PortResult<()> {
    if let Some(signing) = &mut settings.signing {
        visit(Place { space, owner: SPACE, field: SIGNING }, &mut signing.secret)?;
    }
    if let Some(key) = &mut settings.rsa {
        visit(Place { space, owner: SPACE, field: RSA }, &mut key.secret)?;
    }
    for connection in &mut settings.slack {
        let place = Place { space, owner: &connection.id, field: SLACK };
        match &mut connection.access {
            SlackAccess::Bot { token, .. } => visit(place, token)?,
            SlackAccess::Incoming { url } => visit(place, url)?,
        }
    }
    Ok(())
}
