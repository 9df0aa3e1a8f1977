//! Contentful's links and lists.

use utoipa::ToSchema;

use super::only;

only!(LinkType = "Link", ArrayType = "Array");

/// A link to something else.
#[derive(ToSchema)]
pub(crate) struct Link {
    sys: LinkSys,
}

/// What a link leads to.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LinkSys {
    #[schema(inline)]
    r#type: LinkType,
    /// The type of what it leads to.
    #[schema(examples("Space"))]
    link_type: String,
    /// Its id.
    #[schema(examples("default"))]
    id: String,
}

/// Marks a list.
#[derive(ToSchema)]
pub(crate) struct ArraySys {
    #[schema(inline)]
    r#type: ArrayType,
}

/// Where a list goes on.
#[derive(ToSchema)]
pub(crate) struct Pages {
    /// Hand it back as `cursor` for what comes next; null or absent on the last page.
    next: Option<String>,
}
