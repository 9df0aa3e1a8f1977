//! Mustache: escaping, limits, faults.

use postrider_dialects::mustache::{
    Data, Escaping, Fault, LONGEST_TEMPLATE, Limits, Partials, Template, check_body, check_url,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn render_as(escaping: Escaping, template: &str, data: &str) -> Result<String, Fault> {
    let data = Data::parse(data).expect("JSON");
    let parsed = Template::parse(template).expect("a template");
    parsed.render(&data, escaping, &Partials::default(), Limits::default())
}

fn render(template: &str, data: &str) -> String {
    render_as(Escaping::None, template, data).expect("rendered")
}

fn faults(template: &str) -> Vec<String> {
    Template::parse(template).expect_err("faults").iter().map(ToString::to_string).collect()
}

#[test]
fn numbers_keep_their_text_and_objects_are_compact_json() {
    let data = r#"{"big":12345678901234567890123,"price":1.10,"e":1E+2,"yes":true,"none":null,"o":{ "b" : [ 1 , "x y" ] }}"#;
    assert_eq!(
        render("{{big}} {{price}} {{e}} {{yes}} {{none}}{{gone}}|{{o}}", data),
        r#"12345678901234567890123 1.10 1E+2 true |{"b":[1,"x y"]}"#
    );
}

#[test]
fn zero_and_the_empty_text_are_true_and_the_empty_list_is_not() {
    let shown = |value: &str| render("{{#x}}yes{{/x}}{{^x}}no{{/x}}", &format!(r#"{{"x":{value}}}"#));
    for value in ["0", r#""""#, "{}", "true", "[0]"] {
        assert_eq!(shown(value), "yes", "{value}");
    }
    for value in ["false", "null", "[]", "[ \n ]"] {
        assert_eq!(shown(value), "no", "{value}");
    }
}

#[test]
fn a_number_in_a_name_picks_from_a_list() {
    let data = r#"{"list":[{"id":"a"},{"id":"b"}]}"#;
    assert_eq!(render("{{list.1.id}}{{list.2.id}}{{list.-1.id}}{{list.x}}", data), "b");
}

#[test]
fn each_escaping_makes_a_value_safe_for_its_place() {
    let data = json!({ "x": "a\"b\\\n\u{1}<i>&'é /" }).to_string();
    let made = |escaping| render_as(escaping, "{{x}}", &data).expect("rendered");
    assert_eq!(made(Escaping::Json), "a\\\"b\\\\\\n\\u0001<i>&'é /");
    assert_eq!(made(Escaping::Html), "a&quot;b\\\n\u{1}&lt;i&gt;&amp;&#39;é /");
    assert_eq!(made(Escaping::Form), "a%22b%5C%0A%01%3Ci%3E%26%27%C3%A9%20%2F");
    assert_eq!(made(Escaping::None), "a\"b\\\n\u{1}<i>&'é /");
    for unescaped in ["{{{x}}}", "{{&x}}", "{{=<% %>=}}<%&x%>"] {
        assert_eq!(render_as(Escaping::Json, unescaped, &data).expect("rendered"), made(Escaping::None));
    }
}

#[test]
fn the_content_type_chooses_the_escaping() {
    for (content_type, escaping) in [
        ("application/json", Escaping::Json),
        ("Application/JSON; charset=utf-8", Escaping::Json),
        ("application/vnd.contentful.management.v1+json", Escaping::Json),
        ("text/xml", Escaping::Html),
        ("application/atom+xml;type=entry", Escaping::Html),
        ("text/html", Escaping::Html),
        ("application/x-www-form-urlencoded", Escaping::Form),
        ("text/plain", Escaping::None),
        ("", Escaping::None),
    ] {
        assert_eq!(Escaping::of_content_type(content_type), escaping, "{content_type}");
    }
}

#[test]
fn a_fault_says_what_where_and_how_to_mend_it() {
    for (template, says) in [
        (
            "ä\n  {{#a}}\n{{x}}",
            vec!["line 2, column 3: the section \"a\" is never closed; add {{/a}} where it ends"],
        ),
        (
            "{{/a}}",
            vec![
                "line 1, column 1: {{/a}} closes a section that was not opened; open it with {{#a}}, or remove this tag",
            ],
        ),
        (
            "{{#a}}{{/b}}{{/a}}",
            vec!["line 1, column 7: {{/b}} closes no open section; close {{/a}} first, or correct the name"],
        ),
        ("ok {{a", vec!["line 1, column 4: the tag that begins here is never closed by }}"]),
        ("{{{a}}", vec!["never closed by }}}"]),
        ("{{}}", vec!["the tag names nothing"]),
        ("{{#if a}}x{{/if a}}", vec!["\"if a\" is not a name", "{{#name}}…{{/name}}"]),
        ("{{a..b}}", vec!["empty part"]),
        ("{{=a=}}", vec!["is not two delimiters"]),
        ("{{<parent}}", vec!["inheritance"]),
        ("{{$block}}", vec!["inheritance"]),
        ("{{>*dynamic}}", vec!["not a name"]),
    ] {
        let found = faults(template);
        assert!(says.iter().all(|part| found[0].contains(part)), "{template}: {found:?}");
    }
    assert_eq!(check_body("a {{> header}}").expect_err("a fault")[0].column, 3);
    let inside = check_body("{{#a}}\n{{>b}}{{/a}}").expect_err("a fault");
    assert!(
        inside[0].to_string().starts_with("line 2, column 1: {{> b}} includes a template"),
        "{}",
        inside[0]
    );
}

#[test]
fn all_faults_of_a_template_are_named_at_once_in_their_order() {
    let places: Vec<_> = Template::parse("{{}}\n{{a b}}\n{{/c}}\n{{#d}}{{#e}}{{/d}}")
        .expect_err("faults")
        .iter()
        .map(|fault| (fault.line, fault.column))
        .collect();
    assert_eq!(places, [(1, 1), (2, 1), (3, 1), (4, 7)]);
    assert_eq!(faults(&"{{}}".repeat(100)).len(), 20);
}

#[test]
fn every_limit_ends_a_rendering_by_its_name() {
    let list: Vec<u32> = (0..200).collect();
    let data = json!({ "l": list, "t": "x".repeat(600) }).to_string();
    let render = |template: &str, limits: Limits| {
        let data = Data::parse(&data).expect("JSON");
        let partials = Partials::parse([("self", "{{>self}}")]).expect("partials");
        let parsed = Template::parse(template).expect("a template");
        parsed.render(&data, Escaping::Json, &partials, limits).expect_err("too much").to_string()
    };
    let limits = Limits::default();
    let work = "\n{{#l}}{{#l}}{{#l}}{{#l}}{{/l}}{{/l}}{{/l}}{{/l}}";
    assert!(render(work, limits).starts_with("line 2, column "), "where");
    assert!(render(work, limits).contains("more than 1000000 steps"));
    assert!(render("{{#l}}{{t}}{{/l}}", Limits { output: 1000, ..limits }).contains("more than 1000 bytes"));
    assert!(render("{{>self}}", limits).contains("deeper than 64 levels"));
    let deep = "{{#t}}".repeat(65) + &"{{/t}}".repeat(65);
    assert!(faults(&deep)[0].contains("deeper than 64 levels"));
    assert!(faults(&"x".repeat(LONGEST_TEMPLATE + 1))[0].contains("65537 bytes, more than 65536"));
}

#[test]
fn a_url_that_a_template_could_make_is_handed_out_for_judging() {
    assert_eq!(
        check_url("https://{{a}}.example.com/{{#b}}x/{{c}}{{/b}}?q={{{d}}}").as_deref(),
        Ok("https://x.example.com/x/x?q=x")
    );
    assert_eq!(check_url("https://example.com/").as_deref(), Ok("https://example.com/"));
    let scheme = check_url("{{scheme}}://example.com").expect_err("no scheme");
    assert!(scheme[0].to_string().contains("where the URL begins"), "{}", scheme[0]);
    assert!(check_url("https://example.com/{{").is_err());
}

/// Templates that are mostly well-formed, over data with the names they use.
fn templates() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[ \\t\\r\\n\"}a-z]{0,8}",
        prop::sample::select(vec![
            "{{a}}",
            "{{{b}}}",
            "{{& a.b }}",
            "{{.}}",
            "{{! c }}\n",
            "{{l.0}}",
            "{{=<% %>=}}<%a%><%={{ }}=%>",
        ])
        .prop_map(str::to_owned),
    ];
    let nested = leaf.prop_recursive(4, 32, 4, |inner| {
        let names = prop::sample::select(vec!["a", "b", "l", "a.b", "."]);
        (names, prop::sample::select(vec!['#', '^']), prop::collection::vec(inner, 0..4)).prop_map(
            |(name, sigil, parts)| format!("{{{{{sigil}{name}}}}}{}{{{{/{name}}}}}", parts.concat()),
        )
    });
    prop::collection::vec(nested, 0..6).prop_map(|parts| parts.concat())
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(prop::sample::select(vec!["a", "b", "l"]), inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "[a.{}#^/>!=&<$* \\r\\n%|ä]{0,40}") {
        let _ = Template::parse(&text);
        let _ = Partials::parse([("p", text.as_str())]);
        let _ = check_body(&text);
        let _ = check_url(&text);
    }

    #[test]
    fn whatever_is_rendered_stays_within_its_limits(template in templates(), data in values()) {
        let limits = Limits { output: 300, depth: 3, steps: 200 };
        let (data, parsed) = (data.to_string(), Template::parse(&template).expect("well-formed"));
        let data = Data::parse(&data).expect("JSON");
        for escaping in [Escaping::Json, Escaping::Html, Escaping::Form, Escaping::None] {
            match parsed.render(&data, escaping, &Partials::default(), limits) {
                Ok(made) => prop_assert!(made.len() <= limits.output),
                Err(fault) => prop_assert!(fault.problem.contains("more than") || fault.problem.contains("deeper")),
            }
        }
    }

    #[test]
    fn no_value_in_quotes_can_break_a_json_body(value in values(), name in "[a-z]{1,3}") {
        let template = format!(r#"{{ "{name}": "{{{{x}}}}", "list": ["{{{{x.a}}}}"{{{{#l}}}}, "{{{{.}}}}"{{{{/l}}}}], "raw": {{{{{{x}}}}}}{{{{^x}}}}{{{{/x}}}} }}"#);
        let data = json!({ "x": [value.clone()], "l": [value.clone(), value.clone()] }).to_string();
        let made = render_as(Escaping::Json, &template, &data).expect("rendered");
        let parsed: Value = serde_json::from_str(&made).expect("valid JSON");
        prop_assert_eq!(&parsed["raw"], &json!([value]));
        if let Some(text) = value.as_str() {
            prop_assert_eq!(parsed["list"][1].as_str(), Some(text));
        }
    }

    #[test]
    fn a_template_without_tags_is_what_it_makes(text in "[^{]{0,80}") {
        prop_assert_eq!(render(&text, "{}"), text);
    }
}
