//! Spaces and environments.

use std::collections::BTreeMap;

use utoipa::ToSchema;

use super::link::{ArraySys, Link, Pages};
use super::only;
use super::text::{EnvironmentId, Instant, Name, SpaceId};

only!(SpaceType = "Space", EnvironmentType = "Environment", BalanceType = "Balance");

/// A space as it is sent to us. What is left out stays as it is.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Website", "environments": ["master", "staging"]}))]
pub(crate) struct SpaceBody {
    /// A new space takes its id for a name.
    name: Option<Name>,
    /// A new space has `master`.
    #[schema(min_items = 1, max_items = 1000)]
    environments: Option<Vec<EnvironmentId>>,
    /// Taken and left aside, so that what was read can be changed and sent back.
    #[schema(value_type = Option<Value>)]
    sys: Option<()>,
}

/// A space.
#[derive(ToSchema)]
pub(crate) struct Space {
    sys: SpaceSys,
    name: String,
    environments: Vec<EnvironmentId>,
}

/// Which space.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SpaceSys {
    #[schema(inline)]
    r#type: SpaceType,
    id: SpaceId,
    created_at: Instant,
}

/// A line of content inside a space.
#[derive(ToSchema)]
pub(crate) struct Environment {
    sys: EnvironmentSys,
    name: String,
}

/// Which environment.
#[derive(ToSchema)]
pub(crate) struct EnvironmentSys {
    #[schema(inline)]
    r#type: EnvironmentType,
    id: EnvironmentId,
    space: Link,
    status: Link,
}

/// The spaces that the token reaches, by id.
#[derive(ToSchema)]
pub(crate) struct SpaceList {
    sys: ArraySys,
    total: u64,
    skip: u64,
    limit: u64,
    items: Vec<Space>,
    pages: Pages,
}

/// The environments of a space, in the order in which they were made.
#[derive(ToSchema)]
pub(crate) struct EnvironmentList {
    sys: ArraySys,
    total: u64,
    skip: u64,
    limit: u64,
    items: Vec<Environment>,
    pages: Pages,
}

/// Where every delivery of generation 0 stands.
#[derive(ToSchema)]
pub(crate) struct Balance {
    sys: BalanceSys,
    /// Deliveries by state.
    states: BTreeMap<String, u64>,
    /// Their sum.
    total: u64,
    /// What waits in the queues of the whole instance; only for tokens of the whole instance.
    #[schema(nullable = false)]
    queues: Option<BTreeMap<String, Depth>>,
}

/// Whose balance.
#[derive(ToSchema)]
pub(crate) struct BalanceSys {
    #[schema(inline)]
    r#type: BalanceType,
    space: Link,
}

/// How much waits in a queue.
#[derive(ToSchema)]
pub(crate) struct Depth {
    /// Ready to be handed out.
    ready: u64,
    /// Waiting for its time.
    delayed: u64,
    /// Handed out and not yet acknowledged.
    leased: u64,
}
