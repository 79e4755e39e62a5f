//! Which traces are kept: `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`, as OpenTelemetry names them. Pure.

use super::{Place, TraceContext};
use crate::config::Reader;

const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";
const SAMPLERS: &str = "always_on, always_off or traceidratio, or one of these after parentbased_";
/// Bits of a trace's identity that decide: every program that keeps the same share keeps the same traces.
const WHOLE: u64 = 1 << 63;

/// Which traces are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampler {
    /// Whether who began a trace has decided for all of it.
    by_parent: bool,
    /// Of [`WHOLE`], how many are kept.
    kept: u64,
}

impl Sampler {
    /// As the environment asks for; without a word, every trace whose beginner wants it kept, and every one that begins here.
    pub fn read(reader: &Reader) -> Option<Self> {
        let name = reader.text_or(SAMPLER, "parentbased_always_on")?;
        let (by_parent, own) = match name.strip_prefix("parentbased_") {
            Some(own) => (true, own),
            None => (false, name.as_str()),
        };
        let kept = match own {
            "always_on" => WHOLE,
            "always_off" => 0,
            "traceidratio" => share(reader)?,
            _ => {
                reader.refuse(SAMPLER, format_args!("is {name:?}"), SAMPLERS);
                return None;
            }
        };
        Some(Self { by_parent, kept })
    }

    /// The place of a span that `traceparent` caused, if it is a valid one: one in its trace, else at the beginning of a new one, made of
    /// random bits.
    pub fn place(self, traceparent: Option<&str>, random_trace: u128, random_span: u64) -> Place {
        let parent = traceparent.and_then(|text| text.parse::<TraceContext>().ok());
        let context = parent.map_or_else(
            || TraceContext::begin(random_trace, random_span),
            |parent| parent.child(random_span),
        );
        let kept = match parent {
            Some(parent) if self.by_parent => parent.is_sampled(),
            _ => self.keeps(context.trace()),
        };
        Place {
            context: context.with_sampled(kept),
            parent,
        }
    }

    const fn keeps(self, trace: u128) -> bool {
        // The lower half, without its last bit: as OpenTelemetry's own samplers do.
        (trace as u64) >> 1 < self.kept
    }
}

fn share(reader: &Reader) -> Option<u64> {
    let text = reader.text_or(ARGUMENT, "1")?;
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Some((share * WHOLE as f64) as u64),
        _ => {
            reader.refuse(
                ARGUMENT,
                format_args!("is {text:?}"),
                "a share from 0 to 1, such as 0.1",
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const NOT_KEPT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

    fn sampler(vars: &[(&str, &str)]) -> Sampler {
        let reader = Reader::new(vars.iter().copied());
        let sampler = Sampler::read(&reader);
        reader.finish(|| sampler).expect("valid")
    }

    #[test]
    fn unless_told_otherwise_the_callers_word_counts_and_what_begins_here_is_kept() {
        let sampler = sampler(&[]);
        let place = sampler.place(Some(CALLER), 1, 7);
        assert_eq!(place.parent.map(|p| p.to_string()).as_deref(), Some(CALLER));
        assert_eq!(
            place.context.to_string(),
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000007-01"
        );
        assert!(!sampler.place(Some(NOT_KEPT), 1, 7).context.is_sampled());
        for bad in [None, Some("none")] {
            assert_eq!(
                sampler.place(bad, 5, 7),
                Place {
                    context: TraceContext::begin(5, 7),
                    parent: None
                }
            );
        }
    }

    #[test]
    fn a_sampler_of_its_own_mind_does_not_ask_the_caller() {
        assert!(
            sampler(&[(SAMPLER, "always_on")])
                .place(Some(NOT_KEPT), 1, 7)
                .context
                .is_sampled()
        );
        assert!(
            !sampler(&[(SAMPLER, "always_off")])
                .place(Some(CALLER), 1, 7)
                .context
                .is_sampled()
        );
        let off = sampler(&[(SAMPLER, "parentbased_always_off")]);
        assert!(off.place(Some(CALLER), 1, 7).context.is_sampled());
        assert!(!off.place(None, 1, 7).context.is_sampled());
    }

    #[test]
    fn what_is_no_sampler_and_no_share_is_reported_with_the_other_problems() {
        let reader = Reader::new([(SAMPLER, "jaeger_remote")]);
        assert_eq!(Sampler::read(&reader), None);
        assert!(
            reader
                .finish(|| Some(()))
                .is_err_and(|e| e.to_string().contains("parentbased_"))
        );
        for bad in ["2", "-0.1", "NaN", "some"] {
            let reader = Reader::new([(SAMPLER, "traceidratio"), (ARGUMENT, bad)]);
            assert_eq!(Sampler::read(&reader), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_share_keeps_what_a_smaller_one_keeps_and_its_ends_keep_all_or_nothing(trace: u128, a in 0.0..=1.0_f64, b in 0.0..=1.0_f64) {
            let keeps = |share: f64| sampler(&[(SAMPLER, "traceidratio"), (ARGUMENT, &share.to_string())]).keeps(trace);
            prop_assert!(keeps(1.0) && !keeps(0.0));
            prop_assert!(!keeps(a.min(b)) || keeps(a.max(b)));
        }
    }
}
