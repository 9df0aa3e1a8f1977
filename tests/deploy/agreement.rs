//! The files agree with the house and with each other: versions, ports, stops, names, rights, lanes, secrets.

use std::collections::BTreeSet;

use postrider_tests::house::assert_none;
use serde_json::json;

use crate::container::text;
use crate::dockerfile::Dockerfile;
use crate::{
    VERSION, assert_says, broken, change, compose, container, image, manifests, of_compose, of_manifests,
};
use crate::{program, tools};

const POD: &str = "/spec/template/spec";
const CONTAINER: &str = "/spec/template/spec/containers/0";

fn rust() -> String {
    let file: toml::Table = toml::from_str(&tools::read("rust-toolchain.toml")).expect("it is TOML");
    file["toolchain"]["channel"].as_str().expect("a channel").to_owned()
}

#[test]
fn images_are_pinned_and_ours_has_the_version_of_the_workspace() {
    let image = image();
    assert_none(image.breaches(&rust(), VERSION));
    let text = tools::read("Dockerfile");
    for (from, to, says) in [
        ("FROM rust:", "# syntax=docker/dockerfile:1\nFROM rust:", "syntax"),
        (&*format!("FROM rust:{}", rust()), "FROM rust:1.0.0", "is not built with"),
        ("USER 65532", "USER nonroot", "does not run as a user"),
        ("EXPOSE 8026", "EXPOSE 80", "exposes"),
        (&*format!("VERSION={VERSION}"), "VERSION=0.0.0", "is not labelled"),
        ("CMD [\"/usr/local/bin/postrider\", \"healthcheck\"]", "CMD [\"curl\"]", "no health check"),
    ] {
        assert!(text.contains(from), "{from}");
        assert_says(&Dockerfile::parse(&text.replace(from, to)).breaches(&rust(), VERSION), says);
    }
    let services =
        container::services(tools::filled_in()).map(|(_, service)| container::text(&service["image"]));
    let pods = manifests::containers(tools::rendered()).map(|(_, one)| container::text(&one["image"]));
    for name in services.chain(pods).chain(image.from) {
        assert!(is_pinned(&name), "{name} is not pinned by its version");
    }
    for name in ["postgres", "postgres:latest", "postgres:17", "postrider:0.0.9", "valkey/valkey:8-alpine"] {
        assert!(!is_pinned(name), "{name} passed");
    }
}

/// At least `major.minor`, or Debian's release with the variant, which is all that Distroless names. Ours is this version.
fn is_pinned(image: &str) -> bool {
    let (name, tag) = image.rsplit_once(':').unwrap_or((image, ""));
    match name {
        "postrider" => tag == VERSION,
        "gcr.io/distroless/cc-debian12" => tag == "nonroot",
        _ => {
            let numbers: Vec<&str> = tag.split('-').next().unwrap_or_default().split('.').collect();
            numbers.len() >= 2 && numbers.iter().all(|number| number.parse::<u32>().is_ok())
        }
    }
}

#[test]
fn compose_services_are_confined_and_stop_in_time() {
    let (raw, config) = (tools::compose(), tools::filled_in());
    assert_none(compose::written(raw));
    assert_none(compose::ours(config, &of_compose()));
    assert_none(compose::servers(config));
    for (pointer, value, says) in [
        ("/name", json!("postrider"), "is not understood"),
        ("/services/postgres/environment/POSTGRES_PASSWORD", json!("secret"), "take it from .env"),
        ("/services/api/ports/0", json!("8027:8026"), "publishes 8027:8026"),
        ("/services/dispatcher/scale", json!(1), "does not start twice"),
    ] {
        let mut sample = raw.clone();
        change(&mut sample, pointer, value);
        assert_says(&compose::written(&sample), says);
    }
    for (pointer, value, says) in [
        ("/services/api/read_only", json!(false), "may write"),
        ("/services/api/cap_drop", json!([]), "keeps capabilities"),
        ("/services/api/security_opt", json!(null), "may gain"),
        ("/services/api/mem_limit", json!(null), "may take all memory"),
        ("/services/api/ports/0", json!("127.0.0.1:8027:80/tcp"), "does not listen"),
        ("/services/migrate/restart", json!("always"), "is started again"),
        ("/services/api/restart", json!("no"), "stays away"),
        ("/services/api/depends_on", json!({}), "before the tables"),
        ("/services/api/stop_grace_period", json!("40s"), "is killed"),
    ] {
        let mut sample = config.clone();
        change(&mut sample, pointer, value);
        assert_says(&compose::ours(&sample, &of_compose()), says);
    }
    let mut hasty = of_compose();
    hasty[0].env.insert("POSTRIDER__SHUTDOWN__GRACE".to_owned(), "30s".to_owned());
    assert_says(&compose::ours(config, &hasty), "the longest call");
    let mut sample = config.clone();
    change(&mut sample, "/services/valkey/healthcheck", json!(null));
    assert_says(&compose::servers(&sample), "no health check");
}

#[test]
fn pods_ask_for_no_rights_and_say_what_they_need() {
    assert_none(manifests::rights(tools::rendered()));
    for (pointer, value, says) in [
        (format!("{POD}/securityContext/runAsNonRoot"), json!(false), "as root"),
        (format!("{POD}/securityContext/seccompProfile"), json!(null), "any system call"),
        (format!("{POD}/automountServiceAccountToken"), json!(null), "token"),
        (format!("{POD}/enableServiceLinks"), json!(true), "variables from Kubernetes"),
        (format!("{CONTAINER}/securityContext/readOnlyRootFilesystem"), json!(false), "may write"),
        (format!("{CONTAINER}/securityContext/allowPrivilegeEscalation"), json!(null), "may gain"),
        (format!("{CONTAINER}/securityContext/capabilities/drop/0"), json!("NET_RAW"), "keeps capabilities"),
        (format!("{CONTAINER}/resources/requests/cpu"), json!(null), "what it needs"),
        (format!("{CONTAINER}/resources/limits/memory"), json!(null), "may take everything"),
    ] {
        assert_says(
            &manifests::rights(&broken(tools::rendered(), "Job/postrider-migrate", &pointer, value)),
            says,
        );
    }
}

