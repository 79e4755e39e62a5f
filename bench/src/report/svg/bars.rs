//! Horizontal bars, which compare a few figures of one unit.

use super::scale::Scale;
use super::{Anchor, COLOURS, Drawing};
use crate::report::digits;

const WIDTH: f64 = 760.0;
/// Space of the names on the left, and of the values on the right.
const LEFT: f64 = 330.0;
const RIGHT: f64 = 90.0;
const TOP: f64 = 40.0;
const ROW: f64 = 24.0;
/// Characters of a name for which there is space.
const NAME: usize = 52;

/// A bar.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bar {
    /// Name.
    pub name: String,
    /// Length.
    pub value: f64,
    /// Bars of the same kind have the same colour.
    pub kind: usize,
}

/// Draws bars, the first at the top.
pub(crate) fn bars(title: &str, bars: &[Bar]) -> String {
    let height = TOP + ROW * bars.len() as f64 + 12.0;
    let values = bars.iter().map(|bar| bar.value);
    let scale = Scale::around(values, false, (LEFT, WIDTH - RIGHT));
    let mut drawing = Drawing::new(WIDTH, height, title);
    drawing.heading(title);
    for (n, bar) in bars.iter().enumerate() {
        let y = TOP + ROW * n as f64;
        let end = scale.place(bar.value).unwrap_or(LEFT).max(LEFT + 1.0);
        let colour = COLOURS[bar.kind % COLOURS.len()];
        drawing.bar(LEFT, y, end - LEFT, ROW - 6.0, colour);
        drawing.text(LEFT - 8.0, y + 13.0, Anchor::End, &shortened(&bar.name));
        let value = format!("{:.*}", digits(bar.value), bar.value);
        drawing.text(end + 6.0, y + 13.0, Anchor::Start, &value);
    }
    drawing.finish()
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= NAME {
        return name.to_owned();
    }
    let begin: String = name.chars().take(NAME - 3).collect();
    format!("{}...", begin.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_bars_are_in_the_ratio_of_their_values() {
        let one = |name: &str, value| Bar {
            name: name.to_owned(),
            value,
            kind: 0,
        };
        let text = bars("Rates", &[one("ours", 50.0), one("theirs", 25.0)]);
        let widths: Vec<f64> = text
            .lines()
            .filter(|line| line.starts_with("<rect x="))
            .filter_map(|line| {
                let width = line.split("width=\"").nth(1)?;
                width.split('"').next()?.parse().ok()
            })
            .collect();
        assert_eq!(widths.len(), 2);
        assert!((widths[0] / widths[1] - 2.0).abs() < 0.01, "{widths:?}");
    }

    #[test]
    fn a_long_name_is_shortened_between_characters() {
        let name = "ä".repeat(NAME + 1);
        assert_eq!(shortened(&name).chars().count(), NAME);
        assert_eq!(shortened("short"), "short");
    }
}
