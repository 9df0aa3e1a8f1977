//! Sources: where the webhooks of CMSs come in.

use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use super::link::{ArraySys, Link, Pages};
use super::only;
use super::text::{Instant, Name, SecretText, SourceId};

only!(SourceType = "Source");

/// A source as it is sent to us.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Editorial CMS", "dialect": "cometcms"}))]
pub(crate) struct SourceBody {
    name: Name,
    #[schema(schema_with = dialect)]
    dialect: String,
    /// What proves that a webhook is genuine. Left out: it stays as it is, and is drawn for a new source.
    secret: Option<SecretText>,
    /// Taken and left aside, so that what was read can be changed and sent back.
    #[schema(value_type = Option<Value>)]
    sys: Option<()>,
    /// Taken and left aside, so that what was read can be changed and sent back.
    #[schema(value_type = Option<Value>)]
    path: Option<()>,
}

/// A source.
#[derive(ToSchema)]
pub(crate) struct Source {
    sys: SourceSys,
    name: String,
    #[schema(schema_with = dialect)]
    dialect: String,
    /// Where the CMS sends its webhooks for the environment `master`; other environments have theirs in the same place.
    #[schema(examples("/spaces/default/environments/master/sources/cometcms"))]
    path: String,
    /// The secret that was drawn just now: shown this once.
    #[schema(nullable = false)]
    secret: Option<String>,
}

/// Which source.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SourceSys {
    #[schema(inline)]
    r#type: SourceType,
    id: SourceId,
    space: Link,
    created_at: Instant,
    created_by: Link,
    updated_at: Instant,
    updated_by: Link,
}

/// The sources of a space, by id.
#[derive(ToSchema)]
pub(crate) struct SourceList {
    sys: ArraySys,
    total: u64,
    skip: u64,
    limit: u64,
    items: Vec<Source>,
    pages: Pages,
}

/// The dialects that read webhooks, so that the document names them all.
fn dialect() -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(postrider_control::source_dialect_names()))
        .description(Some("Which CMS speaks."))
        .into()
}
