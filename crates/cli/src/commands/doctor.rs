//! `postrider doctor`: looks at every server and says what to change.

use clap::Args;
use postrider_ports::doctor::{Finding, Severity};
use serde_json::json;

use crate::Context;
use crate::compose::distributed::doctor::{Examined, examine};
use crate::exit::Code;
use crate::output::line;

/// The flags of `doctor`.
#[derive(Debug, Args)]
#[command(
    after_help = "It changes nothing. Feature flags, alarms and policies of RabbitMQ are only told by its management API: name it with \
    amqp.management.\n\nExit code: 0 if there is nothing to change, 1 otherwise."
)]
pub struct Doctor {}

/// Prints what was found.
pub async fn run(_doctor: &Doctor, context: &Context) -> anyhow::Result<Code> {
    let examined = examine(&context.settings).await?;
    if context.output.json {
        line(&json!(examined.iter().map(as_json).collect::<Vec<_>>()).to_string());
    } else {
        line(&examined.iter().map(text).collect::<Vec<_>>().join("\n\n"));
    }
    let worst = examined.iter().flat_map(|one| &one.findings).map(|finding| finding.severity).max();
    Ok(if worst.is_none_or(|worst| worst == Severity::Fine) { Code::Ok } else { Code::Failure })
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Fine => "ok",
        Severity::Warning => "warning",
        Severity::Fault => "fault",
    }
}

fn as_json(examined: &Examined) -> serde_json::Value {
    let finding = |finding: &Finding| {
        json!({
            "severity": word(finding.severity),
            "subject": finding.subject,
            "found": finding.found,
            "change": finding.change,
        })
    };
    json!({ "server": examined.server, "findings": examined.findings.iter().map(finding).collect::<Vec<_>>() })
}

fn text(examined: &Examined) -> String {
    let findings = examined.findings.iter().map(|finding| {
        let change =
            finding.change.as_ref().map(|change| format!("\n           → {change}")).unwrap_or_default();
        format!("\n  {:<8} {}: {}{change}", word(finding.severity), finding.subject, finding.found)
    });
    format!("{}{}", examined.server, findings.collect::<String>())
}
