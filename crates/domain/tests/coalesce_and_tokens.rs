//! Which events share a window; what roles may do.

use std::time::Duration;

use postrider_domain::coalesce::{AUTO_SAVE_WINDOW, CoalesceKey, CoalesceRule, CoalesceSetting};
use postrider_domain::event::{EventHead, Resource};
use postrider_domain::id::{EnvironmentId, EventId, Scope, SpaceId, TokenId, WebhookId};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::token::{Grant, Permission, Role, Token};
use postrider_domain::topic::{Action, EventType};

fn head(action: &str, resource: &str, version: Option<i64>, at: i64, id: &str) -> EventHead {
    EventHead {
        id: EventId::new(id).expect("id"),
        scope: Scope { space: SpaceId::new("s").expect("id"), environment: EnvironmentId::master() },
        event_type: EventType::new("Entry").expect("type"),
        action: Action::new(action).expect("action"),
        occurred_at: Timestamp::from_unix_ms(at),
        accepted_at: Timestamp::from_unix_ms(at),
        resource: Resource { id: resource.into(), version, ..Resource::default() },
        actor: None,
        workflow: None,
        branch: None,
        cause: None,
    }
}

#[test]
fn auto_save_is_coalesced_by_document_unless_switched_off() {
    let save = head("auto_save", "1", None, 0, "a");
    let rule = CoalesceSetting::default().rule_for(&save).expect("a rule");
    assert_eq!((rule.window, rule.key), (AUTO_SAVE_WINDOW, CoalesceKey::Resource));
    assert_eq!(CoalesceSetting::Off.rule_for(&save), None);
    assert_eq!(CoalesceSetting::default().rule_for(&head("save", "1", None, 0, "a")), None);
    let all = CoalesceRule { window: Duration::from_secs(60), key: CoalesceKey::Webhook };
    assert_eq!(CoalesceSetting::All(all).rule_for(&head("publish", "1", None, 0, "a")), Some(all));
}

#[test]
fn two_documents_share_no_window_by_resource_and_one_by_webhook() {
    let webhook = WebhookId::new("w").expect("id");
    let (one, two) = (head("auto_save", "1", None, 0, "a"), head("auto_save", "2", None, 0, "b"));
    let key = |key, head: &EventHead| CoalesceRule { window: AUTO_SAVE_WINDOW, key }.key_for(&webhook, head);
    assert_ne!(key(CoalesceKey::Resource, &one), key(CoalesceKey::Resource, &two));
    assert_eq!(key(CoalesceKey::Webhook, &one), key(CoalesceKey::Webhook, &two));
    assert_eq!(key(CoalesceKey::Webhook, &one), "s/master/w");
}

#[test]
fn roles_may_what_they_bundle_and_only_in_their_space() {
    let (own, other) = (SpaceId::new("own").expect("id"), SpaceId::new("other").expect("id"));
    for role in Role::ALL {
        for permission in Permission::ALL {
            let grant = Grant { space: Some(own.clone()), role: *role };
            assert_eq!(grant.allows(&own, *permission), role.permissions().contains(permission));
            assert!(!grant.allows(&other, *permission), "{role} reached another space");
            let everywhere = Grant { space: None, role: *role };
            assert_eq!(everywhere.allows(&other, *permission), role.permissions().contains(permission));
        }
        assert_eq!(Role::parse(role.as_str()), Some(*role));
    }
    assert!(
        !Role::Viewer.permissions().iter().any(|one| !matches!(one.as_str(), "webhooks:list" | "calls:read"))
    );
    assert_eq!(Role::Publisher.permissions(), [Permission::EventsPublish]);
}

#[test]
fn a_token_counts_until_it_ends_or_is_revoked() {
    let at = Timestamp::from_unix_ms;
    let token = Token {
        id: TokenId::new("t").expect("id"),
        sha256: [0; 32],
        prefix: "prt_abcd".into(),
        name: "t".into(),
        grant: Grant { space: None, role: Role::Admin },
        created_at: at(0),
        expires_at: Some(at(10)),
        revoked_at: None,
    };
    assert!(token.is_valid(at(9)));
    assert!(!token.is_valid(at(10)));
    assert!(!Token { revoked_at: Some(at(1)), ..token }.is_valid(at(5)));
}
