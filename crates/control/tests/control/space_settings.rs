//! What a space settles for all its webhooks.

use postrider_control::draft::WebhookDraft;
use postrider_domain::space::SpaceConstants;
use postrider_domain::token::Role;
use postrider_ports::access::Spaces;
use postrider_ports::secrets::{Place, SIGNING, SPACE, Secrets};

use crate::instance::{Instance, default_space, draft, says};

#[tokio::test]
async fn a_signing_secret_is_set_shown_by_its_end_replaced_and_taken_away() {
    let Instance { control, admin, store, ring, .. } = &Instance::start().await;
    let space = default_space();
    assert!(says(control.signing_secret(admin, &space).await, "no signing secret"));
    assert!(says(control.delete_signing_secret(admin, &space).await, "no signing secret"));
    for (secret, end) in [(format!("{}wxyz", "a".repeat(60)), "wxyz"), ("0123456789abcdef".repeat(4), "cdef")]
    {
        let set = control.put_signing_secret(admin, &space, secret.clone()).await.expect("taken");
        assert_eq!((&*set.last_four, &*set.created_by), (end, admin.token.as_str()));
        assert_eq!(control.signing_secret(admin, &space).await.expect("there"), set);
        let stored = store.settings(&space).await.expect("there").signing.expect("set");
        let place = Place { space: &space, owner: SPACE, field: SIGNING };
        let opened = ring.open(place, &stored.secret);
        assert_eq!(opened.expect("it opens at the place of the space"), secret);
        assert!(!stored.secret.as_str().contains(&secret));
    }
    assert_eq!(store.settings(&space).await.expect("there").version, 2);
    control.delete_signing_secret(admin, &space).await.expect("there is one");
    assert!(says(control.signing_secret(admin, &space).await, "no signing secret"));
    let short = control.put_signing_secret(admin, &space, "hunter2".to_owned()).await;
    let refused = short.expect_err("too short").to_string();
    assert!(refused.contains("exactly 64 characters") && !refused.contains("hunter2"), "{refused}");
}

#[tokio::test]
async fn a_retry_policy_has_contentfuls_bounds_and_lies_beside_the_secret() {
    let Instance { control, admin, store, .. } = &Instance::start().await;
    let space = default_space();
    assert!(says(control.retry_policy(admin, &space).await, "no retry policy"));
    control.put_signing_secret(admin, &space, "s".repeat(64)).await.expect("taken");
    for retries in [2, 99] {
        assert_eq!(control.put_retry_policy(admin, &space, retries).await.expect("taken"), retries);
        assert_eq!(control.retry_policy(admin, &space).await.expect("there"), retries);
    }
    for retries in [0, 1, 100, u32::MAX] {
        assert!(says(control.put_retry_policy(admin, &space, retries).await, "give 2 to 99"));
    }
    let settings = store.settings(&space).await.expect("there");
    assert_eq!(settings.retry_policy().map(|policy| policy.max_attempts()), Some(100));
    assert!(settings.signing.is_some(), "the one does not touch the other");
    control.delete_retry_policy(admin, &space).await.expect("there is one");
    assert!(says(control.delete_retry_policy(admin, &space).await, "no retry policy"));
}

#[tokio::test]
async fn of_many_who_settle_at_once_each_is_heard_or_told() {
    let Instance { control, admin, store, .. } = &Instance::start().await;
    let space = default_space();
    let (secret, retries) = tokio::join!(
        control.put_signing_secret(admin, &space, "s".repeat(64)),
        control.put_retry_policy(admin, &space, 5),
    );
    secret.expect("heard");
    retries.expect("heard");
    let settings = store.settings(&space).await.expect("there");
    assert!(settings.signing.is_some() && settings.max_retries == Some(5));
}

#[tokio::test]
async fn who_only_looks_changes_nothing() {
    let instance = Instance::start().await;
    let (viewer, space) = (instance.as_role(Role::Viewer), default_space());
    let control = &instance.control;
    assert!(says(control.put_signing_secret(&viewer, &space, "s".repeat(64)).await, "webhooks:update"));
    assert!(says(control.delete_signing_secret(&viewer, &space).await, "webhooks:update"));
    assert!(says(control.put_retry_policy(&viewer, &space, 5).await, "webhooks:update"));
    assert!(says(control.delete_retry_policy(&viewer, &space).await, "webhooks:update"));
    assert!(says(control.retry_policy(&viewer, &space).await, "no retry policy"));
    let publisher = instance.as_role(Role::Publisher);
    assert!(says(control.signing_secret(&publisher, &space).await, "webhooks:list"));
}

#[tokio::test]
async fn the_first_webhook_of_contentstack_makes_the_key_pair_of_its_space_and_no_other_does() {
    let instance = &Instance::start().await;
    let (control, space) = (&instance.control, default_space());
    instance.save("plain", draft(&["Entry.*"])).await;
    assert!(says(control.public_keys(&space).await, "there is no public key"));
    let stack = || WebhookDraft { dialect: Some("contentstack".to_owned()), ..draft(&["Entry.*"]) };
    // One that exists and changes its dialect counts as well.
    instance.save("plain", stack()).await;
    let made = instance.store.settings(&space).await.expect("there").rsa.expect("made");
    let told = control.public_keys(&space).await.expect("made");
    assert!(told.contains("signing-key") && told.contains("BEGIN RSA PUBLIC KEY"), "{told}");
    instance.save("second", stack()).await;
    assert_eq!(instance.store.settings(&space).await.expect("there").rsa, Some(made), "one for all");
}

#[tokio::test]
async fn constants_lie_beside_the_other_settings_and_only_whom_it_concerns_sets_them() {
    let Instance { control, admin, store, .. } = &Instance::start().await;
    let space = default_space();
    control.put_retry_policy(admin, &space, 5).await.expect("taken");
    let set = SpaceConstants { site_id: Some("205".to_owned()), ..SpaceConstants::default() };
    assert_eq!(control.put_constants(admin, &space, set.clone()).await.expect("taken"), set);
    let settings = store.settings(&space).await.expect("there");
    assert_eq!((settings.constants, settings.max_retries), (set.clone(), Some(5)));
    let mut viewer = admin.clone();
    viewer.grant.role = Role::Viewer;
    assert_eq!(control.constants(&viewer, &space).await.expect("he may look"), set);
    assert!(says(control.put_constants(&viewer, &space, set).await, "webhooks:update"));
    assert!(says(control.delete_constants(&viewer, &space).await, "webhooks:update"));
    control.delete_constants(admin, &space).await.expect("taken away");
    let settings = store.settings(&space).await.expect("there");
    assert_eq!((settings.constants, settings.max_retries), (SpaceConstants::default(), Some(5)));
}
