//! Which form a request has.
//!
//! | `Content-Type` | body |
//! |---|---|
//! | `application/json` | one event of ours (DESIGN §4.1), or an array of them |
//! | `application/cloudevents+json` | one CloudEvent, structured |
//! | `application/cloudevents-batch+json` | an array of them |
//! | any, with a header `ce-specversion` | the data of one CloudEvent, whose attributes are headers (binary) |

use postrider_dialects::cloudevents;

use crate::Settings;
use crate::problem::{Kind, Problem};

/// How a body is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Ours, one or many.
    Native,
    /// One CloudEvent as JSON.
    Structured,
    /// Many CloudEvents as a JSON array.
    Batch,
    /// One CloudEvent, its attributes beside the body.
    Binary,
}

impl Form {
    /// Decides by media type and headers.
    pub fn of(content_type: Option<&str>, has_ce_version: bool) -> Result<Self, Problem> {
        let mut parts = content_type.unwrap_or_default().split(';');
        let media_type = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        let foreign = parts.map(|part| part.trim().to_ascii_lowercase()).find(|part| {
            part.strip_prefix("charset=")
                .is_some_and(|set| !matches!(set.trim_matches('"'), "utf-8" | "us-ascii"))
        });
        let form = match media_type.as_str() {
            cloudevents::STRUCTURED => Some(Self::Structured),
            cloudevents::BATCH => Some(Self::Batch),
            _ if has_ce_version => Some(Self::Binary),
            "application/json" => Some(Self::Native),
            _ => None,
        };
        form.filter(|_| foreign.is_none()).ok_or_else(|| {
            let shown = content_type.unwrap_or("(none)").chars().take(128).collect::<String>();
            let fix = format!(
                "send UTF-8 as application/json (one event or an array), {}, {}, or a CloudEvent with ce-* headers",
                cloudevents::STRUCTURED,
                cloudevents::BATCH
            );
            Problem::new(Kind::UnsupportedMediaType, format!("Content-Type {shown} is not read here"), fix)
        })
    }

    /// The largest body of this form.
    pub fn limit(self, settings: &Settings) -> usize {
        match self {
            Self::Native | Self::Batch => settings.max_batch_bytes.max(settings.max_event_bytes),
            Self::Structured | Self::Binary => settings.max_event_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_decided_by_media_type_and_header() {
        let of = |content_type, has_ce_version| Form::of(content_type, has_ce_version).ok();
        assert_eq!(of(Some("application/json"), false), Some(Form::Native));
        assert_eq!(of(Some("Application/JSON; charset=UTF-8"), false), Some(Form::Native));
        assert_eq!(of(Some("application/json; charset=\"utf-8\""), false), Some(Form::Native));
        assert_eq!(of(Some("application/json"), true), Some(Form::Binary));
        assert_eq!(of(None, true), Some(Form::Binary));
        assert_eq!(of(Some("application/cloudevents+json; charset=utf-8"), true), Some(Form::Structured));
        assert_eq!(of(Some("application/cloudevents-batch+json"), false), Some(Form::Batch));
        for bad in [None, Some(""), Some("text/plain"), Some("application/json; charset=latin1")] {
            assert_eq!(of(bad, false), None, "{bad:?}");
        }
    }
}
