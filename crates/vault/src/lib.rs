//! The key ring: seals and opens secrets with XChaCha20-Poly1305.
//!
//! A sealed secret reads `v1.<key id>.<base64url(nonce ‖ ciphertext ‖ tag)>`. The nonce has 24 random bytes, enough to draw
//! one per secret without counting (draft-irtf-cfrg-xchacha §2.1). The place of the secret (space, owner, field) is
//! authenticated with it: a sealed text moved to another row does not open.
//!
//! Only sealed texts are stored or sent. They are opened where a request is signed, and nowhere else.
//!
//! Keys are rotated while processes run ([`KeyRing`] reads its ring again), in the order that [`RingText`] allows: a key is
//! added behind the others, where it opens; every process comes to know it; it is put in front, where it seals; everything
//! is sealed anew; the old key is removed.

mod key;
mod ring;
mod shelf;
mod text;

pub use key::{InvalidKeys, Key, KeyId};
pub use ring::KeyRing;
pub use text::{InvalidEdit, RingText};
