//! Mends what the macros write of schemas, so that they say exactly what is meant.

use serde_json::{Map, Value, json};

/// Mends a schema and everything within it.
pub(super) fn mend(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            unwrap_described(fields);
            drop_width(fields);
            close_tuple(fields);
            close_tagged(fields);
            fields.values_mut().for_each(mend);
        }
        Value::Array(items) => items.iter_mut().for_each(mend),
        _ => {}
    }
}

/// A parameter is there or not; it is never null.
pub(super) fn never_null(parameter: &mut Value) {
    let schema = &mut parameter["schema"];
    if let Some(types) = schema["type"].as_array()
        && let Some(only) = types.iter().find(|one| *one != "null").cloned()
    {
        schema["type"] = only;
    }
    if let Some(choice) = schema["oneOf"].as_array()
        && let Some(only) = choice.iter().find(|one| one["type"] != "null").cloned()
    {
        *schema = only;
    }
}

/// A described field of an inlined type is written as both its type and an object: only the description is meant.
fn unwrap_described(fields: &mut Map<String, Value>) {
    let Some(Value::Array(parts)) = fields.get("allOf") else { return };
    let [inner, Value::Object(described)] = parts.as_slice() else { return };
    let only_described = described.keys().all(|key| ["description", "type"].contains(&key.as_str()));
    let (Some(inner), true) = (inner.as_object().cloned(), only_described) else { return };
    let description = described.get("description").cloned();
    fields.remove("allOf");
    fields.extend(inner);
    fields.extend(description.map(|text| ("description".to_owned(), text)));
}

/// How a number is kept here is nobody's business, and `int32` is not what is kept: it has no sign.
fn drop_width(fields: &mut Map<String, Value>) {
    let width = fields.get("format").and_then(Value::as_str);
    if width.is_some_and(|width| ["int32", "int64", "float", "double"].contains(&width)) {
        fields.remove("format");
    }
}

/// A tuple has all its items.
fn close_tuple(fields: &mut Map<String, Value>) {
    if let Some(length) = fields.get("prefixItems").and_then(Value::as_array).map(Vec::len) {
        fields.insert("minItems".into(), json!(length));
    }
}

/// A variant that is named by its one field has no other.
fn close_tagged(fields: &mut Map<String, Value>) {
    for variant in fields.get_mut("oneOf").and_then(Value::as_array_mut).into_iter().flatten() {
        let properties = variant["properties"].as_object().map_or(0, Map::len);
        let required = variant["required"].as_array().map_or(0, Vec::len);
        if properties == 1 && required == 1 {
            variant["additionalProperties"] = json!(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_described_inlined_type_keeps_its_type() {
        let mut field = json!({"allOf": [
            {"type": "string", "enum": ["a"], "description": "The type."},
            {"type": "object", "description": "The field."},
        ]});
        mend(&mut field);
        assert_eq!(field, json!({"type": "string", "enum": ["a"], "description": "The field."}));
    }

    #[test]
    fn tuples_and_tagged_variants_are_closed() {
        let mut schema = json!({"oneOf": [{
            "type": "object",
            "required": ["equals"],
            "properties": {"equals": {"prefixItems": [{}, {}], "items": false}},
        }]});
        mend(&mut schema);
        let variant = &schema["oneOf"][0];
        assert_eq!(variant["additionalProperties"], false);
        assert_eq!(variant["properties"]["equals"]["minItems"], 2);
    }

    #[test]
    fn a_parameter_is_never_null() {
        let mut plain = json!({"schema": {"type": ["integer", "null"], "minimum": 0}});
        never_null(&mut plain);
        assert_eq!(plain["schema"], json!({"type": "integer", "minimum": 0}));
        let mut chosen = json!({"schema": {"oneOf": [{"type": "null"}, {"$ref": "#/x"}]}});
        never_null(&mut chosen);
        assert_eq!(chosen["schema"], json!({"$ref": "#/x"}));
    }
}
