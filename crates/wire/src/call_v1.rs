//! One call as it was sent and answered, version 1.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use postrider_domain::call::{CallRecord, Failure, RecordedRequest, RecordedResponse, Timings};
use postrider_domain::delivery::{DeliveryRef, DeliveryState};
use postrider_domain::id::{CallId, WebhookId};
use postrider_domain::outcome::FailureKind;
use postrider_domain::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::fields::{at, body, body_fields, instant, named, to_ms, to_us, within};
use crate::head_v1::HeadV1;
use crate::version::{self, V1};
use crate::{DecodeError, Wire};

#[derive(Serialize, Deserialize)]
pub(crate) struct CallV1<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    of: DeliveryRefV1<'a>,
    /// The attempt.
    n: u32,
    started: i64,
    took: TimingsV1,
    #[serde(borrow)]
    req: RequestV1<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    res: Option<ResponseV1<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    fail: Option<FailureV1<'a>>,
    #[serde(borrow)]
    state: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<i64>,
    /// The webhook's version.
    wv: u64,
}

/// What names a delivery.
#[derive(Serialize, Deserialize)]
pub(crate) struct DeliveryRefV1<'a> {
    #[serde(borrow)]
    head: HeadV1<'a>,
    #[serde(borrow)]
    wh: Cow<'a, str>,
    #[serde(rename = "gen")]
    generation: u32,
}

/// Whole microseconds.
#[derive(Serialize, Deserialize)]
struct TimingsV1 {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resolve: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    connect: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first: Option<u64>,
    total: u64,
}

#[derive(Serialize, Deserialize)]
struct RequestV1<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    url: Cow<'a, str>,
    #[serde(borrow)]
    headers: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body64: Option<String>,
    /// Milliseconds.
    timeout: u64,
}

#[derive(Serialize, Deserialize)]
struct ResponseV1<'a> {
    status: u16,
    #[serde(borrow)]
    headers: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body64: Option<String>,
    /// Whether more came than was kept.
    cut: bool,
}

#[derive(Serialize, Deserialize)]
struct FailureV1<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    message: Cow<'a, str>,
}

/// A call on its own, as the log keeps it.
#[derive(Serialize, Deserialize)]
struct EnvelopeV1<'a> {
    v: V1,
    #[serde(borrow)]
    call: CallV1<'a>,
}

impl Wire for CallRecord {
    fn encode(&self) -> Vec<u8> {
        version::write(&EnvelopeV1 { v: V1, call: CallV1::from(self) })
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        within("call", version::read::<EnvelopeV1<'_>>(bytes)?.call.into_domain())
    }
}

impl<'a> From<&'a CallRecord> for CallV1<'a> {
    fn from(call: &'a CallRecord) -> Self {
        Self {
            id: call.id.to_string().into(),
            of: DeliveryRefV1::from(&call.delivery),
            n: call.attempt,
            started: call.started_at.unix_ms(),
            took: TimingsV1 {
                resolve: call.timings.resolve.map(to_us),
                connect: call.timings.connect.map(to_us),
                first: call.timings.first_byte.map(to_us),
                total: to_us(call.timings.total),
            },
            req: RequestV1::from(&call.request),
            res: call.response.as_ref().map(ResponseV1::from),
            fail: call.failure.as_ref().map(|failure| FailureV1 {
                kind: failure.kind.as_str().into(),
                message: failure.message.as_str().into(),
            }),
            state: call.state.as_str().into(),
            next: call.next_at.map(Timestamp::unix_ms),
            wv: call.webhook_version,
        }
    }
}

impl<'a> From<&'a DeliveryRef> for DeliveryRefV1<'a> {
    fn from(delivery: &'a DeliveryRef) -> Self {
        Self {
            head: HeadV1::from(delivery.event.as_ref()),
            wh: delivery.webhook.as_str().into(),
            generation: delivery.generation,
        }
    }
}

impl<'a> From<&'a RecordedRequest> for RequestV1<'a> {
    fn from(request: &'a RecordedRequest) -> Self {
        let (body, body64) = body_fields(&request.body);
        Self {
            method: request.method.as_str().into(),
            url: request.url.as_str().into(),
            headers: lent(&request.headers),
            body,
            body64,
            timeout: to_ms(request.timeout),
        }
    }
}

impl<'a> From<&'a RecordedResponse> for ResponseV1<'a> {
    fn from(response: &'a RecordedResponse) -> Self {
        let (body, body64) = body_fields(&response.body);
        Self {
            status: response.status,
            headers: lent(&response.headers),
            body,
            body64,
            cut: response.truncated,
        }
    }
}

fn lent(headers: &[(String, String)]) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
    headers.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect()
}

fn owned(headers: Vec<(Cow<'_, str>, Cow<'_, str>)>) -> Vec<(String, String)> {
    headers.into_iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

impl CallV1<'_> {
    pub(crate) fn into_domain(self) -> Result<CallRecord, DecodeError> {
        let us = |us: Option<u64>| us.map(Duration::from_micros);
        Ok(CallRecord {
            id: CallId(at("id", Uuid::try_parse(&self.id))?),
            delivery: within("of", self.of.into_domain())?,
            attempt: self.n,
            started_at: instant(self.started),
            timings: Timings {
                resolve: us(self.took.resolve),
                connect: us(self.took.connect),
                first_byte: us(self.took.first),
                total: Duration::from_micros(self.took.total),
            },
            request: within("req", self.req.into_domain())?,
            response: self.res.map(|response| within("res", response.into_domain())).transpose()?,
            failure: self.fail.map(|failure| within("fail", failure.into_domain())).transpose()?,
            state: named("state", &self.state, DeliveryState::parse)?,
            next_at: self.next.map(instant),
            webhook_version: self.wv,
        })
    }
}

impl DeliveryRefV1<'_> {
    pub(crate) fn into_domain(self) -> Result<DeliveryRef, DecodeError> {
        Ok(DeliveryRef {
            event: Arc::new(within("head", self.head.into_domain())?),
            webhook: at("wh", WebhookId::new(&self.wh))?,
            generation: self.generation,
        })
    }
}

impl RequestV1<'_> {
    fn into_domain(self) -> Result<RecordedRequest, DecodeError> {
        Ok(RecordedRequest {
            method: self.method.into_owned(),
            url: self.url.into_owned(),
            headers: owned(self.headers),
            body: body(self.body, self.body64)?,
            timeout: Duration::from_millis(self.timeout),
        })
    }
}

impl ResponseV1<'_> {
    fn into_domain(self) -> Result<RecordedResponse, DecodeError> {
        Ok(RecordedResponse {
            status: self.status,
            headers: owned(self.headers),
            body: body(self.body, self.body64)?,
            truncated: self.cut,
        })
    }
}

impl FailureV1<'_> {
    fn into_domain(self) -> Result<Failure, DecodeError> {
        Ok(Failure {
            kind: named("kind", &self.kind, FailureKind::parse)?,
            message: self.message.into_owned(),
        })
    }
}
