//! Rules over the rendered manifests.

use std::collections::BTreeSet;

use postrider_tests::house::Breach;
use serde_json::{Value, json};

use crate::LONGEST_CALL;
use crate::container::{Container, list, secret, text, title};

/// What Kubernetes recommends to say of every object (kubernetes.io, "Recommended Labels").
const LABELS: [&str; 4] = ["name", "component", "part-of", "version"];
/// Seconds from the end of shutdown.grace to the kill: logs and traces leave.
const FAREWELL: u64 = 5;

/// Pods that ask for more rights than they need, or for resources without end.
pub(crate) fn rights(objects: &[Value]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for object in workloads(objects) {
        let pod = &object["spec"]["template"]["spec"];
        let mut demand = |is_met: bool, what: &str| {
            if !is_met {
                breaches.push(Breach::new(title(object), what));
            }
        };
        let security = &pod["securityContext"];
        demand(security["runAsNonRoot"] == true && security["runAsUser"] != 0, "may run as root");
        demand(security["seccompProfile"]["type"] == "RuntimeDefault", "may make any system call");
        demand(pod["automountServiceAccountToken"] == false, "holds a token of the cluster's API");
        demand(pod["enableServiceLinks"] == false, "gets POSTRIDER_… variables from Kubernetes");
        for container in list(&pod["containers"]) {
            let security = &container["securityContext"];
            demand(security["readOnlyRootFilesystem"] == true, "may write to its image");
            demand(security["allowPrivilegeEscalation"] == false, "may gain privileges");
            demand(security["capabilities"]["drop"] == json!(["ALL"]), "keeps capabilities");
            for need in ["cpu", "memory"] {
                demand(!container["resources"]["requests"][need].is_null(), "does not say what it needs");
                demand(!container["resources"]["limits"][need].is_null(), "may take everything");
            }
        }
    }
    breaches
}

/// Objects that Kubernetes' tools cannot tell apart, and selectors that select nothing.
pub(crate) fn labels(objects: &[Value]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let pods: Vec<&Value> =
        workloads(objects).map(|one| &one["spec"]["template"]["metadata"]["labels"]).collect();
    for object in objects.iter().filter(|one| one["kind"] != "Namespace" && one["kind"] != "ConfigMap") {
        let template = &object["spec"]["template"]["metadata"]["labels"];
        for labels in [&object["metadata"]["labels"], template].into_iter().filter(|labels| !labels.is_null())
        {
            for label in LABELS.map(|label| format!("app.kubernetes.io/{label}")) {
                if labels[&label].is_null() {
                    breaches.push(Breach::new(title(object), format!("has no label {label}")));
                }
            }
        }
        if object["metadata"]["labels"].is_null() {
            breaches.push(Breach::new(title(object), "has no labels"));
        }
        let spec = &object["spec"];
        let spreads =
            list(&spec["template"]["spec"]["topologySpreadConstraints"]).map(|one| &one["labelSelector"]);
        let selectors = spreads.chain([&spec["selector"]]).map(|one| match &one["matchLabels"] {
            Value::Null => one,
            labels => labels,
        });
        for selector in selectors.filter_map(Value::as_object) {
            // A deployment and its spread must find its own pods, anything else those of some deployment.
            let selects = |labels: &Value| selector.iter().all(|(key, value)| labels[key] == *value);
            let found =
                if template.is_null() { pods.iter().any(|one| selects(one)) } else { selects(template) };
            if !found {
                breaches.push(Breach::new(
                    title(object),
                    "has a selector that selects none of the pods it is for",
                ));
            }
        }
    }
    breaches
}

