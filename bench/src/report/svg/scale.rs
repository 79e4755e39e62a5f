//! Places and marks of an axis.

/// Maps values to places between two ends.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scale {
    logarithmic: bool,
    /// Values at the ends.
    low: f64,
    high: f64,
    /// Places of the ends.
    from: f64,
    to: f64,
}

impl Scale {
    /// A scale on which all `values` have a place. A logarithmic scale leaves out those that are
    /// not positive; a linear one begins at 0.
    pub(super) fn around(
        values: impl Iterator<Item = f64>,
        logarithmic: bool,
        (from, to): (f64, f64),
    ) -> Self {
        let usable = |value: &f64| value.is_finite() && (!logarithmic || *value > 0.0);
        let (mut low, mut high) = values
            .filter(usable)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                (low.min(value), high.max(value))
            });
        if low > high {
            (low, high) = (1.0, 10.0); // nothing to show
        }
        if logarithmic {
            let step = |value: f64| STEPS.iter().map(move |s| s * power_below(value));
            low = step(low).filter(|s| *s <= low).fold(low / 2.0, f64::max);
            high = step(high)
                .chain([10.0 * power_below(high)])
                .filter(|s| *s >= high)
                .fold(f64::INFINITY, f64::min);
            if high <= low {
                high = low * 10.0;
            }
        } else {
            low = low.min(0.0);
            let step = step(high - low);
            high = (high / step).ceil() * step;
            if high <= low {
                high = low + 1.0;
            }
        }
        Self {
            logarithmic,
            low,
            high,
            from,
            to,
        }
    }

    /// The place of a value. `None` if it has none.
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        let part = if self.logarithmic {
            if value <= 0.0 {
                return None;
            }
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        part.is_finite()
            .then_some(self.from + part * (self.to - self.from))
    }

    /// Values that get a mark.
    pub(super) fn marks(&self) -> Vec<f64> {
        let inside = |mark: &f64| *mark >= self.low * 0.999 && *mark <= self.high * 1.001;
        if self.logarithmic {
            let mut marks = Vec::new();
            let mut power = power_below(self.low);
            while power <= self.high * 1.001 {
                marks.extend(STEPS.iter().map(|step| step * power));
                power *= 10.0;
            }
            return marks.into_iter().filter(inside).collect();
        }
        let step = step(self.high - self.low);
        let count = ((self.high - self.low) / step).round() as u32;
        (0..=count)
            .map(|n| self.low + f64::from(n) * step)
            .collect()
    }
}

/// Marks within a power of ten.
const STEPS: [f64; 3] = [1.0, 2.0, 5.0];

/// The greatest power of ten that is not above a value.
fn power_below(value: f64) -> f64 {
    10_f64.powf(value.log10().floor())
}

/// A round distance of marks, so that there are four to ten of them.
fn step(span: f64) -> f64 {
    let span = if span > 0.0 { span } else { 1.0 };
    let rough = span / 5.0;
    let power = power_below(rough);
    let round = STEPS
        .iter()
        .map(|s| s * power)
        .find(|step| *step >= rough * 0.999);
    round.unwrap_or(10.0 * power)
}

/// The text of a mark.
pub(super) fn mark(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{}M", v / 1e6),
        v if v >= 1e4 => format!("{}k", v / 1e3),
        v if v >= 1.0 || v == 0.0 => format!("{}", (v * 10.0).round() / 10.0),
        v => format!("{}", (v * 1e4).round() / 1e4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logarithmic_scale_gives_equal_ratios_equal_distances() {
        let scale = Scale::around([100.0, 10_000.0].into_iter(), true, (0.0, 200.0));
        assert_eq!(scale.place(100.0), Some(0.0));
        assert_eq!(scale.place(10_000.0), Some(200.0));
        let middle = scale.place(1_000.0).expect("a place");
        assert!((middle - 100.0).abs() < 1e-6, "{middle}");
        assert_eq!(scale.place(0.0), None);
        let marks: Vec<_> = scale.marks().into_iter().map(mark).collect();
        let expected = ["100", "200", "500", "1000", "2000", "5000", "10k"];
        assert_eq!(marks, expected);
    }

    #[test]
    fn a_linear_scale_begins_at_zero_and_ends_at_a_mark() {
        let scale = Scale::around([3.0, 43.0].into_iter(), false, (10.0, 110.0));
        assert_eq!(scale.place(0.0), Some(10.0));
        let marks: Vec<_> = scale.marks().into_iter().map(mark).collect();
        assert_eq!(marks, ["0", "10", "20", "30", "40", "50"]);
        assert_eq!(scale.place(50.0), Some(110.0));
    }

    #[test]
    fn a_scale_of_nothing_or_of_one_value_has_two_ends() {
        for logarithmic in [false, true] {
            for values in [vec![], vec![0.0], vec![7.0], vec![f64::NAN]] {
                let scale = Scale::around(values.into_iter(), logarithmic, (0.0, 1.0));
                assert!(scale.high > scale.low, "{scale:?}");
                assert!(scale.marks().len() >= 2, "{scale:?}");
            }
        }
    }

    #[test]
    fn marks_are_short() {
        let texts: Vec<_> = [0.0, 0.05, 2.0, 500.0, 20_000.0, 1e6]
            .map(mark)
            .into_iter()
            .collect();
        assert_eq!(texts, ["0", "0.05", "2", "500", "20k", "1M"]);
    }
}
