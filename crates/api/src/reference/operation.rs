//! One operation: what it is for, what it needs and takes, how to call it, what it answers.

use std::fmt::Write;

use serde_json::Value;

use super::example::example;
use super::form::{about, kind, limits};
use super::text::{escape, inline, paragraphs};
use crate::openapi::PERMISSION;

/// An operation of the document.
pub(super) struct Operation<'d> {
    pub(super) document: &'d Value,
    pub(super) method: &'d str,
    pub(super) path: &'d str,
    pub(super) said: &'d Value,
}

impl Operation<'_> {
    pub(super) fn name(&self) -> &str {
        self.said["operationId"].as_str().unwrap_or_default()
    }

    pub(super) fn tag(&self) -> &str {
        self.said["tags"][0].as_str().unwrap_or_default()
    }

    pub(super) fn summary(&self) -> &str {
        self.said["summary"].as_str().unwrap_or_default()
    }

    /// Its line in the list of all.
    pub(super) fn entry(&self) -> String {
        format!(
            "<li><a href=\"#{}\" title=\"{}\"><b class=\"m {m}\">{m}</b> <span>{}</span></a></li>",
            escape(self.name()),
            escape(self.path),
            escape(self.summary()),
            m = escape(self.method),
        )
    }

    /// Its whole section.
    pub(super) fn section(&self) -> String {
        let name = escape(self.name());
        let method = escape(self.method);
        let mut html = format!(
            "<section class=\"op\" id=\"{name}\"><h3><a href=\"#{name}\">{}</a></h3>",
            inline(self.summary())
        );
        let path = self.path.split('/').map(escape).collect::<Vec<_>>().join("/<wbr>");
        let _ =
            write!(html, "<p class=\"line\"><b class=\"m {method}\">{method}</b> <code>{path}</code></p>");
        let _ = write!(html, "<p class=\"needs\">{}</p>", self.needs());
        html.push_str(&paragraphs(self.said["description"].as_str().unwrap_or_default()));
        html.push_str(&self.parameters());
        html.push_str(&self.body());
        let _ = write!(html, "<h4>Call</h4><pre>{}</pre>", escape(&self.curl()));
        html.push_str(&self.answers());
        html.push_str("</section>");
        html
    }

    fn needs(&self) -> String {
        match self.said[PERMISSION].as_str().unwrap_or_default() {
            "none" | "public" => "Needs no token.".to_owned(),
            "source" => "Needs the source’s signature or key.".to_owned(),
            "any" => "Needs any token.".to_owned(),
            "instance" => "Needs <code>admin</code> with a token of the whole instance.".to_owned(),
            permission => format!("Needs <code>{}</code>.", escape(permission)),
        }
    }

    fn resolved<'v>(&'v self, value: &'v Value) -> &'v Value {
        let pointer = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
        pointer.and_then(|pointer| self.document.pointer(pointer)).unwrap_or(value)
    }

    fn parameters(&self) -> String {
        let Some(parameters) = self.said["parameters"].as_array() else { return String::new() };
        let rows = parameters.iter().map(|parameter| {
            let parameter = self.resolved(parameter);
            let needed = if parameter["required"] == true { " <em>required</em>" } else { "" };
            let limits = limits(&parameter["schema"]);
            format!(
                "<tr><td><code>{}</code>{needed}<small>{}</small></td><td>{}<small>{limits}</small></td><td>{}</td></tr>",
                escape(parameter["name"].as_str().unwrap_or_default()),
                escape(parameter["in"].as_str().unwrap_or_default()),
                kind(&parameter["schema"]),
                about(parameter),
            )
        });
        format!("<h4>Parameters</h4>{}", table(["Name", "Type", "Meaning"], rows))
    }

    fn body(&self) -> String {
        let Some(content) = self.said["requestBody"]["content"].as_object() else { return String::new() };
        let Some((_, media)) = content.iter().next() else { return String::new() };
        let types: Vec<String> =
            content.keys().map(|name| format!("<code>{}</code>", escape(name))).collect();
        let optional = if self.said["requestBody"]["required"] == true { "" } else { ", or nothing" };
        let mut html =
            format!("<h4>Body</h4><p>{}, as {}{optional}.</p>", kind(&media["schema"]), types.join(" or "));
        html.push_str(&fields(self.document, &media["schema"]));
        html
    }

    /// What a shell would send.
    fn curl(&self) -> String {
        let path = self.path.split('/').map(|part| {
            match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                None => part.to_owned(),
                Some(name) => self.sample(name),
            }
        });
        let path = path.collect::<Vec<_>>().join("/");
        let mut line = match self.method {
            "get" => format!("curl \"$POSTRIDER{path}\""),
            method => format!("curl -X {} \"$POSTRIDER{path}\"", method.to_uppercase()),
        };
        if !["none", "public", "source"].contains(&self.said[PERMISSION].as_str().unwrap_or_default()) {
            line.push_str(" \\\n  -H \"Authorization: Bearer $TOKEN\"");
        }
        let schema = &self.said["requestBody"]["content"]["application/json"]["schema"];
        if schema.is_object() {
            let body = format!("{:#}", example(self.document, schema)).replace('\'', "'\\''");
            let _ = write!(line, " \\\n  -H \"Content-Type: application/json\" \\\n  -d '{body}'");
        }
        line
    }

    fn sample(&self, name: &str) -> String {
        let parameters = self.said["parameters"].as_array().into_iter().flatten();
        let found =
            parameters.map(|parameter| self.resolved(parameter)).find(|parameter| parameter["name"] == name);
        let value = found.map(|parameter| example(self.document, &parameter["schema"]));
        value.as_ref().and_then(Value::as_str).unwrap_or("…").to_owned()
    }

    fn answers(&self) -> String {
        let responses = self.said["responses"].as_object().into_iter().flatten();
        let rows = responses.map(|(status, response)| {
            let response = self.resolved(response);
            let content = response["content"].as_object().and_then(|content| content.iter().next());
            let body = content.map_or("nothing".to_owned(), |(media, body)| {
                if media.contains("json") {
                    kind(&body["schema"])
                } else {
                    format!("<code>{}</code>", escape(media))
                }
            });
            let headers = response["headers"].as_object().into_iter().flatten().map(|(name, _)| name);
            let told = headers
                .filter(|name| *name != "X-Contentful-Request-Id")
                .map(|name| format!("<code>{}</code>", escape(name)));
            format!(
                "<tr><td><b class=\"s{}\">{}</b></td><td>{body}<small>{}</small></td><td>{}</td></tr>",
                escape(status.get(..1).unwrap_or_default()),
                escape(status),
                told.collect::<Vec<_>>().join(", "),
                about(response),
            )
        });
        format!(
            "<h4>Answers</h4>{}{}",
            table(["Status", "Body, headers", "Meaning"], rows),
            self.answer_example()
        )
    }

    fn answer_example(&self) -> String {
        let good = self.said["responses"]
            .as_object()
            .into_iter()
            .flatten()
            .find(|(status, _)| status.starts_with('2'));
        let content =
            good.and_then(|(_, response)| response["content"].as_object()).and_then(|all| all.iter().next());
        let Some((_, body)) = content.filter(|(media, _)| media.contains("json")) else {
            return String::new();
        };
        let schema = &body["schema"];
        if schema.get("$ref").is_none() {
            return String::new();
        }
        let shown = format!("{:#}", example(self.document, schema));
        format!("<details><summary>Example answer</summary><pre>{}</pre></details>", escape(&shown))
    }
}

