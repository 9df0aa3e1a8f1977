//! How much a space may have, and what is said when it is full.

use postrider_control::Settings;
use postrider_control::sources::SourceDraft;
use postrider_control::spaces::SpaceDraft;
use postrider_control::tokens::TokenDraft;
use postrider_domain::id::{EnvironmentId, SourceId};
use postrider_domain::token::Role;

use crate::instance::{Instance, default_space, draft, says};

async fn small() -> Instance {
    Instance::with(Settings {
        webhooks_per_space: 1,
        sources_per_space: 1,
        tokens_per_space: 1,
        environments_per_space: 2,
        ..Settings::default()
    })
    .await
}

#[tokio::test]
async fn what_is_full_names_the_limit_and_its_setting() {
    let Instance { control, admin, .. } = small().await;
    let space = default_space();

    control.create_webhook(&admin, &space, draft(&["*.*"])).await.expect("the first");
    let second = control.create_webhook(&admin, &space, draft(&["*.*"])).await;
    assert!(says(second, "there are 1 webhooks here, as many as there may be"));
    let second = control.create_webhook(&admin, &space, draft(&["*.*"])).await;
    assert!(says(second, "limits.webhooks_per_space"));

    let source = || SourceDraft { name: "n".into(), dialect: "native".into(), secret: None };
    let id = |id| SourceId::new(id).expect("an id");
    control.put_source(&admin, &space, &id("a"), source()).await.expect("the first");
    assert!(says(control.put_source(&admin, &space, &id("b"), source()).await, "limits.sources_per_space"));
    control.put_source(&admin, &space, &id("a"), source()).await.expect("a change makes none");

    let token = || TokenDraft {
        name: "n".into(),
        role: Role::Viewer,
        space: Some(default_space()),
        expires_at: None,
    };
    let made = control.create_token(&admin, token()).await.expect("the first");
    assert!(says(control.create_token(&admin, token()).await, "limits.tokens_per_space"));
    control.revoke_token(&admin, &made.token.id).await.expect("revoked");
    control.create_token(&admin, token()).await.expect("one that is revoked does not count");

    let environment = |id| EnvironmentId::new(id).expect("an id");
    control.put_environment(&admin, &space, &environment("b")).await.expect("the second");
    let third = control.put_environment(&admin, &space, &environment("c")).await;
    assert!(says(third, "limits.environments_per_space"));
    let all = Some(["a", "b", "a", "c"].map(environment).to_vec());
    let named = SpaceDraft { name: None, environments: all };
    assert!(says(control.put_space(&admin, &space, named).await, "there are 4 environments (give 1 to 2"));
}

#[tokio::test]
async fn who_needs_a_token_of_the_instance_is_told_so() {
    let instance = small().await;
    let admin_of_space = instance.as_role(Role::Admin);
    let made = instance.control.put_space(&admin_of_space, &default_space(), SpaceDraft::default()).await;
    assert!(says(made, "it needs a token of the whole instance (space `*`) with the role admin"));
}
