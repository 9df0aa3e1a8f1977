//! What a space has settled for all its webhooks.

use utoipa::ToSchema;

use super::link::Link;
use super::only;
use super::text::Instant;

only!(
    SecretType = "WebhookSigningSecret",
    PolicyType = "WebhookRetryPolicy",
    ConstantsType = "WebhookConstants"
);

/// A space's signing secret as it is sent to us.
#[derive(ToSchema)]
pub(crate) struct SpaceSecretBody {
    /// 64 characters of `0-9 a-z A-Z + / = _ -`.
    #[schema(
        min_length = 64,
        max_length = 64,
        pattern = "^[0-9a-zA-Z+/=_-]{64}$",
        examples("b7e3d1f0a94c5826b7e3d1f0a94c5826b7e3d1f0a94c5826b7e3d1f0a94c5826")
    )]
    value: String,
}

/// A space's signing secret as it may be shown.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SpaceSecret {
    sys: SpaceSecretSys,
    /// Its last four characters.
    #[schema(examples("5826"))]
    redacted_value: String,
}

/// Whose secret.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SpaceSecretSys {
    #[schema(inline)]
    r#type: SecretType,
    space: Link,
    created_at: Instant,
    created_by: Link,
}

/// How often failed calls are repeated, as it is sent to us.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SpaceRetryPolicyBody {
    #[schema(minimum = 2, maximum = 99, examples(5))]
    max_retries: u32,
}

/// How often failed calls are repeated.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SpaceRetryPolicy {
    sys: SpaceRetryPolicySys,
    #[schema(minimum = 2, maximum = 99, examples(5))]
    max_retries: u32,
}

/// Whose policy.
#[derive(ToSchema)]
pub(crate) struct SpaceRetryPolicySys {
    #[schema(inline)]
    r#type: PolicyType,
    space: Link,
}

/// What CMSs write into every payload, as it is sent to us.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConstantsBody {
    /// Contentstack's `api_key` of the stack.
    api_key: Option<ConstantText>,
    /// DatoCMS's `site_id`.
    site_id: Option<ConstantText>,
    /// Contismo's `project`.
    project: Option<ConstantText>,
    /// Taken and left aside, so that what was read can be changed and sent back.
    #[schema(value_type = Option<Value>)]
    sys: Option<()>,
}

/// A constant: 1 to 128 characters on one line, not only spaces.
#[derive(ToSchema)]
#[schema(
    min_length = 1,
    max_length = 128,
    pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$",
    examples("205")
)]
pub(crate) struct ConstantText(String);

/// What CMSs write into every payload; what is `null` is the space's id there.
#[derive(ToSchema)]
pub(crate) struct Constants {
    sys: ConstantsSys,
    /// Contentstack's `api_key` of the stack.
    #[schema(required, examples("blt02f7b45378b008ee"))]
    api_key: Option<String>,
    /// DatoCMS's `site_id`.
    #[schema(required, examples("205"))]
    site_id: Option<String>,
    /// Contismo's `project`.
    #[schema(required, examples("shop"))]
    project: Option<String>,
}

/// Whose constants.
#[derive(ToSchema)]
pub(crate) struct ConstantsSys {
    #[schema(inline)]
    r#type: ConstantsType,
    space: Link,
}

/// The public half of a space's key pair.
#[derive(ToSchema)]
pub(crate) struct PublicKeys {
    /// PEM, PKCS #1.
    #[schema(
        rename = "signing-key",
        examples("-----BEGIN RSA PUBLIC KEY-----\n…\n-----END RSA PUBLIC KEY-----\n")
    )]
    signing_key: String,
}
