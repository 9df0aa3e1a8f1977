//! Cursors as texts. For clients they are opaque: what `pages` gave is handed back as `cursor`.

use postrider_control::calls::TailCursor;
use postrider_control::{Cursor, Order};
use postrider_domain::timestamp::Timestamp;
use uuid::Uuid;

/// Either way through a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Rows after this, in this order (`pages.next`).
    After(Order, Cursor),
    /// Calls that ended after this (`pages.newer`).
    Newer(TailCursor),
}

/// The letter of each order: a cursor means nothing in another one.
const ORDERS: [(char, Order); 4] =
    [('o', Order::Newest), ('a', Order::Oldest), ('s', Order::Soonest), ('l', Order::Latest)];

impl Place {
    /// Rows older than this.
    pub(crate) fn older(cursor: Cursor) -> Self {
        Self::After(Order::Newest, cursor)
    }

    /// A letter for the way, the instant in milliseconds, a dot, the id.
    pub(crate) fn write(&self) -> String {
        let (way, at, id) = match self {
            Self::After(order, cursor) => {
                let letter = ORDERS.iter().find(|(_, one)| one == order).map_or('o', |(letter, _)| *letter);
                (letter, cursor.at, cursor.id)
            }
            Self::Newer(cursor) => ('n', cursor.at, cursor.id),
        };
        format!("{way}{}.{}", at.unix_ms(), id.simple())
    }

    pub(crate) fn read(text: &str) -> Option<Self> {
        let (at, id) = text.get(1..)?.split_once('.')?;
        let at = Timestamp::from_unix_ms(at.parse().ok()?);
        let id = Uuid::parse_str(id).ok()?;
        let letter = text.chars().next()?;
        if letter == 'n' {
            return Some(Self::Newer(TailCursor { at, id }));
        }
        let (_, order) = ORDERS.iter().find(|(one, _)| *one == letter)?;
        Some(Self::After(*order, Cursor { at, id }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cursor_reads_back_and_nonsense_does_not() {
        let (at, id) = (Timestamp::from_unix_ms(1_767_268_800_123), Uuid::from_u128(7));
        let after = ORDERS.map(|(_, order)| Place::After(order, Cursor { at, id }));
        for place in after.into_iter().chain([Place::Newer(TailCursor { at, id })]) {
            assert_eq!(Place::read(&place.write()), Some(place));
        }
        for bad in ["", "o", "x1.2", "o1", "o1.zz", "ä1.0", "o99999999999999999999.0"] {
            assert_eq!(Place::read(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = Place::read(&text);
        }

        #[test]
        fn every_place_reads_back(at in -1_000_000_000_000_i64..100_000_000_000_000, id: u128, order in 0..4_usize) {
            let cursor = Cursor { at: Timestamp::from_unix_ms(at), id: Uuid::from_u128(id) };
            let place = Place::After(ORDERS[order].1, cursor);
            prop_assert_eq!(Place::read(&place.write()), Some(place));
        }
    }
}
