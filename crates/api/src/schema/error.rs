//! Errors, as Contentful writes them.

use utoipa::ToSchema;

use super::only;

only!(ErrorType = "Error");

/// An error.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Error {
    sys: ErrorSys,
    /// What is wrong and how to mend it, for people.
    #[schema(examples(
        "1 field cannot be taken: url: plain http to example.com is not allowed (use https://)"
    ))]
    message: String,
    /// Names this request; the header `X-Contentful-Request-Id` says the same.
    request_id: String,
    details: Option<ErrorDetails>,
}

/// Which kind of error.
#[derive(ToSchema)]
pub(crate) struct ErrorSys {
    #[schema(inline)]
    r#type: ErrorType,
    /// The kind, stable.
    #[schema(inline)]
    id: ErrorId,
}

/// Every kind of error.
#[derive(ToSchema)]
pub(crate) enum ErrorId {
    BadRequest,
    InvalidQuery,
    AccessTokenInvalid,
    AccessDenied,
    NotFound,
    MethodNotAllowed,
    VersionMismatch,
    Conflict,
    PayloadTooLarge,
    UnsupportedMediaType,
    ValidationFailed,
    RateLimitExceeded,
    ServerError,
    BadGateway,
    ServiceUnavailable,
}

/// What else there is to say about an error.
#[derive(ToSchema)]
pub(crate) struct ErrorDetails {
    /// Every field or parameter that cannot be taken, all at once.
    #[schema(nullable = false)]
    errors: Option<Vec<FieldFault>>,
    /// With `VersionMismatch`: the version that was expected.
    #[schema(nullable = false, minimum = 0)]
    expected: Option<u64>,
    /// With `VersionMismatch`: the version there is.
    #[schema(nullable = false, minimum = 0)]
    current: Option<u64>,
}

/// A field or parameter that cannot be taken.
#[derive(ToSchema)]
pub(crate) struct FieldFault {
    /// The kind of fault, stable: `required`, `type`, `size`, `range`, `format`, `in`, `taken`, `unknown`, …
    #[schema(examples("format"))]
    name: String,
    /// Where: a field such as `headers[2].key`, or the parameter's name.
    #[schema(examples("headers[2].key"))]
    path: String,
    /// What is wrong.
    details: String,
    /// What would be right.
    fix: String,
    /// What was given, shortened; never of a secret field.
    #[schema(nullable = false)]
    value: Option<String>,
}
