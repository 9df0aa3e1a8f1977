//! `postrider topology`: what must be on the broker.

use clap::Subcommand;
use postrider_adapter_amqp::topology;
use postrider_ports::error::PortError;
use serde_json::json;

use crate::Context;
use crate::compose::distributed::broker_settings;
use crate::exit::{Code, Failure};
use crate::output::{line, note};

/// What to do with the topology.
#[derive(Debug, Subcommand)]
pub enum Topology {
    /// Print every exchange and queue with its arguments; asks no broker
    Print,
    /// Declare what is missing on the broker
    Declare,
    /// Compare what is on the broker with what must be; declares nothing
    Verify,
}

/// Prints, declares or verifies.
pub async fn run(topology: &Topology, context: &Context) -> anyhow::Result<Code> {
    let settings = broker_settings(&context.settings);
    match topology {
        Topology::Print => {
            print(context);
            Ok(Code::Ok)
        }
        Topology::Declare => {
            let warnings = topology::declare(&settings).await.map_err(|error| failed(&error))?;
            for warning in &warnings {
                note(&format!("warning: {warning}"));
            }
            if context.output.json {
                line(&json!({ "declared": topology::objects().len(), "warnings": warnings }).to_string());
            } else {
                line(&format!("{} exchanges and queues are declared", topology::objects().len()));
            }
            Ok(Code::Ok)
        }
        Topology::Verify => verify(&settings, context).await,
    }
}

fn print(context: &Context) {
    if !context.output.json {
        return line(&topology::describe());
    }
    let objects = topology::objects();
    let objects = objects.iter().map(|one| json!({ "name": one.name, "description": one.to_string() }));
    line(&json!(objects.collect::<Vec<_>>()).to_string());
}

async fn verify(settings: &postrider_adapter_amqp::Settings, context: &Context) -> anyhow::Result<Code> {
    let findings = topology::verify(settings).await.map_err(|error| failed(&error))?;
    let wrong = findings.iter().filter(|finding| finding.wrong.is_some()).count();
    if context.output.json {
        let all =
            findings.iter().map(|one| json!({ "name": one.name, "wrong": one.wrong, "change": one.change }));
        line(&json!(all.collect::<Vec<_>>()).to_string());
    } else {
        for finding in &findings {
            line(&match (&finding.wrong, &finding.change) {
                (None, _) => format!("ok     {}", finding.name),
                (Some(wrong), None) => format!("wrong  {}: {wrong}", finding.name),
                (Some(wrong), Some(change)) => format!("wrong  {}: {wrong}\n       → {change}", finding.name),
            });
        }
    }
    Ok(if wrong == 0 { Code::Ok } else { Code::Failure })
}

fn failed(error: &PortError) -> Failure {
    Failure::new(Code::Server, error.to_string())
        .next("the broker is the setting amqp.url; `postrider doctor` looks at all servers")
}
