//! What the demo does and what must come of it: data, read from `crates/cli/demo/`.

use std::collections::HashMap;

use anyhow::Context as _;
use serde_json::Value;
use serde_json::value::RawValue;

const EVENTS: &str = include_str!("../../demo/events.json");
const WEBHOOKS: &str = include_str!("../../demo/webhooks.json");

macro_rules! payloads {
    ($($name:literal),+ $(,)?) => { &[$(($name, include_str!(concat!("../../demo/", $name)))),+] };
}

/// The payloads, byte for byte as they are published.
const PAYLOADS: &[(&str, &str)] = payloads![
    "cometcms-content-published.json",
    "contentful-asset-delete.json",
    "contentful-auto-save-1.json",
    "contentful-auto-save-2.json",
    "contentful-auto-save-3.json",
    "contentstack-asset-publish.json",
    "contentstack-comment-update.json",
    "contentstack-entry-update.json",
    "contentstack-release-asset-publish.json",
    "contentstack-release-deploy.json",
    "contentstack-release-entry-publish.json",
    "contismo-article-transitioned.json",
    "contismo-page-transitioned.json",
    "datocms-item-update.json",
];

/// The whole script.
#[derive(Debug, Clone)]
pub struct Script {
    /// What is published, in this order.
    pub events: Vec<ScriptEvent>,
    /// Who is called.
    pub webhooks: Vec<ScriptWebhook>,
}

/// An event of the script.
#[derive(Debug, Clone)]
pub struct ScriptEvent {
    /// Its id.
    pub id: String,
    /// The CMS it stands for.
    pub origin: String,
    /// Whether its payload is printed in that CMS's documentation; else it is ours.
    pub printed: bool,
    /// What had to be repaired of the printed payload.
    pub repaired: Option<String>,
    /// `Type.action`.
    pub topic: String,
    /// The native event as published.
    pub body: Box<RawValue>,
    /// Its `data`, as text.
    pub data: String,
    /// The resource's id.
    pub resource: String,
}

/// A webhook of the script.
#[derive(Debug, Clone)]
pub struct ScriptWebhook {
    /// Its name, and its path at the receiver.
    pub name: String,
    /// How the receiver behaves.
    pub behaviour: Behaviour,
    /// What it is there to show.
    pub tells: String,
    /// Its definition, without name and URL.
    pub definition: Value,
    /// What must come of it.
    pub expect: Vec<Expectation>,
}

/// How the receiver answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// 200 at once.
    Succeeds,
    /// 200 after a while.
    Slow,
    /// 503 twice for each message, then 200.
    FailsTwice,
    /// 500 for ever.
    Refuses,
}

/// What must come of some events at one webhook. Every other event must not reach it.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// Their ids.
    pub events: Vec<String>,
    /// The state of each delivery.
    pub outcome: String,
    /// The calls of each delivery.
    pub calls: usize,
}

impl Script {
    /// Reads the embedded script.
    ///
    /// # Errors
    /// When a file of it is not as it must be; a test holds that it is.
    pub fn load() -> anyhow::Result<Self> {
        let payloads: HashMap<_, _> = PAYLOADS.iter().copied().collect();
        let events: Vec<Value> = serde_json::from_str(EVENTS).context("events.json")?;
        let webhooks: Vec<Value> = serde_json::from_str(WEBHOOKS).context("webhooks.json")?;
        Ok(Self {
            events: events.iter().map(|event| read_event(event, &payloads)).collect::<Result<_, _>>()?,
            webhooks: webhooks.iter().map(read_webhook).collect::<Result<_, _>>()?,
        })
    }

    /// How many deliveries there must be.
    pub fn deliveries(&self) -> usize {
        self.webhooks.iter().flat_map(|webhook| &webhook.expect).map(|expected| expected.events.len()).sum()
    }
}

impl Behaviour {
    /// As it stands in the path of the receiver.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeds => "succeeds",
            Self::Slow => "slow",
            Self::FailsTwice => "fails-twice",
            Self::Refuses => "refuses",
        }
    }

    /// Reads it from the path.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Succeeds, Self::Slow, Self::FailsTwice, Self::Refuses]
            .into_iter()
            .find(|one| one.as_str() == text)
    }
}

fn read_event(value: &Value, payloads: &HashMap<&str, &str>) -> anyhow::Result<ScriptEvent> {
    let text = |pointer| text_at(value, pointer);
    let name = text("/payload")?;
    let data =
        payloads.get(name.as_str()).with_context(|| format!("there is no payload {name}"))?.trim().to_owned();
    let head = value.get("event").map(Value::to_string).context("an entry has no event")?;
    // The payload goes in as text: data is kept byte for byte, and parsing here would already reorder it.
    let body = format!("{},\"data\":{data}}}", head.strip_suffix('}').context("an event is no object")?);
    Ok(ScriptEvent {
        id: text("/event/id")?,
        origin: text("/origin")?,
        printed: value["printed"] == Value::Bool(true),
        repaired: text("/repaired").ok(),
        topic: format!("{}.{}", text("/event/type")?, text("/event/action")?),
        body: RawValue::from_string(body).with_context(|| format!("payload {name}"))?,
        data,
        resource: text("/event/resource/id")?,
    })
}

fn read_webhook(value: &Value) -> anyhow::Result<ScriptWebhook> {
    let behaviour = text_at(value, "/receiver")?;
    let expect = value["expect"].as_array().context("a webhook expects nothing")?;
    Ok(ScriptWebhook {
        name: text_at(value, "/name")?,
        behaviour: Behaviour::parse(&behaviour).with_context(|| format!("no receiver {behaviour}"))?,
        tells: text_at(value, "/tells")?,
        definition: value["definition"].clone(),
        expect: expect.iter().map(read_expectation).collect::<Result<_, _>>()?,
    })
}

fn read_expectation(value: &Value) -> anyhow::Result<Expectation> {
    let events = value["events"].as_array().context("an expectation names no events")?;
    Ok(Expectation {
        events: events.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        outcome: text_at(value, "/outcome")?,
        calls: usize::try_from(value["calls"].as_u64().context("an expectation says no number of calls")?)?,
    })
}

fn text_at(value: &Value, pointer: &str) -> anyhow::Result<String> {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .map(str::to_owned)
        .with_context(|| format!("{pointer} is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_names_only_events_that_it_publishes() {
        let script = Script::load().expect("the script is well-formed");
        let known: Vec<_> = script.events.iter().map(|event| event.id.as_str()).collect();
        for webhook in &script.webhooks {
            for id in webhook.expect.iter().flat_map(|expected| &expected.events) {
                assert!(known.contains(&id.as_str()), "{}: {id}", webhook.name);
            }
        }
        assert!(script.deliveries() > script.events.len());
    }

    #[test]
    fn three_printed_payloads_were_broken_and_what_is_ours_is_marked() {
        let script = Script::load().expect("the script is well-formed");
        assert_eq!(script.events.iter().filter(|event| event.repaired.is_some()).count(), 3);
        for event in &script.events {
            let ours = matches!(event.origin.as_str(), "Contentful" | "Contismo");
            assert_eq!(event.printed, !ours, "{}", event.id);
        }
    }
}
