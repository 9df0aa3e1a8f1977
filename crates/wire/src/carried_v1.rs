//! An event as it travels, version 1: its head, and its content or where that is.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use postrider_domain::event::{BodyRef, Carriage, Carried};
use postrider_domain::timestamp::Day;
use serde::{Deserialize, Serialize};

use crate::DecodeError;
use crate::content_v1::{self, ContentV1};
use crate::fields::{at, within};
use crate::head_v1::HeadV1;
use crate::object::Object;

/// Of `content` and `stored` one is there.
#[derive(Deserialize)]
pub(crate) struct CarriedV1<'a> {
    #[serde(borrow)]
    head: HeadV1<'a>,
    #[serde(borrow, default)]
    content: Option<ContentV1<'a>>,
    #[serde(borrow, default)]
    stored: Option<BodyRefV1<'a>>,
}

#[derive(Serialize, Deserialize)]
struct BodyRefV1<'a> {
    /// Days since 1970-01-01.
    day: i32,
    /// Base64 of the 32 bytes.
    #[serde(borrow)]
    sha256: Cow<'a, str>,
    /// How many bytes are stored.
    len: u32,
}

/// How many bytes the written form will have, or a little more: texts of a head seldom pass half a kilobyte.
pub(crate) fn size_hint(carried: &Carried) -> usize {
    match &carried.content {
        Carriage::Inline(content) => content.size() + 768,
        Carriage::Stored(_) => 768,
    }
}

pub(crate) fn write(out: &mut Vec<u8>, carried: &Carried) {
    let mut object = Object::open(out);
    object.field("head", &HeadV1::from(carried.head.as_ref()));
    match &carried.content {
        Carriage::Inline(content) => content_v1::write(object.name("content"), content),
        Carriage::Stored(body) => object.field(
            "stored",
            &BodyRefV1 { day: body.day.0, sha256: STANDARD.encode(body.sha256).into(), len: body.length },
        ),
    }
    object.close();
}

impl CarriedV1<'_> {
    pub(crate) fn into_domain(self) -> Result<Carried, DecodeError> {
        let content = match (self.content, self.stored) {
            (Some(content), _) => Carriage::Inline(Arc::new(content.into_domain()?)),
            (None, Some(stored)) => Carriage::Stored(stored.into_domain()?),
            (None, None) => {
                return Err(DecodeError::Malformed("event: neither content nor stored is there".into()));
            }
        };
        Ok(Carried { head: Arc::new(within("head", self.head.into_domain())?), content })
    }
}

impl BodyRefV1<'_> {
    fn into_domain(self) -> Result<BodyRef, DecodeError> {
        let bytes = at("stored.sha256", STANDARD.decode(self.sha256.as_bytes()))?;
        let sha256 = <[u8; 32]>::try_from(bytes.as_slice());
        Ok(BodyRef { day: Day(self.day), sha256: at("stored.sha256", sha256)?, length: self.len })
    }
}
