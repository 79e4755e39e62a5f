//! Plots as SVG, readable on a light and on a dark page.
//!
//! | file | draws |
//! |---|---|
//! | `lines` | a line plot with linear or logarithmic axes |
//! | `bars` | horizontal bars |
//! | `scale` | places and marks of an axis |

mod bars;
mod lines;
mod scale;

use std::fmt::{Display, Write};

pub(crate) use bars::{Bar, bars};
pub(crate) use lines::lines;

/// Colours of series, told apart with every common kind of colour blindness (Okabe and Ito, 2008).
const COLOURS: [&str; 7] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555",
];

/// A drawing.
struct Drawing(String);

/// Side of a place at which a text begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Anchor {
    Start,
    Middle,
    End,
}

impl Drawing {
    /// An empty drawing of this size on white ground.
    fn new(width: f64, height: f64, title: &str) -> Self {
        let title = escape(title);
        Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" role=\"img\" \
             font-family=\"system-ui, sans-serif\" font-size=\"12\">\n\
             <title>{title}</title>\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
        ))
    }

    fn text(&mut self, x: f64, y: f64, anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escape(text);
        self.put(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#222222\">{text}</text>"
        ));
    }

    fn heading(&mut self, text: &str) {
        let text = escape(text);
        self.put(format_args!(
            "<text x=\"12\" y=\"22\" font-size=\"14\" font-weight=\"600\" \
             fill=\"#222222\">{text}</text>"
        ));
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: &str, dashes: &str) {
        self.put(format_args!(
            "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\" \
             stroke-dasharray=\"{dashes}\"/>",
            from.0, from.1, to.0, to.1
        ));
    }

    fn path(&mut self, points: &[(f64, f64)], colour: &str) {
        let text = points
            .iter()
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect::<Vec<_>>()
            .join(" ");
        self.put(format_args!(
            "<polyline points=\"{text}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>"
        ));
        for (x, y) in points {
            self.put(format_args!(
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>"
            ));
        }
    }

    fn bar(&mut self, x: f64, y: f64, width: f64, height: f64, colour: &str) {
        self.put(format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             fill=\"{colour}\"/>"
        ));
    }

    fn put(&mut self, element: impl Display) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{element}");
    }

    fn finish(mut self) -> String {
        self.0 += "</svg>\n";
        self.0
    }
}

/// Text of an element: what XML would read as markup is escaped.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_a_text_is_escaped() {
        let mut drawing = Drawing::new(10.0, 10.0, "a < b");
        drawing.text(1.0, 2.0, Anchor::Middle, "x & <y>");
        let text = drawing.finish();
        assert!(text.contains("<title>a &lt; b</title>"));
        assert!(text.contains(">x &amp; &lt;y&gt;</text>"));
        assert!(text.ends_with("</svg>\n"));
    }
}
