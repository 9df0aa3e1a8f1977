//! A webhook in JSON: Contentful's definition (`reference`: content-management-api/webhooks), and our own fields.
//!
//! | field | form |
//! |---|---|
//! | `triggers` | `[{type, actions[], contentTypes[], entities[]}]` |
//! | `contentTypes`, `entities`, `changedFields`, `states` | lists of texts |
//! | `dialect`, `options` | a name, and an object of texts that it understands |
//! | `transformation` | Contentful's: `{method, contentType, includeContentLength, body}` |
//! | `template` | `{body, escape}`: Mustache; the URL is one too |
//! | `action` | `{"type": "slack", connection, channel, template}`: a message to Slack in place of a call |
//! | `signing` | `true` or `{}`: signed; `{"secret": …}`: with this one; `false`: not signed. Shown without the secret |
//! | `retryPolicy` | see `retry_json.rs` |
//! | `timeout` | duration, 1 to 30 s |
//! | `coalesce` | `{window, key: "webhook" or "resource"}`, or `false` |
//! | `rateLimit` | `{calls, per}`; `per` is a second unless given |

mod filter;
mod read;
mod render;
mod write;

pub(crate) use read::read;
pub(crate) use write::{write, write_saved};
