//! `[telemetry]`: traces, metrics and logs over OpenTelemetry.

use axum::http::Uri;

use crate::settings::key::Key;
use crate::settings::reader::Reader;

/// What leaves the process about itself, besides log lines.
#[derive(Debug, Clone, PartialEq)]
pub struct Telemetry {
    /// Where the collector takes OTLP over HTTP; `None`: nothing is exported.
    pub otlp: Option<String>,
    /// Share of the traces begun here that are recorded.
    pub sample: f64,
}

pub(in crate::settings) const KEYS: &[Key] = &[
    Key::text(
        "telemetry.otlp",
        "",
        "Where a collector takes traces, metrics and logs as OTLP over HTTP, such as http://collector:4318. Empty: nothing is exported.",
    ),
    Key::number(
        "telemetry.sample",
        "1",
        "Share of the traces begun here that are recorded, 0 to 1. What a publisher already traces follows its decision.",
    ),
];

impl Telemetry {
    pub(in crate::settings) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let otlp = reader.value("telemetry.otlp", |text| match text.trim() {
            "" => Ok(None),
            text => collector(text).map(Some),
        });
        let sample = reader.value("telemetry.sample", share);
        Some(Self { otlp: otlp?, sample: sample? })
    }
}

/// Credentials do not belong into an address, which is shown and logged: OTEL_EXPORTER_OTLP_HEADERS carries them.
fn collector(text: &str) -> Result<String, String> {
    let example = "write for example http://collector:4318";
    let uri: Uri = text.parse().map_err(|_| format!("{text:?} is not an address; {example}"))?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    if !is_http || uri.host().is_none_or(str::is_empty) {
        return Err(format!("{text:?} is not the http or https address of a collector; {example}"));
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("has credentials in it; give them as a header in OTEL_EXPORTER_OTLP_HEADERS".to_owned());
    }
    if uri.query().is_some() {
        return Err(format!("{text:?} has a query; {example}"));
    }
    Ok(text.to_owned())
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.trim().parse::<f64>().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| format!("{text:?} is not a share from 0 to 1, such as 0.1 for one trace of ten"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_collector_is_http_and_without_credentials() {
        for good in ["http://collector:4318", "https://otlp.example.com/base", "http://[::1]:4318"] {
            assert_eq!(collector(good).as_deref(), Ok(good));
        }
        for (bad, says) in [
            ("collector:4318", "http"),
            ("grpc://collector:4317", "http or https"),
            ("http://user:secret@collector:4318", "OTEL_EXPORTER_OTLP_HEADERS"),
            ("http://collector:4318?key=1", "query"),
        ] {
            let error = collector(bad).expect_err(bad);
            assert!(error.contains(says) && !error.contains("secret"), "{bad}: {error}");
        }
    }

    #[test]
    fn a_share_is_between_nothing_and_all() {
        assert_eq!(share(" 0.25"), Ok(0.25));
        for bad in ["-0.1", "1.1", "10%", "NaN", ""] {
            assert!(share(bad).is_err(), "{bad}");
        }
    }
}
