//! From bytes to events: what they hold, and every fault in them.

use postrider_dialects::{Dialect, ReadErrors, Received, cloudevents, depth, native};
use postrider_domain::event::Event;
use postrider_domain::id::{EventId, Scope};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Random;
use serde::de::Deserializer as _;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::Settings;
use crate::form::Form;
use crate::problem::{Detail, Kind, Problem};
use crate::slices::Slices;

/// What a door took in.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// How to read it.
    pub form: Form,
    /// Its `ce-*` headers.
    pub attributes: &'a [(String, String)],
    /// What it says it is.
    pub content_type: Option<&'a str>,
    /// The bytes.
    pub body: &'a [u8],
}

/// One event that may be accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    /// The event.
    pub event: Event,
    /// Whether its publisher gave the id, so that it may come twice.
    pub is_named: bool,
    /// SHA-256 of environment and bytes as they came: the same id with another one is another event.
    pub sha256: [u8; 32],
}

/// Reads what comes in for one scope at one instant.
pub struct Reader<'a> {
    /// The limits.
    pub settings: &'a Settings,
    /// Where it was sent.
    pub scope: &'a Scope,
    /// When.
    pub now: Timestamp,
    /// For ids that publishers leave to us.
    pub random: &'a dyn Random,
}

impl Reader<'_> {
    /// Reads every event. One fault anywhere refuses the whole input, and every fault is named.
    pub fn read(&self, input: &Input<'_>) -> Result<Vec<Submission>, Problem> {
        let text = utf8(input.body)?;
        let is_array = text.trim_ascii_start().starts_with('[');
        match input.form {
            Form::Native if is_array => self.read_array(text, |one| self.native(one)),
            Form::Native => self.read_one(text, |one| self.native(one)),
            Form::Structured => self.read_one(text, |one| self.structured(one)),
            Form::Batch => self.read_array(text, |one| self.structured(one)),
            Form::Binary if text.trim_ascii().is_empty() => judge(vec![self.binary(input, text)]),
            Form::Binary => self.read_one(text, |one| self.binary(input, one)),
        }
    }

    /// Reads a CMS's own webhook, found genuine, into its event.
    pub fn read_webhook(
        &self,
        dialect: &dyn Dialect,
        received: &Received<'_>,
    ) -> Result<Vec<Submission>, Problem> {
        self.read_one(received.body, |_| {
            let event = dialect.read(received)?;
            let is_named = event.head.id != *received.fallback_id;
            // An id that is derived from a CMS's payload stands for all that it was derived from: what else may differ in a
            // repeat makes no other event of it. Under an id that was given, other bytes are another event.
            let told = if event.content.source.is_some() { event.head.id.as_str() } else { received.body };
            let sha256 = self.fingerprint(&[told]);
            Ok(Submission { event, is_named, sha256 })
        })
    }

    fn read_one<'t>(
        &self,
        text: &'t str,
        read: impl FnOnce(&'t str) -> Result<Submission, ReadErrors>,
    ) -> Result<Vec<Submission>, Problem> {
        let raw: &'t RawValue = serde_json::from_str(text).map_err(|error| malformed(&error))?;
        self.check_slices(&[raw])?;
        judge(vec![read(raw.get())])
    }

    fn read_array<'t>(
        &self,
        text: &'t str,
        read: impl Fn(&'t str) -> Result<Submission, ReadErrors>,
    ) -> Result<Vec<Submission>, Problem> {
        let most = self.settings.max_batch_events;
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let slices = deserializer.deserialize_seq(Slices { most }).map_err(|error| malformed(&error))?;
        deserializer.end().map_err(|error| malformed(&error))?;
        if slices.count > most {
            let message = format!("the request holds {} events, more than {most}", slices.count);
            return Err(Problem::new(Kind::TooLarge, message, format!("send at most {most} in one request")));
        }
        if slices.count == 0 {
            let message = "the array holds no events";
            return Err(Problem::new(Kind::InvalidEvent, message, "send at least one event"));
        }
        self.check_slices(&slices.kept)?;
        judge(slices.kept.iter().map(|raw| read(raw.get())).collect())
    }

    /// Refuses events that are too large or nested too deeply, before anything recurses into them.
    fn check_slices(&self, slices: &[&RawValue]) -> Result<(), Problem> {
        let most = self.settings.max_event_bytes;
        let fix = format!("send at most {most} bytes per event; name large media by their URL");
        let large = faulty(slices, &fix, |text| {
            (text.len() > most).then(|| format!("has {} bytes, more than {most}", text.len()))
        });
        if !large.is_empty() {
            let message = format!("{} larger than {most} bytes", are(large.len()));
            return Err(Problem::listed(Kind::TooLarge, message, fix, large));
        }
        let most = self.settings.max_depth;
        let fix = format!("nest at most {most} objects and arrays into each other");
        let deep = faulty(slices, &fix, |text| {
            (depth(text) > most).then(|| format!("is nested deeper than {most} levels"))
        });
        if !deep.is_empty() {
            let message = format!("{} nested deeper than {most} levels", are(deep.len()));
            return Err(Problem::listed(Kind::InvalidEvent, message, fix, deep));
        }
        Ok(())
    }

    fn native(&self, text: &str) -> Result<Submission, ReadErrors> {
        let drawn = self.draw_id();
        let event = native::read(text, self.scope, self.now, drawn.clone())?;
        let is_named = event.head.id != drawn;
        Ok(Submission { event, is_named, sha256: self.fingerprint(&[text]) })
    }

    fn structured(&self, text: &str) -> Result<Submission, ReadErrors> {
        let event = cloudevents::read_structured(text, self.scope, self.now)?;
        Ok(Submission { event, is_named: true, sha256: self.fingerprint(&[text]) })
    }

    fn binary(&self, input: &Input<'_>, text: &str) -> Result<Submission, ReadErrors> {
        let pairs = || input.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let event = cloudevents::read_binary(pairs(), input.content_type, text, self.scope, self.now)?;
        // Headers have no order that survives a proxy.
        let mut parts = pairs().collect::<Vec<_>>();
        parts.sort_unstable();
        let parts =
            parts.into_iter().flat_map(|(name, value)| [name, value]).chain([text]).collect::<Vec<_>>();
        Ok(Submission { event, is_named: true, sha256: self.fingerprint(&parts) })
    }

    /// The environment counts, because ids are unique in the space: the same bytes for another environment are another
    /// event. Parts are kept apart by NUL, which neither environments, headers nor JSON contain.
    fn fingerprint(&self, parts: &[&str]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(self.scope.environment.as_str());
        for part in parts {
            hash.update([0]);
            hash.update(part);
        }
        hash.finalize().into()
    }

    /// A UUIDv7 (RFC 9562 §5.7), so that ids we draw sort by time.
    pub(crate) fn draw_id(&self) -> EventId {
        let mut bytes = [0; 10];
        self.random.fill(&mut bytes);
        let unix_ms = u64::try_from(self.now.unix_ms()).unwrap_or(0);
        let uuid = uuid::Builder::from_unix_timestamp_millis(unix_ms, &bytes).into_uuid();
        EventId::new(&uuid.to_string()).expect("a UUID is 36 of the characters an event id may have")
    }
}

