//! Programs of others that a story asks.

use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

use crate::process::PATIENCE;

/// What a program says when it is given this input.
pub(crate) async fn says(command: &mut Command, input: &[u8]) -> String {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut program = piped.spawn().expect("it starts");
    program.stdin.take().expect("a pipe").write_all(input).await.expect("it reads");
    let output = timeout(PATIENCE, program.wait_with_output()).await.expect("it ends").expect("it ran");
    String::from_utf8(output.stdout).expect("text")
}

/// What a verifier answers to this input: its last arguments are the signature and what it is verified with.
pub(crate) async fn verified(verifier: &[&str], arguments: [&str; 2], input: &[u8]) -> bool {
    let (program, own) = verifier.split_first().expect("a program");
    let said = says(Command::new(program).args(own).args(arguments), input).await;
    said.trim().parse().unwrap_or_else(|_| panic!("{program} says {said:?}"))
}
