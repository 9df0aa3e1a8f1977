//! One call: render, sign, send, judge, and what the log keeps of it.

use std::time::Duration;

use postrider_dialects::dialect::deadlines;
use postrider_dialects::mask::Mask;
use postrider_dialects::{Dialect, Occasion, RenderError, Rendered};
use postrider_domain::call::{CallRecord, Failure, RecordedRequest, RecordedResponse, Timings};
use postrider_domain::delivery::DeliveryState;
use postrider_domain::event::Event;
use postrider_domain::message::TraceContext;
use postrider_domain::outcome::{Ended, FailureKind, Outcome, retry_after};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::webhook::{Method, Webhook};
use postrider_ports::clock::draw_call_id;
use postrider_ports::error::PortError;
use postrider_ports::secrets::open_webhook;
use postrider_ports::sender::{Request, Sent};

use crate::bundle::Ticket;
use crate::index::Known;
use crate::locked::beyond_policy;
use crate::telemetry::{self, Stage};
use crate::worker::Worker;

/// A call that was made, or could not be.
pub(crate) struct Made {
    /// What the log keeps.
    pub(crate) record: CallRecord,
    /// How it ended.
    pub(crate) ended: Ended,
    /// What that means.
    pub(crate) outcome: Outcome,
    /// Its trace, for what follows from it.
    pub(crate) trace: TraceContext,
}

/// Whose turn it is.
#[derive(Clone, Copy)]
pub(crate) struct Turn<'t> {
    /// The delivery.
    pub(crate) ticket: &'t Ticket,
    /// Which attempt.
    pub(crate) attempt: u32,
    /// Its webhook as it stands now.
    pub(crate) known: &'t Known,
    /// The trace of the attempt before, or of the event.
    pub(crate) before: &'t TraceContext,
}

/// A request that is ready to leave.
struct Ready {
    rendered: Rendered,
    mask: Mask,
    timeout: Duration,
    connect: Option<Duration>,
}

/// Why there is no request.
enum Unready {
    /// The dialect has no words for the event.
    NotExpressible(String),
    /// Something the webhook's owner must mend.
    Fault(String),
    /// The key of a secret is not in the ring, and can come back.
    Locked(String),
}

/// Makes one attempt. `Err` says why the event cannot be said in the webhook's dialect: then there was no call.
pub(crate) async fn call(worker: &Worker, turn: &Turn<'_>, event: &Event) -> Result<Made, String> {
    let Turn { ticket, attempt, known, before } = *turn;
    let started_at = worker.now();
    let id = draw_call_id(worker.deps.clock.as_ref(), worker.deps.random.as_ref());
    let rendered = render(worker, turn, event);
    let locked = matches!(rendered, Err(Unready::Locked(_)));
    let rendered = match rendered {
        Ok(ready) => Ok(ready),
        Err(Unready::Fault(message) | Unready::Locked(message)) => Err(message),
        Err(Unready::NotExpressible(reason)) => return Err(reason),
    };
    let span = telemetry::calling(ticket, attempt, known, before);
    let trace = telemetry::context_of(&span);
    let (request, sent) = match rendered {
        Ok(ready) => span.run(send(worker, ready, &trace)).await,
        Err(message) => {
            let failure = Failure { kind: FailureKind::Request, message };
            (unsent(&known.webhook), Sent { result: Err(failure), timings: Timings::default() })
        }
    };
    let ended = ended(&sent, worker.now());
    let outcome = match &sent.result {
        _ if locked => Outcome::Retry { not_before: None },
        result => judge(known, &ended, result.as_ref().ok()),
    };
    telemetry::ended(&span, &ended);
    span.end();
    worker.metrics.stage(Stage::Call).record(sent.timings.total);
    worker.metrics.called(outcome, &ended);
    let (response, failure) = match sent.result {
        Ok(response) => {
            let refused = postrider_dialects::refusal(&known.webhook.action, &response);
            (Some(response), refused)
        }
        Err(failure) => (None, Some(failure)),
    };
    let (state, next_at) = match next(worker, known, attempt, outcome) {
        (DeliveryState::GivenUp, _) if locked => beyond_policy(event.head.accepted_at, worker.now()),
        next => next,
    };
    let record = CallRecord {
        id,
        delivery: ticket.delivery(),
        attempt,
        started_at,
        timings: sent.timings,
        request,
        response,
        failure,
        state,
        next_at,
        webhook_version: known.webhook.version,
    };
    Ok(Made { record, ended, outcome, trace })
}

/// The deadline of a webhook's calls.
pub(crate) fn timeout(known: &Known) -> Duration {
    let by_dialect =
        || known.dialect.map_or(postrider_dialects::dialect::DEFAULT_TIMEOUT, Dialect::default_timeout);
    known.webhook.timeout.unwrap_or_else(by_dialect)
}

