//! Examples: those that schemas bring along, and what can be made of their types.

use serde_json::{Map, Value, json};

/// Deepest that an example goes; schemas may refer to themselves.
const DEEPEST: usize = 8;

/// A value that a schema allows.
pub(super) fn example(document: &Value, schema: &Value) -> Value {
    made(document, schema, 0)
}

fn made(document: &Value, schema: &Value, depth: usize) -> Value {
    if let Some(given) = given(schema) {
        return given.clone();
    }
    if depth > DEEPEST {
        return Value::Null;
    }
    if let Some(pointer) = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
        return document.pointer(pointer).map_or(Value::Null, |schema| made(document, schema, depth + 1));
    }
    if let Some(choice) = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array()) {
        let first = choice.iter().find(|one| one["type"] != "null");
        return first.map_or(Value::Null, |schema| made(document, schema, depth + 1));
    }
    let name = match &schema["type"] {
        Value::Array(names) => names.first().and_then(Value::as_str),
        name => name.as_str(),
    };
    match name {
        Some("string") => json!("…"),
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        Some("boolean") => json!(true),
        Some("array") => list(document, schema, depth),
        Some("object") => object(document, schema, depth),
        _ => json!({}),
    }
}

/// What the schema itself says, if it does.
fn given(schema: &Value) -> Option<&Value> {
    let first = |name: &str| schema[name].as_array().and_then(|list| list.first());
    schema
        .get("example")
        .or_else(|| first("examples"))
        .or_else(|| schema.get("default"))
        .or_else(|| first("enum"))
}

fn list(document: &Value, schema: &Value, depth: usize) -> Value {
    match schema["prefixItems"].as_array() {
        Some(items) => items.iter().map(|item| made(document, item, depth + 1)).collect(),
        None => json!([made(document, &schema["items"], depth + 1)]),
    }
}

fn object(document: &Value, schema: &Value, depth: usize) -> Value {
    let Some(properties) = schema["properties"].as_object() else {
        let inner = &schema["additionalProperties"];
        return if inner.is_object() { json!({"…": made(document, inner, depth + 1)}) } else { json!({}) };
    };
    let shown = properties.iter().map(|(name, field)| (name.clone(), made(document, field, depth + 1)));
    Value::Object(shown.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_is_what_is_given_or_what_the_types_allow_and_it_ends() {
        let document = json!({"components": {"schemas": {
            "Loop": {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Loop"}}},
            "Id": {"type": "string", "examples": ["a"]},
        }}});
        let schema = json!({"type": "object", "properties": {
            "id": {"$ref": "#/components/schemas/Id"},
            "list": {"type": ["array", "null"], "items": {"type": "integer", "minimum": 3}},
            "choice": {"oneOf": [{"type": "null"}, {"enum": ["x"]}]},
        }});
        assert_eq!(example(&document, &schema), json!({"id": "a", "list": [3], "choice": "x"}));
        let deep = example(&document, &json!({"$ref": "#/components/schemas/Loop"}));
        assert!(deep.to_string().len() < 200, "{deep}");
    }
}
