//! The page: a list of everything on the left, everything on the right.

use std::fmt::Write;

use serde_json::Value;

use super::form::{about, kind, limits};
use super::operation::{Operation, fields};
use super::text::{escape, paragraphs};

/// The order in which the operations of a path are shown.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The whole page.
pub(super) fn page(document: &Value) -> String {
    let title = escape(document["info"]["title"].as_str().unwrap_or_default());
    let version = escape(document["info"]["version"].as_str().unwrap_or_default());
    let operations = operations(document);
    let mut list = String::new();
    let mut body = String::new();
    for tag in document["tags"].as_array().into_iter().flatten() {
        let name = tag["name"].as_str().unwrap_or_default();
        let own: Vec<&Operation> = operations.iter().filter(|operation| operation.tag() == name).collect();
        if own.is_empty() {
            continue;
        }
        let shown = escape(name);
        let entries: String = own.iter().map(|operation| operation.entry()).collect();
        let _ = write!(list, "<h2><a href=\"#tag-{shown}\">{shown}</a></h2><ul>{entries}</ul>");
        let sections: String = own.iter().map(|operation| operation.section()).collect();
        let _ = write!(body, "<h2 id=\"tag-{shown}\">{shown}</h2><p>{}</p>{sections}", about(tag));
    }
    let _ = write!(list, "<h2><a href=\"#schemas\">Schemas</a></h2>");
    let intro = paragraphs(document["info"]["description"].as_str().unwrap_or_default());
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title} API</title><link rel=\"stylesheet\" href=\"docs/style.css\"></head><body>\
         <input type=\"checkbox\" id=\"menu\" aria-label=\"Show the list of operations\">\
         <header><label for=\"menu\">☰</label><a href=\"#top\">{title} API</a> <small>{version}</small>\
         <a class=\"raw\" href=\"openapi.json\">openapi.json</a></header>\
         <nav aria-label=\"Operations\">{list}</nav><main id=\"top\"><h1>{title} API</h1>{intro}\
         <pre>export POSTRIDER=http://127.0.0.1:8026 TOKEN=prt_…</pre>{body}{}</main></body></html>\n",
        schemas(document)
    )
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for method in METHODS {
            if let Some(said) = item.get(method) {
                all.push(Operation { document, method, path, said });
            }
        }
    }
    all
}

fn schemas(document: &Value) -> String {
    let mut html = "<h2 id=\"schemas\">Schemas</h2>".to_owned();
    for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
        let name = escape(name);
        let _ = write!(
            html,
            "<section class=\"schema\" id=\"schema-{name}\"><h3>{name}</h3><p>{}</p>",
            about(schema)
        );
        let table = fields(document, schema);
        if table.is_empty() {
            let _ = write!(html, "<p>{}<small>{}</small></p>", kind(schema), limits(schema));
        }
        html.push_str(&table);
        html.push_str("</section>");
    }
    html
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn between<'p>(page: &'p str, start: &'p str) -> impl Iterator<Item = &'p str> {
        page.split(start).skip(1).filter_map(|rest| rest.split('"').next())
    }

    #[test]
    fn every_operation_is_on_the_page_and_every_link_leads_somewhere() {
        let document = crate::document();
        let page = page(&document);
        let ids: Vec<&str> = between(&page, " id=\"").collect();
        let unique: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), unique.len(), "an id is there twice");
        for operation in operations(&document) {
            assert!(unique.contains(operation.name()), "{} is missing", operation.name());
        }
        for link in between(&page, " href=\"") {
            let known = link
                .strip_prefix('#')
                .map_or(["docs/style.css", "openapi.json"].contains(&link), |id| unique.contains(id));
            assert!(known, "{link} leads nowhere");
        }
    }

    #[test]
    fn the_page_has_no_script_and_takes_nothing_from_elsewhere() {
        let page = page(&crate::document()).to_lowercase();
        for foreign in
            ["<script", "<img", "<iframe", " style=", " src=", " onclick", "@import", "href=\"http"]
        {
            assert!(!page.contains(foreign), "{foreign}");
        }
    }
}
