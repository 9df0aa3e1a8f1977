//! One event for up to sixteen webhooks, version 1.

use std::borrow::Cow;
use std::sync::Arc;

use postrider_domain::coalesce::{Rank, Window};
use postrider_domain::id::{EventId, WebhookId};
use postrider_domain::message::{DeliverMessage, Lane, Target};
use serde::{Deserialize, Serialize};

use crate::carried_v1::{self, CarriedV1};
use crate::coalesced_v1::CoalescedV1;
use crate::fields::{at, instant, named, within};
use crate::object::Object;
use crate::version::{self, V1};
use crate::{DecodeError, Wire};

#[derive(Deserialize)]
struct DeliverV1<'a> {
    #[serde(rename = "v")]
    _v: V1,
    #[serde(borrow)]
    lane: Cow<'a, str>,
    #[serde(borrow)]
    to: Vec<TargetV1<'a>>,
    #[serde(borrow)]
    event: CarriedV1<'a>,
}

#[derive(Serialize, Deserialize)]
struct TargetV1<'a> {
    /// The webhook.
    #[serde(borrow)]
    wh: Cow<'a, str>,
    /// The generation.
    #[serde(rename = "gen")]
    generation: u32,
    /// The attempt.
    n: u32,
    /// The coalescing window.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    win: Option<WindowV1<'a>>,
    /// What a call of the window stands for.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    all: Option<CoalescedV1<'a>>,
}

#[derive(Serialize, Deserialize)]
struct WindowV1<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    ends: i64,
    #[serde(borrow)]
    rank: RankV1<'a>,
}

#[derive(Serialize, Deserialize)]
struct RankV1<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ver: Option<i64>,
    at: i64,
    #[serde(borrow)]
    event: Cow<'a, str>,
}

impl Wire for DeliverMessage {
    fn encode(&self) -> Vec<u8> {
        // A target without a window takes under 112 bytes: 64 of id, two numbers, names.
        let mut out = Vec::with_capacity(carried_v1::size_hint(&self.event) + 112 * self.targets.len());
        let mut object = Object::open(&mut out);
        object.field("v", &V1);
        object.field("lane", &lane_name(self.lane));
        object.field("to", &self.targets.iter().map(TargetV1::from).collect::<Vec<_>>());
        carried_v1::write(object.name("event"), &self.event);
        object.close();
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let read: DeliverV1<'_> = version::read(bytes)?;
        let targets = read.to.into_iter().enumerate();
        Ok(Self {
            lane: named("lane", &read.lane, lane)?,
            targets: targets
                .map(|(index, target)| within(&format!("to[{index}]"), target.into_domain()))
                .collect::<Result<_, _>>()?,
            event: within("event", read.event.into_domain())?,
        })
    }
}

fn lane_name(lane: Lane) -> &'static str {
    match lane {
        Lane::Fresh => "fresh",
        Lane::Late => "late",
        Lane::Bulk => "bulk",
    }
}

fn lane(name: &str) -> Option<Lane> {
    Lane::ALL.into_iter().find(|lane| lane_name(*lane) == name)
}

impl<'a> From<&'a Target> for TargetV1<'a> {
    fn from(target: &'a Target) -> Self {
        Self {
            wh: target.webhook.as_str().into(),
            generation: target.generation,
            n: target.attempt,
            win: target.window.as_ref().map(|window| WindowV1 {
                key: window.key.as_str().into(),
                ends: window.ends_at.unix_ms(),
                rank: RankV1 {
                    ver: window.rank.version,
                    at: window.rank.occurred_at.unix_ms(),
                    event: window.rank.event.as_str().into(),
                },
            }),
            all: target.coalesced.as_deref().map(CoalescedV1::from),
        }
    }
}

impl TargetV1<'_> {
    fn into_domain(self) -> Result<Target, DecodeError> {
        Ok(Target {
            webhook: at("wh", WebhookId::new(&self.wh))?,
            generation: self.generation,
            attempt: self.n,
            window: self.win.map(WindowV1::into_domain).transpose()?,
            coalesced: self.all.map(|all| within("all", all.into_domain())).transpose()?.map(Arc::new),
        })
    }
}

impl WindowV1<'_> {
    fn into_domain(self) -> Result<Window, DecodeError> {
        Ok(Window {
            key: self.key.into_owned(),
            ends_at: instant(self.ends),
            rank: Rank {
                version: self.rank.ver,
                occurred_at: instant(self.rank.at),
                event: at("win.rank.event", EventId::new(&self.rank.event))?,
            },
        })
    }
}
