//! How a webhook's requests are made: Contentful's transformation, a Mustache template, the options of the dialect.

use std::collections::BTreeMap;

use postrider_control::draft::{TemplateDraft, TransformationDraft};
use postrider_domain::json::Json;
use postrider_domain::webhook::{Escape, HttpTarget, Method, MustacheTemplate, Render, Transformation};
use serde_json::{Value, json};

use crate::fields::{Fields, kind};

/// The method and the transformation. The method stands in the transformation, as with Contentful, or beside it. `body` is
/// the text of the transformation's body, byte for byte.
pub(super) fn read_transformation(
    fields: &Fields<'_>,
    body: impl FnOnce() -> String,
) -> (Option<String>, Option<TransformationDraft>) {
    let beside = fields.text("method");
    let Some(transformation) = fields.object("transformation") else { return (beside, None) };
    let inside = transformation.text("method");
    let draft = TransformationDraft {
        content_type: transformation.text("contentType"),
        include_content_length: transformation.flag("includeContentLength"),
        body: transformation.raw("body").map(|_| Json::from_checked(body())),
    };
    transformation.ignore_unread();
    (inside.or(beside), Some(draft))
}

/// `{"body", "escape"}`.
pub(super) fn read_template(fields: &Fields<'_>) -> Option<TemplateDraft> {
    let template = fields.object("template")?;
    let draft = TemplateDraft { body: template.text("body"), escape: template.text("escape") };
    template.refuse_unread();
    Some(draft)
}

/// An object of texts.
pub(super) fn read_options(fields: &Fields<'_>) -> BTreeMap<String, String> {
    let Some(options) = fields.raw("options") else { return BTreeMap::new() };
    let Some(options) = options.as_object() else {
        fields.wrong("options".to_owned(), options, "give an object {…}");
        return BTreeMap::new();
    };
    let mut read = BTreeMap::new();
    for (name, value) in options {
        let shown: String = name.chars().take(64).collect();
        match value {
            Value::String(text) => drop(read.insert(name.clone(), text.clone())),
            Value::Bool(_) | Value::Number(_) => {
                let fix = format!("give {} as a text: \"{value}\"", kind(value));
                fields.wrong(format!("options.{shown}"), value, &fix);
            }
            Value::Null => {}
            other => fields.wrong(format!("options.{shown}"), other, "give a text"),
        }
    }
    read
}

pub(super) fn write(written: &mut Value, target: &HttpTarget) {
    if target.method != Method::default() {
        written["transformation"] = json!({"method": target.method.as_str()});
    }
    match &target.render {
        Render::Dialect => {}
        Render::Transformation(transformation) => write_transformation(written, transformation),
        Render::Mustache(template) => written["template"] = write_template(template),
    }
}

fn write_transformation(written: &mut Value, transformation: &Transformation) {
    let Transformation { content_type, include_content_length, body } = transformation;
    let place = &mut written["transformation"];
    if let Some(content_type) = content_type {
        place["contentType"] = json!(content_type);
    }
    if let Some(include) = include_content_length {
        place["includeContentLength"] = json!(include);
    }
    if let Some(body) = body {
        // It was checked when it came in; should it be broken all the same, it is shown as a text.
        place["body"] = serde_json::from_str(body.as_str()).unwrap_or_else(|_| json!(body.as_str()));
    }
}

pub(super) fn write_template(template: &MustacheTemplate) -> Value {
    let mut written = json!({});
    if let Some(body) = &template.body {
        written["body"] = json!(body);
    }
    if let Some(escape) = template.escape {
        written["escape"] = json!(match escape {
            Escape::Json => "json",
            Escape::Html => "html",
            Escape::None => "none",
        });
    }
    written
}
