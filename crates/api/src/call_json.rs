//! Calls in JSON: Contentful's overview and details, and what we know beyond them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use postrider_control::calls::diagnose;
use postrider_domain::call::{CallRecord, RecordedRequest, RecordedResponse, Timings};
use postrider_domain::outcome::FailureKind;
use serde_json::{Map, Value, json};

use crate::links::link;
use crate::{duration_json, event_json};

/// A line of Contentful's list.
pub(crate) fn overview(call: &CallRecord) -> Value {
    json!({
        "sys": sys(call, "WebhookCallOverview"),
        "statusCode": status(call),
        "errors": errors(call),
        "eventType": call.delivery.event.action.as_str(),
        "url": call.request.url,
        "requestAt": call.started_at.to_string(),
        "responseAt": response_at(call),
    })
}

/// Everything about a call. Contentful's fields first, then ours.
pub(crate) fn details(call: &CallRecord) -> Value {
    let mut written = overview(call);
    written["sys"] = sys(call, "WebhookCallDetails");
    written["request"] = request(&call.request);
    written["response"] =
        call.response.as_ref().map_or(Value::Null, |answer| response(answer, &call.request.url));
    written["event"] = event_json::summary(&call.delivery.event);
    written["webhook"] = json!(call.delivery.webhook.as_str());
    written["webhookVersion"] = json!(call.webhook_version);
    written["delivery"] = json!(call.delivery.id().to_string());
    written["generation"] = json!(call.delivery.generation);
    written["attempt"] = json!(call.attempt);
    written["state"] = json!(call.state.as_str());
    written["nextAt"] = json!(call.next_at.map(|at| at.to_string()));
    written["timings"] = timings(&call.timings);
    written["failure"] = failure(call);
    written["diagnosis"] = diagnose(call)
        .map_or(Value::Null, |diagnosis| json!({"cause": diagnosis.cause, "nextStep": diagnosis.next_step}));
    written["truncated"] = json!(call.response.as_ref().is_some_and(|response| response.truncated));
    written
}

/// A call in a few lines, where its event and webhook are known from around it.
pub(crate) fn brief(call: &CallRecord) -> Value {
    json!({
        "id": call.id.to_string(),
        "attempt": call.attempt,
        "requestAt": call.started_at.to_string(),
        "responseAt": response_at(call),
        "statusCode": status(call),
        "failure": failure(call),
        "state": call.state.as_str(),
        "nextAt": call.next_at.map(|at| at.to_string()),
        "durationMs": duration_json::write_ms(call.timings.total),
    })
}

fn sys(call: &CallRecord, kind: &str) -> Value {
    json!({
        "type": kind,
        "id": call.id.to_string(),
        "space": link("Space", call.delivery.event.scope.space.as_str()),
        "createdBy": link("WebhookDefinition", call.delivery.webhook.as_str()),
        "createdAt": call.started_at.to_string(),
    })
}

fn status(call: &CallRecord) -> Option<u16> {
    call.response.as_ref().map(|response| response.status)
}

fn response_at(call: &CallRecord) -> Option<String> {
    call.response.as_ref().map(|_| call.started_at.plus(call.timings.total).to_string())
}

/// Contentful's names where one is known (`NameResolutionError`), names in its manner elsewhere.
fn errors(call: &CallRecord) -> Vec<&'static str> {
    let name = |kind| match kind {
        FailureKind::Timeout => "TimeoutError",
        FailureKind::Connect => "ConnectionError",
        FailureKind::Dns => "NameResolutionError",
        FailureKind::Tls => "TlsError",
        FailureKind::AddressBlocked => "AddressBlockedError",
        FailureKind::Request => "RequestError",
        FailureKind::Protocol => "ProtocolError",
        FailureKind::Slack => "SlackError",
    };
    call.failure.as_ref().map(|failure| name(failure.kind)).into_iter().collect()
}

fn failure(call: &CallRecord) -> Value {
    call.failure
        .as_ref()
        .map_or(Value::Null, |failure| json!({"kind": failure.kind.as_str(), "message": failure.message}))
}

fn timings(timings: &Timings) -> Value {
    let part = |part: Option<_>| part.map(duration_json::write_ms);
    json!({
        "resolveMs": part(timings.resolve),
        "connectMs": part(timings.connect),
        "firstByteMs": part(timings.first_byte),
        "totalMs": duration_json::write_ms(timings.total),
    })
}

/// A request as it was or would be sent.
pub(crate) fn request(request: &RecordedRequest) -> Value {
    let mut written = json!({
        "method": request.method,
        "url": request.url,
        "headers": headers(&request.headers),
        "timeout": u64::try_from(request.timeout.as_millis()).unwrap_or(u64::MAX),
    });
    write_body(&mut written, &request.body);
    written
}

fn response(response: &RecordedResponse, url: &str) -> Value {
    let mut written = json!({
        "statusCode": response.status,
        "url": url,
        "headers": headers(&response.headers),
    });
    write_body(&mut written, &response.body);
    written
}

/// Text as it is; anything else in Base64, with a field that says so.
fn write_body(written: &mut Value, body: &[u8]) {
    match std::str::from_utf8(body) {
        Ok(text) => written["body"] = json!(text),
        // A text that was cut in the middle of its last character is still a text.
        Err(error) if error.error_len().is_none() => {
            written["body"] = json!(String::from_utf8_lossy(&body[..error.valid_up_to()]));
        }
        Err(_) => {
            written["body"] = json!(STANDARD.encode(body));
            written["bodyEncoding"] = json!("base64");
        }
    }
}

/// One value as a text, several of one name as a list.
fn headers(headers: &[(String, String)]) -> Value {
    let mut written: Map<String, Value> = Map::new();
    for (name, value) in headers {
        match written.get_mut(name) {
            None => {
                written.insert(name.clone(), json!(value));
            }
            Some(Value::Array(values)) => values.push(json!(value)),
            Some(single) => {
                let first = single.take();
                *single = json!([first, value]);
            }
        }
    }
    Value::Object(written)
}
