//! Query parameters. A parameter without a value is one that is not given.

use utoipa::IntoParams;

use super::delivery::{DeliveryOrder, DeliveryState, DeliveryStatusAsked};
use super::text::{EnvironmentId, EventId, Instant, WebhookId};

/// `skip`, `limit` and `cursor` of a list that may be skipped through.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// How many to pass over; `skip + limit` ends at 10,000, and a cursor leads further.
    #[param(minimum = 0, maximum = 9_999, default = 0)]
    skip: Option<u32>,
    /// How many to show: 100 unless given, and at most 1,000. More is cut to that, 0 is 1.
    #[param(minimum = 0, default = 100)]
    limit: Option<u32>,
    /// What `pages.next` gave, unchanged; then `skip` does not count.
    #[param(pattern = "^[A-Za-z0-9._-]{1,512}$")]
    cursor: Option<String>,
}

/// A list of somebody else's, which has only a cursor.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ChannelQuery {
    /// What `pages.next` gave, unchanged.
    #[param(min_length = 1, max_length = 256)]
    cursor: Option<String>,
}

/// The webhooks of a space.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WebhookQuery {
    /// How many to pass over; `skip + limit` ends at 10,000, and a cursor leads further.
    #[param(minimum = 0, maximum = 9_999, default = 0)]
    skip: Option<u32>,
    /// How many to show: 100 unless given, and at most 1,000. More is cut to that, 0 is 1.
    #[param(minimum = 0, default = 100)]
    limit: Option<u32>,
    /// What `pages.next` gave, unchanged, and without `order`; then `skip` does not count.
    #[param(pattern = "^[A-Za-z0-9._-]{1,512}$")]
    cursor: Option<String>,
    /// What to order by, `-` before it for descending: `sys.id`, `name`, `url`, `sys.createdAt`, `sys.updatedAt`, each at
    /// most once. Newest first unless given.
    #[param(
        pattern = r"^-?(sys\.id|name|url|sys\.createdAt|sys\.updatedAt)(,-?(sys\.id|name|url|sys\.createdAt|sys\.updatedAt)){0,4}$",
        example = "-sys.updatedAt,name"
    )]
    order: Option<String>,
    /// Which fields to show, joined by commas, with dots for fields of fields: `name,sys.id`. All unless given.
    #[param(pattern = r"^[A-Za-z0-9_.]+(,[A-Za-z0-9_.]+)*$", max_length = 1024, example = "name,url,sys")]
    select: Option<String>,
}

/// The calls of a webhook.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CallOverviewQuery {
    /// How many to pass over; `skip + limit` ends at 10,000, and a cursor leads further.
    #[param(minimum = 0, maximum = 9_999, default = 0)]
    skip: Option<u32>,
    /// How many to show: 100 unless given, and at most. More is cut to that, 0 is 1.
    #[param(minimum = 0, default = 100)]
    limit: Option<u32>,
    /// What `pages.next` gave, unchanged; then `skip` does not count.
    #[param(pattern = "^[A-Za-z0-9._-]{1,512}$")]
    cursor: Option<String>,
}

/// Deliveries or calls of a space, narrowed. Other parameters are refused, since a filter that does not filter misleads.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct LogQuery {
    /// Only of this webhook.
    #[param(value_type = Option<WebhookId>, inline)]
    webhook: Option<WebhookId>,
    /// Only of this environment.
    #[param(value_type = Option<EnvironmentId>, inline)]
    environment: Option<EnvironmentId>,
    /// Only of this event.
    #[param(value_type = Option<EventId>, inline)]
    event: Option<EventId>,
    /// Only of this type of resource.
    #[param(max_length = 256, example = "Entry")]
    r#type: Option<String>,
    /// Only of this action.
    #[param(max_length = 256, example = "publish")]
    action: Option<String>,
    /// Only of deliveries in this state.
    #[param(inline)]
    state: Option<DeliveryState>,
    /// Only from this instant on.
    #[param(inline)]
    from: Option<Instant>,
    /// Only before this instant.
    #[param(inline)]
    to: Option<Instant>,
    /// How many to pass over; `skip + limit` ends at 10,000, and a cursor leads further.
    #[param(minimum = 0, maximum = 9_999, default = 0)]
    skip: Option<u32>,
}

/// How a list of calls goes on.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CallsQuery {
    /// How many to show: 25 unless given, and at most 100. More is cut to that, 0 is 1.
    #[param(minimum = 0, default = 25)]
    limit: Option<u32>,
    /// What `pages.next` or `pages.newer` gave, unchanged.
    #[param(pattern = r"^[on]-?[0-9]{1,18}\.[0-9a-f]{32}$")]
    cursor: Option<String>,
    /// Says the same as `state`, which comes first.
    #[param(inline)]
    status: Option<DeliveryState>,
    /// How long to wait for calls that end from now on, or since the cursor `pages.newer`: seconds, or a text such as
    /// `10s`; 25 s at most.
    #[param(
        pattern = r"^([0-9]+(\.[0-9]+)?|( *[0-9]+(\.[0-9]+)? *(ms|s|m|h|d))+ *)$",
        max_length = 32,
        example = "10s"
    )]
    wait: Option<String>,
}

/// How a list of deliveries goes on.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
pub(crate) struct DeliveriesQuery {
    /// How many to show: 100 unless given, and at most 1,000. More is cut to that, 0 is 1.
    #[param(minimum = 0, default = 100)]
    limit: Option<u32>,
    /// What `pages.next` gave, unchanged. It goes on in the order in which the list began.
    #[param(pattern = r"^[oasl]-?[0-9]{1,18}\.[0-9a-f]{32}$")]
    cursor: Option<String>,
    /// Only of deliveries that stand so, in DatoCMS's words or in those of `state`: `pending` had no attempt yet, `rescheduled`
    /// waits for another one, `success` is delivered, `failed` is given up.
    #[param(inline)]
    status: Option<DeliveryStatusAsked>,
    /// Only those whose next attempt is due from this instant on. They come by it, soonest first.
    #[param(inline)]
    next_attempt_from: Option<Instant>,
    /// Only those whose next attempt is due before this instant. They come by it, soonest first.
    #[param(inline)]
    next_attempt_to: Option<Instant>,
    /// What to order by, `-` before it for descending: the last change, or the next attempt; in the order of that come only
    /// deliveries that have one. Last changed first unless given.
    #[param(inline)]
    order: Option<DeliveryOrder>,
}

/// Parked messages. Other parameters are refused.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ParkedQuery {
    /// How many to show: 100 unless given, and at most 1,000. More is cut to that, 0 is 1.
    #[param(minimum = 0, default = 100)]
    limit: Option<u32>,
    /// What `pages.next` gave, unchanged.
    #[param(pattern = "^[0-9]{1,18}$")]
    cursor: Option<String>,
}

/// Which version a change was made from.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct VersionHeader {
    /// `sys.version` as it was read. When given, the change is refused with 409 if there is another version now.
    #[param(rename = "X-Contentful-Version", minimum = 0)]
    version: Option<u64>,
}
