//! A container of Postrider, wherever it is described: its arguments and its environment.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::dockerfile::Dockerfile;

/// The variables of settings begin so.
pub(crate) const PREFIX: &str = "POSTRIDER__";

/// One container that runs our image.
#[derive(Debug, Clone)]
pub(crate) struct Container {
    /// Where it is described, for messages.
    pub(crate) place: String,
    /// What follows `postrider`.
    pub(crate) args: Vec<String>,
    /// Its variables, the image's among them.
    pub(crate) env: BTreeMap<String, String>,
    /// Those of them whose value stands in a file of the repository.
    pub(crate) literal: Vec<String>,
}

impl Container {
    /// The port in a setting such as `POSTRIDER__SERVER__BIND`.
    pub(crate) fn port(&self, variable: &str) -> Option<u64> {
        self.env.get(variable)?.rsplit_once(':')?.1.parse().ok()
    }

    /// Seconds in a setting such as `POSTRIDER__SHUTDOWN__GRACE`.
    pub(crate) fn seconds(&self, variable: &str) -> Option<u64> {
        seconds(self.env.get(variable)?)
    }
}

/// "50s" and "2m" in seconds.
pub(crate) fn seconds(text: &str) -> Option<u64> {
    match text.split_at_checked(text.len().checked_sub(1)?)? {
        (number, "s") => number.parse().ok(),
        (number, "m") => number.parse::<u64>().ok().map(|minutes| minutes * 60),
        _ => None,
    }
}

/// The containers of ours in a compose file, as docker-compose fills it in. `raw` is the file as written.
pub(crate) fn of_compose(config: &Value, raw: &Value, image: &Dockerfile) -> Vec<Container> {
    let ours = services(config).filter(|(_, service)| is_ours(service));
    ours.map(|(name, service)| {
        let mut env = image.env.clone();
        let own = service["environment"].as_object().into_iter().flatten();
        env.extend(own.map(|(key, value)| (key.clone(), text(value))));
        let written = raw["services"][name]["environment"].as_object().into_iter().flatten();
        let literal = written.filter(|(_, value)| !is_from_outside(&text(value)));
        Container {
            place: format!("docker-compose.yml: {name}"),
            args: texts(&service["command"]),
            env,
            literal: literal.map(|(key, _)| key.clone()).collect(),
        }
    })
    .collect()
}

/// The containers of ours in rendered manifests. What comes from a secret has the value that the example has.
pub(crate) fn of_manifests(objects: &[Value], secrets: &[Value], image: &Dockerfile) -> Vec<Container> {
    let mut all = Vec::new();
    for object in objects {
        for container in list(&object["spec"]["template"]["spec"]["containers"]) {
            let place = format!("{}: {}", title(object), text(&container["name"]));
            let mut env = image.env.clone();
            let mut literal = Vec::new();
            for source in list(&container["envFrom"]) {
                let name = &source["configMapRef"]["name"];
                let map =
                    objects.iter().find(|one| one["kind"] == "ConfigMap" && one["metadata"]["name"] == *name);
                for (key, value) in map.and_then(|map| map["data"].as_object()).into_iter().flatten() {
                    literal.push(key.clone());
                    env.insert(key.clone(), text(value));
                }
            }
            for variable in list(&container["env"]) {
                let key = text(&variable["name"]);
                let reference = &variable["valueFrom"]["secretKeyRef"];
                let value = secret(secrets, reference).unwrap_or_else(|| text(&variable["value"]));
                if reference.is_null() {
                    literal.push(key.clone());
                }
                env.insert(key, value);
            }
            all.push(Container { place, args: texts(&container["args"]), env, literal });
        }
    }
    all
}

/// The value that a `{name, key}` stands for, if the secret has that key.
pub(crate) fn secret(secrets: &[Value], reference: &Value) -> Option<String> {
    let secret = secrets.iter().find(|one| one["metadata"]["name"] == reference["name"])?;
    secret["stringData"][reference["key"].as_str()?].as_str().map(str::to_owned)
}

/// The services of a compose file.
pub(crate) fn services(file: &Value) -> impl Iterator<Item = (&String, &Value)> {
    file["services"].as_object().into_iter().flat_map(Map::iter)
}

/// Whether a service or a container runs our image.
pub(crate) fn is_ours(service: &Value) -> bool {
    text(&service["image"]).starts_with("postrider:")
}

/// Whether compose takes the value, or of a URL the password, from outside the file.
pub(crate) fn is_from_outside(value: &str) -> bool {
    let credentials = value.split_once("://").and_then(|(_, rest)| rest.split_once('@'));
    let password =
        credentials.map_or(value, |(user, _)| user.split_once(':').map_or("", |(_, secret)| secret));
    password.starts_with("${")
}

/// `Deployment/postrider-api`.
pub(crate) fn title(object: &Value) -> String {
    format!("{}/{}", text(&object["kind"]), text(&object["metadata"]["name"]))
}

/// The items of a list; nothing else has any.
pub(crate) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A list of texts; one text is a list of one.
pub(crate) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        Value::Null => Vec::new(),
        one => vec![text(one)],
    }
}

/// A value as people read it.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}
