//! Where a CMS sends its own webhooks: `POST /spaces/{space}/environments/{environment}/sources/{source}` (DESIGN §4.1).
//!
//! There is no token: a webhook proves itself with the source's secret, by a signature where the CMS signs, else as a key,
//! in `Authorization: Bearer <secret>` or, for a CMS that can set nothing but a URL, in `?key=<secret>`. Beyond that it is
//! an event like every other, accepted on the same path. Its `Content-Type` is not judged: what a CMS sends, nobody here
//! can change.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use postrider_dialects::{Dialect, Proof, Received, dialect, source_names};
use postrider_domain::source::Source;
use postrider_ports::secrets::{Place, SOURCE};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::accept::{Accepted, Batch};
use crate::access::bearer;
use crate::http::{Door, check_encoding, no_address};
use crate::problem::{Kind, Problem};
use crate::reading::{Reader, utf8};
use crate::trace;

/// Where it is.
pub const PATH: &str = "/spaces/{space}/environments/{environment}/sources/{source}";

type Address = Path<(String, String, String)>;

/// Takes one webhook in. 202 with the event's id once it is durable; a repeat says `duplicate`.
pub(crate) async fn receive(
    State(door): State<Arc<Door>>,
    address: Result<Address, PathRejection>,
    request: Request,
) -> Response {
    let answer = door.take_webhook(address, request).await;
    door.answer(answer)
}

impl Door {
    async fn take_webhook(
        &self,
        address: Result<Address, PathRejection>,
        request: Request,
    ) -> Result<Vec<Accepted>, Problem> {
        let Path((space, environment, id)) = address.map_err(|_| no_address())?;
        let source = self.access.source(&space, &id).await?;
        let (dialect, proof) = spoken(&source)?;
        let place = Place { space: &source.space, owner: source.id.as_str(), field: SOURCE };
        let secret = self.deps.secrets.open(place, &source.secret);
        let secret = secret.map_err(|fault| Problem::from_port("open the source's key", &fault))?;
        let (head, body) = request.into_parts();
        let signature = match proof {
            Proof::Key => None,
            Proof::Signature { header } => Some(header),
            Proof::Either { header } => Some(header).filter(|name| head.headers.contains_key(*name)),
        };
        // What can be refused without the body is refused before.
        if signature.is_none() {
            check_key(&head, &source, &secret)?;
        }
        check_encoding(&head.headers)?;
        self.check_pressure()?;
        let limit = self.settings.max_event_bytes;
        let _room = self.enter(&head.headers, limit)?;
        let body = self.receive(body, limit).await?;
        let scope = self.access.source_scope(&source, &environment).await?;
        let now = self.deps.clock.now();
        let random = self.deps.random.as_ref();
        let reader = Reader { settings: &self.settings, scope: &scope, now, random };
        let (headers, drawn) = (texts(&head.headers), reader.draw_id());
        let received = Received {
            method: head.method.as_str(),
            path: head.uri.path_and_query().map_or("/", PathAndQuery::as_str),
            headers: &headers,
            body: utf8(&body)?,
            scope: &scope,
            now,
            secret: &secret,
            fallback_id: &drawn,
        };
        if let Some(header) = signature
            && !dialect.is_genuine(&received)
        {
            return Err(not_genuine(&source, header));
        }
        let events = reader.read_webhook(dialect, &received).map_err(|problem| foreign(problem, &source))?;
        self.rates.take(&scope.space, events.len(), now)?;
        let batch = Batch { events, trace: trace::of_headers(&head.headers), suspect: false };
        self.acceptor.accept(&scope.space, batch, now).await
    }
}

/// How the source's CMS speaks, and proves it.
fn spoken(source: &Source) -> Result<(&'static dyn Dialect, Proof), Problem> {
    let spoken = dialect(&source.dialect).and_then(|dialect| Some((dialect, dialect.proof()?)));
    spoken.ok_or_else(|| {
        let message =
            format!("source {} has the dialect {}, which reads no webhooks", source.id, source.dialect);
        let fix = format!("give it one of these: {}", source_names().join(", "));
        Problem::new(Kind::Internal, message, fix)
    })
}

#[derive(Deserialize)]
struct Given {
    key: Option<String>,
}

/// Keys are compared as hashes, so that the time it takes says nothing about how much of a guess was right.
fn check_key(head: &Parts, source: &Source, secret: &str) -> Result<(), Problem> {
    let given = Query::<Given>::try_from_uri(&head.uri).ok().and_then(|Query(given)| given.key);
    let header = head.headers.get(header::AUTHORIZATION).and_then(|value| bearer(value.as_bytes()));
    let given = header.or(given.as_deref().map(str::as_bytes));
    let hash = |text: &[u8]| <[u8; 32]>::from(Sha256::digest(text));
    if given.is_some_and(|given| hash(given) == hash(secret.as_bytes())) {
        return Ok(());
    }
    let message = match given {
        Some(_) => format!("this is not the key of source {}", source.id),
        None => format!("source {} needs its key, and the request names none", source.id),
    };
    let fix = "send the source's key as Authorization: Bearer <key>, or add ?key=<key> to the address";
    Err(Problem::new(Kind::Unauthenticated, message, fix))
}

fn not_genuine(source: &Source, header: &str) -> Problem {
    let message = format!(
        "the header {header} does not hold a signature of this request for source {} that counts now",
        source.id
    );
    let fix = "give the CMS and the source the same signing key, let nothing between them change address, headers or \
               body, and see that both clocks are right";
    Problem::new(Kind::Unauthenticated, message, fix)
}

/// Names what was expected, in front of what was found.
fn foreign(problem: Problem, source: &Source) -> Problem {
    if problem.kind != Kind::InvalidEvent {
        return problem;
    }
    let message = format!(
        "source {} expects webhooks of the dialect {}; {}",
        source.id, source.dialect, problem.message
    );
    Problem { message, ..problem }
}

/// The headers as texts; names are lower-case already. Bytes beyond ASCII are read as ISO 8859-1, as JavaScript writes
/// and signs them (RFC 9110 §5.5 leaves them open).
fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| bytes.iter().copied().map(char::from).collect();
    headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect()
}
