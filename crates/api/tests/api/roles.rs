//! Who may do what: every operation of the document, with every role of its space, with tokens of another space and of the
//! whole instance, with tokens that do not count, and with none.
//!
//! What an operation needs stands in the document, and once more in the table here; which role has which permission stands
//! here once more too. A route without a row fails, as does a route whose check was forgotten.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use postrider_domain::delivery::DeliveryState;
use postrider_ports::queue::Parked;
use serde_json::{Value, json};

use crate::harness::{Answer, DEFINITIONS, Instance};
use crate::openapi::operations;

/// What every role has, beside the words `any` and `none`. `admin` has everything.
pub(crate) const ROLES: [(&str, &[&str]); 4] = [
    (
        "editor",
        &[
            "events:publish",
            "webhooks:list",
            "webhooks:create",
            "webhooks:update",
            "webhooks:delete",
            "calls:read",
            "calls:resend",
            "integrations:manage",
        ],
    ),
    (
        "developer",
        &[
            "webhooks:list",
            "webhooks:create",
            "webhooks:update",
            "webhooks:delete",
            "calls:read",
            "calls:resend",
        ],
    ),
    ("viewer", &["webhooks:list", "calls:read"]),
    ("publisher", &["events:publish"]),
];

/// Every operation: what it needs, and what it answers to who has that.
pub(crate) const NEEDS: &[(&str, &str, u16)] = &[
    ("createSlackConnection", "integrations:manage", 201),
    ("createSource", "integrations:manage", 201),
    ("createToken", "tokens:manage", 201),
    ("createWebhook", "webhooks:create", 200),
    ("deleteConstants", "webhooks:update", 204),
    ("deleteRetryPolicy", "webhooks:update", 204),
    ("deleteSigningSecret", "webhooks:update", 204),
    ("deleteSlackConnection", "integrations:manage", 204),
    ("deleteSource", "integrations:manage", 204),
    ("deleteWebhook", "webhooks:delete", 204),
    ("disableWebhook", "webhooks:update", 200),
    ("dropParked", "instance", 204),
    ("enableWebhook", "webhooks:update", 200),
    ("explainEnvironmentEvent", "calls:read", 200),
    ("explainEvent", "calls:read", 200),
    ("getBalance", "calls:read", 200),
    ("getCall", "calls:read", 200),
    ("getConstants", "webhooks:list", 200),
    ("getDocs", "none", 200),
    ("getDocsStyle", "none", 200),
    ("getEnvironment", "any", 200),
    ("getEnvironmentEvent", "calls:read", 200),
    ("getEvent", "calls:read", 200),
    ("getMe", "any", 200),
    ("getOpenapi", "none", 200),
    ("getParked", "instance", 200),
    // There is no key before a webhook needs one; in any case no token is asked for.
    ("getPublicKeys", "public", 404),
    ("getRetryPolicy", "webhooks:list", 200),
    ("getSigningSecret", "webhooks:list", 200),
    ("getSlackConnection", "webhooks:list", 200),
    ("getSource", "integrations:manage", 200),
    ("getSpace", "any", 200),
    ("getWebhook", "webhooks:list", 200),
    ("getWebhookCall", "calls:read", 200),
    ("getWebhookHealth", "calls:read", 200),
    ("listCalls", "calls:read", 200),
    ("listDeliveries", "calls:read", 200),
    ("listEnvironments", "any", 200),
    ("listKeys", "instance", 200),
    ("listParked", "instance", 200),
    ("listSlackChannels", "webhooks:update", 200),
    ("listSlackConnections", "webhooks:list", 200),
    ("listSources", "integrations:manage", 200),
    ("listSpaces", "any", 200),
    ("listTokens", "tokens:manage", 200),
    ("listWebhookCalls", "calls:read", 200),
    ("listWebhooks", "webhooks:list", 200),
    ("pingWebhook", "webhooks:update", 200),
    ("previewDraft", "webhooks:list", 200),
    ("previewWebhook", "webhooks:list", 200),
    ("putConstants", "webhooks:update", 200),
    ("putEnvironment", "admin", 201),
    ("putRetryPolicy", "webhooks:update", 200),
    ("putSigningSecret", "webhooks:update", 200),
    ("putSlackConnection", "integrations:manage", 200),
    ("putSource", "integrations:manage", 200),
    ("putSpace", "instance", 200),
    ("putWebhook", "webhooks:update", 200),
    ("redriveParked", "instance", 204),
    ("resealSecrets", "instance", 200),
    ("resendCall", "calls:resend", 202),
    ("resendEvent", "calls:resend", 202),
    ("revokeToken", "tokens:manage", 204),
    ("rotateSigningSecret", "webhooks:update", 200),
    ("testWebhook", "webhooks:update", 200),
    // The doors of events are routes of ingest, whose own tests hold them: here nobody gets in.
    ("publishEvents", "events:publish", 404),
];

/// Whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    /// A token of the space, with this role.
    Role(&'static str),
    OtherAdmin,
    Instance,
    Expired,
    Revoked,
    Malformed,
    Nobody,
}

const CALLERS: [Caller; 11] = [
    Caller::Role("admin"),
    Caller::Role("editor"),
    Caller::Role("developer"),
    Caller::Role("viewer"),
    Caller::Role("publisher"),
    Caller::OtherAdmin,
    Caller::Instance,
    Caller::Expired,
    Caller::Revoked,
    Caller::Malformed,
    Caller::Nobody,
];

/// An instance where everything that a path can name is there.
struct Stage {
    instance: Instance,
    names: BTreeMap<&'static str, String>,
    tokens: Vec<(Caller, Option<String>)>,
}

impl Stage {
    async fn set() -> Self {
        let instance = Instance::start().await;
        instance.webhook("w").await;
        let source = json!({"name": "s", "dialect": "cometcms"});
        assert_eq!(instance.put("/spaces/default/sources/s", &source).await.status, 201);
        assert_eq!(instance.put("/spaces/other", &json!({})).await.status, 201);
        instance.slack_answers();
        let slack = body("putSlackConnection").expect("a body");
        assert_eq!(instance.put("/spaces/default/slack_connections/c", &slack).await.status, 201);
        let settings = "/spaces/default/webhook_settings";
        for (what, name) in [("signing_secret", "putSigningSecret"), ("retry_policy", "putRetryPolicy")] {
            let body = body(name).expect("a body");
            assert_eq!(instance.put(&format!("{settings}/{what}"), &body).await.status, 200);
        }
        let delivery = instance.log_event("e", "w", DeliveryState::Delivered);
        let call = instance.log_call(&delivery, 200, Duration::from_millis(5));
        instance.queue.park("events", "it is no event", b"x").await.expect("parked");
        let parked = instance.get("/parked").await.body["items"][0]["sys"]["id"].clone();
        let spare = json!({"name": "spare", "role": "viewer", "space": "default"});
        let spare = instance.post("/tokens", &spare).await.body["sys"]["id"].clone();
        let text = |value: Value| value.as_str().expect("a text").to_owned();
        let names = BTreeMap::from([
            ("space", "default".to_owned()),
            ("environment", "master".to_owned()),
            ("webhook", "w".to_owned()),
            ("source", "s".to_owned()),
            ("connection", "c".to_owned()),
            ("event", "e".to_owned()),
            ("call", call.0.to_string()),
            ("message", text(parked)),
            ("token", text(spare)),
        ]);
        let mut stage = Self { instance, names, tokens: Vec::new() };
        for caller in CALLERS {
            let token = stage.token_of(caller).await;
            stage.tokens.push((caller, token));
        }
        stage
    }

    async fn token_of(&self, caller: Caller) -> Option<String> {
        let made = |role, space| self.instance.token(role, space);
        match caller {
            Caller::Role(role) => Some(made(role, "default").await),
            Caller::OtherAdmin => Some(made("admin", "other").await),
            Caller::Instance => Some(made("admin", "*").await),
            Caller::Expired => {
                let end = self.instance.now().plus(Duration::from_secs(1)).to_string();
                let draft = json!({"name": "n", "role": "admin", "space": "*", "expiresAt": end});
                let token = self.instance.post("/tokens", &draft).await.body["token"].clone();
                self.instance.clock.advance(Duration::from_secs(2));
                token.as_str().map(str::to_owned)
            }
            Caller::Revoked => {
                let draft = json!({"name": "n", "role": "admin", "space": "*"});
                let made = self.instance.post("/tokens", &draft).await.body;
                let path = format!("/tokens/{}", made["sys"]["id"].as_str().expect("an id"));
                assert_eq!(self.instance.delete(&path).await.status, 204);
                made["token"].as_str().map(str::to_owned)
            }
            Caller::Malformed => Some("prt_äöü".to_owned()),
            Caller::Nobody => None,
        }
    }

    async fn ask(&self, caller: Caller, name: &str, method: &str, template: &str) -> Answer {
        let path = template.split('/').map(|part| {
            part.strip_prefix('{')
                .and_then(|part| part.strip_suffix('}'))
                .map_or(part, |name| &self.names[name])
        });
        let mut path = path.collect::<Vec<_>>().join("/");
        if name == "putEnvironment" {
            path.push_str("-2");
        }
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = Request::builder().method(method).uri(path);
        let token = self.tokens.iter().find(|(one, _)| *one == caller).and_then(|(_, token)| token.as_ref());
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}").into_bytes());
        }
        let body = body(name).map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.instance
            .send(request.header("content-type", "application/json").body(body).expect("a request"))
            .await
    }
}

