//! Why each webhook did or did not get an event, version 1.

use std::borrow::Cow;

use postrider_domain::id::WebhookId;
use postrider_domain::matching::{Rule, Verdict};
use postrider_domain::record::Decision;
use postrider_domain::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

use crate::fields::{at, instant, named, within};
use crate::version::{self, V1};
use crate::{DecodeError, Wire};

#[derive(Serialize, Deserialize)]
pub(crate) struct DecisionV1<'a> {
    /// The webhook.
    #[serde(borrow)]
    wh: Cow<'a, str>,
    /// Whether it matched.
    hit: bool,
    #[serde(borrow)]
    rule: Cow<'a, str>,
    #[serde(borrow)]
    detail: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due: Option<i64>,
}

/// Decisions on their own, as the log keeps them.
#[derive(Serialize, Deserialize)]
struct EnvelopeV1<'a> {
    v: V1,
    #[serde(borrow)]
    decisions: Vec<DecisionV1<'a>>,
}

impl Wire for Vec<Decision> {
    fn encode(&self) -> Vec<u8> {
        version::write(&EnvelopeV1 { v: V1, decisions: lent(self) })
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        into_domain(version::read::<EnvelopeV1<'_>>(bytes)?.decisions)
    }
}

pub(crate) fn lent(decisions: &[Decision]) -> Vec<DecisionV1<'_>> {
    decisions
        .iter()
        .map(|decision| DecisionV1 {
            wh: decision.webhook.as_str().into(),
            hit: decision.verdict.matched,
            rule: decision.verdict.rule.as_str().into(),
            detail: decision.verdict.detail.as_str().into(),
            due: decision.due_at.map(Timestamp::unix_ms),
        })
        .collect()
}

pub(crate) fn into_domain(decisions: Vec<DecisionV1<'_>>) -> Result<Vec<Decision>, DecodeError> {
    let numbered = decisions.into_iter().enumerate();
    numbered.map(|(index, decision)| within(&format!("decisions[{index}]"), decision.into_domain())).collect()
}

impl DecisionV1<'_> {
    fn into_domain(self) -> Result<Decision, DecodeError> {
        Ok(Decision {
            webhook: at("wh", WebhookId::new(&self.wh))?,
            verdict: Verdict {
                matched: self.hit,
                rule: named("rule", &self.rule, Rule::parse)?,
                detail: self.detail.into_owned(),
            },
            due_at: self.due.map(instant),
        })
    }
}
