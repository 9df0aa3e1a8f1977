//! Texts drawn at random: ids, tokens, signing secrets.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use postrider_ports::clock::Random;

/// An id of 22 URL-safe characters: 16 random bytes, 128 bits. It never begins with `-` or `_`, which a command line
/// would take for a flag or a selection would drop.
pub(crate) fn id(random: &dyn Random) -> String {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    // 0x00 to 0xcf begin with one of the 52 letters of the alphabet (52 × 4 = 208 = 0xd0).
    bytes[0] %= 0xd0;
    URL_SAFE_NO_PAD.encode(bytes)
}

/// An access token: `prt_` and 43 URL-safe characters, 32 random bytes.
pub(crate) fn token(random: &dyn Random) -> String {
    format!("prt_{}", URL_SAFE_NO_PAD.encode(bytes(random)))
}

/// A signing secret that is used as text: 64 hexadecimal characters, 32 random bytes.
pub(crate) fn hex_secret(random: &dyn Random) -> String {
    hex::encode(bytes(random))
}

/// 32 random bytes.
pub(crate) fn bytes(random: &dyn Random) -> [u8; 32] {
    let mut bytes = [0; 32];
    random.fill(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fills with one byte.
    struct Always(u8);

    impl Random for Always {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn an_id_begins_with_a_letter_whatever_is_drawn() {
        for byte in 0..=u8::MAX {
            let id = id(&Always(byte));
            assert_eq!(id.len(), 22);
            assert!(id.starts_with(|first: char| first.is_ascii_alphabetic()), "{id}");
        }
    }

    #[test]
    fn tokens_and_secrets_have_their_length() {
        assert_eq!(token(&Always(255)).len(), 4 + 43);
        assert_eq!(hex_secret(&Always(7)), "07".repeat(32));
    }
}
