//! Checks how a webhook's requests are made: by its dialect, by Contentful's transformation, or by Mustache templates; and
//! the options of its dialect.

use std::collections::BTreeMap;

use postrider_dialects::{Dialect, ReadError, contentful, datocms, mustache, pointer};
use postrider_domain::webhook::{Escape, Method, MustacheTemplate, Render, Transformation};

use crate::draft::{TemplateDraft, TransformationDraft, WebhookDraft};
use crate::error::{FieldFault, faults_of};

/// What stands for a value that comes from the event, in a URL and in header values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Templates {
    /// Nothing: what is given is sent.
    None,
    /// `{ /payload/sys/id }` (Contentful).
    Pointers,
    /// `{{entity.id}}`, in the URL only.
    Mustache,
}

/// How the requests are made. With faults, the answer is not to be used.
pub(crate) fn render(draft: &WebhookDraft, dialect: &dyn Dialect, faults: &mut Vec<FieldFault>) -> Render {
    let transformation =
        draft.transformation.as_ref().filter(|draft| **draft != TransformationDraft::default());
    match (transformation, &draft.template) {
        (Some(_), Some(_)) => {
            let problem = "a request is made by a transformation or by a template, not by both";
            let fix = "leave out `template`, or all of `transformation` but its method";
            faults.push(FieldFault::new("template", "conflict", problem, fix));
            Render::Dialect
        }
        (Some(given), None) => Render::Transformation(transformed(given, faults)),
        (None, Some(given)) => Render::Mustache(template("template", given, faults)),
        // DatoCMS's URLs are templates without being asked.
        (None, None) if dialect.name() == datocms::NAME && has_tags(draft.url.as_deref()) => {
            Render::Mustache(MustacheTemplate::default())
        }
        (None, None) => Render::Dialect,
    }
}

/// What is odd about it but taken.
pub(crate) fn doubt(render: &Render, method: Method) -> Option<String> {
    let has_body = match render {
        Render::Dialect => false,
        Render::Transformation(transformation) => transformation.body.is_some(),
        Render::Mustache(template) => template.body.is_some(),
    };
    (has_body && !method.carries_body())
        .then(|| format!("a {} call carries no body, so the body given is never sent", method.as_str()))
}

/// The options of the dialect.
pub(crate) fn options(
    draft: &WebhookDraft,
    dialect: &dyn Dialect,
    faults: &mut Vec<FieldFault>,
) -> BTreeMap<String, String> {
    // In place of one that does not exist another stands, whose options nobody asked for.
    let is_named = draft.dialect.as_deref().is_none_or(|name| name == dialect.name());
    if is_named && let Err(found) = dialect.check_options(&draft.options) {
        faults.extend(faults_of("", found));
    }
    draft.options.clone()
}

fn transformed(given: &TransformationDraft, faults: &mut Vec<FieldFault>) -> Transformation {
    let TransformationDraft { content_type, include_content_length, body } = given.clone();
    let transformation = Transformation { content_type, include_content_length, body };
    if let Err(found) = pointer::check(&transformation) {
        faults.extend(faults_of("transformation", found));
    }
    transformation
}

/// The template whose field is `path`. With faults, the answer is not to be used.
pub(crate) fn template(path: &str, given: &TemplateDraft, faults: &mut Vec<FieldFault>) -> MustacheTemplate {
    if let Some(Err(found)) = given.body.as_deref().map(mustache::check_body) {
        let path = format!("{path}.body");
        faults.extend(found.into_iter().map(|fault| of_mustache(&path, &fault)));
    }
    let escape = given.escape.as_deref().and_then(|text| {
        let known = Escape::parse(text);
        if known.is_none() {
            let names = Escape::ALL.map(Escape::as_str).join(", ");
            let fix = format!("use one of {names}, or leave it out and the content type decides");
            let path = format!("{path}.escape");
            let fault = FieldFault::new(path, "in", "there is no such escaping", fix);
            faults.push(fault.given(text));
        }
        known
    });
    MustacheTemplate { body: given.body.clone(), escape }
}

fn has_tags(url: Option<&str>) -> bool {
    url.is_some_and(|url| url.contains("{{"))
}

/// Whether scheme, host or port hold a tag.
fn chooses_host(url: &str) -> bool {
    let behind = url.split_once("://").map_or("", |(_, rest)| rest);
    let path = behind.find(['/', '?', '#', '\\']).map_or("", |at| &behind[at..]);
    has_tags(Some(&url[..url.len() - path.len()]))
}

fn of_mustache(path: &str, fault: &mustache::Fault) -> FieldFault {
    let problem = format!("line {}, column {}: {}", fault.line, fault.column, fault.problem);
    FieldFault::new(path, "template", problem, fault.fix.clone())
}

impl Templates {
    pub(crate) fn of(render: &Render, dialect: &dyn Dialect) -> Self {
        match render {
            Render::Mustache(_) => Self::Mustache,
            Render::Transformation(_) => Self::Pointers,
            Render::Dialect if dialect.name() == contentful::NAME => Self::Pointers,
            Render::Dialect => Self::None,
        }
    }

    /// A URL that the template could make, by which scheme and host are judged; `None` when it is no template.
    pub(crate) fn sample_url(self, given: &str) -> Result<Option<String>, Vec<FieldFault>> {
        match self {
            Self::None => Ok(None),
            Self::Pointers if !given.contains('{') => Ok(None),
            Self::Pointers => pointer::check_url(given).map(Some).map_err(|found| faults_of("", found)),
            Self::Mustache if !has_tags(Some(given)) => Ok(None),
            Self::Mustache if chooses_host(given) => {
                let problem = "a value stands before the path";
                let fix =
                    "write scheme and host out: an event must not choose where the webhook's secrets go";
                Err(vec![FieldFault::new("url", "template", problem, fix)])
            }
            Self::Mustache => mustache::check_url(given)
                .map(Some)
                .map_err(|found| found.iter().map(|fault| of_mustache("url", fault)).collect()),
        }
    }

    /// The faults of a header's value as a template. That of a secret header is not repeated.
    pub(crate) fn check_header(self, path: &str, value: &str, secret: bool) -> Vec<FieldFault> {
        if self != Self::Pointers {
            return Vec::new();
        }
        let Err(found) = pointer::check_header("", value) else { return Vec::new() };
        let fault = |error: ReadError| {
            let problem =
                if secret { "it holds a pointer that leads nowhere".to_owned() } else { error.problem };
            FieldFault::new(path, "template", problem, error.fix)
        };
        found.into_iter().map(fault).collect()
    }
}
