//! What a webhook may be asked to send, and what is said when it cannot be.

use std::collections::BTreeMap;

use postrider_control::ControlError;
use postrider_control::draft::{HeaderDraft, TemplateDraft, TransformationDraft, WebhookDraft};
use postrider_domain::json::Json;
use postrider_domain::webhook::{Escape, Render};

use crate::instance::{Instance, default_space, draft, webhook_id};

/// The paths of all faults of a draft, sorted.
async fn faults(instance: &Instance, draft: WebhookDraft) -> Vec<String> {
    let refused = instance.control.create_webhook(&instance.admin, &default_space(), draft).await;
    let Err(ControlError::Invalid(faults)) = refused else { return Vec::new() };
    assert!(faults.iter().all(|fault| !fault.problem.is_empty() && !fault.fix.is_empty()), "{faults:?}");
    let mut paths: Vec<_> = faults.into_iter().map(|fault| fault.path).collect();
    paths.sort();
    paths
}

fn in_dialect(dialect: &str) -> WebhookDraft {
    WebhookDraft { dialect: Some(dialect.to_owned()), ..draft(&["Entry.*"]) }
}

fn url(mut draft: WebhookDraft, url: &str) -> WebhookDraft {
    draft.url = Some(url.to_owned());
    draft
}

fn transformed(body: &str) -> TransformationDraft {
    TransformationDraft { body: Some(Json::from_checked(body)), ..TransformationDraft::default() }
}

fn rendered(saved: &postrider_control::webhooks::SavedWebhook) -> &Render {
    &saved.webhook.action.http().expect("it calls a URL").render
}

#[tokio::test]
async fn a_new_webhook_takes_the_default_dialect_and_an_old_one_keeps_its_own() {
    let instance = Instance::start().await;
    let from_contentful =
        || WebhookDraft { default_dialect: Some("contentful".to_owned()), ..draft(&["Entry.*"]) };
    assert_eq!(instance.save("a", draft(&["Entry.*"])).await.webhook.dialect, "native");
    assert_eq!(instance.save("b", from_contentful()).await.webhook.dialect, "contentful");
    assert_eq!(instance.save("a", from_contentful()).await.webhook.dialect, "native");
    assert_eq!(instance.save("b", draft(&["Entry.*"])).await.webhook.dialect, "contentful");
    assert_eq!(instance.save("b", in_dialect("cometcms")).await.webhook.dialect, "cometcms");
}

#[tokio::test]
async fn a_transformation_is_kept_as_given_and_a_method_alone_is_none() {
    let instance = Instance::start().await;
    let body = r#"{"text":"{ /payload/sys/id }","n":[1.50]}"#;
    let given = WebhookDraft { transformation: Some(transformed(body)), ..in_dialect("contentful") };
    let saved = instance.save("w", url(given, "https://h.example/{ /payload/sys/id }")).await;
    let Render::Transformation(kept) = rendered(&saved) else { panic!("{saved:?}") };
    assert_eq!(kept.body.as_ref().map(Json::as_str), Some(body));
    let method_alone = WebhookDraft {
        method: Some("PUT".to_owned()),
        transformation: Some(TransformationDraft::default()),
        ..in_dialect("native")
    };
    assert_eq!(rendered(&instance.save("v", method_alone).await), &Render::Dialect);
}

