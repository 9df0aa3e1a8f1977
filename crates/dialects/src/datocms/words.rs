//! DatoCMS's words for types and actions, and ours.

use std::borrow::Cow;

use postrider_domain::event::EventHead;

/// DatoCMS's `entity_type` and our type (npm @datocms/cma-client, `WebhookCreateSchema.events`).
const TYPES: [(&str, &str); 8] = [
    ("item", "Entry"),
    ("item_type", "ContentType"),
    ("upload", "Asset"),
    ("environment", "Environment"),
    ("build_trigger", "BuildTrigger"),
    ("maintenance_mode", "MaintenanceMode"),
    ("sso_user", "User"),
    ("cda_cache_tags", "CacheTags"),
];

/// DatoCMS's `event_type` and our action. Of two rows for one action the first counts when an event leaves.
const ACTIONS: [(&str, &str); 9] = [
    ("create", "create"),
    ("update", "save"),
    ("delete", "delete"),
    ("publish", "publish"),
    ("unpublish", "unpublish"),
    ("deploy", "deploy"),
    ("deploy_started", "deploy.start"),
    ("deploy_succeeded", "deploy.success"),
    ("deploy_failed", "deploy.fail"),
];

/// Actions of DESIGN §1 for which DatoCMS has no event.
const UNKNOWN: [&str; 5] = ["auto_save", "archive", "unarchive", "restore", "workflow_transition"];

/// What an event is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words<'a> {
    pub(super) entity_type: &'a str,
    pub(super) event_type: Cow<'a, str>,
    /// A change of a model's field, told as an update of the model.
    pub(super) of_field: bool,
}

impl Words<'_> {
    pub(super) fn topic(&self) -> String {
        format!("{}.{}", self.entity_type, self.event_type)
    }
}

/// DatoCMS's words for an event, or why it has none.
///
/// A change of a field is an update of its model. What goes to the trash is deleted, and is silent when it is deleted for
/// ever. Types in lower case are those that DatoCMS has added since, read in its own word. A ping is `webhook.ping`, which
/// DatoCMS does not know: it is sent because somebody asked for it.
pub(super) fn of(head: &EventHead) -> Result<Words<'_>, String> {
    let (ours, action) = (head.event_type.as_str(), head.action.as_str());
    if ours == "Field" {
        return of_field(head);
    }
    if (ours, action) == ("Webhook", "ping") {
        return Ok(Words { entity_type: "webhook", event_type: action.into(), of_field: false });
    }
    let known = TYPES.iter().find(|(_, type_of_ours)| *type_of_ours == ours).map(|(dato, _)| *dato);
    let own_word = ours.starts_with(|first: char| first.is_ascii_lowercase()).then_some(ours);
    let Some(entity_type) = known.or(own_word) else {
        let known: Vec<_> = TYPES.iter().map(|(_, ours)| *ours).collect();
        return Err(format!("DatoCMS has no type {ours}: it speaks of {}", known.join(", ")));
    };
    let was_in_trash = matches!(head.resource.state.as_deref(), Some("trash" | "trashed"));
    if action == "delete" && was_in_trash {
        return Err("DatoCMS says nothing when what is in the trash is deleted for ever".to_owned());
    }
    let event_type = event_type(entity_type, action)
        .ok_or_else(|| format!("DatoCMS has no event for {action} of {ours} ({entity_type})"))?;
    Ok(Words { entity_type, event_type, of_field: false })
}

fn of_field(head: &EventHead) -> Result<Words<'_>, String> {
    let action = head.action.as_str();
    if !matches!(action.strip_suffix(".success").unwrap_or(action), "create" | "save" | "delete") {
        return Err(format!("DatoCMS has no event for {action} of a field"));
    }
    if head.resource.content_type.is_none() {
        return Err(
            "a change of a field is an update of its model, and the event has no contentType".to_owned()
        );
    }
    Ok(Words { entity_type: "item_type", event_type: "update".into(), of_field: true })
}

fn event_type<'a>(entity_type: &str, action: &'a str) -> Option<Cow<'a, str>> {
    if entity_type == "build_trigger" && action == "deploy" {
        return Some("deploy_succeeded".into());
    }
    let exact = |action: &str| ACTIONS.iter().find(|(_, ours)| *ours == action).map(|(dato, _)| *dato);
    if action.starts_with("deploy") && !matches!(entity_type, "environment" | "build_trigger") {
        return None;
    }
    let plain = action.strip_suffix(".success").unwrap_or(action);
    match plain {
        "publish" | "unpublish" if entity_type != "item" && is_known(entity_type) => None,
        "trash" => Some("delete".into()),
        _ if UNKNOWN.contains(&plain) => None,
        _ => match exact(action).or_else(|| exact(plain)) {
            Some(found) => Some(found.into()),
            // `publish.start` and the like are stages, which DatoCMS does not tell.
            None => (!action.contains('.')).then_some(Cow::Borrowed(action)),
        },
    }
}

fn is_known(entity_type: &str) -> bool {
    TYPES.iter().any(|(dato, _)| *dato == entity_type)
}

/// Our type for DatoCMS's: its own word where we have none. A field is told as its model.
pub(super) fn type_in(entity_type: &str) -> &str {
    if entity_type == "field" {
        return "ContentType";
    }
    TYPES.iter().find(|(dato, _)| *dato == entity_type).map_or(entity_type, |(_, ours)| ours)
}

/// Our action for DatoCMS's: its own word where we have none.
pub(super) fn action_in(event_type: &str) -> &str {
    ACTIONS.iter().find(|(dato, _)| *dato == event_type).map_or(event_type, |(_, ours)| ours)
}

/// The types that DatoCMS is known to tell of, for people.
pub(super) fn known_types() -> String {
    TYPES.map(|(dato, _)| dato).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_datocms_is_read_and_said_again() {
        for (entity_type, ours) in TYPES {
            assert_eq!(type_in(entity_type), ours);
            for (dato, action) in ACTIONS {
                let of_deploy = matches!(entity_type, "environment" | "build_trigger");
                let of_publishing = entity_type == "item";
                if (action.starts_with("deploy") && !of_deploy)
                    || (action.ends_with("publish") && !of_publishing)
                {
                    assert_eq!(event_type(entity_type, action), None, "{entity_type}.{dato}");
                } else if (entity_type, dato) != ("build_trigger", "deploy") {
                    assert_eq!(
                        event_type(entity_type, action_in(dato)).as_deref(),
                        Some(dato),
                        "{entity_type}"
                    );
                }
            }
        }
        assert_eq!(type_in("hologram"), "hologram");
        assert_eq!(event_type("hologram", action_in("melt")).as_deref(), Some("melt"));
    }
}
