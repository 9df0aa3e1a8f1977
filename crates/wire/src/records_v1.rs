//! A batch for the log, version 1. Each record is an object of one field that says which kind it is.

use std::borrow::Cow;

use postrider_domain::delivery::{DeliveryId, DeliveryState};
use postrider_domain::message::RecordsMessage;
use postrider_domain::record::{MatchRecord, Record, SettledRecord};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::call_v1::{CallV1, DeliveryRefV1};
use crate::carried_v1::{self, CarriedV1};
use crate::decisions_v1::{self, DecisionV1};
use crate::fields::{at, instant, named, within};
use crate::object::Object;
use crate::version::{self, V1};
use crate::{DecodeError, Wire};

#[derive(Deserialize)]
struct RecordsV1<'a> {
    #[serde(rename = "v")]
    _v: V1,
    #[serde(borrow)]
    records: Vec<RecordV1<'a>>,
}

#[derive(Deserialize)]
enum RecordV1<'a> {
    #[serde(rename = "match", borrow)]
    Matched(Box<MatchedV1<'a>>),
    #[serde(rename = "call", borrow)]
    Call(Box<CallV1<'a>>),
    #[serde(rename = "settled", borrow)]
    Settled(Box<SettledV1<'a>>),
}

#[derive(Deserialize)]
struct MatchedV1<'a> {
    at: i64,
    #[serde(borrow)]
    decisions: Vec<DecisionV1<'a>>,
    #[serde(default)]
    unlisted: u32,
    /// Which part of a large fan-out; absent for the first.
    #[serde(default)]
    part: u32,
    #[serde(borrow)]
    event: CarriedV1<'a>,
}

#[derive(Serialize, Deserialize)]
struct SettledV1<'a> {
    #[serde(borrow)]
    of: DeliveryRefV1<'a>,
    #[serde(borrow)]
    state: Cow<'a, str>,
    /// Attempts made before.
    n: u32,
    #[serde(borrow)]
    reason: Cow<'a, str>,
    /// The delivery that superseded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<Cow<'a, str>>,
    at: i64,
}

impl Wire for RecordsMessage {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut object = Object::open(&mut out);
        object.field("v", &V1);
        let list = object.name("records");
        list.push(b'[');
        for (index, record) in self.records.iter().enumerate() {
            if index > 0 {
                list.push(b',');
            }
            write(list, record);
        }
        list.push(b']');
        object.close();
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let read: RecordsV1<'_> = version::read(bytes)?;
        let numbered = read.records.into_iter().enumerate();
        let records =
            numbered.map(|(index, record)| within(&format!("records[{index}]"), record.into_domain()));
        Ok(Self { records: records.collect::<Result<_, _>>()? })
    }
}

fn write(out: &mut Vec<u8>, record: &Record) {
    let mut object = Object::open(out);
    match record {
        Record::Matched(matched) => write_matched(object.name("match"), matched),
        Record::Call(call) => object.field("call", &CallV1::from(call.as_ref())),
        Record::Settled(settled) => object.field("settled", &SettledV1::from(settled)),
    }
    object.close();
}

fn write_matched(out: &mut Vec<u8>, matched: &MatchRecord) {
    let mut object = Object::open(out);
    object.field("at", &matched.at.unix_ms());
    object.field("decisions", &decisions_v1::lent(&matched.decisions));
    object.field("unlisted", &matched.unlisted);
    if matched.part > 0 {
        object.field("part", &matched.part);
    }
    carried_v1::write(object.name("event"), &matched.event);
    object.close();
}

impl<'a> From<&'a SettledRecord> for SettledV1<'a> {
    fn from(settled: &'a SettledRecord) -> Self {
        Self {
            of: DeliveryRefV1::from(&settled.delivery),
            state: settled.state.as_str().into(),
            n: settled.attempt,
            reason: settled.reason.as_str().into(),
            by: settled.by.map(|by| by.to_string().into()),
            at: settled.at.unix_ms(),
        }
    }
}

impl RecordV1<'_> {
    fn into_domain(self) -> Result<Record, DecodeError> {
        match self {
            Self::Matched(matched) => within("match", matched.into_domain()).map(Record::Matched),
            Self::Call(call) => within("call", call.into_domain()).map(|call| Record::Call(Box::new(call))),
            Self::Settled(settled) => within("settled", settled.into_domain()).map(Record::Settled),
        }
    }
}

impl MatchedV1<'_> {
    fn into_domain(self) -> Result<MatchRecord, DecodeError> {
        Ok(MatchRecord {
            event: within("event", self.event.into_domain())?,
            decisions: decisions_v1::into_domain(self.decisions)?,
            unlisted: self.unlisted,
            part: self.part,
            at: instant(self.at),
        })
    }
}

impl SettledV1<'_> {
    fn into_domain(self) -> Result<SettledRecord, DecodeError> {
        let by = self.by.map(|by| at("by", Uuid::try_parse(&by)).map(DeliveryId));
        Ok(SettledRecord {
            delivery: within("of", self.of.into_domain())?,
            state: named("state", &self.state, DeliveryState::parse)?,
            attempt: self.n,
            reason: self.reason.into_owned(),
            by: by.transpose()?,
            at: instant(self.at),
        })
    }
}
