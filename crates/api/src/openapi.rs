//! The OpenAPI document. Each route says beside its handler what is its own; what all have in common (path parameters, the
//! errors that every request can meet, media types, the token) is added here, by rules.
//!
//! | an operation | gets |
//! |---|---|
//! | with `{name}` in its path | the parameter of that name, and 404 |
//! | with a body | the second media type, and 413, 415, 422 |
//! | that needs a token | 400, 401, 403, 429, 500, 503; 403 not where any token will do |
//!
//! `x-permission` names the permission that an operation needs, or `any` (any token that reaches the space), `instance`
//! (`admin` with a token of the whole instance), `source` (a source's signature or key), or `public` and `none` (no token).

mod doors;
mod mend;
mod parts;

use serde_json::{Map, Value, json};
use utoipa::OpenApi as _;
use utoipa::openapi::{InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder};

use crate::MEDIA_TYPE;

/// The extension that names what an operation needs.
pub(crate) const PERMISSION: &str = "x-permission";

const JSON: &str = "application/json";
const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// What the routes are added to.
pub(crate) fn begin() -> OpenApi {
    let license = LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build();
    let info = InfoBuilder::new()
        .title("Postrider")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(parts::DESCRIPTION))
        .license(Some(license))
        .build();
    OpenApiBuilder::new().info(info).build()
}

/// The whole document, from what the routes said.
pub(crate) fn complete(routes: OpenApi) -> Value {
    let mut document = serde_json::to_value(routes).unwrap_or_default();
    for_each_operation(&mut document, &complete_operation);
    for other in [doors::document(), parts::Shared::openapi()] {
        let other = serde_json::to_value(other).unwrap_or_default();
        for part in ["paths", "components"] {
            merge(&mut document[part], &other[part]);
        }
    }
    merge(&mut document["components"], &parts::components());
    document["tags"] = parts::tags();
    document["servers"] = json!([{"url": "/", "description": "This server."}]);
    document["security"] = json!([{"token": []}]);
    for_each_operation(&mut document, &add_path_parameters);
    mend::mend(&mut document["components"]["schemas"]);
    mend::mend(&mut document["paths"]);
    document
}

/// Every path with each of its operations.
fn for_each_operation(document: &mut Value, change: &dyn Fn(&str, &mut Map<String, Value>)) {
    let paths = document["paths"].as_object_mut();
    for (path, item) in paths.into_iter().flatten() {
        let operations = item.as_object_mut().into_iter().flatten();
        for (_, operation) in operations.filter(|(method, _)| METHODS.contains(&method.as_str())) {
            if let Some(operation) = operation.as_object_mut() {
                change(path, operation);
            }
        }
    }
}

fn complete_operation(path: &str, operation: &mut Map<String, Value>) {
    let permission = operation.get(PERMISSION).and_then(Value::as_str).unwrap_or_default().to_owned();
    if permission == "none" {
        operation.insert("security".into(), json!([]));
        for (_, response) in
            operation.get_mut("responses").and_then(Value::as_object_mut).into_iter().flatten()
        {
            response["headers"] = parts::page_headers();
        }
        return;
    }
    let body = operation.get_mut("requestBody").map(complete_body).is_some();
    let mut errors = vec!["400", "500", "503"];
    match permission.as_str() {
        "public" => drop(operation.insert("security".into(), json!([]))),
        "any" => errors.extend(["401", "429"]),
        _ => errors.extend(["401", "403", "429"]),
    }
    if path.contains('{') {
        errors.push("404");
    }
    if body {
        errors.extend(["413", "415", "422"]);
    }
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    for (status, response) in responses.iter_mut() {
        complete_response(status, response, permission == "public");
    }
    for status in errors {
        let shared = parts::shared_response(status);
        responses
            .entry(status)
            .or_insert_with(|| json!({"$ref": format!("#/components/responses/{shared}")}));
    }
}

/// Either media type is taken. `Option` said that the body may be left out; what is sent is an object all the same.
fn complete_body(body: &mut Value) {
    let content = &mut body["content"];
    let mut media = content[JSON].take();
    if let Some(Value::Array(choice)) = media["schema"].get_mut("oneOf").map(Value::take)
        && let Some(schema) = choice.into_iter().find(|one| one["type"] != "null")
    {
        media["schema"] = schema;
    }
    *content = json!({JSON: media, MEDIA_TYPE: media});
}

/// What is public is plain JSON: who fetches it knows nothing of Contentful.
fn complete_response(status: &str, response: &mut Value, is_plain: bool) {
    if status.starts_with(['4', '5']) {
        response["content"] = json!({MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Error"}}});
    } else if let Some(media) = response["content"].get_mut(JSON).map(Value::take) {
        response["content"] = json!({if is_plain { JSON } else { MEDIA_TYPE }: media});
    } else if let Some(response) = response.as_object_mut() {
        response.remove("content");
    }
    response["headers"]["X-Contentful-Request-Id"] = json!({"$ref": "#/components/headers/RequestId"});
}

/// In the order of the path, before what the route said of its own.
fn add_path_parameters(path: &str, operation: &mut Map<String, Value>) {
    let named = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> =
        named.map(|name| json!({"$ref": format!("#/components/parameters/{name}")})).collect();
    if let Some(Value::Array(mut own)) = operation.remove("parameters") {
        own.iter_mut().for_each(mend::never_null);
        parameters.extend(own);
    }
    if !parameters.is_empty() {
        operation.insert("parameters".into(), Value::Array(parameters));
    }
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (_, Value::Null) => {}
        (into, from) => *into = from.clone(),
    }
}
