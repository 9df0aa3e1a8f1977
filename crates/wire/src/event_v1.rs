//! An accepted event on its way to be matched, version 1.

use postrider_domain::message::EventMessage;
use serde::Deserialize;

use crate::carried_v1::{self, CarriedV1};
use crate::fields::within;
use crate::object::Object;
use crate::version::{self, V1};
use crate::{DecodeError, Wire};

#[derive(Deserialize)]
struct EventV1<'a> {
    #[serde(rename = "v")]
    _v: V1,
    #[serde(borrow)]
    event: CarriedV1<'a>,
}

impl Wire for EventMessage {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(carried_v1::size_hint(&self.event));
        let mut object = Object::open(&mut out);
        object.field("v", &V1);
        carried_v1::write(object.name("event"), &self.event);
        object.close();
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let read: EventV1<'_> = version::read(bytes)?;
        Ok(Self { event: within("event", read.event.into_domain())? })
    }
}
