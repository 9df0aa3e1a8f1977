//! What deploys Postrider: the Dockerfile, the compose file and the kustomize base are valid, say what the binary
//! understands, and agree with each other. Each check is also shown a broken sample.

mod agreement;
mod compose;
mod container;
mod dockerfile;
mod manifests;
mod program;
mod tools;

use postrider_tests::house::{Breach, assert_none};
use serde_json::{Value, json};

use container::{Container, text};
use dockerfile::Dockerfile;
use program::Running;
use tools::DOT_ENV;

/// Seconds: the longest time-out of a webhook, LONGEST_TIMEOUT in crates/control/src/pacing.rs.
pub(crate) const LONGEST_CALL: u64 = 30;
/// The oldest release that has every field the base uses (a `sleep` before the stop), and the newest there are schemas of.
const KUBERNETES: [&str; 2] = ["1.30", "1.37"];
/// The version of the workspace.
const VERSION: &str = env!("CARGO_PKG_VERSION");

fn image() -> Dockerfile {
    Dockerfile::parse(&tools::read("Dockerfile"))
}

fn of_compose() -> Vec<Container> {
    container::of_compose(tools::filled_in(), tools::compose(), &image())
}

fn of_manifests() -> Vec<Container> {
    container::of_manifests(tools::rendered(), tools::secrets(), &image())
}

/// The objects with one value changed; `null` removes it.
fn broken(objects: &[Value], title: &str, pointer: &str, value: Value) -> Vec<Value> {
    let mut objects = objects.to_vec();
    let object = objects.iter_mut().find(|one| container::title(one) == title).expect("the object exists");
    change(object, pointer, value);
    objects
}

/// Changes one value; `null` removes it.
fn change(object: &mut Value, pointer: &str, value: Value) {
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    let key = key.replace("~1", "/");
    match object.pointer_mut(parent).expect("the place exists") {
        Value::Object(map) if value.is_null() => {
            map.remove(&key).expect("there is something to remove");
        }
        Value::Object(map) => drop(map.insert(key, value)),
        Value::Array(items) => items[key.parse::<usize>().expect("an index")] = value,
        _ => panic!("{parent} holds nothing"),
    }
}

/// Asserts that something is wrong and says this.
fn assert_says(breaches: &[Breach], what: &str) {
    assert!(
        breaches.iter().any(|breach| breach.to_string().contains(what)),
        "expected {what:?}, got {breaches:?}"
    );
}

// --- valid ---

#[test]
fn the_base_is_valid_for_the_oldest_and_the_newest_kubernetes() {
    for release in KUBERNETES {
        tools::kubernetes_validate(tools::rendered(), release).expect("valid");
        tools::kubernetes_validate(tools::secrets(), release).expect("valid");
    }
    let field = "/spec/template/spec/containers/0/readinessprobe";
    let sample = broken(tools::rendered(), "Deployment/postrider-api", field, json!({}));
    let error = tools::kubernetes_validate(&sample, KUBERNETES[1]).expect_err("a misspelt field");
    assert!(error.contains("readinessprobe"), "{error}");
    let empty = tempfile::tempdir().expect("a folder");
    std::fs::write(empty.path().join("kustomization.yaml"), "resources: [missing.yaml]").expect("written");
    assert!(tools::kustomize(empty.path()).expect_err("a missing file").contains("missing.yaml"));
}

#[test]
fn the_scaling_is_valid_for_keda() {
    let is_keda = |object: &&Value| object["apiVersion"] == "keda.sh/v1alpha1";
    let objects: Vec<&Value> = tools::rendered().iter().filter(is_keda).collect();
    assert_eq!(objects.len(), 2, "a ScaledObject and its TriggerAuthentication");
    for object in objects {
        tools::keda_validate(object).expect("valid");
    }
    let scaled = "ScaledObject/postrider-dispatcher";
    for (pointer, value) in [
        ("/spec/maxReplicas", json!(3)),
        ("/spec/triggers/0/metadata/value", json!(1000)),
        ("/spec/triggers/0/metadata/host", json!("amqp://postrider:secret@rabbitmq")),
        ("/spec/triggers/0/authenticationRef", json!(null)),
    ] {
        let sample = broken(tools::rendered(), scaled, pointer, value);
        let object = sample.iter().find(|one| container::title(one) == scaled).expect("it exists");
        assert!(tools::keda_validate(object).is_err(), "{pointer} was accepted");
    }
}

