//! Contentful's filters.

use utoipa::ToSchema;

/// Which property of an event a filter looks at.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FilterDoc {
    /// The property.
    #[schema(inline)]
    doc: FilterPath,
}

/// The properties that a filter can look at.
#[derive(ToSchema)]
pub(crate) enum FilterPath {
    #[schema(rename = "sys.id")]
    Id,
    #[schema(rename = "sys.environment.sys.id")]
    Environment,
    #[schema(rename = "sys.contentType.sys.id")]
    ContentType,
    #[schema(rename = "sys.createdBy.sys.id")]
    CreatedBy,
    #[schema(rename = "sys.updatedBy.sys.id")]
    UpdatedBy,
    #[schema(rename = "sys.deletedBy.sys.id")]
    DeletedBy,
}

/// A regular expression, in the syntax of the `regex` crate: linear time, no look-around, no back-references.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FilterPattern {
    /// The expression; it matches anywhere in the property.
    #[schema(examples("^release-"))]
    pattern: String,
}

/// What a property may be.
#[derive(ToSchema)]
#[schema(min_items = 1, max_items = 1000)]
pub(crate) struct FilterValues(Vec<String>);

/// A condition on a property. A property that the event does not have makes it false.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) enum FilterCondition {
    /// The property is this text.
    Equals((FilterDoc, String)),
    /// The property is one of these.
    In((FilterDoc, FilterValues)),
    /// The property matches.
    Regexp((FilterDoc, FilterPattern)),
}

/// A condition, or its opposite.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) enum Filter {
    /// The property is this text.
    Equals((FilterDoc, String)),
    /// The property is one of these.
    In((FilterDoc, FilterValues)),
    /// The property matches.
    Regexp((FilterDoc, FilterPattern)),
    /// The condition does not hold, though the property is there.
    Not(FilterCondition),
}
