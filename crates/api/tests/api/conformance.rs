//! Every answer of every test is held against the OpenAPI document: its status, media type, headers and body are those that
//! the document names, nothing else; and a body that was taken is one that the document allows.

use std::collections::{BTreeSet, HashMap};
use std::sync::{LazyLock, Mutex};

use axum::http::{HeaderMap, Method};
use jsonschema::Validator;
use serde_json::{Value, json};

/// Headers that HTTP itself, or the error of a method, brings along.
const COMMON: [&str; 3] = ["content-type", "content-length", "allow"];

static DOCUMENT: LazyLock<Value> = LazyLock::new(postrider_api::document);
/// The same, but what is answered has no field that is not described.
static STRICT: LazyLock<Value> = LazyLock::new(|| {
    let mut strict = DOCUMENT.clone();
    close(&mut strict["components"]["schemas"]);
    strict
});
static VALIDATORS: LazyLock<Mutex<HashMap<String, Validator>>> = LazyLock::new(Mutex::default);

/// What went over the wire.
pub(crate) struct Exchange<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) sent: &'a [u8],
    pub(crate) status: u16,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) answered: &'a [u8],
}

impl Exchange<'_> {
    #[track_caller]
    pub(crate) fn check(&self) {
        let Some(operation) = self.operation() else {
            assert!([404, 405].contains(&self.status), "{self}: no such operation is described");
            return self.check_body(&json!({"$ref": "#/components/schemas/Error"}), &STRICT, self.answered);
        };
        let response = resolve(&operation["responses"][self.status.to_string()]);
        assert!(response.is_object(), "{self}: the status is not described");
        self.check_headers(response);
        match response["content"].as_object().filter(|content| !content.is_empty()) {
            None => assert!(self.answered.is_empty(), "{self}: no body is described"),
            Some(content) => {
                let given = self.headers["content-type"].to_str().expect("ASCII");
                let media = content.get(given).unwrap_or_else(|| panic!("{self}: {given} is not described"));
                if given.contains("json") {
                    self.check_body(&media["schema"], &STRICT, self.answered);
                }
            }
        }
        // What has no body described is not read.
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        if (200..300).contains(&self.status) && !self.sent.is_empty() && !body.is_null() {
            self.check_body(body, &DOCUMENT, self.sent);
        }
    }

    /// The operation whose path has the most of its parts spelled out, as the router chooses.
    fn operation(&self) -> Option<&'static Value> {
        let parts: Vec<&str> = self.path.split('?').next().unwrap_or_default().split('/').collect();
        let named = |part: &str| part.starts_with('{');
        let matches = |template: &str| {
            let wanted: Vec<&str> = template.split('/').collect();
            wanted.len() == parts.len()
                && wanted.iter().zip(&parts).all(|(wanted, part)| named(wanted) || wanted == part)
        };
        let method = self.method.as_str().to_lowercase().replace("head", "get");
        let paths = DOCUMENT["paths"].as_object().expect("paths");
        let fitting = paths.iter().filter(|(template, _)| matches(template));
        let found = fitting.filter_map(|(template, item)| Some((template.as_str(), item.get(&method)?)));
        let spelled = |template: &str| template.split('/').filter(|part| named(part)).count();
        found.min_by_key(|(template, _)| spelled(template)).map(|(_, operation)| operation)
    }

    fn check_headers(&self, response: &Value) {
        let described: BTreeSet<String> = response["headers"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name.to_lowercase())
            .collect();
        for name in self.headers.keys().map(axum::http::HeaderName::as_str) {
            let known = COMMON.contains(&name) || described.contains(name);
            assert!(known, "{self}: the header {name} is not described");
        }
    }

    #[track_caller]
    fn check_body(&self, schema: &Value, document: &Value, text: &[u8]) {
        let body: Value = serde_json::from_slice(text).expect("JSON");
        let key = format!("{:p} {schema}", std::ptr::from_ref(document));
        let mut validators = VALIDATORS.lock().expect("lock");
        let validator = validators.entry(key).or_insert_with(|| validator(schema, document));
        let faults: Vec<String> =
            validator.iter_errors(&body).map(|fault| format!("{} {fault}", fault.instance_path())).collect();
        drop(validators);
        assert!(faults.is_empty(), "{self}: {body} breaks its schema: {faults:#?}");
    }
}

impl std::fmt::Display for Exchange<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} -> {}", self.method, self.path, self.status)
    }
}

fn validator(schema: &Value, document: &Value) -> Validator {
    let mut whole = schema.clone();
    whole["components"] = document["components"].clone();
    let options =
        jsonschema::options().with_draft(jsonschema::Draft::Draft202012).should_validate_formats(true);
    options.build(&whole).expect("the document has good schemas")
}

fn resolve(response: &'static Value) -> &'static Value {
    let reference = response["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    reference.map_or(response, |pointer| DOCUMENT.pointer(pointer).expect("it leads somewhere"))
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.get("properties").is_some_and(Value::is_object) {
                fields.entry("additionalProperties").or_insert(json!(false));
            }
            fields.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}