#[test]
fn docker_compose_takes_the_compose_file_and_says_what_dot_env_lacks() {
    assert_eq!(tools::filled_in()["services"]["api"]["image"], format!("postrider:{VERSION}"));
    for (variable, _) in DOT_ENV {
        let others: Vec<(&str, &str)> = DOT_ENV.into_iter().filter(|(name, _)| *name != variable).collect();
        let error = tools::compose_config(tools::compose(), &others).expect_err("a missing variable");
        assert!(error.contains("docs/deployment.md"), "{variable}: {error}");
    }
    let mut sample = tools::compose().clone();
    change(&mut sample, "/services/api/restarts", json!("always"));
    assert!(tools::compose_config(&sample, &DOT_ENV).expect_err("a misspelt field").contains("restarts"));
}

// --- understood by the binary ---

#[test]
fn the_binary_understands_every_argument_and_variable() {
    let mut image =
        container::of_compose(&json!({"services": {"image": {"image": "postrider:"}}}), &json!({}), &image());
    image[0].args = crate::image().default.clone();
    assert_eq!((of_compose().len(), of_manifests().len()), (6, 6), "five services and migrate");
    for containers in [image, of_compose(), of_manifests()] {
        assert_none(program::understands(&containers));
    }
    let sample = |change: &dyn Fn(&mut Container)| {
        let mut containers = of_manifests();
        change(&mut containers[0]);
        program::understands(&containers)
    };
    assert_says(&sample(&|one| one.args = vec!["dispatch".to_owned()]), "dispatch");
    assert_says(&sample(&|one| one.args.push("--bound".to_owned())), "--bound");
    let set = |name: &'static str, value: &'static str| {
        sample(&move |one| {
            one.env.insert(name.to_owned(), value.to_owned());
            one.literal.push(name.to_owned());
        })
    };
    assert_says(&set("POSTRIDER__SERVER__BINT", "0.0.0.0:1"), "server.bint");
    assert_says(&set("POSTRIDER__SHUTDOWN__GRACE", "soon"), "shutdown.grace");
    assert_says(&set("POSTRIDER__REDIS__URL", "redis://:secret@valkey:6379/0"), "is a secret");
}

#[tokio::test]
async fn every_service_starts_as_configured_and_answers_its_probes() {
    let ring = program::new_ring();
    let mut breaches = Vec::new();
    for (container, (object, described)) in
        of_manifests().iter().zip(manifests::containers(tools::rendered()))
    {
        if object["kind"] != "Deployment" {
            continue;
        }
        let running = match Running::start(container, &ring).await {
            Ok(running) => running,
            Err(breach) => {
                breaches.push(breach);
                continue;
            }
        };
        let probes: Vec<_> = manifests::probes(described).collect();
        assert_eq!(probes.len(), 2, "{}: alive and ready", container.place);
        for (probe, http) in probes {
            breaches.extend(running.knows(probe, &text(&http["path"])).await);
        }
        breaches.extend(running.is_found_by(image().healthcheck()));
        assert!(running.knows("livenessProbe", "/healthz").await.is_some(), "an unknown path passed");
        assert!(running.is_found_by(&["--version".to_owned()]).is_some(), "no health check passed");
    }
    for container in of_compose().iter().filter(|one| one.args[0] != "migrate") {
        breaches.extend(Running::start(container, &ring).await.err());
    }
    let both = of_compose().into_iter().chain(of_manifests());
    let migrate: Vec<Container> = both.filter(|one| one.args[0] == "migrate").collect();
    breaches.extend(migrate.iter().filter_map(|one| program::lacks_only_servers(one, &ring)));
    assert_none(breaches);
    for mut keyless in migrate {
        keyless.env.remove("POSTRIDER__KEYS__VALUE");
        assert!(program::lacks_only_servers(&keyless, &ring).is_some(), "a migrate without keys passed");
    }
    let mut keyless = of_compose().remove(0);
    keyless.env.remove("POSTRIDER__KEYS__VALUE");
    assert_eq!(keyless.args, ["api"]);
    assert!(Running::start(&keyless, &ring).await.is_err(), "a process without keys passed");
}
