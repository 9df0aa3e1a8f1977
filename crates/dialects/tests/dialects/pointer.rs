//! Contentful's transformations: pointers in bodies, URLs and headers.

use postrider_dialects::pointer::{
    LONGEST_BODY, LONGEST_TEMPLATE, MOST_POINTERS, check, check_header, check_url,
};
use postrider_dialects::{RenderError, Rendered};
use postrider_domain::event::{Actor, Event};
use postrider_domain::json::Json;
use postrider_domain::webhook::{Method, Render, Transformation, Webhook};
use proptest::prelude::*;
use serde_json::Value;

use crate::samples::{body, events, header, published, secrets, target, webhook, write};

fn transformed(body: &str) -> Webhook {
    let mut webhook = webhook("native");
    target(&mut webhook).render =
        Render::Transformation(Transformation { body: Some(Json::from_checked(body)), ..Default::default() });
    webhook
}

fn typed(content_type: &str, body: Option<&str>) -> Webhook {
    let mut webhook = webhook("native");
    let body = body.map(Json::from_checked);
    let content_type = Some(content_type.to_owned());
    target(&mut webhook).render =
        Render::Transformation(Transformation { content_type, body, ..Default::default() });
    webhook
}

fn to(url: &str) -> Webhook {
    let mut webhook = webhook("native");
    target(&mut webhook).render = Render::Transformation(Transformation::default());
    target(&mut webhook).url = url.into();
    webhook
}

/// An event whose data is this JSON, by a user.
fn told(data: &str) -> Event {
    let mut event = published();
    event.content.data = Json::from_checked(data);
    event.head.actor = Some(Actor { id: "u1".into(), kind: None });
    event
}

fn made(event: &Event, webhook: &Webhook) -> Rendered {
    write(event, webhook, &secrets(&[])).expect("a request")
}

const DATA: &str = r#"{ "n": 1.50, "big": 12345678901234567890, "t": "a \"b\"", "yes": true, "nil": null,
    "list": [ 1, { "x": "y z" } ], "a/b": "slash", "ü": "ö" }"#;

#[test]
fn a_text_that_is_one_pointer_becomes_the_value_with_its_type() {
    let template = r#"{"id":"{ /payload/resource/id }","n":"{ /payload/data/n }","big":"{ /payload/data/big }",
        "t":"{ /payload/data/t }","yes":"{ /payload/data/yes }","nil":"{ /payload/data/nil }",
        "list":"{ /payload/data/list }","x":"{ /payload/data/list/1/x }","gone":"{ /payload/no/where }",
        "slash":"{ /payload/data/a~1b }","umlaut":"{ /payload/data/ü }","topic":"{ /topic }",
        "user":"{ /user }","by":"{ /user/sys/id }", "kept":[1.0,true,null,"plain \u0041"]}"#;
    let rendered = made(&told(DATA), &transformed(template));
    let expected =
        r#"{"id":"7K4p9xQ2mR","n":1.50,"big":12345678901234567890,"t":"a \"b\"","yes":true,"nil":null,"#
            .to_owned()
            + r#""list":[ 1, { "x": "y z" } ],"x":"y z","gone":null,"slash":"slash","umlaut":"ö","topic":"Entry.publish","#
            + r#""user":{"sys":{"type":"Link","linkType":"User","id":"u1"}},"by":"u1","kept":[1.0,true,null,"plain \u0041"]}"#;
    assert_eq!(body(&rendered), expected);
    assert_eq!(header(&rendered, "content-type"), Some("application/json"));
}

