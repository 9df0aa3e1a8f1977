//! Texts and numbers with a form of their own: ids, instants, durations.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::duration_json::LONGEST_TEXT;

/// Id of a space: 1 to 64 of `A-Z a-z 0-9 _ -`.
#[derive(ToSchema)]
#[schema(pattern = "^[A-Za-z0-9_-]{1,64}$", examples("default"))]
pub(crate) struct SpaceId(String);

/// Id of an environment: 1 to 64 of `A-Z a-z 0-9 _ -`.
#[derive(ToSchema)]
#[schema(pattern = "^[A-Za-z0-9_-]{1,64}$", examples("master"))]
pub(crate) struct EnvironmentId(String);

/// Id of a webhook, unique in its space: 1 to 64 of `A-Z a-z 0-9 . _ -`.
#[derive(ToSchema)]
#[schema(pattern = "^[A-Za-z0-9._-]{1,64}$", examples("search-index"))]
pub(crate) struct WebhookId(String);

/// Id of a source, unique in its space: 1 to 64 of `A-Z a-z 0-9 . _ -`.
#[derive(ToSchema)]
#[schema(pattern = "^[A-Za-z0-9._-]{1,64}$", examples("cometcms"))]
pub(crate) struct SourceId(String);

/// Id of a Slack connection, unique in its space: 1 to 64 of `A-Z a-z 0-9 . _ -`.
#[derive(ToSchema)]
#[schema(pattern = "^[A-Za-z0-9._-]{1,64}$", examples("editors"))]
pub(crate) struct ConnectionId(String);

/// Public id of a token, never the token itself.
#[derive(ToSchema)]
#[schema(pattern = "^[A-Za-z0-9_-]{1,64}$", examples("3fQp0ySm1cXr8VbK2tLw5a"))]
pub(crate) struct TokenId(String);

/// Id of an event, unique in its space: 1 to 128 of `A-Z a-z 0-9 . _ : -`.
#[derive(ToSchema)]
#[schema(pattern = "^[A-Za-z0-9._:-]{1,128}$", examples("01JH7Q4ZT0B6X2"))]
pub(crate) struct EventId(String);

/// Id of a call, a UUID version 7: its first 48 bits are the millisecond at which the call began.
#[derive(ToSchema)]
#[schema(format = "uuid", examples("019b79f6-bb80-7000-8000-000000000001"))]
pub(crate) struct CallId(String);

/// Id of a delivery, a UUID derived from space, environment, event, webhook and generation.
#[derive(ToSchema)]
#[schema(format = "uuid", examples("5f1c2f0a-6f9e-5d3b-9b1e-0d8f6c0b7a11"))]
pub(crate) struct DeliveryId(String);

/// Number of a parked message.
#[derive(ToSchema)]
#[schema(pattern = "^[0-9]{1,18}$", examples("42"))]
pub(crate) struct ParkedId(String);

/// An instant, RFC 3339; answers have UTC with milliseconds.
#[derive(ToSchema)]
#[schema(format = DateTime, examples("2026-01-01T12:00:00.000Z"))]
pub(crate) struct Instant(String);

/// A name for people: 1 to 256 characters on one line, not only spaces.
#[derive(ToSchema)]
#[schema(
    min_length = 1,
    max_length = 256,
    pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$",
    examples("Search index")
)]
pub(crate) struct Name(String);

/// A text that limits a webhook: 1 to 256 characters, none of them a control character.
#[derive(ToSchema)]
#[schema(min_length = 1, max_length = 256, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$", examples("blogPost"))]
pub(crate) struct LimitText(String);

/// A secret: 16 to 256 visible ASCII characters. One that begins with `whsec_` goes on in Base64 (Standard Webhooks).
#[derive(ToSchema)]
#[schema(
    min_length = 16,
    max_length = 256,
    pattern = "^[!-~]{16,256}$",
    examples("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
)]
pub(crate) struct SecretText(String);

/// A duration as taken: seconds as a number, or a text of numbers with units, such as `"30s"`, `"1h 30m"`, `"250ms"`.
pub(crate) struct Duration;

impl PartialSchema for Duration {
    fn schema() -> RefOr<Schema> {
        let seconds = ObjectBuilder::new().schema_type(Type::Number).minimum(Some(0));
        let text = ObjectBuilder::new().schema_type(Type::String).max_length(Some(LONGEST_TEXT)).pattern(
            Some(r"^( *[0-9]+(\.[0-9]+)? *(ms|s|sec|seconds?|m|min|minutes?|h|hours?|d|days?))+ *$"),
        );
        AnyOfBuilder::new()
            .item(seconds)
            .item(text)
            .description(Some(
                "A duration: seconds as a number, or a text of numbers with units, such as `\"30s\"`, `\"1h 30m\"`, \
                 `\"250ms\"` (units ms, s, m, h, d).",
            ))
            .examples(["30s"])
            .into()
    }
}

impl ToSchema for Duration {}

/// A duration as answered, in seconds.
#[derive(ToSchema)]
#[schema(minimum = 0, examples(30))]
pub(crate) struct Seconds(f64);
