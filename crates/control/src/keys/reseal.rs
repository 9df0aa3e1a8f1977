//! Sealing what is stored anew, by compare and swap, in parts that can be repeated.

use postrider_domain::id::SpaceId;
use postrider_domain::secret::Sealed;
use postrider_domain::source::Source;
use postrider_domain::space::SpaceSettings;
use postrider_domain::webhook::Webhook;
use postrider_ports::error::PortError;
use postrider_ports::keys::{visit_settings, visit_source, visit_webhook};
use postrider_ports::registry::Written;
use postrider_ports::secrets::Place;

use super::{Holder, Holdings, MOST_RESEALED, NotResealed, ResealOrder, Resealed, Sealings, unreadable};
use crate::Control;
use crate::access::Actor;
use crate::error::{ControlError, ControlResult};

/// How many failures are listed; beyond that they are counted.
const MOST_FAILURES: usize = 100;
/// How often what others change at the same time is tried.
const TRIES: usize = 5;
/// What is said of it then.
const BUSY: &str = "it is being changed by others all the time; ask again";

impl Control {
    /// Seals up to `limit` secrets anew that another key than the active one sealed. The secrets stay the same, and so does
    /// who changed what they belong to, and when; versions grow, so that every process notices. It can be asked again
    /// and again: what is done is passed over. Needs `admin` of the instance.
    pub async fn reseal(&self, actor: &Actor, order: &ResealOrder) -> ControlResult<Resealed> {
        actor.must_rule()?;
        let active = self.deps.keys.reread().map_err(|error| unreadable(&error))?.active;
        if let Some(wanted) = order.key.as_ref().filter(|wanted| **wanted != active) {
            return Err(ControlError::Conflict(format!(
                "the active key of this process is {active:?}, not {wanted:?}; put {wanted:?} in front of the others in \
                 its key ring first"
            )));
        }
        let done =
            Resealed { active, resealed: Sealings::default(), failed: Vec::new(), failures: 0, next: None };
        let mut resealing = Resealing { control: self, limit: order.limit.clamp(1, MOST_RESEALED), done };
        let mut spaces = self.deps.spaces.spaces().await?;
        spaces.sort_by(|one, other| one.id.cmp(&other.id));
        for space in
            spaces.into_iter().filter(|space| order.from.as_ref().is_none_or(|from| space.id >= *from))
        {
            if !resealing.space(&space.id).await? {
                resealing.done.next = Some(space.id);
                break;
            }
        }
        Ok(resealing.done)
    }
}

/// One request's work.
struct Resealing<'c> {
    control: &'c Control,
    limit: usize,
    done: Resealed,
}

impl Resealing<'_> {
    /// `false` when the limit came before the end.
    async fn space(&mut self, space: &SpaceId) -> ControlResult<bool> {
        let Holdings { webhooks, sources, settings } = self.control.holdings(space).await?;
        for webhook in webhooks {
            if self.is_full() {
                return Ok(false);
            }
            self.webhook(webhook).await?;
        }
        for source in sources {
            if self.is_full() {
                return Ok(false);
            }
            self.source(source).await?;
        }
        if self.is_full() {
            return Ok(false);
        }
        self.settings(space, settings).await?;
        Ok(true)
    }

    fn is_full(&self) -> bool {
        self.done.resealed.total() >= self.limit
    }

    async fn webhook(&mut self, read: Webhook) -> ControlResult<()> {
        let (space, id) = (read.space.clone(), read.id.clone());
        let mut before = Some(read);
        for _ in 0..TRIES {
            let Some(known) = before else { return Ok(()) };
            let mut after = Webhook { version: known.version + 1, ..known };
            let mut anew = Anew::new(self.control, &self.done.active);
            visit_webhook(&mut after, &mut |place, sealed| anew.seal(place, sealed))
                .map_err(|error| unreadable(&error))?;
            let Anew { count, failed, .. } = anew;
            let written = if count == 0 {
                None
            } else {
                Some(self.control.deps.registry.update(&after, after.version - 1).await?)
            };
            match written {
                Some(Written::VersionMismatch { .. }) => {
                    before = self.control.deps.registry.get(&space, &id).await?;
                }
                Some(Written::Missing) => return Ok(()),
                None | Some(Written::Done(_)) => {
                    self.done.resealed.add(Holder::Webhook, count);
                    for reason in failed {
                        self.fail(Holder::Webhook, &space, id.as_str(), reason);
                    }
                    return Ok(());
                }
            }
        }
        self.fail(Holder::Webhook, &space, id.as_str(), BUSY.to_owned());
        Ok(())
    }

    async fn settings(&mut self, space: &SpaceId, read: SpaceSettings) -> ControlResult<()> {
        let mut before = read;
        for _ in 0..TRIES {
            let expected = before.version;
            let mut after = SpaceSettings { version: expected + 1, ..before };
            let mut anew = Anew::new(self.control, &self.done.active);
            visit_settings(space, &mut after, &mut |place, sealed| anew.seal(place, sealed))
                .map_err(|error| unreadable(&error))?;
            let Anew { count, failed, .. } = anew;
            let spaces = &self.control.deps.spaces;
            if count == 0 || spaces.put_settings(space, &after, expected).await? {
                self.done.resealed.add(Holder::Settings, count);
                for reason in failed {
                    self.fail(Holder::Settings, space, space.as_str(), reason);
                }
                return Ok(());
            }
            before = spaces.settings(space).await?;
        }
        self.fail(Holder::Settings, space, space.as_str(), BUSY.to_owned());
        Ok(())
    }

    /// A secret that somebody gave meanwhile is not touched: it was sealed with the active key.
    async fn source(&mut self, mut source: Source) -> ControlResult<()> {
        let read = source.secret.clone();
        let mut anew = Anew::new(self.control, &self.done.active);
        visit_source(&mut source, &mut |place, sealed| anew.seal(place, sealed))
            .map_err(|error| unreadable(&error))?;
        let Anew { count, failed, .. } = anew;
        if count > 0 {
            let sources = &self.control.deps.sources;
            if sources.reseal_source(&source.space, &source.id, &read, &source.secret).await? {
                self.done.resealed.add(Holder::Source, count);
            }
        }
        for reason in failed {
            self.fail(Holder::Source, &source.space, source.id.as_str(), reason);
        }
        Ok(())
    }

    fn fail(&mut self, holder: Holder, space: &SpaceId, id: &str, reason: String) {
        self.done.failures += 1;
        if self.done.failed.len() < MOST_FAILURES {
            self.done.failed.push(NotResealed { holder, space: space.clone(), id: id.to_owned(), reason });
        }
    }
}

/// Seals the values of one thing anew.
struct Anew<'c> {
    control: &'c Control,
    active: &'c str,
    /// How many were sealed.
    count: usize,
    /// Why others were not.
    failed: Vec<String>,
}

impl<'c> Anew<'c> {
    fn new(control: &'c Control, active: &'c str) -> Self {
        Self { control, active, count: 0, failed: Vec::new() }
    }

    /// What does not open is left alone, and told. What cannot be sealed ends it all: then nothing can.
    fn seal(&mut self, place: Place<'_>, sealed: &mut Sealed) -> Result<(), PortError> {
        if !self.control.is_old(sealed, self.active) {
            return Ok(());
        }
        match self.control.deps.secrets.open(place, sealed) {
            Ok(secret) => {
                *sealed = self.control.deps.secrets.seal(place, &secret)?;
                self.count += 1;
            }
            Err(error) => self.failed.push(error.to_string()),
        }
        Ok(())
    }
}