#[test]
fn inside_a_text_values_are_put_in_as_text() {
    let template = r#""<{ /payload/data/n }|{ /payload/data/t }|{ /payload/data/nil }|{ /payload/no }|{ /payload/data/list }|{ /topic }>""#;
    let rendered = made(&told(DATA), &transformed(template));
    let text: String = serde_json::from_str(body(&rendered)).expect("a JSON text");
    assert_eq!(text, r#"<1.50|a "b"|||[1,{"x":"y z"}]|Entry.publish>"#);
}

#[test]
fn any_json_can_be_a_body_and_a_text_stays_a_json_text() {
    for (template, expected) in [
        ("\"{ /payload/data/n }\"", "1.50"),
        ("\"hello\"", "\"hello\""),
        ("[ \"{ /topic }\" , 2 ]", r#"["Entry.publish",2]"#),
        ("null", "null"),
        (r#"{"{ /topic }":"{/topic}"}"#, r#"{"{ /topic }":"{/topic}"}"#),
    ] {
        assert_eq!(body(&made(&told(DATA), &transformed(template))), expected);
    }
}

#[test]
fn nobody_who_did_it_is_null() {
    let mut event = told(DATA);
    event.head.actor = None;
    let template = r#"["{ /user }","{ /user/sys/id }","by { /user/sys/id }."]"#;
    assert_eq!(body(&made(&event, &transformed(template))), r#"[null,null,"by ."]"#);
}

#[test]
fn values_in_a_url_stay_one_segment_or_one_value() {
    let event = told(r#"{"id":"a/b?c=d&e ü","dots":"..","dot":"."}"#);
    let url = |template: &str| write(&event, &to(template), &secrets(&[])).map(|rendered| rendered.url);
    assert_eq!(
        url("https://h.example/{ /payload/data/id }/x?q={ /payload/data/id }&t={ /topic }#f").as_deref(),
        Ok("https://h.example/a%2Fb%3Fc%3Dd%26e%20%C3%BC/x?q=a%2Fb%3Fc%3Dd%26e%20%C3%BC&t=Entry.publish#f")
    );
    assert_eq!(url("https://h.example/{ /payload/none }").as_deref(), Ok("https://h.example/"));
    assert_eq!(url("https://h.example/v{ /payload/data/dots }").as_deref(), Ok("https://h.example/v.."));
    assert_eq!(url("https://h.example/?p={ /payload/data/dots }").as_deref(), Ok("https://h.example/?p=.."));
    for leads_elsewhere in
        ["/a/{ /payload/data/dots }/b", "/{ /payload/data/dot }", "/.{ /payload/data/dot }"]
    {
        let error = url(&format!("https://h.example{leads_elsewhere}")).expect_err(leads_elsewhere);
        assert!(matches!(error, RenderError::Template { part: "URL", .. }), "{error}");
    }
}

#[test]
fn no_event_chooses_scheme_or_host() {
    let event = told(r#"{"host":"evil.example"}"#);
    for url in [
        "{ /payload/data/host }",
        "https://{ /payload/data/host }/",
        "https://u:{ /payload/data/host }@h.example/",
        "https://h.example:{ /payload/data/host }/",
        "https://h.example{ /payload/data/host }",
    ] {
        let faults = check_url(url).expect_err(url);
        assert!(faults[0].problem.contains("before the path"), "{}", faults[0]);
        assert!(write(&event, &to(url), &secrets(&[])).is_err(), "{url}");
    }
    assert_eq!(check_url("https://h/{ /topic }?a={ /user }").as_deref(), Ok("https://h/x?a=x"));
    assert_eq!(check_url("https://h?a={ /user }").as_deref(), Ok("https://h?a=x"));
    assert_eq!(check_url("https://h/plain").as_deref(), Ok("https://h/plain"));
}

#[test]
fn header_values_are_filled_in_and_secret_ones_are_not() {
    let event = told("{\"t\":\"Grüße\\r\\nX-Evil: 1\"}");
    let mut secrets = secrets(&[]);
    secrets.headers = [
        ("X-Id", "id { /payload/resource/id }"),
        ("X-Title", "{ /payload/data/t }"),
        ("X-Key", "{ /payload/resource/id }"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let rendered = write(&event, &to("https://h/"), &secrets).expect("a request");
    assert_eq!(header(&rendered, "X-Id"), Some("id 7K4p9xQ2mR"));
    assert_eq!(header(&rendered, "X-Title"), Some("Gr%C3%BC%C3%9Fe%0D%0AX-Evil: 1"));
    assert_eq!(header(&rendered, "X-Key"), Some("7K4p9xQ2mR"));
    secrets.secret_headers = vec!["{ /payload/resource/id }".into()];
    let rendered = write(&event, &to("https://h/"), &secrets).expect("a request");
    assert_eq!(header(&rendered, "X-Key"), Some("{ /payload/resource/id }"));
}

#[test]
fn without_a_transformation_only_contentful_looks_for_pointers() {
    let mut plain = to("https://h/{ /topic }");
    target(&mut plain).render = Render::Dialect;
    assert_eq!(made(&told(DATA), &plain).url, "https://h/{ /topic }");
    plain.dialect = "contentful".into();
    assert_eq!(made(&told(DATA), &plain).url, "https://h/ContentManagement.Entry.publish");
}

#[test]
fn the_content_type_is_the_transformations_unless_a_custom_header_says_otherwise() {
    let webhook = typed("application/json; charset=utf-8", Some("1"));
    let rendered = made(&told(DATA), &webhook);
    assert_eq!(header(&rendered, "content-type"), Some("application/json; charset=utf-8"));
    let count = rendered.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-type")).count();
    assert_eq!(count, 1);
    let mut secrets = secrets(&[]);
    secrets.headers = vec![("content-type".into(), "text/plain".into())];
    let rendered = write(&told(DATA), &webhook, &secrets).expect("a request");
    assert_eq!(header(&rendered, "content-type"), Some("text/plain"));
}

#[test]
fn a_form_is_the_body_with_names_in_brackets() {
    let template = r#"{"Action":"SendMessage","Body":"{ /topic },{ /payload/resource/id }","list":"{ /payload/data/list }"}"#;
    for content_type in
        ["application/x-www-form-urlencoded", "Application/X-WWW-Form-Urlencoded; charset=utf-8"]
    {
        let rendered = made(&told(DATA), &typed(content_type, Some(template)));
        assert_eq!(
            body(&rendered),
            "Action=SendMessage&Body=Entry.publish%2C7K4p9xQ2mR&list%5B0%5D=1&list%5B1%5D%5Bx%5D=y+z"
        );
        assert_eq!(header(&rendered, "content-type"), Some(content_type));
    }
    let whole = made(&told("{}"), &typed("application/x-www-form-urlencoded", None));
    assert!(body(&whole).contains("resource%5Bid%5D=7K4p9xQ2mR"), "{}", body(&whole));
    let error = write(&told("{}"), &typed("application/x-www-form-urlencoded", Some("\"a\"")), &secrets(&[]));
    let error = error.expect_err("a text has no names");
    assert!(error.to_string().contains("needs names"), "{error}");
}

#[test]
fn get_and_delete_send_no_body_whatever_the_template() {
    for method in [Method::Get, Method::Delete] {
        let mut webhook = typed("application/json", Some("{\"a\":1}"));
        target(&mut webhook).method = method;
        let rendered = made(&told(DATA), &webhook);
        assert_eq!((rendered.method, rendered.body.as_deref()), (method, None));
        assert_eq!(header(&rendered, "content-type"), None);
    }
}

#[test]
fn a_body_leaves_in_chunks_where_no_length_is_wanted() {
    for (asked, method, chunks) in [
        (None, Method::Post, None),
        (Some(true), Method::Post, None),
        (Some(false), Method::Post, Some("chunked")),
        (Some(false), Method::Get, None),
    ] {
        let mut webhook = Webhook { dialect: "contentful".into(), ..webhook("native") };
        target(&mut webhook).method = method;
        target(&mut webhook).render = Render::Transformation(Transformation {
            include_content_length: asked,
            ..Transformation::default()
        });
        let rendered = write(&told(DATA), &webhook, &secrets(&["s"])).expect("a request");
        assert_eq!(header(&rendered, "Transfer-Encoding"), chunks);
        let signed = header(&rendered, "X-Contentful-Signed-Headers").expect("signed");
        assert!(!signed.contains("transfer-encoding"), "{signed}");
    }
}

#[test]
fn the_signature_covers_what_the_template_made() {
    let webhook = Webhook { dialect: "cometcms".into(), ..transformed(r#"{"it":"{ /payload/data/id }"}"#) };
    let rendered = write(&published(), &webhook, &secrets(&["s"])).expect("a request");
    assert_eq!(body(&rendered), r#"{"it":"7K4p9xQ2mR"}"#);
    let expected = postrider_dialects::cometcms::signature("s", body(&rendered).as_bytes());
    assert_eq!(header(&rendered, "X-CometCMS-Signature"), Some(expected.as_str()));
}

#[test]
fn all_faults_of_a_transformation_are_told_with_their_places() {
    let template = r#"{"fine":"{ /payload/sys/id } { /user } { /topic }","a":["x","ü { /paylod/sys }"],"b/c":"{ /payload/~2 }"}"#;
    let transformation = Transformation {
        content_type: Some("text/plain".into()),
        include_content_length: Some(true),
        body: Some(Json::from_checked(template)),
    };
    let faults = check(&transformation).expect_err("three faults");
    let paths: Vec<_> = faults.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(paths, ["/contentType", "/body/a/1", "/body/b~1c"]);
    assert!(faults[0].fix.contains("application/x-www-form-urlencoded"), "{}", faults[0]);
    assert!(faults[1].problem.contains("/paylod/sys at character 3 leads nowhere"), "{}", faults[1]);
    assert!(faults[2].fix.contains("~0"), "{}", faults[2]);
    assert_eq!(check(&Transformation::default()), Ok(()));
    let faults = check_header("/headers/0/value", "{ /nowhere }").expect_err("a fault");
    assert_eq!(faults[0].path, "/headers/0/value");
    assert_eq!(check_header("/headers/0/value", "Bearer { token }"), Ok(()));
}

#[test]
fn every_content_type_of_the_documentation_is_taken() {
    for name in [
        "application/vnd.contentful.management.v1+json",
        "application/json",
        "application/x-www-form-urlencoded",
    ] {
        for charset in ["", "; charset=utf-8", ";charset=UTF-8"] {
            let content_type = Some(format!("{name}{charset}"));
            assert_eq!(check(&Transformation { content_type, ..Default::default() }), Ok(()));
        }
    }
    for other in ["", "text/html", "application/json; charset=latin1", "application/json; x=y"] {
        let content_type = Some(other.to_owned());
        assert!(check(&Transformation { content_type, ..Default::default() }).is_err(), "{other}");
    }
}

#[test]
fn what_is_too_large_is_refused_when_saved_and_when_rendered() {
    let with = |body: String| Transformation { body: Some(Json::from_checked(body)), ..Default::default() };
    let long = format!("\"{}\"", "x".repeat(LONGEST_TEMPLATE));
    let deep = format!("{}{}", "[".repeat(101), "]".repeat(101));
    let many = format!("[{}\"{{ /topic }}\"]", "\"{ /topic }\",".repeat(MOST_POINTERS));
    for (body, says) in [(&long, "65538 bytes"), (&deep, "nested deeper"), (&many, "more than 1000 pointers")]
    {
        let faults = check(&with(body.clone())).expect_err(says);
        assert!(faults[0].problem.contains(says), "{}", faults[0]);
    }
    let no_json = check(&with("{".into())).expect_err("no JSON");
    assert!(no_json[0].problem.contains("line 1"), "{}", no_json[0]);

    let wide = told(&format!("\"{}\"", "x".repeat(LONGEST_BODY / 4)));
    for template in [
        r#"["{ /payload/data }","{ /payload/data }","{ /payload/data }","{ /payload/data }"]"#,
        r#""{ /payload/data }{ /payload/data }{ /payload/data }{ /payload/data }.""#,
    ] {
        let error = write(&wide, &transformed(template), &secrets(&[])).expect_err("too much");
        assert!(error.to_string().contains("more than 1048576 bytes"), "{error}");
    }
    let error = write(&wide, &to("https://h/{ /payload/data }"), &secrets(&[])).expect_err("too long");
    assert!(error.to_string().contains("more than 8192 bytes"), "{error}");
    assert!(write(&wide, &transformed(&many), &secrets(&[])).is_err());
    let nested = told(&deep[1..201]);
    let template = format!("{}\"{{ /payload/data }}\"{}", "[".repeat(40), "]".repeat(40));
    let error = write(&nested, &transformed(&template), &secrets(&[])).expect_err("too deep");
    assert!(error.to_string().contains("deeper than 128"), "{error}");
}

/// Templates that are nearly pointers, and some that are.
fn templates() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{ /payload/data".to_owned()),
        Just("{ /topic }".to_owned()),
        Just("{ /payload/resource/id }".to_owned()),
        Just(" }".to_owned()),
        Just("{".to_owned()),
        Just("/".to_owned()),
        Just("~1".to_owned()),
        any::<String>(),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn nothing_makes_the_templates_panic_and_a_body_is_always_json(event in events(), text in templates(), key in any::<String>()) {
        let template = serde_json::json!({ key: text, "list": [text, 1] }).to_string();
        let _ = check(&Transformation { body: Some(Json::from_checked(text.clone())), ..Default::default() });
        let _ = check_header("/", &text);
        let rendered = write(&event, &transformed(&template), &secrets(&[])).expect("a request");
        prop_assert!(serde_json::from_str::<Value>(body(&rendered)).is_ok(), "{}", body(&rendered));
        let form = write(&event, &typed("application/x-www-form-urlencoded", Some(&template)), &secrets(&[]));
        prop_assert!(body(&form.expect("a request")).is_ascii());
        let _ = write(&event, &to(&format!("https://h/{text}")), &secrets(&[]));
    }

    #[test]
    fn a_url_keeps_host_and_number_of_segments_whatever_the_event(event in events()) {
        let Ok(rendered) = write(&event, &to("https://h.example/a/{ /payload/resource/id }/{ /payload/data }?q={ /payload/resource/title }"), &secrets(&[])) else {
            return Ok(());
        };
        let parsed = url::Url::parse(&rendered.url).expect("a URL");
        prop_assert_eq!(parsed.host_str(), Some("h.example"));
        prop_assert_eq!(parsed.path_segments().map(Iterator::count), Some(3));
        prop_assert_eq!(parsed.query_pairs().count(), 1);
        let id = event.head.resource.id;
        let second = parsed.path_segments().and_then(|mut all| all.nth(1)).expect("a segment");
        let decoded: Vec<u8> = second.split('%').enumerate().flat_map(|(at, part)| {
            let (byte, rest) = if at == 0 { (None, part) } else { (u8::from_str_radix(&part[..2], 16).ok(), &part[2..]) };
            byte.into_iter().chain(rest.bytes()).collect::<Vec<_>>()
        }).collect();
        prop_assert_eq!(String::from_utf8(decoded).expect("UTF-8"), id);
    }

    #[test]
    fn a_whole_pointer_gives_the_value_as_it_was_written(event in events()) {
        let rendered = write(&event, &transformed("\"{ /payload/data }\""), &secrets(&[])).expect("a request");
        prop_assert_eq!(body(&rendered), event.content.data.as_str());
    }

    #[test]
    fn header_values_are_always_sendable(event in events()) {
        let mut secrets = secrets(&[]);
        secrets.headers = vec![("X-T".into(), "{ /payload/resource/title } { /payload/data }".into())];
        if let Ok(rendered) = write(&event, &to("https://h/"), &secrets) {
            let value = header(&rendered, "X-T").expect("there");
            prop_assert!(value.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        }
    }
}
