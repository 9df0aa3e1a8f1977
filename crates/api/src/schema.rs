//! What bodies and answers look like, for the OpenAPI document. Bodies are read field by field (`fields.rs`), so that every
//! fault of one is found; nothing of this is ever made, it only describes. The tests hold every answer against it.
//!
//! What we answer may gain fields; our own bodies take no unknown ones, Contentful's ignore them with a warning.

#![expect(
    dead_code,
    clippy::enum_variant_names,
    clippy::struct_field_names,
    clippy::large_enum_variant,
    reason = "these types describe and are never made; their names are those of the JSON"
)]

pub(crate) mod call;
pub(crate) mod delivery;
pub(crate) mod error;
pub(crate) mod event;
pub(crate) mod filter;
pub(crate) mod key;
pub(crate) mod link;
pub(crate) mod parked;
pub(crate) mod preview;
pub(crate) mod publish;
pub(crate) mod query;
pub(crate) mod retry;
pub(crate) mod settings;
pub(crate) mod slack;
pub(crate) mod source;
pub(crate) mod space;
pub(crate) mod text;
pub(crate) mod token;
pub(crate) mod webhook;
pub(crate) mod webhook_body;

/// A type of one text: `only!(SpaceType = "Space")`.
macro_rules! only {
    ($($name:ident = $text:literal),+ $(,)?) => {$(
        #[doc = concat!("`", $text, "`")]
        #[derive(utoipa::ToSchema)]
        pub(crate) enum $name {
            #[schema(rename = $text)]
            Only,
        }
    )+};
}
pub(crate) use only;
