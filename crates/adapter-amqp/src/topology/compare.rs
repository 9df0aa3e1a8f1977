//! Compares what is on the broker with what must be, and says what differs and what to do.

use postrider_ports::error::PortResult;

use super::{Argument, EVENTS_EXCHANGE, Kind, Object, objects, refused};
use crate::connection::{self, Settings};

/// What [`verify`] found about one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The object's name.
    pub name: &'static str,
    /// What is wrong; `None` when it is as it must be.
    pub wrong: Option<String>,
    /// What to do about it, as a sentence; `None` exactly when nothing is wrong.
    pub change: Option<String>,
    /// It is not there at all.
    pub missing: bool,
}

/// Connects once and compares what is there with what must be. Declares nothing. (Bindings cannot be compared over AMQP;
/// every declaration binds again.)
///
/// # Errors
/// When the broker cannot be reached or does not let us in.
pub async fn verify(settings: &Settings) -> PortResult<Vec<Finding>> {
    let connection = connection::connect_any(settings, "topology").await?;
    let mut findings = Vec::new();
    for object in objects() {
        // A refusal ends the channel, so each object has its own. Only what exists is declared again, which compares
        // the arguments and changes nothing.
        let channel = connection.create_channel().await.map_err(|error| refused(&object, &error))?;
        let checked = match object.declare(&channel, true).await {
            Ok(()) => object.declare(&channel, false).await,
            missing => missing,
        };
        findings.push(object.judged(checked.err()));
    }
    connection::bid_farewell(&connection).await;
    Ok(findings)
}

impl Object {
    fn judged(&self, refusal: Option<lapin::Error>) -> Finding {
        let told = refusal.map(|error| self.told(&error.to_string()));
        let missing = told.as_ref().is_some_and(|(_, _, missing)| *missing);
        let (wrong, change) = told.map(|(wrong, change, _)| (wrong, change)).unzip();
        Finding { name: self.name, wrong, change, missing }
    }

    /// What is wrong, what to do, and whether it is missing.
    fn told(&self, refusal: &str) -> (String, String, bool) {
        let what = self.noun();
        if refusal.contains("NOT_FOUND") || refusal.contains("NOT-FOUND") {
            let change = "Run `postrider topology declare`; every process declares it too when it starts.";
            return (format!("the {what} is missing"), change.to_owned(), true);
        }
        if is_inequivalent(refusal) {
            return (format!("the {what} {}", self.difference(refusal)), self.remedy(), false);
        }
        if is_refused(refusal) {
            let change =
                "Give the user of amqp.url the permissions configure, write and read on postrider\\..*.";
            return (format!("the user may not look at the {what} ({refusal})"), change.to_owned(), false);
        }
        (
            format!("the {what} could not be compared ({refusal})"),
            "Look at the broker's log.".to_owned(),
            false,
        )
    }

    /// What a declaration with other arguments was refused for: the broker names one argument, and what it is there.
    pub(super) fn difference(&self, refusal: &str) -> String {
        let argument = quoted_after(refusal, "inequivalent arg ");
        let Some(argument) = argument else { return format!("exists with other properties ({refusal})") };
        let is = refusal.split_once("but current is ").map_or("something else", |(_, is)| is);
        let is = is.trim_end_matches(|last: char| !last.is_alphanumeric() && last != '\'');
        let must = self.arguments.iter().find(|(name, _)| *name == argument).map(|(_, value)| value);
        let must = must.map_or_else(|| self.property(argument), ToString::to_string);
        format!("has the argument {argument} = {is}; it must be {must}")
    }

    /// What must be, of what is no argument of ours.
    fn property(&self, name: &str) -> String {
        match (name, self.kind) {
            ("durable", _) => "true",
            ("auto_delete" | "exclusive" | "internal", _) => "false",
            ("type", Kind::Topic) => "topic",
            ("type", Kind::Fanout) => "fanout",
            _ => "absent",
        }
        .to_owned()
    }

    /// Arguments cannot be changed.
    pub(super) fn remedy(&self) -> String {
        if self.name == EVENTS_EXCHANGE {
            return format!(
                "It is used as it is, but what a CMS publishes without reaching a queue is then lost without a trace: delete \
                 exchange {} and run `postrider topology declare`; bindings of your own must be made again.",
                self.name
            );
        }
        format!(
            "Arguments cannot be changed: let the processes empty it, delete {} {}, and run `postrider topology declare` (a \
             running process declares it by itself); or use a virtual host of Postrider's own.",
            self.noun(),
            self.name
        )
    }

    pub(super) fn noun(&self) -> &'static str {
        if self.kind == Kind::Queue { "queue" } else { "exchange" }
    }
}

impl std::fmt::Display for Argument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

/// It exists with other arguments, of another type, or with another durability.
pub(super) fn is_inequivalent(refusal: &str) -> bool {
    refusal.contains("inequivalent")
}

/// The user lacks a permission.
pub(super) fn is_refused(refusal: &str) -> bool {
    refusal.contains("ACCESS_REFUSED") || refusal.contains("ACCESS-REFUSED")
}

fn quoted_after<'t>(text: &'t str, before: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(before)?;
    rest.strip_prefix('\'')?.split('\'').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_the_argument_what_it_is_and_what_it_must_be() {
        let queue = objects().into_iter().find(|one| one.name == super::super::INBOX).expect("there");
        let refusal = "PRECONDITION_FAILED - inequivalent arg 'x-delivery-limit' for queue 'q' in vhost '/': received \
                       the value '20' of type 'signedint' but current is the value '5' of type 'long'";
        let told = queue.difference(refusal);
        assert_eq!(told, "has the argument x-delivery-limit = the value '5' of type 'long'; it must be 20");
        let refusal =
            "inequivalent arg 'durable' for queue 'q' in vhost '/': received 'true' but current is 'false'";
        assert_eq!(queue.difference(refusal), "has the argument durable = 'false'; it must be true");
    }
}
