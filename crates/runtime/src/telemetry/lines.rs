//! What log lines look like, and which of them there are.

use std::fmt;
use std::io::IsTerminal;

use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::{LookupSpan, Registry};

use super::TelemetryError;

/// What log lines look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// `Human` when standard error is a terminal, else `Json`.
    #[default]
    Auto,
    /// One coloured line each, for people.
    Human,
    /// One JSON object each, for log collectors. It carries `trace_id` and `span_id` of what the line belongs to.
    Json,
}

type Lines = Box<dyn Layer<Registry> + Send + Sync>;

/// A line format, with the ids of the current trace and span put in at the end of the object.
struct WithIds<F>(F);

/// The layer that writes lines of this format.
pub(super) fn layer(format: Format) -> Lines {
    let terminal = std::io::stderr().is_terminal();
    match format {
        Format::Auto if terminal => human(true),
        Format::Human => human(terminal),
        Format::Auto | Format::Json => json(std::io::stderr),
    }
}

/// Libraries that log as errors what we see as well and tell in our own words: each connection that fails, each certificate
/// that is refused. Silent unless the filter names them.
const SILENT: &str = "lapin=off,rustls_platform_verifier=off";

/// Reads a filter.
pub(super) fn filter(text: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::builder()
        // Of two directives for the same target the later one counts.
        .parse(format!("{SILENT},{text}"))
        .map_err(|source| TelemetryError::Filter { filter: text.to_owned(), source })
}

fn human(colour: bool) -> Lines {
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    // Colour is only ever taken away here: by itself the layer already obeys NO_COLOR.
    if colour { layer.boxed() } else { layer.with_ansi(false).boxed() }
}

fn json<W>(writer: W) -> Lines
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .map_event_format(WithIds)
        .with_writer(writer)
        .boxed()
}

impl<F, S, N> FormatEvent<S, N> for WithIds<F>
where
    F: FormatEvent<S, N>,
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let ids = Context::map_current(|current| {
            let span = current.span();
            let ids = span.span_context();
            ids.is_valid().then(|| (ids.trace_id(), ids.span_id()))
        });
        let Some((trace, span)) = ids else { return self.0.format_event(context, writer, event) };
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        match line.trim_end().strip_suffix('}') {
            Some(object) => writeln!(writer, "{object},\"trace_id\":\"{trace}\",\"span_id\":\"{span}\"}}"),
            None => writer.write_str(&line),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("nobody panicked").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_json_line_carries_the_ids_of_its_span_and_stays_json() {
        let page = Page::default();
        let written = page.clone();
        let subscriber = Registry::default().with(json(move || written.clone()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!("before");
            let (trace, span) = (TraceId::from(0xab), SpanId::from(0xcd));
            let ids = SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::default());
            let _within = Context::new().with_remote_span_context(ids).attach();
            tracing::info!(text = "}", "within");
        });
        let page = String::from_utf8(page.0.lock().expect("nobody panicked").clone()).expect("text");
        let lines: Vec<serde_json::Value> =
            page.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[0]["message"], lines[0].get("trace_id")), (&"before".into(), None));
        assert_eq!(lines[1]["trace_id"], format!("{:032x}", 0xab));
        assert_eq!(lines[1]["span_id"], format!("{:016x}", 0xcd));
        assert_eq!((&lines[1]["message"], &lines[1]["text"]), (&"within".into(), &"}".into()));
    }

    #[test]
    fn libraries_that_repeat_us_are_silent_unless_they_are_named() {
        let shown = |text: &str| filter(text).expect("a filter").to_string();
        assert!(shown("info").contains("lapin=off"), "{}", shown("info"));
        assert!(
            shown("info,lapin=debug").contains("lapin=debug")
                && !shown("info,lapin=debug").contains("lapin=off")
        );
        assert!(shown("info").ends_with("info") || shown("info").contains(",info,"), "{}", shown("info"));
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_named_with_an_example() {
        let message = filter("postrider=lout").expect_err("no such level").to_string();
        assert!(message.contains("\"postrider=lout\""), "{message}");
        assert!(message.contains("postrider_dispatcher=debug"), "{message}");
        assert!(filter("warn,postrider_dispatcher=debug").is_ok());
    }
}
