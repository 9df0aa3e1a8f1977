//! Mustache in webhooks: custom payloads and URLs over what the dialect would send.

use postrider_dialects::cometcms::signature;
use postrider_dialects::{RenderError, Rendered, names};
use postrider_domain::event::Event;
use postrider_domain::json::Json;
use postrider_domain::secret::OpenedSecrets;
use postrider_domain::webhook::{Escape, Method, MustacheTemplate, Render, Webhook};
use proptest::prelude::*;
use serde_json::{Value, json};
use url::Url;

use crate::samples::{body, events, header, published, secrets, target, webhook, with_action, write};

/// `seeds/datocms-webhooks.txt`, "Customize the HTTP payload": the template and what becomes of it.
const TEMPLATE: &str = r#"{
  "message": "{{event_type}} event triggered on {{entity_type}}!",
  "entity_id": "{{#entity}}{{id}}{{/entity}}"
}"#;
const MADE: &str = r#"{
  "message": "update event triggered on item!",
  "entity_id": "123213"
}"#;

fn templated(dialect: &str, url: &str, body: Option<&str>, escape: Option<Escape>) -> Webhook {
    let mut webhook = webhook(dialect);
    let target = target(&mut webhook);
    url.clone_into(&mut target.url);
    target.render = Render::Mustache(MustacheTemplate { body: body.map(str::to_owned), escape });
    webhook
}

fn with_body(dialect: &str, template: &str) -> Webhook {
    templated(dialect, "https://example.com/hook", Some(template), None)
}

fn content_type(value: &str) -> OpenedSecrets {
    let mut secrets = secrets(&[]);
    secrets.headers = vec![("Content-Type".into(), value.into())];
    secrets
}

fn titled(title: &str) -> Event {
    let mut event = with_action("Entry", "save");
    event.content.data = Json::from_checked(json!({ "title": title }).to_string());
    event
}

fn made(event: &Event, webhook: &Webhook, secrets: &OpenedSecrets) -> Rendered {
    write(event, webhook, secrets).expect("a request")
}

fn url_of(template: &str, title: &str) -> Result<String, RenderError> {
    write(&titled(title), &templated("native", template, None, None), &secrets(&[]))
        .map(|rendered| rendered.url)
}

#[test]
fn the_documents_template_makes_the_printed_body_byte_for_byte() {
    let mut event = with_action("Entry", "save");
    event.head.resource.id = "123213".into();
    let rendered = made(&event, &with_body("datocms", TEMPLATE), &secrets(&[]));
    assert_eq!(body(&rendered), MADE);
    assert_eq!(header(&rendered, "content-type"), Some("application/json"));
    assert_eq!(header(&rendered, "user-agent"), Some("DatoCMS (datocms.com)"));
}

#[test]
fn every_dialects_own_payload_is_the_source() {
    for name in names() {
        let (secrets, plain) = (secrets(&["s"]), webhook(name));
        let default = made(&published(), &plain, &secrets);
        let whole = made(&published(), &with_body(name, "{{{.}}}"), &secrets);
        let parsed = |rendered: &Rendered| serde_json::from_str::<Value>(body(rendered)).expect("JSON");
        assert_eq!(parsed(&whole), parsed(&default), "{name}");
        assert_eq!(header(&whole, "content-type"), header(&default, "content-type"), "{name}");
    }
}