fn render(worker: &Worker, turn: &Turn<'_>, event: &Event) -> Result<Ready, Unready> {
    let Turn { ticket, attempt, known, .. } = *turn;
    let webhook = &known.webhook;
    let dialect = known.dialect.ok_or_else(|| {
        let names = postrider_dialects::names().join(", ");
        Unready::Fault(format!("dialect {:?} is not known; known are {names}", webhook.dialect))
    })?;
    let now = worker.now();
    let space = known.settings.as_ref();
    let secrets = open_webhook(worker.deps.secrets.as_ref(), webhook, space, dialect.signs_with_space(), now)
        .map_err(|error| shut(&error))?;
    let message_id = if ticket.target.generation == 0 { ticket.id } else { ticket.delivery().message_id() };
    let coalesced = ticket.target.coalesced.as_deref();
    let occasion = Occasion { event, webhook, space, secrets: &secrets, message_id, attempt, coalesced, now };
    match postrider_dialects::render(dialect, &occasion, &worker.settings.slack_base_url) {
        Ok(rendered) => {
            let (timeout, connect) = deadlines(dialect, webhook);
            Ok(Ready { rendered, mask: Mask::new(webhook, &secrets), timeout, connect })
        }
        Err(RenderError::NotExpressible { reason, .. }) => Err(Unready::NotExpressible(reason)),
        Err(error) => Err(Unready::Fault(error.to_string())),
    }
}

/// A secret of the webhook does not open.
fn shut(error: &PortError) -> Unready {
    let message = format!("a secret of the webhook does not open: {error}");
    if error.is_transient() { Unready::Locked(message) } else { Unready::Fault(message) }
}

/// Sends it; what comes back is masked.
async fn send(worker: &Worker, ready: Ready, trace: &TraceContext) -> (RecordedRequest, Sent) {
    let Ready { mut rendered, mask, timeout, connect } = ready;
    // A webhook that sets a trace of its own keeps it.
    if let Some(parent) = &trace.parent
        && !rendered.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("traceparent"))
    {
        rendered.headers.push(("traceparent".to_owned(), parent.clone()));
        let state = trace.state.as_ref().map(|state| ("tracestate".to_owned(), state.clone()));
        rendered.headers.extend(state);
    }
    let recorded = mask.request(&rendered, timeout);
    let Rendered { method, url, headers, body } = rendered;
    let request = Request { method: method.as_str().to_owned(), url, headers, body, timeout, connect };
    let Sent { result, timings } = worker.deps.sender.send(request).await;
    let result = match result {
        Ok(response) => Ok(mask.response(&response)),
        Err(failure) => Err(Failure { message: mask.text(&failure.message), ..failure }),
    };
    (recorded, Sent { result, timings })
}

/// A request that was never made, as far as it is known.
fn unsent(webhook: &Webhook) -> RecordedRequest {
    let target = webhook.action.http();
    RecordedRequest {
        method: target.map_or(Method::Post, |target| target.method).as_str().to_owned(),
        url: target.map_or_else(|| "slack".to_owned(), |target| target.url.clone()),
        headers: Vec::new(),
        body: bytes::Bytes::new(),
        timeout: webhook.timeout.unwrap_or_default(),
    }
}

fn ended(sent: &Sent, now: Timestamp) -> Ended {
    match &sent.result {
        Ok(RecordedResponse { status, headers, .. }) => {
            let asked = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("retry-after"));
            let retry_after = asked.and_then(|(_, value)| retry_after(value, now));
            Ended::Answered { status: *status, retry_after }
        }
        Err(failure) => Ended::Failed(failure.kind),
    }
}

fn judge(known: &Known, ended: &Ended, response: Option<&RecordedResponse>) -> Outcome {
    let (Some(dialect), Some(policy)) = (known.dialect, &known.policy) else { return Outcome::Final };
    postrider_dialects::judge(dialect, &known.webhook.action, (ended, response), &policy.on)
}

/// Where the delivery stands after this attempt, and when the next one is due.
fn next(
    worker: &Worker,
    known: &Known,
    attempt: u32,
    outcome: Outcome,
) -> (DeliveryState, Option<Timestamp>) {
    let not_before = match outcome {
        Outcome::Success => return (DeliveryState::Delivered, None),
        Outcome::Final | Outcome::Gone => return (DeliveryState::GivenUp, None),
        Outcome::Retry { not_before } => not_before,
    };
    let random = worker.deps.random.fraction();
    match known.policy.as_ref().and_then(|policy| policy.next_delay(attempt, not_before, random)) {
        Some(delay) => (DeliveryState::Pending, Some(worker.now().plus(delay))),
        None => (DeliveryState::GivenUp, None),
    }
}
