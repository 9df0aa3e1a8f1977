//! Spans, and the context that binds them across processes.
//!
//! A context travels as the two texts of W3C ([`Remote`] as it comes, [`Carried`] as it goes). A span is a child of where
//! it came from, or the begin of a new trace that is linked to it ([`Origin`]). Without a collector there are no spans, and
//! the context that came in goes out unchanged: so a publisher's trace reaches the receiver either way.

mod w3c;

use std::borrow::Cow;
use std::sync::OnceLock;

use opentelemetry::trace::{
    FutureExt, Link, Span as _, SpanBuilder, SpanKind, Status, TraceContextExt, Tracer,
};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::trace::SdkTracer;

/// Attributes of most spans fit without growing.
const USUAL_ATTRIBUTES: usize = 12;

static TRACING: OnceLock<Tracing> = OnceLock::new();

struct Tracing {
    tracer: SdkTracer,
    messaging_system: String,
}

/// A context as it came: `traceparent` and `tracestate`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Remote<'a> {
    /// `traceparent`
    pub parent: Option<&'a str>,
    /// `tracestate`
    pub state: Option<&'a str>,
}

/// A context on its way: `traceparent` and `tracestate`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carried {
    /// `traceparent`
    pub parent: Option<String>,
    /// `tracestate`
    pub state: Option<String>,
}

/// Where a span comes from.
#[derive(Debug, Clone, Copy)]
pub enum Origin<'a> {
    /// It belongs to the trace of this context; without one it begins a trace.
    Child(Remote<'a>),
    /// It begins a trace that is linked to this one.
    NewTrace(Remote<'a>),
}

/// Who is on the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// We hand something over, to be processed later.
    Producer,
    /// We process what somebody handed over.
    Consumer,
    /// We ask and wait for the answer.
    Client,
}

/// One operation with a begin and an end. It ends when it is dropped, if not before.
#[derive(Debug)]
pub struct Span(Inner);

#[derive(Debug)]
enum Inner {
    /// Nothing is recorded; this context is passed on.
    Through(Carried),
    /// A span of ours, recorded or only counted into its trace.
    Own(Context),
}

/// What is known about a span.
#[derive(Debug)]
pub struct Attributes(Vec<KeyValue>);

/// Whether spans go anywhere. What only spans need is not gathered otherwise.
pub fn is_recording() -> bool {
    TRACING.get().is_some()
}

/// Where spans go from now on.
pub(crate) fn install(tracer: SdkTracer, messaging_system: &str) {
    // A second one would need a second `init`, which failed before.
    let _first_stays = TRACING.set(Tracing { tracer, messaging_system: messaging_system.to_owned() });
}

impl Span {
    /// Begins a span. Its name must be one of few: what differs between two of a kind is an attribute.
    pub fn begin(kind: Kind, name: impl Into<Cow<'static, str>>, origin: Origin<'_>) -> Self {
        match TRACING.get() {
            Some(tracing) => tracing.begin(kind, name.into(), origin),
            None => Self(Inner::Through(origin.context().into())),
        }
    }

    /// Begins the span `send events` for a message that is handed to a queue.
    pub fn send(queue: &'static str, origin: Origin<'_>) -> Self {
        Self::messaging(Kind::Producer, "send", queue, origin)
    }

    /// Begins the span `process events` for a message that came from a queue.
    pub fn process(queue: &'static str, origin: Origin<'_>) -> Self {
        Self::messaging(Kind::Consumer, "process", queue, origin)
    }

    /// Names and attributes as <https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/> has them. The
    /// destination is the queue as people know it, without what a broker puts before it or a delay adds to it.
    fn messaging(kind: Kind, operation: &'static str, queue: &'static str, origin: Origin<'_>) -> Self {
        let Some(tracing) = TRACING.get() else { return Self(Inner::Through(origin.context().into())) };
        let span = tracing.begin(kind, format!("{operation} {queue}").into(), origin);
        span.describe(|span| {
            span.set("messaging.system", tracing.messaging_system.clone());
            span.set("messaging.destination.name", queue);
            span.set("messaging.operation.name", operation);
            span.set("messaging.operation.type", operation);
        })
    }

