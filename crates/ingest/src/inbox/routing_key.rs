//! What an input was published with: `{space}.{environment}.{Type}.{action}` (DESIGN §4.1); only the action may have dots.

use postrider_domain::event::EventHead;
use postrider_domain::id::{EnvironmentId, SpaceId};
use postrider_domain::topic::{Action, EventType};

use crate::problem::{Detail, Kind, Problem};
use crate::reading::Submission;

/// A routing key, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RoutingKey {
    pub(super) space: SpaceId,
    pub(super) environment: EnvironmentId,
    event_type: EventType,
    action: Action,
}

impl RoutingKey {
    /// Reads it.
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        const FIX: &str =
            "publish with {space}.{environment}.{Type}.{action}, for example default.master.Entry.publish";
        let bad = |why: String| {
            let shown = text.chars().take(255).collect::<String>();
            Problem::new(Kind::InvalidRoutingKey, format!("the routing key {shown:?} {why}"), FIX)
        };
        let parts = text.splitn(4, '.').collect::<Vec<_>>();
        let [space, environment, event_type, action] = parts[..] else {
            return Err(bad(format!("has {} of its four parts", parts.len())));
        };
        Ok(Self {
            space: SpaceId::new(space).map_err(|error| bad(format!("cannot be read: {error}")))?,
            environment: EnvironmentId::new(environment)
                .map_err(|error| bad(format!("cannot be read: {error}")))?,
            event_type: EventType::new(event_type)
                .map_err(|error| bad(format!("cannot be read: {error}")))?,
            action: Action::new(action).map_err(|error| bad(format!("cannot be read: {error}")))?,
        })
    }

    /// Refuses events of another type or action than the key says: who bound a queue of their own to the exchange was told
    /// something else than we.
    pub(super) fn check(&self, events: &[Submission]) -> Result<(), Problem> {
        let told = events.iter().enumerate();
        let details = told.flat_map(|(index, one)| self.faults(index, &one.event.head)).collect::<Vec<_>>();
        let Some(first) = details.first() else { return Ok(()) };
        let message = format!("the event and its routing key disagree: {} {}", first.path, first.problem);
        let fix = "publish each type and action with a routing key of its own, the one that the event says";
        Err(Problem::listed(Kind::InvalidEvent, message, fix, details))
    }

    fn faults(&self, index: usize, head: &EventHead) -> Vec<Detail> {
        let pairs = [
            ("type", head.event_type.as_str(), self.event_type.as_str()),
            ("action", head.action.as_str(), self.action.as_str()),
        ];
        let faulty = pairs.into_iter().filter(|(_, said, key)| said != key);
        let detail = |(name, said, key): (&str, &str, &str)| Detail {
            index,
            path: name.to_owned(),
            problem: format!("is {said:?}, and {key:?} in the routing key"),
            fix: "make them the same".to_owned(),
        };
        faulty.map(detail).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_four_parts_and_the_last_may_have_dots() {
        let key = RoutingKey::parse("blog.master.Entry.publish.success").expect("a good key");
        assert_eq!((key.space.as_str(), key.environment.as_str()), ("blog", "master"));
        assert_eq!((key.event_type.as_str(), key.action.as_str()), ("Entry", "publish.success"));
    }

    #[test]
    fn what_is_no_key_is_named_with_the_part_that_is_wrong() {
        for (bad, why) in [
            ("", "1 of its four parts"),
            ("blog.master.Entry", "3 of its four parts"),
            ("b g.master.Entry.publish", "space"),
            (".master.Entry.publish", "space"),
            ("blog.é.Entry.publish", "environment"),
            ("blog.master.En try.publish", "type"),
            ("blog.master.Entry.", "action"),
            ("blog.master.Entry.publish..now", "action"),
        ] {
            let problem = RoutingKey::parse(bad).expect_err("a bad key");
            assert_eq!(problem.kind, Kind::InvalidRoutingKey, "{bad}");
            assert!(problem.message.contains(why), "{bad}: {}", problem.message);
        }
    }
}
