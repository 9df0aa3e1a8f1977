//! An OpenTelemetry collector on 127.0.0.1 that takes OTLP over HTTP, decodes it for real and keeps it. It runs on a thread
//! of its own, so that it outlives the test that started it and a process under test may block while it exports.

mod decode;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header::CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

/// How long [`Collector::until`] waits before it fails the test.
const PATIENCE: Duration = Duration::from_secs(30);

/// A collector. It stops when it is dropped.
pub struct Collector {
    address: SocketAddr,
    shared: Arc<Shared>,
    _running: oneshot::Sender<()>,
}

/// What it does with an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Takes it.
    Take,
    /// Answers this status and keeps nothing.
    Refuse(u16),
    /// Never answers.
    Hang,
}

/// Everything that came.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// In the order in which they came.
    pub spans: Vec<SeenSpan>,
    /// Each export again: the last one of a name and its attributes is the newest.
    pub points: Vec<SeenPoint>,
    /// In the order in which they came.
    pub lines: Vec<SeenLine>,
}

/// Names and values, the values as text.
pub type SeenAttributes = BTreeMap<String, String>;

/// A span.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenSpan {
    /// `service.name` of its process.
    pub service: String,
    /// What it is called.
    pub name: String,
    /// `PRODUCER`, `CONSUMER`, `CLIENT`, …
    pub kind: &'static str,
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// 16 hexadecimal digits.
    pub span_id: String,
    /// Its parent's; empty for the first of a trace.
    pub parent_id: String,
    /// Trace and span of each link.
    pub links: Vec<(String, String)>,
    /// What is known about it.
    pub attributes: SeenAttributes,
    /// What went wrong, if it failed.
    pub failure: Option<String>,
}

/// One figure of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenPoint {
    /// `service.name` of its process.
    pub service: String,
    /// The metric.
    pub name: String,
    /// Its unit.
    pub unit: String,
    /// Its labels.
    pub attributes: SeenAttributes,
    /// The figure; of a histogram how many it counted.
    pub value: f64,
}

/// A log line.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenLine {
    /// `service.name` of its process.
    pub service: String,
    /// The message.
    pub body: String,
    /// `INFO`, `WARN`, …
    pub severity: String,
    /// Empty when it belongs to none.
    pub trace_id: String,
    /// Empty when it belongs to none.
    pub span_id: String,
    /// Its fields.
    pub attributes: SeenAttributes,
}

struct Shared {
    seen: watch::Sender<Seen>,
    manner: watch::Sender<Manner>,
}

impl Collector {
    /// Listens on a free port of 127.0.0.1.
    pub fn start() -> Self {
        let shared = Arc::new(Shared {
            seen: watch::Sender::new(Seen::default()),
            manner: watch::Sender::new(Manner::Take),
        });
        let serving = Arc::clone(&shared);
        let (running, stopped) = oneshot::channel();
        let (bound, address) = mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be made").block_on(async {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
                bound.send(listener.local_addr().expect("it is bound")).expect("somebody started it");
                tokio::select! {
                    served = async { axum::serve(listener, router(serving)).await } => served.expect("it serves"),
                    _dropped = stopped => {}
                }
            });
        });
        let address = address.recv().expect("the collector is bound");
        Self { address, shared, _running: running }
    }

    /// Its base address, as `telemetry.otlp` takes it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on exports are answered so.
    pub fn behave(&self, manner: Manner) {
        self.shared.manner.send_replace(manner);
    }

    /// Everything that came until now.
    pub fn seen(&self) -> Seen {
        self.shared.seen.borrow().clone()
    }

    /// Waits until something can be found in what came, and returns that.
    pub async fn until<T>(&self, mut find: impl FnMut(&Seen) -> Option<T>) -> T {
        let mut seen = self.shared.seen.subscribe();
        let mut found = None;
        let came = seen.wait_for(|seen| {
            found = find(seen);
            found.is_some()
        });
        let came = tokio::time::timeout(PATIENCE, came).await.map(drop);
        assert!(came.is_ok(), "the collector waits in vain; it has {:#?}", self.seen());
        found.expect("it was found")
    }
}

impl Seen {
    /// The spans of one trace.
    pub fn trace(&self, trace_id: &str) -> Vec<SeenSpan> {
        self.spans.iter().filter(|span| span.trace_id == trace_id).cloned().collect()
    }

    /// The newest figure of a metric whose labels contain these.
    pub fn figure(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |point: &&SeenPoint| {
            let label = |(name, value): &(&str, &str)| {
                point.attributes.get(*name).is_some_and(|known| known == value)
            };
            point.name == name && labels.iter().all(label)
        };
        self.points.iter().rev().find(has).map(|point| point.value)
    }
}

impl SeenSpan {
    /// An attribute; empty when there is none.
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", String::as_str)
    }

    /// The context that this span hands on, as W3C writes it, recorded.
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-01", self.trace_id, self.span_id)
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/traces", post(take::<ExportTraceServiceRequest>))
        .route("/v1/metrics", post(take::<ExportMetricsServiceRequest>))
        .route("/v1/logs", post(take::<ExportLogsServiceRequest>))
        .layer(DefaultBodyLimit::disable())
        .with_state(shared)
}

async fn take<R: Message + Default + decode::Export>(
    State(shared): State<Arc<Shared>>,
    body: Bytes,
) -> Response {
    let manner = *shared.manner.borrow();
    match manner {
        Manner::Hang => std::future::pending().await,
        Manner::Refuse(status) => {
            StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE).into_response()
        }
        Manner::Take => match R::decode(body) {
            Ok(export) => {
                shared.seen.send_modify(|seen| export.add_to(seen));
                // An empty message: everything was taken.
                ([(CONTENT_TYPE, "application/x-protobuf")], Vec::<u8>::new()).into_response()
            }
            Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
        },
    }
}