#[test]
fn labels_selectors_and_references_lead_somewhere() {
    let objects = tools::rendered();
    assert_none(manifests::labels(objects));
    assert_none(manifests::references(objects, tools::secrets()));
    let version = "/metadata/labels/app.kubernetes.io~1version".to_owned();
    let spread = format!("{POD}/topologySpreadConstraints/0/labelSelector/matchLabels");
    for (title, pointer, value, says) in [
        ("Service/postrider-api", version, json!(null), "has no label"),
        ("PodDisruptionBudget/postrider-api", "/metadata/labels".to_owned(), json!(null), "no labels"),
        (
            "PodDisruptionBudget/postrider-api",
            "/spec/selector/matchLabels".to_owned(),
            json!({"a": "b"}),
            "selects none",
        ),
        ("Service/postrider-api", "/spec/selector".to_owned(), json!({"a": "b"}), "selects none"),
        ("Deployment/postrider-api", spread, json!({"a": "b"}), "selects none"),
    ] {
        assert_says(&manifests::labels(&broken(objects, title, &pointer, value)), says);
    }
    for (title, pointer, value, says) in [
        (
            "Deployment/postrider-api",
            format!("{CONTAINER}/envFrom/0/configMapRef/name"),
            json!("none"),
            "takes settings",
        ),
        (
            "Deployment/postrider-api",
            format!("{CONTAINER}/env/0/valueFrom/secretKeyRef/key"),
            json!("none"),
            "example",
        ),
        (
            "Deployment/postrider-api",
            format!("{CONTAINER}/livenessProbe/httpGet/port"),
            json!("none"),
            "asks the port",
        ),
        (
            "Service/postrider-api",
            "/spec/ports/0/targetPort".to_owned(),
            json!("none"),
            "which no container has",
        ),
        ("Service/postrider-api", "/spec/ports/0/targetPort".to_owned(), json!("admin"), "to everybody"),
        (
            "ScaledObject/postrider-dispatcher",
            "/spec/scaleTargetRef/name".to_owned(),
            json!("none"),
            "not exist",
        ),
        (
            "ScaledObject/postrider-dispatcher",
            "/spec/scaleTargetRef/name".to_owned(),
            json!("postrider-api"),
            "fixed",
        ),
        (
            "ScaledObject/postrider-dispatcher",
            "/spec/triggers/0/authenticationRef/name".to_owned(),
            json!("no"),
            "wants",
        ),
        (
            "TriggerAuthentication/postrider-broker",
            "/spec/secretTargetRef/0/key".to_owned(),
            json!("none"),
            "example",
        ),
    ] {
        assert_says(&manifests::references(&broken(objects, title, &pointer, value), tools::secrets()), says);
    }
}

#[test]
fn pods_listen_where_they_are_asked_and_have_time_to_stop() {
    let objects = tools::rendered();
    assert_none(manifests::ports_and_stops(objects, &of_manifests()));
    for (pointer, value, says) in [
        (format!("{CONTAINER}/ports/0/containerPort"), json!(80), "its port http"),
        (format!("{CONTAINER}/ports/1/containerPort"), json!(8026), "its port admin"),
        (format!("{POD}/terminationGracePeriodSeconds"), json!(45), "is killed"),
        (format!("{CONTAINER}/lifecycle/preStop/sleep/seconds"), json!(30), "is killed"),
    ] {
        let sample = broken(objects, "Deployment/postrider-api", &pointer, value);
        assert_says(&manifests::ports_and_stops(&sample, &of_manifests()), says);
    }
    let mut hasty = of_manifests();
    hasty[0].env.insert("POSTRIDER__SHUTDOWN__GRACE".to_owned(), "30s".to_owned());
    assert_says(&manifests::ports_and_stops(objects, &hasty), "the longest call");
}

#[test]
fn dispatchers_scale_on_every_lane_and_on_nothing_else() {
    let lanes = program::lanes();
    assert_eq!(lanes.len(), 3, "{lanes:?}");
    assert_none(manifests::scaling(tools::rendered(), &lanes));
    let (scaled, queue) = ("ScaledObject/postrider-dispatcher", "/spec/triggers/1/metadata/queueName");
    let sample = broken(tools::rendered(), scaled, queue, json!("postrider.v1.delay.05"));
    let found = manifests::scaling(&sample, &lanes);
    assert_says(&found, "no trigger on postrider.v1.deliver.late");
    assert_says(&found, "postrider.v1.delay.05, which is no lane");
    assert_eq!(manifests::scaling(tools::rendered(), &BTreeSet::new()).len(), 3);
}

#[test]
fn the_example_of_secrets_holds_none() {
    for secret in tools::secrets() {
        for (key, value) in secret["stringData"].as_object().expect("keys") {
            let placeholder = text(value).contains("CHANGE-ME");
            assert!(placeholder, "{}: {key} is not a placeholder", container::title(secret));
        }
    }
    let kinds: Vec<String> = tools::rendered().iter().map(|object| text(&object["kind"])).collect();
    assert!(!kinds.contains(&"Secret".to_owned()), "the base makes a secret: {kinds:?}");
}
