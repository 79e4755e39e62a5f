//! Which traces are kept: OpenTelemetry's `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`.
//! Pure.

use super::{SpanPosition, TraceContext};
use crate::config::Reader;

const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";
const SAMPLERS: &str = "always_on, always_off or traceidratio, or one of these after parentbased_";
/// The range of the bits of a trace id that decide. Every program with the same share keeps the
/// same traces.
const WHOLE: u64 = 1 << 63;

/// Which traces are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampler {
    /// Whether the decision of the caller counts for its trace.
    by_parent: bool,
    /// The kept part of [`WHOLE`].
    kept: u64,
}

impl Sampler {
    /// The sampler of the environment. The default is `parentbased_always_on`: the caller's
    /// decision counts, and traces that begin here are kept.
    pub fn read(reader: &Reader) -> Self {
        let name = reader.text_or(SAMPLER, "parentbased_always_on");
        let (by_parent, own) = match name.strip_prefix("parentbased_") {
            Some(own) => (true, own),
            None => (false, name.as_str()),
        };
        let kept = match own {
            "always_on" => WHOLE,
            "always_off" => 0,
            "traceidratio" => share(reader),
            _ => {
                reader.refuse(SAMPLER, format_args!("is {name:?}"), SAMPLERS);
                WHOLE
            }
        };
        Self { by_parent, kept }
    }

    /// The position of a new span: a child of `traceparent` if that is valid, else the first span
    /// of a new trace. Both ids are the given random bits.
    pub fn position(
        self,
        traceparent: Option<&str>,
        random_trace: u128,
        random_span: u64,
    ) -> SpanPosition {
        let parent = traceparent.and_then(|text| text.parse::<TraceContext>().ok());
        let context = parent.map_or_else(
            || TraceContext::begin(random_trace, random_span),
            |parent| parent.child(random_span),
        );
        let kept = match parent {
            Some(parent) if self.by_parent => parent.is_sampled(),
            _ => self.keeps(context.trace()),
        };
        SpanPosition {
            context: context.with_sampled(kept),
            parent,
        }
    }

    const fn keeps(self, trace: u128) -> bool {
        // The lower half without its last bit, as in OpenTelemetry's own samplers.
        (trace as u64) >> 1 < self.kept
    }
}

fn share(reader: &Reader) -> u64 {
    let allowed = "a share from 0 to 1, such as 0.1";
    let share = reader.parsed_or(ARGUMENT, allowed, 1.0, |text| {
        text.parse::<f64>()
            .ok()
            .filter(|share| (0.0..=1.0).contains(share))
    });
    (share * WHOLE as f64) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const NOT_KEPT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

    fn sampler(vars: &[(&str, &str)]) -> Sampler {
        let reader = Reader::new(vars.iter().copied());
        reader.finish(|| Sampler::read(&reader)).expect("valid")
    }

    #[test]
    fn by_default_the_callers_decision_counts() {
        let sampler = sampler(&[]);
        let position = sampler.position(Some(CALLER), 1, 7);
        assert_eq!(
            position.parent.map(|p| p.to_string()).as_deref(),
            Some(CALLER)
        );
        assert_eq!(
            position.context.to_string(),
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000007-01"
        );
        assert!(!sampler.position(Some(NOT_KEPT), 1, 7).context.is_sampled());
        for bad in [None, Some("none")] {
            assert_eq!(
                sampler.position(bad, 5, 7),
                SpanPosition {
                    context: TraceContext::begin(5, 7),
                    parent: None
                }
            );
        }
    }

    #[test]
    fn only_parent_based_samplers_use_the_callers_decision() {
        assert!(
            sampler(&[(SAMPLER, "always_on")])
                .position(Some(NOT_KEPT), 1, 7)
                .context
                .is_sampled()
        );
        assert!(
            !sampler(&[(SAMPLER, "always_off")])
                .position(Some(CALLER), 1, 7)
                .context
                .is_sampled()
        );
        let off = sampler(&[(SAMPLER, "parentbased_always_off")]);
        assert!(off.position(Some(CALLER), 1, 7).context.is_sampled());
        assert!(!off.position(None, 1, 7).context.is_sampled());
    }

    #[test]
    fn unknown_samplers_and_shares_are_reported_problems() {
        let reader = Reader::new([(SAMPLER, "jaeger_remote")]);
        assert!(
            reader
                .finish(|| Sampler::read(&reader))
                .is_err_and(|e| e.to_string().contains("parentbased_"))
        );
        for bad in ["2", "-0.1", "NaN", "some"] {
            let reader = Reader::new([(SAMPLER, "traceidratio"), (ARGUMENT, bad)]);
            let refused = reader.finish(|| Sampler::read(&reader));
            assert!(
                refused.is_err_and(|e| e.to_string().contains(ARGUMENT)),
                "{bad}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_larger_share_keeps_what_a_smaller_keeps(
            trace: u128,
            a in 0.0..=1.0_f64,
            b in 0.0..=1.0_f64,
        ) {
            let keeps = |share: f64| sampler(&[(SAMPLER, "traceidratio"), (ARGUMENT, &share.to_string())]).keeps(trace);
            prop_assert!(keeps(1.0) && !keeps(0.0));
            prop_assert!(!keeps(a.min(b)) || keeps(a.max(b)));
        }
    }
}
