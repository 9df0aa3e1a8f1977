//! What a coalesced call stands for, version 1: in messages beside their target, and event by event in the cache of windows.

use std::borrow::Cow;

use postrider_domain::gathering::{Coalesced, CoalescedEvent};
use postrider_domain::id::EventId;
use postrider_domain::topic::{Action, EventType};
use serde::{Deserialize, Serialize};

use crate::fields::{at, instant, within};
use crate::version::{self, V1};
use crate::{DecodeError, Wire};

#[derive(Serialize, Deserialize)]
pub(crate) struct CoalescedV1<'a> {
    /// How many events.
    n: u64,
    /// Those that are listed.
    #[serde(borrow, default)]
    events: Vec<CoalescedEventV1<'a>>,
}

#[derive(Serialize, Deserialize)]
struct CoalescedEventV1<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    action: Cow<'a, str>,
    /// The resource's id.
    #[serde(borrow)]
    res: Cow<'a, str>,
    /// When it happened.
    at: i64,
}

#[derive(Serialize, Deserialize)]
struct EnvelopeV1<'a> {
    v: V1,
    #[serde(borrow)]
    event: CoalescedEventV1<'a>,
}

impl Wire for CoalescedEvent {
    fn encode(&self) -> Vec<u8> {
        version::write(&EnvelopeV1 { v: V1, event: CoalescedEventV1::from(self) })
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        version::read::<EnvelopeV1<'_>>(bytes)?.event.into_domain()
    }
}

impl<'a> From<&'a Coalesced> for CoalescedV1<'a> {
    fn from(coalesced: &'a Coalesced) -> Self {
        Self { n: coalesced.count, events: coalesced.events.iter().map(CoalescedEventV1::from).collect() }
    }
}

impl<'a> From<&'a CoalescedEvent> for CoalescedEventV1<'a> {
    fn from(event: &'a CoalescedEvent) -> Self {
        Self {
            id: event.id.as_str().into(),
            event_type: event.event_type.as_str().into(),
            action: event.action.as_str().into(),
            res: event.resource.as_str().into(),
            at: event.occurred_at.unix_ms(),
        }
    }
}

impl CoalescedV1<'_> {
    pub(crate) fn into_domain(self) -> Result<Coalesced, DecodeError> {
        let events = self.events.into_iter().enumerate();
        let events = events.map(|(index, event)| within(&format!("events[{index}]"), event.into_domain()));
        Ok(Coalesced { count: self.n, events: events.collect::<Result<_, _>>()? })
    }
}

impl CoalescedEventV1<'_> {
    fn into_domain(self) -> Result<CoalescedEvent, DecodeError> {
        Ok(CoalescedEvent {
            id: at("id", EventId::new(&self.id))?,
            event_type: at("type", EventType::new(&self.event_type))?,
            action: at("action", Action::new(&self.action))?,
            resource: self.res.into_owned(),
            occurred_at: instant(self.at),
        })
    }
}
