//! The keys that seal secrets.

use utoipa::ToSchema;

use super::link::{ArraySys, Pages};
use super::only;
use super::text::SpaceId;

only!(KeyType = "Key", ResealType = "Reseal");

/// Id of a key: 1 to 32 of `A-Z a-z 0-9 _ -`.
#[derive(ToSchema)]
#[schema(pattern = "^[A-Za-z0-9_-]{1,32}$", examples("k2"))]
pub(crate) struct KeyId(String);

/// How many secrets, by what holds them.
#[derive(ToSchema)]
pub(crate) struct Sealings {
    /// Signing secrets, passwords and secret headers of webhooks.
    webhooks: u64,
    /// Secrets of sources.
    sources: u64,
    /// Secrets in the settings of spaces.
    settings: u64,
}

/// A key, never the key itself.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Key {
    sys: KeySys,
    /// Whether it seals.
    active: bool,
    /// Whether the process that answers has it; if not, what is sealed with it does not open there.
    in_ring: bool,
    /// What is sealed with it.
    sealed: Sealings,
}

/// Which key.
#[derive(ToSchema)]
pub(crate) struct KeySys {
    #[schema(inline)]
    r#type: KeyType,
    id: KeyId,
}

/// The active key, then by id the others in the ring and those that are used and not in it.
#[derive(ToSchema)]
pub(crate) struct KeyList {
    sys: ArraySys,
    total: u64,
    skip: u64,
    limit: u64,
    items: Vec<Key>,
    pages: Pages,
    /// Stored values that name no key: they were damaged, and do not open.
    damaged: Sealings,
}

/// What is to be sealed anew.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"key": "k2"}))]
pub(crate) struct ResealBody {
    /// The key that must be the active one; any, when left out.
    key: Option<KeyId>,
    /// The space to begin with, as `next` named it; the first, when left out.
    from: Option<SpaceId>,
    /// How many secrets at most; 500 when left out.
    #[schema(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// What was sealed anew.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "they are the names in JSON")]
pub(crate) struct Resealed {
    sys: ResealSys,
    /// With this key.
    active: KeyId,
    resealed: Sealings,
    /// How many could not be.
    failures: u64,
    /// What could not be, the first hundred.
    failed: Vec<NotResealed>,
    /// The space to go on with; null at the end.
    #[schema(required)]
    next: Option<SpaceId>,
}

/// Marks the answer.
#[derive(ToSchema)]
pub(crate) struct ResealSys {
    #[schema(inline)]
    r#type: ResealType,
}

/// A secret that could not be sealed anew. It stays as it is.
#[derive(ToSchema)]
pub(crate) struct NotResealed {
    /// What holds it.
    #[schema(inline)]
    r#type: Holder,
    space: SpaceId,
    /// Of what holds it.
    id: String,
    /// Why, and what to do.
    reason: String,
}

/// What holds a secret.
#[derive(ToSchema)]
pub(crate) enum Holder {
    WebhookDefinition,
    Source,
    SpaceSettings,
}
