//! What a schema allows, in words: its type with links to the schemas it names, and its limits.

use serde_json::Value;

use super::text::{escape, inline};

/// The type, as HTML.
pub(super) fn kind(schema: &Value) -> String {
    if let Some(name) = reference(schema) {
        let name = escape(name);
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    if let Some(choice) = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array()) {
        return choice.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    if let Some(values) = schema["enum"].as_array() {
        let shown = values.iter().map(|value| match value {
            Value::String(text) => format!("<code>{}</code>", escape(text)),
            other => other.to_string(),
        });
        return shown.collect::<Vec<_>>().join(", ");
    }
    match &schema["type"] {
        Value::String(name) => single(name, schema),
        Value::Array(names) => {
            let names = names.iter().filter_map(Value::as_str);
            names.map(|name| single(name, schema)).collect::<Vec<_>>().join(" or ")
        }
        _ => "any JSON".to_owned(),
    }
}

fn single(name: &str, schema: &Value) -> String {
    match name {
        "string" => match schema["format"].as_str() {
            Some("date-time") => "instant".to_owned(),
            Some("uuid") => "UUID".to_owned(),
            _ => "text".to_owned(),
        },
        "integer" => "whole number".to_owned(),
        "boolean" => "true or false".to_owned(),
        "array" => match schema["prefixItems"].as_array() {
            Some(items) => {
                format!("[{}]", items.iter().map(kind).collect::<Vec<_>>().join(", "))
            }
            None => format!("list of {}", kind(&schema["items"])),
        },
        "object" if schema["additionalProperties"].is_object() => {
            format!("map of {}", kind(&schema["additionalProperties"]))
        }
        "object" => match schema["properties"].as_object() {
            Some(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, field)| format!("<code>{}</code>: {}", escape(name), kind(field)));
                format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
            }
            None => "object".to_owned(),
        },
        other => escape(other),
    }
}

/// The limits, as HTML; empty if there are none.
pub(super) fn limits(schema: &Value) -> String {
    let mut said = Vec::new();
    said.extend(between(&schema["minLength"], &schema["maxLength"], "characters"));
    said.extend(
        between(&schema["minItems"], &schema["maxItems"], "items")
            .filter(|_| schema["prefixItems"].is_null()),
    );
    said.extend(between(&schema["minimum"], &schema["maximum"], ""));
    if let Some(default) = schema.get("default") {
        said.push(format!("default <code>{}</code>", escape(&default.to_string())));
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        said.push(format!("<code class=\"pattern\">{}</code>", escape(pattern)));
    }
    said.join(", ")
}

/// What a schema is for, as HTML.
pub(super) fn about(schema: &Value) -> String {
    schema["description"].as_str().map(inline).unwrap_or_default()
}

/// The name of the schema that this one only refers to.
pub(super) fn reference(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/components/schemas/")
}

fn between(least: &Value, most: &Value, unit: &str) -> Option<String> {
    let said = match (least.is_null(), most.is_null()) {
        (true, true) => return None,
        (false, true) => format!("at least {least} {unit}"),
        (true, false) => format!("at most {most} {unit}"),
        (false, false) if least == most => format!("{least} {unit}"),
        (false, false) => format!("{least} to {most} {unit}"),
    };
    Some(said.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_and_limits_are_said_in_words() {
        let list =
            json!({"type": ["array", "null"], "items": {"$ref": "#/components/schemas/Name"}, "maxItems": 5});
        assert_eq!(kind(&list), "list of <a href=\"#schema-Name\">Name</a> or null");
        assert_eq!(limits(&list), "at most 5 items");
        let number = json!({"type": "integer", "minimum": 1, "maximum": 9, "default": 3});
        assert_eq!(
            (kind(&number).as_str(), limits(&number).as_str()),
            ("whole number", "1 to 9, default <code>3</code>")
        );
        assert_eq!(kind(&json!({"enum": ["a", null]})), "<code>a</code>, null");
        assert_eq!(kind(&json!({})), "any JSON");
    }
}
