//! The programs that render and check what deploys Postrider: kubectl, docker-compose, and the Python packages of
//! `requirements.txt`. None of them speaks to a server. `cargo xtask test` installs them.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;

use postrider_tests::house::root;
use serde_json::Value;

/// The kustomize base.
const BASE: &str = "deploy/kubernetes/base";
/// The secrets that the base refers to, with placeholders.
const EXAMPLE: &str = "deploy/kubernetes/base/secrets.example.yaml";
/// The compose file.
pub(crate) const COMPOSE: &str = "docker-compose.yml";

/// What `.env` must hold for the compose file.
pub(crate) const DOT_ENV: [(&str, &str); 2] =
    [("POSTRIDER_PASSWORD", "from-dot-env"), ("POSTRIDER_KEYS", "k1:x")];

/// Prints every document of the YAML on standard input as one JSON list.
const TO_JSON: &str =
    "import json, sys, yaml; json.dump([d for d in yaml.safe_load_all(sys.stdin) if d], sys.stdout)";

/// A file of the repository.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The objects of the base, as kubectl renders them.
pub(crate) fn rendered() -> &'static [Value] {
    static RENDERED: OnceLock<Vec<Value>> = OnceLock::new();
    RENDERED.get_or_init(|| documents(&kustomize(&root().join(BASE)).expect("the base renders")))
}

/// The output of `kubectl kustomize`, or what it complains about.
pub(crate) fn kustomize(folder: &std::path::Path) -> Result<String, String> {
    said(&run(Command::new("kubectl").arg("kustomize").arg(folder)))
}

/// The compose file as written: nothing filled in.
pub(crate) fn compose() -> &'static Value {
    static WRITTEN: OnceLock<Value> = OnceLock::new();
    WRITTEN.get_or_init(|| documents(&read(COMPOSE)).remove(0))
}

/// The compose file as docker-compose fills it in.
pub(crate) fn filled_in() -> &'static Value {
    static CONFIG: OnceLock<Value> = OnceLock::new();
    CONFIG.get_or_init(|| compose_config(compose(), &DOT_ENV).expect("docker-compose understands it"))
}

/// The example of the secrets that the base refers to.
pub(crate) fn secrets() -> &'static [Value] {
    static SECRETS: OnceLock<Vec<Value>> = OnceLock::new();
    SECRETS.get_or_init(|| documents(&read(EXAMPLE)))
}

/// The documents of a YAML text.
pub(crate) fn documents(yaml: &str) -> Vec<Value> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("input.yaml");
    fs::write(&file, yaml).expect("the file is written");
    let input = fs::File::open(&file).expect("the file opens");
    let json = said(&run(python().args(["-c", TO_JSON]).stdin(input))).expect("it is YAML");
    serde_json::from_str(&json).expect("Python writes JSON")
}

/// Validates objects against the schemas of one Kubernetes release, strictly: unknown fields are refused. Objects of kinds
/// that Kubernetes itself does not have are passed over.
pub(crate) fn kubernetes_validate(objects: &[Value], release: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a folder");
    let files: Vec<PathBuf> =
        objects.iter().enumerate().map(|(n, object)| save(&folder, n, object)).collect();
    let mut command = python();
    command.args(["-m", "kubernetes_validate", "--strict", "--quiet", "--no-warn", "-k", release]);
    said(&run(command.args(files))).map(|_| ())
}

/// Validates an object of KEDA's kinds against `keda.schema.json`.
pub(crate) fn keda_validate(object: &Value) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a folder");
    let instance = save(&folder, 0, object);
    let schema = root().join("tests/deploy/keda.schema.json");
    let mut command = python();
    command.args(["-W", "ignore", "-m", "jsonschema", "-i"]).arg(instance).arg(schema);
    said(&run(&mut command)).map(|_| ())
}

/// What docker-compose makes of a compose file and these variables, or what it complains about.
pub(crate) fn compose_config(file: &Value, variables: &[(&str, &str)]) -> Result<Value, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = save(&folder, 0, file);
    let mut command = Command::new("docker-compose");
    command.env_clear().env("PATH", search_path()).envs(variables.iter().copied());
    // A folder of its own, so that no .env of a developer is found.
    command.arg("--project-directory").arg(folder.path()).arg("--file").arg(file).arg("config");
    said(&run(&mut command)).map(|yaml| documents(&yaml).remove(0))
}

/// JSON is YAML, so one form serves all.
fn save(folder: &tempfile::TempDir, number: usize, object: &Value) -> PathBuf {
    let file = folder.path().join(format!("{number}.yaml"));
    fs::write(&file, object.to_string()).expect("the file is written");
    file
}

fn python() -> Command {
    let packages = root().join("target/tools/python");
    assert!(
        packages.join("installed.txt").exists(),
        "{} is missing: run `cargo xtask test` once, or what tests/deploy/requirements.txt says",
        packages.display()
    );
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", packages).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| {
        panic!("{} does not start ({error}): run `cargo xtask test` once", command.get_program().display())
    })
}

/// Standard output of a command that ended well, else everything it said.
fn said(output: &Output) -> Result<String, String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    Err(format!("{}{}", text(&output.stdout), text(&output.stderr)))
}

#[expect(
    clippy::disallowed_methods,
    reason = "docker-compose gets nothing of the environment but where programs are"
)]
fn search_path() -> std::ffi::OsString {
    std::env::var_os("PATH").unwrap_or_default()
}
