//! What a space has settled for all its webhooks.

use utoipa::ToSchema;

use super::link::Link;
use super::only;
use super::text::Instant;

only!(SecretType = "WebhookSigningSecret", PolicyType = "WebhookRetryPolicy");

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