/// The fields of an object schema as a table; of another, its type and limits.
pub(super) fn fields(document: &Value, schema: &Value) -> String {
    let pointer = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    let schema = pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(schema);
    let Some(properties) = schema["properties"].as_object() else { return String::new() };
    let required =
        |name: &str| schema["required"].as_array().is_some_and(|list| list.iter().any(|one| one == name));
    let mut sorted: Vec<_> = properties.iter().collect();
    sorted.sort_by_key(|(name, _)| (!required(name), name.as_str()));
    let rows = sorted.into_iter().map(|(name, field)| {
        let needed = if required(name) { " <em>required</em>" } else { "" };
        format!(
            "<tr><td><code>{}</code>{needed}</td><td>{}<small>{}</small></td><td>{}</td></tr>",
            escape(name),
            kind(field),
            limits(field),
            described(document, field),
        )
    });
    table(["Field", "Type", "Meaning"], rows)
}

/// What a field is for: its own words, else those of the schema it refers to.
fn described(document: &Value, field: &Value) -> String {
    let own = about(field);
    let inner =
        field["oneOf"].as_array().and_then(|choice| choice.iter().find(|one| one.get("$ref").is_some()));
    let referred = field.get("$ref").map(|_| field).or(inner);
    let words = |schema: &Value| {
        let said = about(schema);
        let pointer = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
        let there = pointer.and_then(|pointer| document.pointer(pointer)).map(about).unwrap_or_default();
        if said.is_empty() { there } else { said }
    };
    if own.is_empty() { referred.map(words).unwrap_or_default() } else { own }
}

fn table(head: [&str; 3], rows: impl Iterator<Item = String>) -> String {
    let head = head.map(|name| format!("<th>{name}</th>")).concat();
    let rows: String = rows.collect();
    format!("<div class=\"wide\"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>")
}
