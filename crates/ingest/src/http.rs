//! The HTTP door: `POST /spaces/{space}/environments/{environment}/events` (DESIGN §4.1).
//!
//! 202 with the ids, once the events are durable. Everything else is a [`Problem`]. What can be refused without reading
//! the body is refused before.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures::StreamExt;
use postrider_dialects::cloudevents::BINARY_HEADER;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::accept::{Accepted, Acceptor, Batch};
use crate::access::Access;
use crate::form::Form;
use crate::problem::{Kind, Problem};
use crate::rate::Rates;
use crate::reading::{Input, Reader};
use crate::{Deps, Settings, sources_door, trace};

/// Requests are counted by the KiB, and the smallest as this many: its headers and our work on it cost as much.
const LEAST_KIB: usize = 16;
/// When to come back after [`Kind::Overloaded`]: a few measurements of the backlog later.
const COME_BACK: Duration = Duration::from_secs(5);

/// What the routes of every door share.
pub(crate) struct Door {
    pub(crate) settings: Settings,
    pub(crate) deps: Deps,
    pub(crate) access: Access,
    pub(crate) acceptor: Acceptor,
    pub(crate) rates: Rates,
    /// KiB of requests that may still be taken in.
    room: Arc<Semaphore>,
    room_kib: usize,
}

/// The door's routes, to be merged with others on one port.
pub fn router(settings: Settings, deps: Deps) -> Router {
    let room_kib = (settings.max_bytes_in_flight / 1024).clamp(LEAST_KIB, Semaphore::MAX_PERMITS);
    let door = Door {
        access: Access::new(&deps, &settings),
        acceptor: Acceptor::new(&deps),
        rates: Rates::new(settings.per_space_events_per_second, settings.max_batch_events),
        room: Arc::new(Semaphore::new(room_kib)),
        room_kib,
        settings,
        deps,
    };
    Router::new()
        .route("/spaces/{space}/environments/{environment}/events", post(publish).fallback(wrong_method))
        .route(sources_door::PATH, post(sources_door::receive).fallback(wrong_method))
        .with_state(Arc::new(door))
}