/// All events, or everything that is wrong with any of them.
fn judge(read: Vec<Result<Submission, ReadErrors>>) -> Result<Vec<Submission>, Problem> {
    let (mut good, mut details, mut faulty) = (Vec::with_capacity(read.len()), Vec::new(), 0);
    let total = read.len();
    for (index, one) in read.into_iter().enumerate() {
        match one {
            Ok(submission) => good.push(submission),
            Err(faults) => {
                faulty += 1;
                details.extend(faults.into_iter().map(|fault| Detail::found(index, fault)));
            }
        }
    }
    if faulty == 0 {
        return Ok(good);
    }
    let message = match (total, details.first()) {
        (1, Some(first)) => {
            let place = if first.path.is_empty() { "the event" } else { &first.path };
            format!("the event is not valid: {place} {}", first.problem)
        }
        _ => format!("{faulty} of {total} events are not valid; none was accepted"),
    };
    Err(Problem::listed(
        Kind::InvalidEvent,
        message,
        "correct what details lists and send all of it again",
        details,
    ))
}

/// The events of which something bad can be said.
fn faulty(slices: &[&RawValue], fix: &str, is_bad: impl Fn(&str) -> Option<String>) -> Vec<Detail> {
    let detail = |(index, raw): (usize, &&RawValue)| {
        Some(Detail { index, path: String::new(), problem: is_bad(raw.get())?, fix: fix.to_owned() })
    };
    slices.iter().enumerate().filter_map(detail).collect()
}

fn are(count: usize) -> String {
    if count == 1 { "one event is".to_owned() } else { format!("{count} events are") }
}

pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, Problem> {
    std::str::from_utf8(bytes).map_err(|error| {
        let message = format!("the body is not UTF-8 from byte {} on", error.valid_up_to());
        Problem::new(Kind::InvalidUtf8, message, "send the JSON in UTF-8")
    })
}

fn malformed(error: &serde_json::Error) -> Problem {
    if error.is_data() {
        let message = "the body must be an array of events";
        return Problem::new(Kind::InvalidEvent, message, "put the event into [ … ]");
    }
    let message = format!("the body is not well-formed JSON: {error}");
    Problem::new(Kind::MalformedJson, message, "correct the body at that line and column")
}
