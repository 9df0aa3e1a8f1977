//! The suite for the key ring: what is sealed opens in its place and nowhere else, and is never shown.

use postrider_domain::id::SpaceId;
use postrider_domain::secret::Sealed;
use postrider_ports::error::{PortError, PortErrorKind};
use postrider_ports::secrets::{BASIC_AUTH, HEADER, Place, SIGNING, Secrets};

use super::{Bench, Checked, Fault, ensure, same, suite};
use crate::builders::space;

suite!(
    "secrets",
    dyn Secrets,
    [
        what_was_sealed_opens_in_its_place,
        it_opens_in_no_other_space,
        it_opens_for_no_other_owner,
        it_opens_as_no_other_field,
        places_never_run_together,
        every_changed_character_keeps_it_shut,
        a_cut_or_lengthened_text_stays_shut,
        what_was_never_sealed_stays_shut,
        an_unknown_key_is_named_and_may_come_back,
        two_seals_of_one_text_differ,
        a_secret_is_never_shown,
    ]
);

type SecretsBench<'h> = Bench<'h, dyn Secrets>;

const SECRET: &str = "correct horse battery staple";

/// The signing secret of the webhook `w`.
fn place(space: &SpaceId) -> Place<'_> {
    Place { space, owner: "w", field: SIGNING }
}

impl SecretsBench<'_> {
    /// Why it does not open there, and never will.
    fn refused(&self, place: Place<'_>, sealed: &Sealed, what: &str) -> Result<PortError, Fault> {
        let error = self.shut(place, sealed, what)?;
        same!(error.kind, PortErrorKind::Permanent, "the kind of the error, {what}");
        Ok(error)
    }

    /// Why it does not open there.
    fn shut(&self, place: Place<'_>, sealed: &Sealed, what: &str) -> Result<PortError, Fault> {
        let Err(error) = self.on.open(place, sealed) else {
            return Err(Fault::new(format!("it opens {what}")));
        };
        ensure!(!shown(&error).contains(SECRET), "the error shows the secret, {what}");
        Ok(error)
    }
}

/// Everything that an error can print, with all the errors underneath.
fn shown(error: &PortError) -> String {
    let mut texts = vec![format!("{error} {error:?}")];
    let mut below = std::error::Error::source(error);
    while let Some(error) = below {
        texts.push(format!("{error} {error:?}"));
        below = error.source();
    }
    texts.join(" ")
}

/// A sealed text in its three parts: version, key id, the rest.
fn parts(sealed: &Sealed) -> Result<[&str; 3], Fault> {
    let parts: Vec<&str> = sealed.as_str().splitn(3, '.').collect();
    parts.try_into().map_err(|_| Fault::new("a sealed text must read version.key.bytes"))
}

async fn what_was_sealed_opens_in_its_place(bench: &SecretsBench<'_>) -> Checked {
    let space = space("s");
    let long = "0123456789abcdef".repeat(1000);
    for text in ["", "x", SECRET, "Schlüssel \u{1F511}\n\0", &long] {
        for field in [SIGNING, BASIC_AUTH, HEADER] {
            let place = Place { field, ..place(&space) };
            let sealed = bench.on.seal(place, text)?;
            same!(bench.on.open(place, &sealed)?, text, "the opened text");
            same!(bench.on.open(place, &sealed)?, text, "the text, opened again");
        }
    }
    Ok(())
}

async fn it_opens_in_no_other_space(bench: &SecretsBench<'_>) -> Checked {
    let (here, there) = (space("s"), space("t"));
    let sealed = bench.on.seal(place(&here), SECRET)?;
    bench.refused(place(&there), &sealed, "in another space")?;
    Ok(())
}

async fn it_opens_for_no_other_owner(bench: &SecretsBench<'_>) -> Checked {
    let space = space("s");
    let sealed = bench.on.seal(place(&space), SECRET)?;
    bench.refused(Place { owner: "v", ..place(&space) }, &sealed, "for another owner")?;
    Ok(())
}

async fn it_opens_as_no_other_field(bench: &SecretsBench<'_>) -> Checked {
    let space = space("s");
    let sealed = bench.on.seal(place(&space), SECRET)?;
    for field in [BASIC_AUTH, HEADER] {
        bench.refused(Place { field, ..place(&space) }, &sealed, "as another field")?;
    }
    Ok(())
}

