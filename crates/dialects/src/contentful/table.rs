//! Which actions happen to which resources: the table of Contentful's document, as data.

use postrider_domain::topic::{Action, ActionPattern, TopicPattern};

/// The columns.
pub const ACTIONS: [&str; 8] =
    ["create", "save", "auto_save", "archive", "unarchive", "publish", "unpublish", "delete"];

/// One row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// For people.
    pub label: &'static str,
    /// As topics name it.
    pub event_type: &'static str,
    /// Yes or no for each of [`ACTIONS`].
    pub happens: [bool; 8],
}

/// `seeds/contentful-webhooks.txt`, "When webhooks are called", row by row.
const ROWS: [Row; 3] = [
    Row {
        label: "Content type",
        event_type: "ContentType",
        happens: [true, true, false, false, false, true, true, true],
    },
    Row { label: "Entry", event_type: "Entry", happens: [true; 8] },
    Row { label: "Asset", event_type: "Asset", happens: [true; 8] },
];

/// The table. A form offers only what happens.
pub fn table() -> &'static [Row] {
    &ROWS
}

impl Row {
    /// The actions that happen to it, in the table's order.
    pub fn actions(&self) -> impl Iterator<Item = &'static str> {
        ACTIONS.into_iter().zip(self.happens).filter_map(|(action, happens)| happens.then_some(action))
    }
}

/// Why no known event can match a topic that means a No cell of the table; `None` for everything else, types and actions
/// that the table does not have included. Such a topic is taken all the same.
pub fn doubt(pattern: &TopicPattern) -> Option<String> {
    let wanted = pattern.event_type.as_ref()?;
    let row = ROWS.iter().find(|row| row.event_type == wanted.as_str())?;
    let (ActionPattern::Plain(action) | ActionPattern::Suffixed(action)) = &pattern.action else {
        return None;
    };
    let stem = stem(action);
    let known = ACTIONS.contains(&stem);
    let never = known && !row.actions().any(|happens| happens == stem);
    never.then(|| {
        let happens = row.actions().collect::<Vec<_>>().join(", ");
        format!(
            "no known event matches {pattern}: of a {} Contentful tells {happens}",
            row.label.to_lowercase()
        )
    })
}

fn stem(action: &Action) -> &str {
    action.as_str().split('.').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_that_of_the_document() {
        let printed: Vec<String> = table()
            .iter()
            .map(|row| {
                let cells = row.happens.map(|yes| if yes { "Yes" } else { "No" }).join(" ");
                format!("{} {cells}", row.label)
            })
            .collect();
        assert_eq!(
            printed,
            [
                "Content type Yes Yes No No No Yes Yes Yes",
                "Entry Yes Yes Yes Yes Yes Yes Yes Yes",
                "Asset Yes Yes Yes Yes Yes Yes Yes Yes",
            ]
        );
    }

    #[test]
    fn only_the_no_cells_are_doubted() {
        let doubted = |text: &str| doubt(&TopicPattern::parse(text).expect("a topic"));
        for row in table() {
            for (action, happens) in ACTIONS.into_iter().zip(row.happens) {
                assert_eq!(doubted(&format!("{}.{action}", row.event_type)).is_none(), happens);
            }
        }
        for fine in ["*.auto_save", "ContentType.*", "*.*", "ContentType.levitate", "Task.archive"] {
            assert_eq!(doubted(fine), None, "{fine}");
        }
        let said = doubted("ContentType.auto_save").expect("a No cell");
        assert!(said.starts_with("no known event matches ContentType.auto_save"), "{said}");
    }
}
