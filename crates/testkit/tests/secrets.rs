//! A plain key ring passes the suite, and broken ones are rejected by the case that is about what they break.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use postrider_domain::secret::Sealed;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::secrets::{Place, Secrets};
use postrider_testkit::conformance;
use postrider_testkit::ring::MemoryRing;
use sha2::{Digest, Sha256};

/// What is wrong with a key ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    OpensAsciiOnly,
    ForgetsTheSpace,
    ForgetsTheOwner,
    ForgetsTheField,
    RunsPlacesTogether,
    ForgivesAChange,
    ForgivesWhatFollows,
    TakesPlainText,
    NamesNoKey,
    GivesAKeyUp,
    SealsAlike,
    SealsNothing,
    ShowsTheSealed,
    ShowsTheSecret,
    SaysTryAgain,
}

/// `v1.k1.<hex(nonce ‖ text ⊕ key stream ‖ hash)>`: enough of a cipher for a test, and for nothing else.
struct Flawed {
    flaw: Flaw,
    sealed: AtomicU64,
}

const NONCE: usize = 8;
const HASH: usize = 32;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

/// Lower case only, so that every spelling is the only one.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| b"0123456789abcdef".iter().position(|known| *known == byte);
    let pair = |pair: &[u8]| u8::try_from(digit(pair[0])? * 16 + digit(*pair.get(1)?)?).ok();
    text.as_bytes().chunks(2).map(pair).collect()
}

fn hash(parts: &[&[u8]]) -> [u8; HASH] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// The text with the key stream of this nonce over it; twice is the text again.
fn scrambled(text: &[u8], nonce: &[u8]) -> Vec<u8> {
    let blocks = text.chunks(HASH).zip(0_u64..);
    let mix = |(block, number): (&[u8], u64)| {
        let stream = hash(&[b"key", nonce, &number.to_be_bytes()]);
        block.iter().zip(stream).map(|(byte, key)| byte ^ key).collect::<Vec<_>>()
    };
    blocks.flat_map(mix).collect()
}

impl Flawed {
    fn bound_to(&self, place: Place<'_>) -> Vec<u8> {
        let space = if self.flaw == Flaw::ForgetsTheSpace { "" } else { place.space.as_str() };
        let owner = if self.flaw == Flaw::ForgetsTheOwner { "" } else { place.owner };
        let field = if self.flaw == Flaw::ForgetsTheField { "" } else { place.field };
        let between = if self.flaw == Flaw::RunsPlacesTogether { "" } else { "/" };
        [space, owner, field].join(between).into_bytes()
    }

    fn refuse(&self, why: &str, sealed: &Sealed, opened: &[u8]) -> PortError {
        let text = match self.flaw {
            Flaw::ShowsTheSealed => format!("{why}: {}", sealed.as_str()),
            Flaw::ShowsTheSecret => format!("{why}: {}", String::from_utf8_lossy(opened)),
            _ => why.to_owned(),
        };
        if self.flaw == Flaw::SaysTryAgain { PortError::transient(text) } else { PortError::permanent(text) }
    }
}

impl Secrets for Flawed {
    fn seal(&self, place: Place<'_>, secret: &str) -> PortResult<Sealed> {
        if self.flaw == Flaw::SealsNothing {
            return Ok(Sealed::new(format!("v1.k1.{secret}")));
        }
        let drawn = self.sealed.fetch_add(1, Ordering::Relaxed);
        let nonce = if self.flaw == Flaw::SealsAlike { 0 } else { drawn }.to_be_bytes();
        let text = scrambled(secret.as_bytes(), &nonce);
        let proof = hash(&[b"key", &self.bound_to(place), &nonce, &text]);
        Ok(Sealed::new(format!("v1.k1.{}", hex(&[nonce.as_slice(), &text, &proof].concat()))))
    }