#[test]
fn the_signature_covers_what_the_template_makes() {
    let rendered = made(&published(), &with_body("cometcms", r#"{"e":"{{event}}"}"#), &secrets(&["s"]));
    assert_eq!(body(&rendered), r#"{"e":"content.published"}"#);
    let expected = signature("s", body(&rendered).as_bytes());
    assert_eq!(header(&rendered, "x-cometcms-signature"), Some(expected.as_str()));
}

#[test]
fn a_template_makes_xml_and_plain_text_under_a_content_type_of_its_own() {
    let event = titled("<b> \"A\" & 'B'");
    let xml = with_body(
        "datocms",
        "<?xml version=\"1.0\"?>\n<t a='{{entity.id}}'>{{entity.attributes.title}}</t>\n",
    );
    let rendered = made(&event, &xml, &content_type("text/xml; charset=utf-8"));
    assert_eq!(
        body(&rendered),
        "<?xml version=\"1.0\"?>\n<t a='7K4p9xQ2mR'>&lt;b&gt; &quot;A&quot; &amp; &#39;B&#39;</t>\n"
    );
    assert_eq!(header(&rendered, "content-type"), Some("text/xml; charset=utf-8"));
    let text = with_body("datocms", "{{entity.attributes.title}} was changed\n");
    let rendered = made(&event, &text, &content_type("text/plain"));
    assert_eq!(body(&rendered), "<b> \"A\" & 'B' was changed\n");
    assert_eq!(header(&rendered, "content-type"), Some("text/plain"));
    let form = with_body("native", "title={{data.title}}&id={{resource.id}}");
    let rendered = made(&event, &form, &content_type("application/x-www-form-urlencoded"));
    assert_eq!(body(&rendered), "title=%3Cb%3E%20%22A%22%20%26%20%27B%27&id=7K4p9xQ2mR");
}

#[test]
fn what_is_no_json_under_a_json_type_is_an_error_with_its_place_and_reason() {
    let error = |template: &str, escape| {
        let webhook = templated("native", "https://example.com/", Some(template), escape);
        write(&titled("a \"quoted\" word"), &webhook, &secrets(&[])).expect_err("no JSON").to_string()
    };
    let told = error("{\n  \"a\": {{data.title}}\n}", None);
    assert!(told.contains("line 2 column 8") && told.contains("application/json"), "{told}");
    let told = error(r#"{"a":"{{data.title}}"}"#, Some(Escape::None));
    assert!(told.contains("line 1 column 10"), "{told}");
    let json_api = content_type("application/vnd.api+json");
    let error = write(&titled("x"), &with_body("native", "hello"), &json_api).expect_err("no JSON");
    assert!(matches!(error, RenderError::NotJson { .. }), "{error}");
}

#[test]
fn the_webhook_may_name_another_escaping() {
    let webhook =
        templated("native", "https://example.com/", Some(r#"{"a":"{{data.title}}"}"#), Some(Escape::Html));
    let rendered = made(&titled("a \"b\""), &webhook, &secrets(&[]));
    assert_eq!(body(&rendered), r#"{"a":"a &quot;b&quot;"}"#);
}

#[test]
fn a_template_that_takes_too_much_is_an_error_with_its_place_and_limit() {
    let mut event = titled("x");
    let list: Vec<_> = (0..300).collect();
    event.content.data = Json::from_checked(json!({ "l": list, "t": "x".repeat(60_000) }).to_string());
    let error = |template: &str| {
        write(&event, &with_body("native", template), &secrets(&[])).expect_err("too much").to_string()
    };
    let told = error("\"\n{{#data.l}}{{data.t}}{{/data.l}}\"");
    assert!(told.starts_with("the template of the body, line 2, column 12: "), "{told}");
    assert!(told.contains("more than 1048576 bytes"), "{told}");
    let told = error("{{#data.l}}{{#data.l}}{{#data.l}}{{/data.l}}{{/data.l}}{{/data.l}}");
    assert!(told.contains("more than 1000000 steps"), "{told}");
    assert!(error("{{#data}}").contains("never closed"), "a stored template that does not parse");
}

#[test]
fn the_url_is_a_template_too_with_or_without_a_body() {
    let webhook = templated(
        "datocms",
        "https://example.com/{{entity_type}}/{{entity.id}}?e={{event_type}}",
        None,
        None,
    );
    let mut event = with_action("Entry", "save");
    event.head.resource.id = "a/b c?".into();
    let rendered = made(&event, &webhook, &secrets(&[]));
    assert_eq!(rendered.url, "https://example.com/item/a%2Fb%20c%3F?e=update");
    assert!(body(&rendered).contains(r#""webhook_call_id""#), "the default payload");
    let mut webhook = templated("native", "https://example.com/{{resource.id}}", Some("{{/broken"), None);
    target(&mut webhook).method = Method::Get;
    let rendered = made(&event, &webhook, &secrets(&[]));
    assert_eq!((rendered.url.as_str(), &rendered.body), ("https://example.com/a%2Fb%20c%3F", &None));
    assert_eq!(header(&rendered, "content-type"), None);
}

#[test]
fn an_unescaped_value_may_bring_path_and_query_but_nothing_that_a_url_cannot_hold() {
    assert_eq!(
        url_of("https://example.com/{{{data.title}}}", "a/b?c=d&e=%20 ü\"\n\\x").as_deref(),
        Ok("https://example.com/a/b?c=d&e=%20%20%C3%BC%22%0A%5Cx")
    );
}

#[test]
fn no_value_chooses_where_credentials_go() {
    assert_eq!(
        url_of("https://{{data.title}}.example.com/", "eu-1").as_deref(),
        Ok("https://eu-1.example.com/")
    );
    for (template, title) in [
        ("https://{{data.title}}.example.com/", "evil.test/"),
        ("https://{{{data.title}}}.example.com/", "evil.test#"),
        ("https://example.com{{{data.title}}}", "@evil.test"),
        ("https://example.com{{data.title}}", ":8443"),
        ("{{{data.title}}}", "http://evil.test/"),
        ("https://example.com/a/{{data.title}}/b", ".."),
        ("https://example.com/a/{{{data.title}}}", "x/%2E%2e/y"),
        ("https://example.com/a/.{{data.title}}", "."),
    ] {
        let told = url_of(template, title).expect_err(template).to_string();
        assert!(told.starts_with("the template of the URL, line 1, column "), "{told}");
        assert!(!told.contains("evil"), "values stay out of errors: {told}");
    }
    let long = url_of("https://example.com/{{data.title}}", &"x".repeat(9000)).expect_err("too long");
    assert!(long.to_string().contains("more than 8192 bytes"), "{long}");
}

proptest! {
    #[test]
    fn no_title_can_break_a_json_body(title in any::<String>()) {
        let rendered = made(&titled(&title), &with_body("datocms", r#"{"text":"* {{entity.attributes.title}} *"}"#), &secrets(&[]));
        let made: Value = serde_json::from_str(body(&rendered)).expect("JSON");
        prop_assert_eq!(&made["text"], &json!(format!("* {title} *")));
    }

    #[test]
    fn a_value_in_a_url_stays_one_segment_and_one_query_value(title in any::<String>()) {
        prop_assume!(title != "." && title != "..");
        let url = url_of("https://example.com/a/{{data.title}}/b?q={{data.title}}", &title).expect("a URL");
        let parsed = Url::parse(&url).expect("a URL");
        prop_assert_eq!(parsed.host_str(), Some("example.com"));
        prop_assert_eq!(parsed.path_segments().expect("segments").count(), 3);
        let pairs: Vec<_> = parsed.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        prop_assert_eq!(pairs, vec![("q".to_owned(), title)]);
    }

    #[test]
    fn whatever_leaves_unescaped_is_a_url_of_the_same_host(title in any::<String>()) {
        if let Ok(url) = url_of("https://user@example.com:8080/{{{data.title}}}", &title) {
            let parsed = Url::parse(&url).expect("a URL");
            prop_assert_eq!((parsed.host_str(), parsed.port()), (Some("example.com"), Some(8080)));
        }
    }

    #[test]
    fn the_documents_template_makes_json_of_every_event(mut event in events(), of_entry in any::<bool>()) {
        let head = with_action(if of_entry { "Entry" } else { "Asset" }, "save").head;
        (event.head.event_type, event.head.action) = (head.event_type, head.action);
        let rendered = made(&event, &with_body("datocms", TEMPLATE), &secrets(&[]));
        let parsed: Value = serde_json::from_str(body(&rendered)).expect("JSON");
        prop_assert_eq!(parsed["entity_id"].as_str(), Some(event.head.resource.id.as_str()));
    }
}
