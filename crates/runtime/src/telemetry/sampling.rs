//! Which traces are recorded.

use opentelemetry::trace::{Link, SpanKind, TraceContextExt, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler as Share, SamplingDecision, SamplingResult, ShouldSample};

/// A span is recorded if its parent is; a new trace that continues another by a link if that one is; any other trace by
/// its share. So what is recorded of a delivery is recorded to its last retry.
#[derive(Debug, Clone)]
pub(super) struct Sampler {
    share: Share,
}

impl Sampler {
    /// `share` of the traces that begin here, 0 to 1.
    pub(super) fn new(share: f64) -> Self {
        Self { share: Share::TraceIdRatioBased(share) }
    }
}

impl ShouldSample for Sampler {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let decided = |is_sampled: bool, trace_state: TraceState| SamplingResult {
            decision: if is_sampled { SamplingDecision::RecordAndSample } else { SamplingDecision::Drop },
            attributes: Vec::new(),
            trace_state,
        };
        if let Some(parent) = parent.filter(|parent| parent.span().span_context().is_valid()) {
            let parent = parent.span();
            let parent = parent.span_context();
            return decided(parent.is_sampled(), parent.trace_state().clone());
        }
        match links.first() {
            Some(before) => decided(before.span_context.is_sampled(), TraceState::default()),
            None => self.share.should_sample(parent, trace_id, name, kind, attributes, links),
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanContext, SpanId, TraceFlags};

    use super::*;

    fn context(is_recorded: bool) -> SpanContext {
        let flags = if is_recorded { TraceFlags::SAMPLED } else { TraceFlags::default() };
        SpanContext::new(TraceId::from(1), SpanId::from(2), flags, true, TraceState::default())
    }

    fn is_recorded(share: f64, parent: Option<SpanContext>, linked: Option<SpanContext>) -> bool {
        let parent = parent.map(|parent| Context::new().with_remote_span_context(parent));
        let links: Vec<Link> = linked.map(Link::with_context).into_iter().collect();
        let trace = TraceId::from(u128::MAX / 3);
        let sampler = Sampler::new(share);
        let result = sampler.should_sample(parent.as_ref(), trace, "POST", &SpanKind::Client, &[], &links);
        result.decision == SamplingDecision::RecordAndSample
    }

    #[test]
    fn parents_decide_before_links_and_links_before_the_share() {
        for decided in [true, false] {
            let share = if decided { 0.0 } else { 1.0 };
            assert_eq!(is_recorded(share, Some(context(decided)), None), decided);
            assert_eq!(is_recorded(share, Some(context(decided)), Some(context(!decided))), decided);
            assert_eq!(is_recorded(share, None, Some(context(decided))), decided);
        }
        assert!(is_recorded(1.0, None, None));
        assert!(!is_recorded(0.0, None, None));
    }
}