#[tokio::test]
async fn templates_are_kept_and_datocms_needs_no_word_for_them() {
    let instance = Instance::start().await;
    let template =
        TemplateDraft { body: Some(r#"{"t":"{{entity.id}}"}"#.to_owned()), escape: Some("json".to_owned()) };
    let saved = instance.save("w", WebhookDraft { template: Some(template), ..in_dialect("native") }).await;
    let Render::Mustache(kept) = rendered(&saved) else { panic!("{saved:?}") };
    assert_eq!(kept.escape, Some(Escape::Json));
    let tagged = url(in_dialect("datocms"), "https://h.example/{{entity.id}}");
    assert!(matches!(rendered(&instance.save("v", tagged).await), Render::Mustache(_)));
}

#[tokio::test]
async fn every_fault_is_found_at_once_and_says_where() {
    let instance = Instance::start().await;
    let pointless = WebhookDraft {
        transformation: Some(TransformationDraft {
            content_type: Some("text/html".to_owned()),
            body: Some(Json::from_checked(r#"{"a":["{ /nowhere }"]}"#)),
            include_content_length: None,
        }),
        headers: vec![HeaderDraft {
            name: "X-Id".to_owned(),
            value: Some("{ /sys/id }".to_owned()),
            secret: None,
        }],
        options: BTreeMap::from([("volume".to_owned(), "11".to_owned())]),
        ..in_dialect("contentful")
    };
    let expected = [
        "headers[0].value",
        "options.volume",
        "transformation.body.a.0",
        "transformation.contentType",
        "url",
    ];
    assert_eq!(faults(&instance, url(pointless, "https://{ /payload/sys/id }/")).await, expected);

    let torn = TemplateDraft { body: Some("{{#a}}".to_owned()), escape: Some("yaml".to_owned()) };
    let torn = WebhookDraft { template: Some(torn), ..in_dialect("native") };
    let expected = ["template.body", "template.escape", "url"];
    assert_eq!(faults(&instance, url(torn, "https://h.example/{{a")).await, expected);

    let both = WebhookDraft {
        template: Some(TemplateDraft::default()),
        transformation: Some(transformed("1")),
        ..in_dialect("native")
    };
    assert_eq!(faults(&instance, both).await, ["template"]);
    let unknown = WebhookDraft {
        options: BTreeMap::from([("concise".to_owned(), "true".to_owned())]),
        ..in_dialect("esperanto")
    };
    assert_eq!(faults(&instance, unknown).await, ["dialect"], "its options cannot be judged");
}

#[tokio::test]
async fn a_template_does_not_hide_a_bad_address() {
    let instance = Instance::start().await;
    let template = || WebhookDraft { template: Some(TemplateDraft::default()), ..in_dialect("native") };
    for bad in [
        "http://h.example/{{a}}",
        "https://u:p@h.example/{{a}}",
        "https://{{a}}/",
        "https://{{a}}.h.example",
        "https://h:{{a}}?b",
        "ftp://h/{{a}}",
    ] {
        assert_eq!(faults(&instance, url(template(), bad)).await, ["url"], "{bad}");
    }
    for bad in ["http://h.example/{ /payload/a }", "ftp://h.example/{ /payload/a }"] {
        assert_eq!(faults(&instance, url(in_dialect("contentful"), bad)).await, ["url"], "{bad}");
    }
}

#[tokio::test]
async fn a_secret_header_that_is_no_template_is_not_repeated() {
    let instance = Instance::start().await;
    let draft = WebhookDraft {
        headers: vec![HeaderDraft {
            name: "X-Key".to_owned(),
            value: Some("{ /hunter2 }".to_owned()),
            secret: Some(true),
        }],
        ..in_dialect("contentful")
    };
    let saved =
        instance.control.put_webhook(&instance.admin, &default_space(), &webhook_id("w"), draft, None).await;
    let refused = saved.expect_err("it leads nowhere");
    assert!(refused.to_string().contains("headers[0].value"), "{refused}");
    assert!(!format!("{refused:?}").contains("hunter2"), "{refused:?}");
}

#[tokio::test]
async fn a_body_for_a_call_without_one_is_doubted() {
    let instance = Instance::start().await;
    let given = WebhookDraft {
        method: Some("GET".to_owned()),
        transformation: Some(transformed("1")),
        ..in_dialect("contentful")
    };
    assert_eq!(
        instance.save("w", given).await.warnings,
        ["a GET call carries no body, so the body given is never sent"]
    );
}