    fn open(&self, place: Place<'_>, sealed: &Sealed) -> PortResult<String> {
        let broken = || self.refuse("it was changed or moved", sealed, b"");
        let rest = sealed.as_str().strip_prefix("v1.").ok_or_else(|| match self.flaw {
            Flaw::ShowsTheSecret => self.refuse("this is no sealed text", sealed, sealed.as_str().as_bytes()),
            _ => broken(),
        });
        if self.flaw == Flaw::TakesPlainText && rest.is_err() {
            return Ok(sealed.as_str().to_owned());
        }
        let (key, text) = rest?.split_once('.').ok_or_else(broken)?;
        if key != "k1" {
            let name = if self.flaw == Flaw::NamesNoKey { "a key" } else { key };
            let refused = self.refuse(&format!("{name} is not in the ring"), sealed, b"");
            let given_up = self.flaw == Flaw::GivesAKeyUp;
            return Err(if given_up { refused } else { PortError::transient(refused.message) });
        }
        if self.flaw == Flaw::SealsNothing {
            return Ok(text.to_owned());
        }
        let text = match self.flaw {
            Flaw::ForgivesWhatFollows => {
                text.trim_end_matches(|end: char| !end.is_ascii_hexdigit() || end == 'A')
            }
            _ => text,
        };
        let bytes = unhex(text).ok_or_else(broken)?;
        let (nonce, rest) = bytes.split_at_checked(NONCE).ok_or_else(broken)?;
        let end = rest.len().checked_sub(HASH).ok_or_else(broken)?;
        let (text, proof) = rest.split_at(end);
        let opened = scrambled(text, nonce);
        if proof != hash(&[b"key", &self.bound_to(place), nonce, text]) && self.flaw != Flaw::ForgivesAChange
        {
            return Err(self.refuse("it was changed or moved", sealed, &opened));
        }
        if self.flaw == Flaw::OpensAsciiOnly {
            return Ok(opened.into_iter().filter(u8::is_ascii).map(char::from).collect());
        }
        Ok(String::from_utf8_lossy(&opened).into_owned())
    }
}

async fn check(flaw: Flaw) -> conformance::Report {
    let make = move |_| -> Arc<dyn Secrets> { Arc::new(Flawed { flaw, sealed: AtomicU64::new(1) }) };
    conformance::secrets::check(&make).await
}

#[tokio::test(start_paused = true)]
async fn a_plain_key_ring_passes() {
    check(Flaw::None).await.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn the_ring_in_memory_passes() {
    conformance::secrets::run(&|_| Arc::new(MemoryRing::new("k1")) as _).await;
}

#[tokio::test(start_paused = true)]
async fn the_suite_for_secrets_rejects_what_is_broken() {
    for (flaw, case) in [
        (Flaw::OpensAsciiOnly, "what_was_sealed_opens_in_its_place"),
        (Flaw::ForgetsTheSpace, "it_opens_in_no_other_space"),
        (Flaw::ForgetsTheOwner, "it_opens_for_no_other_owner"),
        (Flaw::ForgetsTheField, "it_opens_as_no_other_field"),
        (Flaw::RunsPlacesTogether, "places_never_run_together"),
        (Flaw::ForgivesAChange, "every_changed_character_keeps_it_shut"),
        (Flaw::SaysTryAgain, "every_changed_character_keeps_it_shut"),
        (Flaw::ForgivesWhatFollows, "a_cut_or_lengthened_text_stays_shut"),
        (Flaw::TakesPlainText, "what_was_never_sealed_stays_shut"),
        (Flaw::ShowsTheSecret, "what_was_never_sealed_stays_shut"),
        (Flaw::NamesNoKey, "an_unknown_key_is_named_and_may_come_back"),
        (Flaw::GivesAKeyUp, "an_unknown_key_is_named_and_may_come_back"),
        (Flaw::SealsAlike, "two_seals_of_one_text_differ"),
        (Flaw::SealsNothing, "a_secret_is_never_shown"),
        (Flaw::ShowsTheSealed, "a_secret_is_never_shown"),
        (Flaw::ShowsTheSecret, "a_secret_is_never_shown"),
    ] {
        check(flaw).await.assert_rejected(case);
    }
}
