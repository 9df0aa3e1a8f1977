//! Access tokens.

use utoipa::ToSchema;

use super::link::{ArraySys, Pages};
use super::only;
use super::text::{Instant, Name, TokenId};

only!(TokenType = "Token", UserType = "User");

/// A token as it is asked for.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"name": "Website build", "role": "viewer", "space": "default"}))]
pub(crate) struct TokenBody {
    name: Name,
    #[schema(inline)]
    role: Role,
    space: TokenSpace,
    /// When it ends, an instant to come; it lasts when left out.
    expires_at: Option<Instant>,
}

/// A space's id, or `*` for the whole instance.
#[derive(ToSchema)]
#[schema(pattern = r"^(\*|[A-Za-z0-9_-]{1,64})$", examples("default"))]
pub(crate) struct TokenSpace(String);

/// What a token may do.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Role {
    Admin,
    Editor,
    Developer,
    Viewer,
    Publisher,
}

/// Every permission.
#[derive(ToSchema)]
pub(crate) enum Permission {
    #[schema(rename = "events:publish")]
    EventsPublish,
    #[schema(rename = "webhooks:list")]
    WebhooksList,
    #[schema(rename = "webhooks:create")]
    WebhooksCreate,
    #[schema(rename = "webhooks:update")]
    WebhooksUpdate,
    #[schema(rename = "webhooks:delete")]
    WebhooksDelete,
    #[schema(rename = "calls:read")]
    CallsRead,
    #[schema(rename = "calls:resend")]
    CallsResend,
    #[schema(rename = "integrations:manage")]
    IntegrationsManage,
    #[schema(rename = "tokens:manage")]
    TokensManage,
    #[schema(rename = "admin")]
    Admin,
}

/// A token, without the token itself.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Token {
    sys: TokenSys,
    name: String,
    /// Its first characters, to tell tokens apart.
    #[schema(examples("prt_Xk3q"))]
    prefix: String,
    #[schema(inline)]
    role: Role,
    #[schema(inline)]
    permissions: Vec<Permission>,
    space: TokenSpace,
    #[schema(required)]
    expires_at: Option<Instant>,
    #[schema(required)]
    revoked_at: Option<Instant>,
}

/// Which token.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TokenSys {
    #[schema(inline)]
    r#type: TokenType,
    id: TokenId,
    created_at: Instant,
}

/// A token that was made just now.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewToken {
    sys: TokenSys,
    name: String,
    prefix: String,
    #[schema(inline)]
    role: Role,
    #[schema(inline)]
    permissions: Vec<Permission>,
    space: TokenSpace,
    #[schema(required)]
    expires_at: Option<Instant>,
    #[schema(required)]
    revoked_at: Option<Instant>,
    /// The token itself: shown this once and never again.
    #[schema(examples("prt_Xk3q…"))]
    token: String,
}

/// The tokens that the caller may manage, oldest first.
#[derive(ToSchema)]
pub(crate) struct TokenList {
    sys: ArraySys,
    total: u64,
    skip: u64,
    limit: u64,
    items: Vec<Token>,
    pages: Pages,
}

/// Who the token of the request is, as Contentful describes a user.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    sys: UserSys,
    /// The token's name.
    first_name: String,
    #[schema(inline)]
    role: Role,
    #[schema(inline)]
    permissions: Vec<Permission>,
    space: TokenSpace,
}

/// Which user.
#[derive(ToSchema)]
pub(crate) struct UserSys {
    #[schema(inline)]
    r#type: UserType,
    /// The token's id.
    id: TokenId,
}
