//! The first admin token is shown once, so it is only made by a run of `migrate` that reaches every server.

use std::process::{Command, Output};

use serde_json::Value;

use crate::ALONE;
use crate::composition::Servers;
use crate::process;

fn run(command: &mut Command) -> Output {
    command.output().expect("it starts")
}

#[tokio::test]
async fn a_run_that_misses_a_server_leaves_the_first_token_to_the_next_run() {
    let _alone = ALONE.lock().await;
    let servers = Servers::borrow().await;
    let folder = tempfile::tempdir().expect("a folder");
    let made = run(process::command(folder.path()).args(["keys", "new"]));
    let ring = String::from_utf8(made.stdout).expect("UTF-8");
    let migrate = |redis: &str| {
        let mut command = process::command(folder.path());
        command
            .env("POSTRIDER__AMQP__URL", &servers.amqp)
            .env("POSTRIDER__REDIS__URL", redis)
            .env("POSTRIDER__POSTGRES__URL", &servers.postgres)
            .env("POSTRIDER__KEYS__VALUE", ring.trim());
        run(command.args(["--json", "migrate", "--wait", "0s"]))
    };
    // Nobody listens on port 1.
    let missed = migrate("redis://127.0.0.1:1/0");
    let said = String::from_utf8_lossy(&missed.stderr);
    assert_eq!(missed.status.code(), Some(69), "{said}");
    assert!(said.contains("the cache cannot be set up"), "{said}");
    let done = migrate(&servers.redis);
    let said: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    assert!(said["token"].is_string(), "{said}");
    assert_eq!(said["warnings"], serde_json::json!([]));
}
