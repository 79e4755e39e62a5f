//! A line plot.

use super::scale::{Scale, mark};
use super::{Anchor, COLOURS, Drawing};
use crate::report::Plot;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 402.0;
/// Space of the marks on the left, and of the names of the lines on the right.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 170.0;
/// Space of the title, and of the name of the vertical axis above its marks.
const TOP: f64 = 62.0;
const BOTTOM: f64 = 50.0;
const GRID: &str = "#dddddd";

/// Draws a plot.
pub(crate) fn lines(plot: &Plot) -> String {
    let points = || plot.series.iter().flat_map(|series| &series.points);
    let limits = plot.limits.iter().map(|(_, value)| *value);
    let x = Scale::around(
        points().map(|point| point.0),
        plot.x.logarithmic,
        (LEFT, WIDTH - RIGHT),
    );
    let y = Scale::around(
        points().map(|point| point.1).chain(limits),
        plot.y.logarithmic,
        (HEIGHT - BOTTOM, TOP),
    );
    let mut drawing = Drawing::new(WIDTH, HEIGHT, &plot.title);
    drawing.heading(&plot.title);
    axes(&mut drawing, plot, &x, &y);
    for (name, value) in &plot.limits {
        let Some(at) = y.place(*value) else { continue };
        drawing.line((LEFT, at), (WIDTH - RIGHT, at), "#888888", "6 4");
        drawing.text(WIDTH - RIGHT + 8.0, at + 4.0, Anchor::Start, name);
    }
    for (series, colour) in plot.series.iter().zip(COLOURS.iter().cycle()) {
        let placed: Vec<_> = series
            .points
            .iter()
            .filter_map(|(a, b)| Some((x.place(*a)?, y.place(*b)?)))
            .collect();
        drawing.path(&placed, colour);
    }
    legend(&mut drawing, plot);
    drawing.finish()
}

fn axes(drawing: &mut Drawing, plot: &Plot, x: &Scale, y: &Scale) {
    for value in x.marks() {
        let Some(at) = x.place(value) else { continue };
        drawing.line((at, TOP), (at, HEIGHT - BOTTOM), GRID, "none");
        let below = HEIGHT - BOTTOM + 18.0;
        drawing.text(at, below, Anchor::Middle, &mark(value));
    }
    for value in y.marks() {
        let Some(at) = y.place(value) else { continue };
        drawing.line((LEFT, at), (WIDTH - RIGHT, at), GRID, "none");
        drawing.text(LEFT - 8.0, at + 4.0, Anchor::End, &mark(value));
    }
    let middle = LEFT.midpoint(WIDTH - RIGHT);
    drawing.text(middle, HEIGHT - 10.0, Anchor::Middle, &plot.x.name);
    drawing.text(12.0, TOP - 18.0, Anchor::Start, &plot.y.name);
}

/// The names of the lines, from the top of the right side.
fn legend(drawing: &mut Drawing, plot: &Plot) {
    for (n, (series, colour)) in plot.series.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let (x, y) = (WIDTH - RIGHT + 12.0, TOP + 8.0 + 18.0 * n as f64);
        drawing.bar(x, y, 12.0, 3.0, colour);
        drawing.text(x + 18.0, y + 5.0, Anchor::Start, &series.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Axis, Series};

    #[test]
    fn each_point_of_a_line_has_a_mark_inside_of_the_drawing() {
        let plot = Plot {
            title: "Latency".to_owned(),
            x: Axis {
                name: "orders/s".to_owned(),
                logarithmic: true,
            },
            y: Axis {
                name: "ms".to_owned(),
                logarithmic: true,
            },
            series: vec![Series {
                name: "p99".to_owned(),
                points: vec![(100.0, 3.0), (1_000.0, 9.0), (5_000.0, 0.0)],
            }],
            limits: vec![("50 ms".to_owned(), 50.0)],
        };
        let text = lines(&plot);
        // A value of 0 has no place on a logarithmic axis.
        assert_eq!(text.matches("<circle").count(), 2);
        assert_eq!(text.matches("stroke-dasharray=\"6 4\"").count(), 1);
        for place in text.split("cy=\"").skip(1) {
            let place: f64 = place
                .split('"')
                .next()
                .unwrap_or_default()
                .parse()
                .expect("a place");
            assert!((TOP..=HEIGHT - BOTTOM).contains(&place), "{place}");
        }
    }
}