/// What is sent to the operations that take a body.
fn body(name: &str) -> Option<Value> {
    let webhook = json!({"name": "n", "url": "https://example.com/hook", "topics": ["*.*"]});
    Some(match name {
        "createWebhook" | "putWebhook" => webhook,
        "previewDraft" => json!({"webhook": webhook}),
        "createSlackConnection" | "putSlackConnection" => json!({"name": "s", "token": "xoxb-made-up"}),
        "createSource" | "putSource" => json!({"name": "s", "dialect": "cometcms"}),
        "createToken" => json!({"name": "n", "role": "viewer", "space": "default"}),
        "putConstants" => json!({"site_id": "205"}),
        "putRetryPolicy" => json!({"maxRetries": 5}),
        "putSigningSecret" => json!({"value": "s".repeat(64)}),
        "resendEvent" => json!({"webhook": "w"}),
        "putSpace" | "resealSecrets" | "rotateSigningSecret" | "previewWebhook" => json!({}),
        _ => return None,
    })
}

/// What a caller must be answered.
fn expected(caller: Caller, needs: &str, granted: u16, template: &str, name: &str) -> u16 {
    let within_space = template.contains("{space}") || ["createToken", "revokeToken"].contains(&name);
    match caller {
        _ if ["none", "public"].contains(&needs) => granted,
        Caller::Expired | Caller::Revoked | Caller::Malformed | Caller::Nobody => 401,
        Caller::Instance => granted,
        _ if needs == "instance" => 403,
        Caller::OtherAdmin if within_space => 404,
        Caller::OtherAdmin | Caller::Role("admin") => granted,
        Caller::Role(_) if needs == "any" => granted,
        Caller::Role(role) => {
            let (_, permissions) = ROLES.iter().find(|(one, _)| *one == role).expect("a role");
            if permissions.contains(&needs) { granted } else { 403 }
        }
    }
}

#[tokio::test]
async fn every_operation_lets_in_whom_it_must_and_nobody_else() {
    let document = postrider_api::document();
    let mut faults = Vec::new();
    let mut rows: BTreeMap<&str, (&str, u16)> =
        NEEDS.iter().map(|(name, needs, granted)| (*name, (*needs, *granted))).collect();
    for (method, template, operation) in operations(&document) {
        let name = operation["operationId"].as_str().expect("a name");
        let says = operation["x-permission"].as_str().expect("a permission");
        if says == "source" {
            continue; // A CMS proves itself to ingest, without a token.
        }
        let Some((needs, granted)) = rows.remove(name) else {
            faults.push(format!("{name} has no row in the table of this test"));
            continue;
        };
        if says != needs {
            faults.push(format!("{name} says that it needs {says}, and must need {needs}"));
        }
        if name == "publishEvents" {
            continue;
        }
        let shared = Stage::set().await;
        for caller in CALLERS {
            let wanted = expected(caller, needs, granted, &template, name);
            // Who is refused changes nothing; who is let in may.
            let own = if wanted == granted { Some(Stage::set().await) } else { None };
            let answer = own.as_ref().unwrap_or(&shared).ask(caller, name, &method, &template).await;
            if answer.status != wanted {
                faults.push(format!(
                    "{name} as {caller:?}: {} instead of {wanted}: {}",
                    answer.status, answer.text
                ));
            }
        }
    }
    faults.extend(rows.keys().map(|name| format!("{name} is in the table of this test, and in no document")));
    assert!(faults.is_empty(), "{faults:#?}");
}

#[tokio::test]
async fn who_needs_a_token_of_the_instance_is_told_so() {
    let instance = Instance::start().await;
    let admin = instance.token("admin", "default").await;
    for (method, path) in [(Method::GET, "/parked"), (Method::PUT, "/spaces/new"), (Method::GET, "/keys")] {
        let refused = instance.call_as(&admin, method, path, Some(&json!({}))).await;
        refused.is_error(403, "AccessDenied");
        assert!(refused.text.contains("whole instance"), "{}", refused.text);
    }
    let viewer = instance.token("viewer", "default").await;
    let refused = instance.call_as(&viewer, Method::POST, DEFINITIONS, Some(&json!({}))).await;
    refused.is_error(403, "AccessDenied");
    assert!(refused.text.contains("webhooks:create"), "{}", refused.text);
}
