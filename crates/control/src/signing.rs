//! The secrets that sign a webhook's requests: given, drawn, kept, rotated.

use std::time::Duration;

use postrider_dialects::{Dialect, native, standard_webhooks};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::webhook::SigningSecret;
use postrider_ports::clock::Random;
use postrider_ports::error::PortResult;
use postrider_ports::secrets::SIGNING;

use crate::draft::SigningDraft;
use crate::error::FieldFault;
use crate::http_target::Sealer;
use crate::random_text;

/// How long an old secret signs beside the new one unless said otherwise: a day to roll out the new one.
pub(crate) const DEFAULT_OVERLAP: Duration = Duration::from_hours(24);
/// Longest overlap: beyond a month an old secret is not being rotated but kept.
pub(crate) const LONGEST_OVERLAP: Duration = Duration::from_hours(30 * 24);
/// Most secrets that sign one request. Each makes the signature header longer.
const MOST_SECRETS: usize = 5;
/// Length of a given secret, in characters.
const SECRET_LENGTH: std::ops::RangeInclusive<usize> = 16..=256;

/// Decides which secrets a webhook has.
pub(crate) struct Signer<'a> {
    pub(crate) dialect: &'a dyn Dialect,
    pub(crate) sealer: &'a Sealer<'a>,
    pub(crate) random: &'a dyn Random,
    pub(crate) now: Timestamp,
}

/// The secrets after a change, and the one to be shown once if one was drawn.
#[derive(Default)]
pub(crate) struct Signed {
    pub(crate) secrets: Vec<SigningSecret>,
    pub(crate) drawn: Option<String>,
}

impl Signer<'_> {
    /// What a draft makes of the secrets there are.
    pub(crate) fn signed(
        &self,
        draft: &SigningDraft,
        before: &[SigningSecret],
        faults: &mut Vec<FieldFault>,
    ) -> PortResult<Signed> {
        match draft {
            SigningDraft::Off if self.dialect.needs_secret() => {
                let problem = format!("the dialect {} always signs", self.dialect.name());
                let fix = "leave `signing` out, or choose another dialect";
                faults.push(FieldFault::new("signing", "required", problem, fix));
                Ok(Signed::default())
            }
            SigningDraft::Off => Ok(Signed::default()),
            SigningDraft::With(secret) => {
                if let Err(fault) = check_secret(secret, "signing.secret") {
                    faults.push(fault);
                }
                Ok(Signed { secrets: vec![self.seal(secret)?], drawn: None })
            }
            SigningDraft::Unsaid | SigningDraft::On if !before.is_empty() => {
                Ok(Signed { secrets: before.to_vec(), drawn: None })
            }
            SigningDraft::Unsaid if !self.dialect.needs_secret() => Ok(Signed::default()),
            SigningDraft::Unsaid | SigningDraft::On => {
                let secret = self.draw();
                Ok(Signed { secrets: vec![self.seal(&secret)?], drawn: Some(secret) })
            }
        }
    }

    /// A new newest secret; those before sign beside it until `overlap` is over.
    pub(crate) fn rotated(
        &self,
        before: &[SigningSecret],
        given: Option<&str>,
        overlap: Duration,
    ) -> PortResult<Signed> {
        let drawn = given.is_none().then(|| self.draw());
        let secret = given.map(str::to_owned).or_else(|| drawn.clone()).unwrap_or_default();
        let end = self.now.plus(overlap);
        let mut secrets = vec![self.seal(&secret)?];
        let old = before.iter().filter(|one| one.expires_at.is_none_or(|at| self.now < at));
        secrets.extend(old.map(|one| SigningSecret {
            expires_at: Some(one.expires_at.map_or(end, |at| at.min(end))),
            ..one.clone()
        }));
        secrets.retain(|one| one.expires_at.is_none_or(|at| self.now < at));
        secrets.truncate(MOST_SECRETS);
        Ok(Signed { secrets, drawn })
    }

    fn draw(&self) -> String {
        match self.dialect.name() {
            native::NAME | standard_webhooks::NAME => {
                standard_webhooks::secret_from(random_text::bytes(self.random))
            }
            _ => random_text::hex_secret(self.random),
        }
    }

    fn seal(&self, secret: &str) -> PortResult<SigningSecret> {
        let secret = self.sealer.seal(SIGNING, secret)?;
        Ok(SigningSecret { secret, created_at: self.now, expires_at: None })
    }
}

/// Whether a given secret can sign. The fault does not repeat it.
pub(crate) fn check_secret(secret: &str, path: &str) -> Result<(), FieldFault> {
    let visible = secret.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
    if !visible || !SECRET_LENGTH.contains(&secret.len()) {
        let fix = "use 16 to 256 visible ASCII characters, or leave it out and one is drawn";
        return Err(FieldFault::new(path, "format", "it cannot be a signing secret", fix));
    }
    standard_webhooks::check_secret(secret).map_err(|error| {
        FieldFault::new(path, "format", error.to_string(), "give whsec_ and Base64, or any other text")
    })
}
