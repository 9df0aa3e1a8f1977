//! `postrider-test-servers [rabbitmq] [redis] [postgres] -- COMMAND…`: runs a command beside private servers that it
//! finds in its environment, and stops them when it ends. Without a name all three are started.
#![expect(clippy::print_stderr, reason = "this is a program for the terminal")]

use std::io;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use postrider_testkit::servers::{AMQP, AMQP_MANAGEMENT, POSTGRES, REDIS, postgres, rabbitmq, redis};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "usage: postrider-test-servers [rabbitmq] [redis] [postgres] -- COMMAND…\n\
                     example: postrider-test-servers rabbitmq -- cargo test -p postrider-adapter-amqp";

const NAMES: [&str; 3] = ["rabbitmq", "redis", "postgres"];

/// How long the command may take to end after a signal.
const STOP: Duration = Duration::from_secs(5);

#[derive(Default)]
struct Servers {
    rabbitmq: Option<rabbitmq::Broker>,
    redis: Option<redis::Server>,
    postgres: Option<postgres::Server>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((names, command)) = read(&arguments) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(&names, command).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The servers' names and the command.
fn read(arguments: &[String]) -> Option<(Vec<&str>, &[String])> {
    let known = arguments.iter().take_while(|one| NAMES.contains(&one.as_str())).count();
    let (names, rest) = arguments.split_at(known);
    let names = if names.is_empty() { NAMES.to_vec() } else { names.iter().map(String::as_str).collect() };
    let command = match rest.split_first() {
        Some((dashes, command)) if dashes == "--" => command,
        // `cargo run -- COMMAND…` takes the dashes for itself.
        _ => rest,
    };
    (!command.is_empty()).then_some((names, command))
}

async fn run(names: &[&str], command: &[String]) -> io::Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stopped = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    tokio::pin!(stopped);
    let servers = tokio::select! {
        servers = Servers::start(names) => servers?,
        // Servers that are dropped while they start are killed.
        () = &mut stopped => return Ok(ExitCode::from(130)),
    };
    let started =
        Command::new(&command[0]).args(&command[1..]).envs(servers.environment()).kill_on_drop(true).spawn();
    let code = match started {
        Ok(mut child) => tokio::select! {
            ended = child.wait() => ended.map(code),
            () = &mut stopped => end(&mut child).await.map(code),
        },
        Err(error) => Err(io::Error::other(format!("cannot run {}: {error}", command[0]))),
    };
    servers.end().await;
    code
}

/// Asks the command to end, and ends it if it does not.
async fn end(child: &mut Child) -> io::Result<ExitStatus> {
    if let Some(id) = child.id() {
        Command::new("sh").args(["-c", &format!("kill -s TERM {id}")]).status().await?;
    }
    if let Ok(ended) = tokio::time::timeout(STOP, child.wait()).await {
        return ended;
    }
    child.start_kill()?;
    child.wait().await
}

/// What a shell would say: the command's code, or 128 and the number of the signal that ended it.
fn code(status: ExitStatus) -> ExitCode {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

impl Servers {
    async fn start(names: &[&str]) -> io::Result<Self> {
        let wanted = |name| names.contains(&name);
        let rabbitmq =
            async { if wanted("rabbitmq") { rabbitmq::Broker::start().await.map(Some) } else { Ok(None) } };
        let redis = async { if wanted("redis") { redis::Server::start().await.map(Some) } else { Ok(None) } };
        let postgres =
            async { if wanted("postgres") { postgres::Server::start().await.map(Some) } else { Ok(None) } };
        let (rabbitmq, redis, postgres) = tokio::try_join!(rabbitmq, redis, postgres)?;
        Ok(Self { rabbitmq, redis, postgres })
    }

    /// Where they are.
    fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = Vec::new();
        if let Some(broker) = &self.rabbitmq {
            environment.push((AMQP, broker.url()));
            environment.push((AMQP_MANAGEMENT, broker.management().url()));
        }
        if let Some(server) = &self.redis {
            environment.push((REDIS, server.url()));
        }
        if let Some(server) = &self.postgres {
            environment.push((POSTGRES, server.url()));
        }
        environment
    }

    async fn end(self) {
        let rabbitmq = async {
            if let Some(broker) = self.rabbitmq {
                broker.end().await;
            }
        };
        let redis = async {
            if let Some(mut server) = self.redis {
                server.stop().await;
            }
        };
        let postgres = async {
            if let Some(mut server) = self.postgres {
                server.stop().await;
            }
        };
        tokio::join!(rabbitmq, redis, postgres);
    }
}
