//! `[log]`: what the process says of itself on standard error.

use postrider_runtime::telemetry::Format;

use crate::settings::key::Key;
use crate::settings::reader::Reader;

/// What is logged, and how it looks.
#[derive(Debug, Clone)]
pub struct Log {
    /// `level` or `target=level`, comma-separated.
    pub filter: String,
    /// For people or for collectors.
    pub format: Format,
}

pub(in crate::settings) const KEYS: &[Key] = &[
    // Postgres says with each start that the schema is there already. What is wrong with a receiver's certificate stands in the
    // log of calls; the library calls it an error of ours.
    Key::text(
        "log.filter",
        "info,sqlx::postgres::notice=warn,rustls_platform_verifier=off",
        "What is logged: a level, or target=level, comma-separated.",
    ),
    Key::text("log.format", "auto", "auto (people on a terminal, JSON elsewhere), human or json."),
];

impl Log {
    pub(in crate::settings) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let filter = reader.value("log.filter", |text| Ok(text.to_owned()));
        let format = reader.value("log.format", |text| match text {
            "auto" => Ok(Format::Auto),
            "human" => Ok(Format::Human),
            "json" => Ok(Format::Json),
            other => Err(format!("{other:?} is not auto, human or json")),
        });
        Some(Self { filter: filter?, format: format? })
    }
}