/// Names that lead nowhere.
pub(crate) fn references(objects: &[Value], secrets: &[Value]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let exists = |kind: &str, name: &Value| {
        objects.iter().any(|one| one["kind"] == kind && one["metadata"]["name"] == *name)
    };
    let ports: BTreeSet<String> = containers(objects)
        .flat_map(|(_, one)| list(&one["ports"]))
        .map(|port| text(&port["name"]))
        .collect();
    let mut demand = |object: &Value, is_met: bool, what: String| {
        if !is_met {
            breaches.push(Breach::new(title(object), what));
        }
    };
    for (object, container) in containers(objects) {
        for source in list(&container["envFrom"]).map(|source| &source["configMapRef"]["name"]) {
            demand(
                object,
                exists("ConfigMap", source),
                format!("takes settings from {source}, which does not exist"),
            );
        }
        for reference in
            list(&container["env"]).map(|one| &one["valueFrom"]["secretKeyRef"]).filter(|one| !one.is_null())
        {
            demand(
                object,
                secret(secrets, reference).is_some(),
                format!("{reference} is not in the example of secrets"),
            );
        }
        let own: Vec<String> = list(&container["ports"]).map(|port| text(&port["name"])).collect();
        for (name, probe) in probes(container) {
            let port = text(&probe["port"]);
            demand(
                object,
                own.contains(&port),
                format!("{name} asks the port {port:?}, which it does not have"),
            );
        }
    }
    for object in objects.iter().filter(|one| one["kind"] == "Service") {
        for port in list(&object["spec"]["ports"]).map(|port| text(&port["targetPort"])) {
            demand(
                object,
                ports.contains(&port),
                format!("leads to the port {port:?}, which no container has"),
            );
            demand(object, port != "admin", "shows health and metrics to everybody".to_owned());
        }
    }
    for object in objects.iter().filter(|one| one["kind"] == "ScaledObject") {
        let target = &object["spec"]["scaleTargetRef"]["name"];
        demand(object, exists("Deployment", target), format!("scales {target}, which does not exist"));
        let deployment =
            objects.iter().find(|one| one["metadata"]["name"] == *target && one["kind"] == "Deployment");
        let fixed = deployment.is_some_and(|one| !one["spec"]["replicas"].is_null());
        demand(object, !fixed, format!("scales {target}, which has a fixed number of replicas"));
        for trigger in list(&object["spec"]["triggers"]).map(|trigger| &trigger["authenticationRef"]["name"])
        {
            demand(
                object,
                exists("TriggerAuthentication", trigger),
                format!("wants {trigger}, which does not exist"),
            );
        }
    }
    for object in objects.iter().filter(|one| one["kind"] == "TriggerAuthentication") {
        for reference in list(&object["spec"]["secretTargetRef"]) {
            demand(
                object,
                secret(secrets, reference).is_some(),
                format!("{reference} is not in the example of secrets"),
            );
        }
    }
    breaches
}

/// Ports that are not the ones the process listens on, and stops that are cut short.
pub(crate) fn ports_and_stops(objects: &[Value], ours: &[Container]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for ((object, container), settings) in containers(objects).zip(ours) {
        if object["kind"] != "Deployment" {
            continue;
        }
        let mut demand = |is_met: bool, what: String| {
            if !is_met {
                breaches.push(Breach::new(title(object), what));
            }
        };
        for (name, variable) in [("http", "POSTRIDER__SERVER__BIND"), ("admin", "POSTRIDER__SERVER__ADMIN")] {
            let port = list(&container["ports"]).find(|port| port["name"] == name);
            let number = port.and_then(|port| port["containerPort"].as_u64());
            demand(
                number.is_some() && number == settings.port(variable),
                format!("its port {name} is not {variable}"),
            );
        }
        let grace = settings.seconds("POSTRIDER__SHUTDOWN__GRACE").unwrap_or_default();
        demand(
            grace > LONGEST_CALL,
            "stops before the longest call is over; raise shutdown.grace".to_owned(),
        );
        let before = container["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap_or_default();
        let kill = object["spec"]["template"]["spec"]["terminationGracePeriodSeconds"].as_u64();
        demand(
            kill >= Some(before + grace + FAREWELL),
            "is killed while it still stops; raise terminationGracePeriodSeconds".to_owned(),
        );
    }
    breaches
}

/// Lanes without a trigger, and triggers on what is no lane. `lanes` are the program's delivery queues.
pub(crate) fn scaling(objects: &[Value], lanes: &BTreeSet<String>) -> Vec<Breach> {
    let triggers = objects.iter().flat_map(|object| list(&object["spec"]["triggers"]));
    let queues: Vec<String> = triggers.map(|trigger| text(&trigger["metadata"]["queueName"])).collect();
    let missing = lanes.iter().filter(|lane| !queues.contains(lane));
    let missing = missing.map(|lane| Breach::new("ScaledObject", format!("has no trigger on {lane}")));
    let foreign = queues.iter().filter(|queue| !lanes.contains(*queue));
    missing
        .chain(
            foreign.map(|queue| Breach::new("ScaledObject", format!("scales on {queue}, which is no lane"))),
        )
        .collect()
}

/// The probes of a container: name and `httpGet`.
pub(crate) fn probes(container: &Value) -> impl Iterator<Item = (&'static str, &Value)> {
    let all = ["startupProbe", "livenessProbe", "readinessProbe"].into_iter();
    all.map(|name| (name, &container[name]["httpGet"])).filter(|(_, probe)| !probe.is_null())
}

/// Every container, with the object that it belongs to.
pub(crate) fn containers(objects: &[Value]) -> impl Iterator<Item = (&Value, &Value)> {
    objects.iter().flat_map(|object| {
        list(&object["spec"]["template"]["spec"]["containers"]).map(move |one| (object, one))
    })
}

fn workloads(objects: &[Value]) -> impl Iterator<Item = &Value> {
    objects.iter().filter(|one| !one["spec"]["template"].is_null())
}