async fn publish(
    State(door): State<Arc<Door>>,
    address: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Response {
    let answer = door.publish(address, request).await;
    door.answer(answer)
}

async fn wrong_method(State(door): State<Arc<Door>>) -> Response {
    let request_id = door.request_id();
    let problem = Problem::new(Kind::WrongMethod, "events are published with POST", "send a POST request");
    with_request_id(problem.into_answer(&request_id), &request_id)
}

fn accepted_answer(accepted: &[Accepted]) -> Response {
    let events = accepted.iter().map(|one| {
        let status = if one.is_duplicate { "duplicate" } else { "accepted" };
        json!({ "id": one.id.as_str(), "status": status })
    });
    let body = json!({ "events": events.collect::<Vec<_>>() });
    (StatusCode::ACCEPTED, axum::Json(body)).into_response()
}

fn with_request_id(mut answer: Response, request_id: &str) -> Response {
    if let Ok(value) = HeaderValue::try_from(request_id) {
        answer.headers_mut().insert("x-request-id", value);
    }
    answer
}

impl Door {
    async fn publish(
        &self,
        address: Result<Path<(String, String)>, PathRejection>,
        request: Request,
    ) -> Result<Vec<Accepted>, Problem> {
        let (head, body) = request.into_parts();
        let headers = head.headers;
        let token = self.access.token(headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes)).await?;
        let Path((space, environment)) = address.map_err(|_| no_address())?;
        let scope = self.access.scope(&token, &space, &environment).await?;
        let content_type = text(&headers, header::CONTENT_TYPE.as_str());
        check_encoding(&headers)?;
        let form = Form::of(content_type, headers.contains_key(BINARY_HEADER))?;
        self.check_pressure()?;
        let attributes = attributes(&headers)?;
        let limit = form.limit(&self.settings);
        let _room = self.enter(&headers, limit)?;
        let body = self.receive(body, limit).await?;
        let now = self.deps.clock.now();
        let reader =
            Reader { settings: &self.settings, scope: &scope, now, random: self.deps.random.as_ref() };
        let events = reader.read(&Input { form, attributes: &attributes, content_type, body: &body })?;
        self.rates.take(&scope.space, events.len(), now)?;
        let batch = Batch { events, trace: trace::of_headers(&headers), suspect: false };
        self.acceptor.accept(&scope.space, batch, now).await
    }

    /// Shows what came of a request.
    pub(crate) fn answer(&self, answer: Result<Vec<Accepted>, Problem>) -> Response {
        let request_id = self.request_id();
        let answer = match answer {
            Ok(accepted) => accepted_answer(&accepted),
            Err(problem) => problem.into_answer(&request_id),
        };
        with_request_id(answer, &request_id)
    }

    fn request_id(&self) -> String {
        let mut bytes = [0; 16];
        self.deps.random.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }

    /// Refuses while too much is waiting.
    pub(crate) fn check_pressure(&self) -> Result<(), Problem> {
        let (waiting, most) = (self.deps.pressure.waiting(), self.settings.max_backlog);
        if waiting <= most {
            return Ok(());
        }
        let message = format!("{waiting} messages wait to be worked on, more than {most}");
        let fix = "send the same request again after Retry-After; the operator may raise ingest.max_backlog";
        Err(Problem::new(Kind::Overloaded, message, fix).after(COME_BACK))
    }

    /// Takes room for a body of the announced length, or for the largest when none is announced.
    pub(crate) fn enter(&self, headers: &HeaderMap, limit: usize) -> Result<OwnedSemaphorePermit, Problem> {
        let announced =
            text(headers, header::CONTENT_LENGTH.as_str()).and_then(|length| length.parse::<usize>().ok());
        if let Some(length) = announced.filter(|length| *length > limit) {
            return Err(too_large(limit, &format!("{length} bytes")));
        }
        let kib = announced.unwrap_or(limit).div_ceil(1024).max(LEAST_KIB).min(self.room_kib);
        let permits = u32::try_from(kib).unwrap_or(u32::MAX);
        Arc::clone(&self.room).try_acquire_many_owned(permits).map_err(|_| {
            let message = "too many requests are being received";
            let fix = "send the same request again after Retry-After, on fewer connections";
            Problem::new(Kind::Overloaded, message, fix).after(Duration::from_secs(1))
        })
    }

    /// The whole body, of at most `limit` bytes.
    pub(crate) async fn receive(&self, body: Body, limit: usize) -> Result<Vec<u8>, Problem> {
        let deadline = self.deps.clock.now().plus(self.settings.body_timeout);
        tokio::select! {
            biased;
            received = collect(body, limit) => received,
            () = self.deps.clock.sleep_until(deadline) => {
                let message = format!("the body was not complete after {} s", self.settings.body_timeout.as_secs());
                Err(Problem::new(Kind::TooSlow, message, "send it faster, or fewer events in one request"))
            }
        }
    }
}

async fn collect(body: Body, limit: usize) -> Result<Vec<u8>, Problem> {
    let mut received = Vec::new();
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| {
            Problem::new(Kind::BrokenBody, "the body broke off", "send the whole body, as long as announced")
        })?;
        if received.len() + chunk.len() > limit {
            return Err(too_large(limit, &format!("at least {} bytes", received.len() + chunk.len())));
        }
        received.extend_from_slice(&chunk);
    }
    Ok(received)
}

/// The address cannot be read.
pub(crate) fn no_address() -> Problem {
    Problem::new(Kind::NotFound, "the address is not UTF-8 once percent-decoded", "correct the address")
}

fn too_large(limit: usize, actual: &str) -> Problem {
    let message = format!("the body has {actual}, more than {limit}");
    Problem::new(Kind::TooLarge, message, format!("send at most {limit} bytes in one request"))
}

pub(crate) fn check_encoding(headers: &HeaderMap) -> Result<(), Problem> {
    let foreign = headers.get_all(header::CONTENT_ENCODING).iter().find(|value| *value != "identity");
    foreign.map_or(Ok(()), |value| {
        let message =
            format!("Content-Encoding {} is not read here", String::from_utf8_lossy(value.as_bytes()));
        Err(Problem::new(Kind::UnsupportedMediaType, message, "send the body as it is, not compressed"))
    })
}

/// A header as text, if it is there and is one.
fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// The `ce-*` headers.
fn attributes(headers: &HeaderMap) -> Result<Vec<(String, String)>, Problem> {
    let given = headers.iter().filter(|(name, _)| name.as_str().starts_with("ce-"));
    let read = given.map(|(name, value)| match std::str::from_utf8(value.as_bytes()) {
        Ok(value) => Ok((name.to_string(), value.to_owned())),
        Err(_) => Err(Problem::new(
            Kind::InvalidUtf8,
            format!("the header {name} is not UTF-8"),
            "percent-encode the value as the HTTP binding of CloudEvents asks",
        )),
    });
    read.collect()
}
