//! Retry policies in JSON: a name or `{"name": …}`, or exponential figures, or `{"schedule": […]}`; the latter two may
//! say which failures they retry: `on`.

use postrider_control::FieldFault;
use postrider_control::draft::RetryDraft;
use postrider_domain::retry::{NAMES, RetryOn, RetryPolicy, Schedule};
use serde_json::{Map, Value, json};

use crate::duration_json;
use crate::fields::Fields;

/// Reads `retryPolicy`. A figure that is not given is that of the default policy.
pub(crate) fn read(webhook: &Fields<'_>) -> Option<RetryDraft> {
    if let Some(Value::String(name)) = webhook.raw("retryPolicy") {
        return Some(RetryDraft::Named(name.clone()));
    }
    read_object(&webhook.object("retryPolicy")?)
}

fn read_object(policy: &Fields<'_>) -> Option<RetryDraft> {
    let name = policy.text("name");
    let schedule = policy.list("schedule", duration_json::FORM, duration_json::read);
    let jitter = policy.number("jitter");
    let figures = exponential(policy, jitter);
    let on = policy.object("on").map(|on| read_on(&on));
    policy.refuse_null("name");
    policy.refuse_null("schedule");
    policy.refuse_unread();
    let own = figures.is_some() || jitter.is_some() || on.is_some();
    match (name, schedule) {
        (Some(_), schedule) if own || schedule.is_some() => {
            let fix = "give a name, or a schedule, or figures";
            policy.fault(FieldFault::new(
                policy.path("name"),
                "excluded",
                "a named policy has no figures",
                fix,
            ));
            None
        }
        (Some(name), _) => Some(RetryDraft::Named(name)),
        (None, Some(_)) if figures.is_some() => {
            let fix = "give either `schedule`, or `initial`, `factor`, `maxDelay`, `maxAttempts`";
            policy.fault(FieldFault::new(
                policy.path("schedule"),
                "excluded",
                "there are two kinds of delays",
                fix,
            ));
            None
        }
        (None, Some(delays)) => {
            let schedule = Schedule::Explicit { delays, jitter: jitter.unwrap_or(0.0) };
            Some(RetryDraft::Own { schedule, on: on.unwrap_or_default() })
        }
        (None, None) => {
            let default = RetryPolicy::default().schedule;
            let schedule = figures.unwrap_or_else(|| with_jitter(default, jitter));
            Some(RetryDraft::Own { schedule, on: on.unwrap_or_default() })
        }
    }
}

/// The exponential schedule, if any of its own figures is given.
fn exponential(policy: &Fields<'_>, jitter: Option<f64>) -> Option<Schedule> {
    let given = (
        policy.duration("initial"),
        policy.number("factor"),
        policy.duration("maxDelay"),
        policy.integer("maxAttempts"),
    );
    if given == (None, None, None, None) {
        return None;
    }
    let default = with_jitter(RetryPolicy::default().schedule, jitter);
    let Schedule::Exponential { initial, factor, max_delay, max_attempts, jitter } = default else {
        return None;
    };
    Some(Schedule::Exponential {
        initial: given.0.unwrap_or(initial),
        factor: given.1.unwrap_or(factor),
        max_delay: given.2.unwrap_or(max_delay),
        max_attempts: given.3.unwrap_or(max_attempts),
        jitter,
    })
}

fn with_jitter(schedule: Schedule, given: Option<f64>) -> Schedule {
    match schedule {
        Schedule::Exponential { initial, factor, max_delay, max_attempts, jitter } => {
            let jitter = given.unwrap_or(jitter);
            Schedule::Exponential { initial, factor, max_delay, max_attempts, jitter }
        }
        Schedule::Explicit { delays, jitter } => {
            Schedule::Explicit { delays, jitter: given.unwrap_or(jitter) }
        }
    }
}

fn read_on(on: &Fields<'_>) -> RetryOn {
    let default = RetryOn::default();
    let status = |value: &Value| {
        let status = u16::try_from(value.as_u64()?).ok()?;
        (100..=599).contains(&status).then_some(status)
    };
    let read = RetryOn {
        statuses: on.list("statuses", "give a status from 100 to 599", status).unwrap_or(default.statuses),
        any_failure: on.flag("anyFailure").unwrap_or(default.any_failure),
        transport: on.flag("transport").unwrap_or(default.transport),
    };
    on.refuse_unread();
    read
}

/// Writes a policy: by its name if it is a named one.
pub(crate) fn write(policy: &RetryPolicy) -> Value {
    let named = |name: &&&str| RetryPolicy::named(name).as_ref() == Ok(policy);
    if let Some(name) = NAMES.iter().find(named) {
        return json!({"name": name});
    }
    let mut written = Map::new();
    match &policy.schedule {
        Schedule::Exponential { initial, factor, max_delay, max_attempts, jitter } => {
            written.insert("initial".into(), duration_json::write(*initial));
            written.insert("factor".into(), json!(factor));
            written.insert("maxDelay".into(), duration_json::write(*max_delay));
            written.insert("maxAttempts".into(), json!(max_attempts));
            written.insert("jitter".into(), json!(jitter));
        }
        Schedule::Explicit { delays, jitter } => {
            let delays = delays.iter().map(|delay| duration_json::write(*delay)).collect::<Vec<_>>();
            written.insert("schedule".into(), Value::Array(delays));
            written.insert("jitter".into(), json!(jitter));
        }
    }
    if policy.on != RetryOn::default() {
        let RetryOn { statuses, any_failure, transport } = &policy.on;
        let on = json!({"statuses": statuses, "anyFailure": any_failure, "transport": transport});
        written.insert("on".into(), on);
    }
    Value::Object(written)
}
