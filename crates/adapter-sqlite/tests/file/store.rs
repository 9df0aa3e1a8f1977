//! The store's own corners: how far the list of changes reaches, and bodies that are not what they were.

use postrider_domain::id::TokenId;
use postrider_domain::token::{Grant, Role, Token};
use postrider_domain::webhook::{Disabled, DisabledBy};
use postrider_ports::bodies::Bodies;
use postrider_ports::error::PortErrorKind;
use postrider_ports::registry::{Disable, Registry};
use postrider_ports::subscriptions::{Change, Subscriptions};
use postrider_testkit::builders::{SPACE, content, space, webhook, webhook_id};
use sqlx::Connection;

use crate::rig::{NOON, Rig, by_hand};

pub(crate) fn token(id: &str) -> Token {
    Token {
        id: TokenId::new(id).expect("id"),
        sha256: [7; 32],
        prefix: "prt_".into(),
        name: "test".into(),
        grant: Grant { space: None, role: Role::Admin },
        created_at: NOON,
        expires_at: None,
        revoked_at: None,
    }
}

#[tokio::test]
async fn the_version_goes_on_after_a_restart() {
    let rig = Rig::new().await;
    assert_eq!(rig.database.version().await.expect("version"), 0);
    rig.database.create(&webhook("w1").build()).await.expect("created");
    rig.database.delete(&space(SPACE), &webhook_id("w1"), None).await.expect("deleted");
    let rig = rig.reopen().await;
    assert_eq!(rig.database.version().await.expect("version"), 2);
    let changes = rig.database.changes_since(0).await.expect("changes");
    assert_eq!((changes.version, changes.incomplete), (2, false));
    assert_eq!(changes.changed, [(space(SPACE), Change::Webhook(webhook_id("w1"), None))]);
}

#[tokio::test]
async fn whoever_slept_through_more_changes_than_are_kept_loads_everything_again() {
    let rig = Rig::new().await;
    rig.database.create(&webhook("w1").build()).await.expect("created");
    let (dir, clock) = rig.close().await;
    // 10,000 changes by hand instead of through 10,000 synced transactions.
    let mut file = by_hand(dir.path()).await;
    sqlx::query(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) \
         INSERT INTO changes (space, webhook) SELECT 'default', 'w1' FROM n",
    )
    .execute(&mut file)
    .await
    .expect("changed");
    file.close().await.expect("closed");

    let rig = Rig::over(dir, clock).await;
    assert!(!rig.database.changes_since(0).await.expect("changes").incomplete, "all are still there");
    rig.database.create(&webhook("w2").build()).await.expect("created");
    let version = rig.database.version().await.expect("version");
    assert_eq!(version, 10_002);
    assert!(rig.database.changes_since(1).await.expect("changes").incomplete);
    let late = rig.database.changes_since(2).await.expect("changes");
    assert!(!late.incomplete);
    assert_eq!(late.changed.len(), 2, "each webhook once");
    assert!(rig.database.changes_since(version + 1).await.expect("changes").incomplete, "of another file");
}

#[tokio::test]
async fn disabling_bumps_the_version_once_and_says_who() {
    let rig = Rig::new().await;
    rig.database.create(&webhook("w1").build()).await.expect("created");
    let why = Disabled { at: NOON, by: DisabledBy::Gone, reason: "410".into() };
    assert!(rig.database.disable(&space(SPACE), &webhook_id("w1"), &why).await.expect("disabled"));
    assert!(!rig.database.disable(&space(SPACE), &webhook_id("w1"), &why).await.expect("asked"));
    let now =
        Registry::get(&rig.database, &space(SPACE), &webhook_id("w1")).await.expect("read").expect("there");
    assert_eq!((now.version, now.audit.updated_by.as_str()), (1, "postrider"));
    assert_eq!(rig.database.version().await.expect("version"), 2);
}

#[tokio::test]
async fn a_body_that_no_longer_has_its_hash_is_not_handed_out() {
    let rig = Rig::new().await;
    let body = rig.database.put(NOON.day(), &content(r#"{"large":true}"#)).await.expect("stored");
    let (dir, clock) = rig.close().await;
    let mut file = by_hand(dir.path()).await;
    sqlx::query("UPDATE bodies SET content = x'7b7d'").execute(&mut file).await.expect("changed");
    file.close().await.expect("closed");
    let rig = Rig::over(dir, clock).await;
    let error = Bodies::get(&rig.database, &body).await.expect_err("damaged");
    assert_eq!(error.kind, PortErrorKind::Permanent);
    assert!(error.to_string().contains("hash"), "{error}");
}
