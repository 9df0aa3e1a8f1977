//! Cursors as texts. For clients they are opaque: what `pages` gave is handed back as `cursor`.

use postrider_control::Cursor;
use postrider_control::calls::TailCursor;
use postrider_domain::timestamp::Timestamp;
use uuid::Uuid;

/// Either way through a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Rows older than this (`pages.next`).
    Older(Cursor),
    /// Calls that ended after this (`pages.newer`).
    Newer(TailCursor),
}

impl Place {
    /// `o` or `n`, the instant in milliseconds, a dot, the id.
    pub(crate) fn write(&self) -> String {
        let (way, at, id) = match self {
            Self::Older(cursor) => ('o', cursor.at, cursor.id),
            Self::Newer(cursor) => ('n', cursor.at, cursor.id),
        };
        format!("{way}{}.{}", at.unix_ms(), id.simple())
    }

    pub(crate) fn read(text: &str) -> Option<Self> {
        let (at, id) = text.get(1..)?.split_once('.')?;
        let at = Timestamp::from_unix_ms(at.parse().ok()?);
        let id = Uuid::parse_str(id).ok()?;
        match text.as_bytes().first()? {
            b'o' => Some(Self::Older(Cursor { at, id })),
            b'n' => Some(Self::Newer(TailCursor { at, id })),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_nonsense_does_not() {
        let (at, id) = (Timestamp::from_unix_ms(1_767_268_800_123), Uuid::from_u128(7));
        for place in [Place::Older(Cursor { at, id }), Place::Newer(TailCursor { at, id })] {
            assert_eq!(Place::read(&place.write()), Some(place));
        }
        for bad in ["", "o", "x1.2", "o1", "o1.zz", "ä1.0", "o99999999999999999999.0"] {
            assert_eq!(Place::read(bad), None, "{bad}");
        }
    }
}
