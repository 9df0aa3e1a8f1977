//! The signatures that `docs/guides/verify-signatures.md` verifies, and the functions of the page at work: each in a program of
//! its language that reads cases and says true or false.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use postrider_tests::pip;
use serde_json::Value;
use tokio::process::Command;

use super::page::Page;
use crate::official_client;
use crate::program::says;

/// The heading under which what all functions of a language need stands.
const SHARED: &str = "Verify signatures";

/// A signature that the page verifies.
pub(super) struct Scheme {
    /// The heading of its functions.
    pub(super) heading: &'static str,
    /// How each language calls its function: Node, PHP, Python.
    calls: [&'static str; 3],
    /// Whether it carries its time.
    pub(super) is_dated: bool,
}

pub(super) const STANDARD_WEBHOOKS: Scheme = Scheme {
    heading: "Standard Webhooks",
    calls: [
        "verifyStandardWebhooks(body, headers, secret)",
        "verify_standard_webhooks($body, $headers, $secret, $now)",
        "verify_standard_webhooks(body, headers, secret)",
    ],
    is_dated: true,
};
pub(super) const CONTENTFUL: Scheme = Scheme {
    heading: "Contentful",
    calls: [
        "verifyContentful(method, path, body, headers, secret)",
        "verify_contentful($method, $path, $body, $headers, $secret, $now)",
        "verify_contentful(method, path, body, headers, secret)",
    ],
    is_dated: true,
};
pub(super) const CONTENTSTACK_RSA: Scheme = Scheme {
    heading: "Contentstack, RSA",
    calls: [
        "verifyContentstack(body, headers, secret)",
        "verify_contentstack($body, $headers, $secret)",
        "verify_contentstack(body, headers, secret)",
    ],
    is_dated: false,
};
pub(super) const CONTENTSTACK_HMAC: Scheme = Scheme {
    heading: "Contentstack, HMAC",
    calls: [
        "verifyContentstackHmac(body, headers, secret)",
        "verify_contentstack_hmac($body, $headers, $secret, $now)",
        "verify_contentstack_hmac(body, headers, secret)",
    ],
    is_dated: true,
};
pub(super) const COMETCMS: Scheme = Scheme {
    heading: "CometCMS and Contismo",
    calls: [
        r#"verifySha256(body, headers["x-cometcms-signature"], secret)"#,
        "verify_sha256($body, $headers['x-cometcms-signature'] ?? null, $secret)",
        r#"verify_sha256(body, headers.get("x-cometcms-signature"), secret)"#,
    ],
    is_dated: false,
};
pub(super) const CONTISMO: Scheme = Scheme {
    heading: "CometCMS and Contismo",
    calls: [
        r#"verifySha256(body, headers["x-eventhook-signature"], secret)"#,
        "verify_sha256($body, $headers['x-eventhook-signature'] ?? null, $secret)",
        r#"verify_sha256(body, headers.get("x-eventhook-signature"), secret)"#,
    ],
    is_dated: false,
};

/// What a program around the functions does: a case per line of standard input, a verdict per line of standard output.
/// `later` moves its clock by so many seconds.
const NODE: &str = r#"
const realNow = Date.now;
for (const line of require("node:fs").readFileSync(0, "utf8").trim().split("\n")) {
  const { method, path, headers, secret, later, ...rest } = JSON.parse(line);
  const body = Buffer.from(rest.body, "base64");
  Date.now = () => realNow() + later * 1000;
  console.log(String(CALL));
}
"#;
const PHP: &str = r"
while (($line = fgets(STDIN)) !== false) {
    $case = json_decode($line, true);
    ['method' => $method, 'path' => $path, 'headers' => $headers, 'secret' => $secret] = $case;
    $now = $case['later'] === 0 ? null : time() + $case['later'];
    $body = base64_decode($case['body']);
    echo CALL ? 'true' : 'false', PHP_EOL;
}
";
const PYTHON: &str = r#"
import json
import sys

real_time = time.time
for line in sys.stdin:
    case = json.loads(line)
    method, path, headers, secret = (case[name] for name in ("method", "path", "headers", "secret"))
    body = base64.b64decode(case["body"])
    time.time = lambda: real_time() + case["later"]
    print(str(CALL).lower())
"#;

/// What the page asks for in Python besides Python.
fn packages() -> &'static Path {
    static INSTALLED: OnceLock<PathBuf> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(concat!("pip-", env!("CARGO_CRATE_NAME")));
        pip::install("tests/clients/python/requirements.txt", folder)
    })
}

/// What the function of each language says of each case, in the order of the languages.
pub(super) async fn said(page: &Page, scheme: &Scheme, cases: &[Value]) -> [Vec<bool>; 3] {
    let lines: Vec<String> = cases.iter().map(Value::to_string).collect();
    let lines = lines.join("\n") + "\n";
    let program = |language: &str, around: &str, call: &str| {
        let functions = functions(page, scheme, language);
        let program = format!("{functions}\n{}", around.replace("CALL", call));
        page.shell.write(&format!("verify.{language}"), &program)
    };
    let [node, php, python] = scheme.calls;
    let node = program("js", NODE, node);
    let php = program("php", PHP, php);
    let python = program("python", PYTHON, python);
    let mut by_node = Command::new("node");
    by_node.arg(node).env("NODE_PATH", official_client::installed().join("node_modules"));
    let mut by_php = Command::new("php");
    // A warning is a fault: it would stand among the verdicts.
    by_php.args(["-d", "error_reporting=-1", "-d", "display_errors=stdout", "-f"]).arg(php);
    let mut by_python = Command::new("python3");
    by_python.arg(python).env("PYTHONPATH", packages());
    let mut said = [const { Vec::new() }; 3];
    for (verdicts, program) in said.iter_mut().zip([by_node, by_php, by_python]) {
        let (mut program, lines) = (program, lines.clone());
        let answer = says(&mut program, lines.as_bytes()).await;
        *verdicts = answer
            .lines()
            .map(|line| line.parse().unwrap_or_else(|_| panic!("{program:?} says {answer}")))
            .collect();
    }
    said
}

/// The functions of a scheme, with what all of their language need, as a program begins.
pub(super) fn functions(page: &Page, scheme: &Scheme, language: &str) -> String {
    let shared = if language == "php" { "<?php\n".to_owned() } else { page.block(SHARED, language) };
    format!("{shared}\n{}", page.block(scheme.heading, language))
}