    /// Says what is known about it. `say` is called only if the span is recorded.
    #[must_use]
    pub fn describe(self, say: impl FnOnce(&mut Attributes)) -> Self {
        self.note(say);
        self
    }

    /// Says what became known about it. `say` is called only if the span is recorded.
    pub fn note(&self, say: impl FnOnce(&mut Attributes)) {
        if let Inner::Own(context) = &self.0
            && context.span().is_recording()
        {
            let mut attributes = Attributes(Vec::with_capacity(USUAL_ATTRIBUTES));
            say(&mut attributes);
            context.span().set_attributes(attributes.0);
        }
    }

    /// Links it to another context, which belongs to it without being its parent.
    pub fn link(&self, to: Remote<'_>) {
        if let Inner::Own(context) = &self.0
            && context.span().is_recording()
            && let Some(to) = w3c::read(to)
        {
            context.span().add_link(to, Vec::new());
        }
    }

    /// It failed: `kind` is one of few (`timeout`, `503`), `message` is for people and without secrets.
    pub fn fail(&self, kind: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) {
        if let Inner::Own(context) = &self.0
            && context.span().is_recording()
        {
            context.span().set_attribute(KeyValue::new("error.type", kind.into()));
            context.span().set_status(Status::error(message));
        }
    }

    /// The context to be handed on.
    pub fn context(&self) -> Carried {
        match &self.0 {
            Inner::Through(context) => context.clone(),
            Inner::Own(context) => w3c::write(context.span().span_context()),
        }
    }

    /// Runs a future as part of it: log lines made meanwhile carry its ids.
    pub fn run<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        let context = match &self.0 {
            Inner::Own(context) => context.clone(),
            Inner::Through(context) => match w3c::read(context.remote()) {
                Some(remote) => Context::new().with_remote_span_context(remote),
                None => Context::new(),
            },
        };
        future.with_context(context)
    }

    /// Ends it now.
    pub fn end(self) {
        if let Inner::Own(context) = &self.0 {
            context.span().end();
        }
    }
}

impl Attributes {
    /// Adds one; the value is a text, number or truth.
    pub fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        self.0.push(KeyValue::new(name, value));
    }
}

impl Carried {
    /// As it comes to whoever reads it.
    pub fn remote(&self) -> Remote<'_> {
        Remote { parent: self.parent.as_deref(), state: self.state.as_deref() }
    }
}

impl From<Remote<'_>> for Carried {
    fn from(context: Remote<'_>) -> Self {
        Self { parent: context.parent.map(str::to_owned), state: context.state.map(str::to_owned) }
    }
}

impl<'a> Origin<'a> {
    fn context(self) -> Remote<'a> {
        match self {
            Self::Child(context) | Self::NewTrace(context) => context,
        }
    }
}

impl Tracing {
    fn begin(&self, kind: Kind, name: Cow<'static, str>, origin: Origin<'_>) -> Span {
        let before = w3c::read(origin.context());
        let mut builder = SpanBuilder::from_name(name).with_kind(match kind {
            Kind::Producer => SpanKind::Producer,
            Kind::Consumer => SpanKind::Consumer,
            Kind::Client => SpanKind::Client,
        });
        let parent = match (origin, before) {
            (_, None) => Context::new(),
            (Origin::Child(_), Some(parent)) => Context::new().with_remote_span_context(parent),
            (Origin::NewTrace(_), Some(before)) => {
                builder = builder.with_links(vec![Link::with_context(before)]);
                Context::new()
            }
        };
        let span = self.tracer.build_with_context(builder, &parent);
        if span.span_context().is_valid() {
            Span(Inner::Own(Context::new().with_span(span)))
        } else {
            // Telemetry has ended already; the context still goes on.
            Span(Inner::Through(origin.context().into()))
        }
    }
}