async fn places_never_run_together(bench: &SecretsBench<'_>) -> Checked {
    let (short, long) = (space("a"), space("ab"));
    let pairs = [
        (Place { space: &short, owner: "bc", field: "d" }, Place { space: &long, owner: "c", field: "d" }),
        (Place { space: &short, owner: "b", field: "cd" }, Place { space: &short, owner: "bc", field: "d" }),
    ];
    for (one, other) in pairs {
        let sealed = bench.on.seal(one, SECRET)?;
        bench.refused(other, &sealed, "in a place that is written alike")?;
    }
    Ok(())
}

async fn every_changed_character_keeps_it_shut(bench: &SecretsBench<'_>) -> Checked {
    let space = space("s");
    let sealed = bench.on.seal(place(&space), SECRET)?;
    let text: Vec<char> = sealed.as_str().chars().collect();
    let [version, key, _] = parts(&sealed)?;
    let id = version.len() + 1..version.len() + 1 + key.len();
    for at in 0..text.len() {
        // Characters of the text itself: the change is not refused for its spelling alone.
        let other = text.iter().rev().find(|other| **other != text[at]).copied();
        let mut changed = text.clone();
        changed[at] = other.ok_or_else(|| Fault::new("a sealed text must have two different characters"))?;
        let changed = Sealed::new(changed.into_iter().collect::<String>());
        let what = format!("with a change at {at}");
        if id.contains(&at) {
            // It names another key, which may be known or not.
            bench.shut(place(&space), &changed, &what)?;
        } else {
            bench.refused(place(&space), &changed, &what)?;
        }
    }
    Ok(())
}

async fn a_cut_or_lengthened_text_stays_shut(bench: &SecretsBench<'_>) -> Checked {
    let space = space("s");
    let sealed = bench.on.seal(place(&space), SECRET)?;
    let text = sealed.as_str();
    for at in 0..text.len() {
        let cut = Sealed::new(text.get(..at).ok_or_else(|| Fault::new("a sealed text must be ASCII"))?);
        bench.refused(place(&space), &cut, &format!("cut after {at} characters"))?;
    }
    for more in ["A", "AA", "AAAA", ".", " "] {
        let longer = Sealed::new(format!("{text}{more}"));
        bench.refused(place(&space), &longer, &format!("with {more:?} behind it"))?;
    }
    Ok(())
}

async fn what_was_never_sealed_stays_shut(bench: &SecretsBench<'_>) -> Checked {
    let space = space("s");
    let sealed = bench.on.seal(place(&space), SECRET)?;
    let [version, key, _] = parts(&sealed)?;
    // A secret that was stored as it is by mistake is not shown either: `refused` looks for it.
    let dotted = format!("{version}.{key}.{SECRET}");
    for text in ["", ".", "..", SECRET, &dotted] {
        bench.refused(
            place(&space),
            &Sealed::new(text),
            &format!("though it is {} bytes of nothing", text.len()),
        )?;
    }
    Ok(())
}

async fn an_unknown_key_is_named_and_may_come_back(bench: &SecretsBench<'_>) -> Checked {
    let space = space("s");
    let sealed = bench.on.seal(place(&space), SECRET)?;
    let [version, _, bytes] = parts(&sealed)?;
    let lost = Sealed::new(format!("{version}.lost-key-7.{bytes}"));
    let error = bench.shut(place(&space), &lost, "with a key that is not in the ring")?;
    same!(error.kind, PortErrorKind::Transient, "the kind of the error: the key can be put back");
    ensure!(error.to_string().contains("lost-key-7"), "the error must name the missing key: {error}");
    Ok(())
}

async fn two_seals_of_one_text_differ(bench: &SecretsBench<'_>) -> Checked {
    let space = space("s");
    let (one, other) = (bench.on.seal(place(&space), SECRET)?, bench.on.seal(place(&space), SECRET)?);
    ensure!(one.as_str() != other.as_str(), "who reads both sealed texts sees that the secrets are equal");
    for sealed in [one, other] {
        same!(bench.on.open(place(&space), &sealed)?, SECRET, "the opened text");
    }
    Ok(())
}

async fn a_secret_is_never_shown(bench: &SecretsBench<'_>) -> Checked {
    let (here, there) = (space("s"), space("t"));
    let sealed = bench.on.seal(place(&here), SECRET)?;
    ensure!(!sealed.as_str().contains(SECRET), "the sealed text shows the secret");
    let [_, _, bytes] = parts(&sealed)?;
    ensure!(!format!("{sealed:?}").contains(bytes), "what is printed of a sealed text shows its bytes");
    // Every other case looks into its errors through `refused`; here also for the sealed bytes.
    let error = bench.refused(place(&there), &sealed, "in another space")?;
    ensure!(!shown(&error).contains(bytes), "the error shows the sealed text");
    Ok(())
}
