//! Writes JSON objects that embed JSON texts as they are. Serde would have to parse such a text again to embed it, for
//! every message of a fan-out; and it would have to refuse one, where all we promise is to hand it on.

use postrider_domain::json::Json;
use serde::Serialize;

/// An object under construction.
pub(crate) struct Object<'o> {
    out: &'o mut Vec<u8>,
    is_empty: bool,
}

impl<'o> Object<'o> {
    /// Begins an object.
    pub(crate) fn open(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, is_empty: true }
    }

    /// Adds a field that serde can write.
    pub(crate) fn field(&mut self, name: &'static str, value: &impl Serialize) {
        // See `version::write`.
        serde_json::to_writer(self.name(name), value).expect("forms are plain structures");
    }

    /// Adds a JSON text as it is.
    pub(crate) fn text(&mut self, name: &'static str, json: &Json) {
        self.name(name).extend_from_slice(json.as_str().as_bytes());
    }

    /// Begins a field, whose value the caller must append to what is returned.
    pub(crate) fn name(&mut self, name: &'static str) -> &mut Vec<u8> {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// Ends the object.
    pub(crate) fn close(self) {
        self.out.push(b'}');
    }
}
