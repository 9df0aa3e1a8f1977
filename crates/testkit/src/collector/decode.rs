//! From OTLP messages to what tests look at.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{Metric, NumberDataPoint};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use super::{Seen, SeenAttributes, SeenLine, SeenPoint, SeenSpan};

/// One export of any signal.
pub(super) trait Export {
    /// Adds what it holds.
    fn add_to(self, seen: &mut Seen);
}

impl Export for ExportTraceServiceRequest {
    fn add_to(self, seen: &mut Seen) {
        for resource in self.resource_spans {
            let service = service(resource.resource);
            let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
            seen.spans.extend(spans.map(|one| span(&service, one)));
        }
    }
}

impl Export for ExportMetricsServiceRequest {
    fn add_to(self, seen: &mut Seen) {
        for resource in self.resource_metrics {
            let service = service(resource.resource);
            let metrics = resource.scope_metrics.into_iter().flat_map(|scope| scope.metrics);
            seen.points.extend(metrics.flat_map(|one| points(&service, one)));
        }
    }
}

impl Export for ExportLogsServiceRequest {
    fn add_to(self, seen: &mut Seen) {
        for resource in self.resource_logs {
            let service = service(resource.resource);
            let lines = resource.scope_logs.into_iter().flat_map(|scope| scope.log_records);
            seen.lines.extend(lines.map(|one| line(&service, one)));
        }
    }
}

fn service(resource: Option<Resource>) -> String {
    let attributes = resource.map(|resource| attributes(resource.attributes)).unwrap_or_default();
    attributes.get("service.name").cloned().unwrap_or_default()
}

fn span(service: &str, span: Span) -> SeenSpan {
    let kind = match span.kind() {
        SpanKind::Unspecified => "UNSPECIFIED",
        SpanKind::Internal => "INTERNAL",
        SpanKind::Server => "SERVER",
        SpanKind::Client => "CLIENT",
        SpanKind::Producer => "PRODUCER",
        SpanKind::Consumer => "CONSUMER",
    };
    let links = span.links.iter().map(|link| (hex::encode(&link.trace_id), hex::encode(&link.span_id)));
    SeenSpan {
        service: service.to_owned(),
        kind,
        trace_id: hex::encode(&span.trace_id),
        span_id: hex::encode(&span.span_id),
        parent_id: hex::encode(&span.parent_span_id),
        links: links.collect(),
        failure: span.status.filter(|status| status.code() == StatusCode::Error).map(|status| status.message),
        name: span.name,
        attributes: attributes(span.attributes),
    }
}

fn points(service: &str, metric: Metric) -> Vec<SeenPoint> {
    let Metric { name, unit, data, .. } = metric;
    let point = |given: Vec<KeyValue>, value: f64| SeenPoint {
        service: service.to_owned(),
        name: name.clone(),
        unit: unit.clone(),
        attributes: attributes(given),
        value,
    };
    let number = |one: NumberDataPoint| {
        let value = match one.value {
            Some(Number::AsDouble(value)) => value,
            #[expect(clippy::cast_precision_loss, reason = "figures of tests are far below 2^52")]
            Some(Number::AsInt(value)) => value as f64,
            None => f64::NAN,
        };
        point(one.attributes, value)
    };
    match data {
        Some(Data::Gauge(gauge)) => gauge.data_points.into_iter().map(number).collect(),
        Some(Data::Sum(sum)) => sum.data_points.into_iter().map(number).collect(),
        #[expect(clippy::cast_precision_loss, reason = "figures of tests are far below 2^52")]
        Some(Data::Histogram(histogram)) => {
            histogram.data_points.into_iter().map(|one| point(one.attributes, one.count as f64)).collect()
        }
        _ => Vec::new(),
    }
}

fn line(service: &str, record: LogRecord) -> SeenLine {
    SeenLine {
        service: service.to_owned(),
        body: text(record.body),
        severity: record.severity_text,
        trace_id: hex::encode(&record.trace_id),
        span_id: hex::encode(&record.span_id),
        attributes: attributes(record.attributes),
    }
}

fn attributes(given: Vec<KeyValue>) -> SeenAttributes {
    given.into_iter().map(|one| (one.key, text(one.value))).collect()
}

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        None => String::new(),
        Some(Value::StringValue(text)) => text,
        Some(Value::BoolValue(value)) => value.to_string(),
        Some(Value::IntValue(value)) => value.to_string(),
        Some(Value::DoubleValue(value)) => value.to_string(),
        Some(other) => format!("{other:?}"),
    }
}
