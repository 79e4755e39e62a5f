//! The drawing: accepted and failed orders, latency, and the faults, over one axis of time.

use std::fmt::Write;

use super::answers::{Answers, Interval};
use super::page::escape;
use crate::faults::Applied;
use crate::place::{Resource, resources};

const WIDTH: f64 = 1120.0;
const LEFT: f64 = 116.0;
const RIGHT: f64 = 16.0;
/// Height of a plot, and the space above it for its title.
const PLOT: f64 = 120.0;
const TITLE: f64 = 26.0;
/// Height of a row of faults.
const ROW: f64 = 20.0;
/// Narrowest mark of a fault.
const MARK: f64 = 4.0;
/// Latency has a logarithmic axis from 1 ms to 100 s.
const DECADES: f64 = 5.0;

/// Draws all as SVG.
pub(super) fn draw(answers: &Answers, faults: &[Applied]) -> String {
    let rows: Vec<Resource> = resources().collect();
    let faults_top = 2.0 * (TITLE + PLOT) + TITLE;
    let bottom = faults_top + rows.len() as f64 * ROW;
    let mut drawing = Drawing {
        svg: String::new(),
        span: answers.span,
    };
    let height = bottom + 28.0;
    drawing.put(&format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"Orders, latency and faults over time\">"
    ));
    drawing.shade(faults, bottom);
    drawing.rates(&answers.intervals);
    drawing.latency(&answers.intervals, TITLE + PLOT);
    drawing.faults(&rows, faults, faults_top);
    drawing.axis(bottom);
    drawing.put("</svg>");
    drawing.svg
}

struct Drawing {
    svg: String,
    span: [u64; 2],
}

impl Drawing {
    fn put(&mut self, element: &str) {
        self.svg += element;
        self.svg.push('\n');
    }

    fn text(&mut self, x: f64, y: f64, class: &str, text: &str) {
        let text = escape(text);
        self.put(&format!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{text}</text>"
        ));
    }

    /// Place of a time, milliseconds since 1970.
    fn x(&self, time: u64) -> f64 {
        let [begin, end] = self.span;
        let time = time.clamp(begin, end) - begin;
        LEFT + (WIDTH - LEFT - RIGHT) * time as f64 / (end - begin).max(1) as f64
    }

    /// Faults as bands behind the plots.
    fn shade(&mut self, faults: &[Applied], bottom: f64) {
        for fault in faults.iter().filter(|fault| fault.result.is_ok()) {
            let [from, to] = fault.span.map(|time| self.x(time));
            let width = (to - from).max(1.0);
            let height = bottom - TITLE;
            self.put(&format!(
                "<rect x=\"{from:.1}\" y=\"{TITLE}\" width=\"{width:.1}\" height=\"{height:.1}\" \
                 class=\"band\"/>"
            ));
        }
    }

    fn rates(&mut self, intervals: &[Interval]) {
        let all = |one: &Interval| one.accepted.max(one.refused).max(one.failed);
        let highest = intervals.iter().map(all).fold(1.0, f64::max);
        let base = TITLE + PLOT;
        self.text(LEFT, 16.0, "title", "Orders of a second");
        self.legend(&[("accepted", "good"), ("refused", "even"), ("failed", "bad")]);
        self.mark(base, "0");
        self.mark(TITLE, &format!("{highest:.0}"));
        let y = |rate: f64| base - PLOT * rate / highest;
        self.line(intervals, "good", |one| Some(y(one.accepted)));
        self.line(intervals, "even", |one| Some(y(one.refused)));
        self.line(intervals, "bad", |one| Some(y(one.failed)));
    }

    fn latency(&mut self, intervals: &[Interval], top: f64) {
        let base = top + TITLE + PLOT;
        self.text(
            LEFT,
            top + 18.0,
            "title",
            "Time until the answer: median and 99 %",
        );
        for (decade, label) in ["1 ms", "10 ms", "100 ms", "1 s", "10 s"]
            .iter()
            .enumerate()
        {
            self.mark(base - PLOT * decade as f64 / DECADES, label);
        }
        let y = |millis: u64| base - PLOT * (millis.max(1) as f64).log10().min(DECADES) / DECADES;
        self.line(intervals, "good", |one| {
            one.latency.map(|[median, _]| y(median))
        });
        self.line(intervals, "bad", |one| one.latency.map(|[_, high]| y(high)));
    }

    fn faults(&mut self, rows: &[Resource], faults: &[Applied], top: f64) {
        self.text(LEFT, top - 8.0, "title", "Faults");
        for (n, row) in rows.iter().enumerate() {
            let y = top + n as f64 * ROW;
            let name = match row {
                Resource::Host => "functions, host".to_owned(),
                Resource::Clocks => "clocks".to_owned(),
                Resource::Provider => "payment provider".to_owned(),
                Resource::Server(server) => server.to_string(),
            };
            self.text(LEFT - 8.0, y + 14.0, "label", &name);
            let rule = y + ROW;
            self.put(&format!(
                "<line x1=\"{LEFT}\" y1=\"{rule:.1}\" x2=\"{:.1}\" y2=\"{rule:.1}\" class=\"rule\"/>",
                WIDTH - RIGHT
            ));
            for fault in faults
                .iter()
                .filter(|fault| fault.kind.needs().contains(row))
            {
                self.fault(fault, y);
            }
        }
    }

    fn fault(&mut self, fault: &Applied, y: f64) {
        let [from, to] = fault.span.map(|time| self.x(time));
        let width = (to - from).max(MARK);
        let (class, result) = match &fault.result {
            Ok(result) => ("fault", result.clone()),
            Err(error) => ("missed", format!("not applied: {error:#}")),
        };
        let seconds = (fault.span[0] - self.span[0]) as f64 / 1000.0;
        let title = escape(&format!("{seconds:.1} s: {} ({result})", fault.kind));
        self.put(&format!(
            "<rect x=\"{from:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{:.1}\" rx=\"2\" \
             class=\"{class}\"><title>{title}</title></rect>",
            y + 3.0,
            ROW - 6.0
        ));
    }

    /// A line through the intervals; it is interrupted where there is no value.
    fn line(&mut self, intervals: &[Interval], class: &str, y: impl Fn(&Interval) -> Option<f64>) {
        let mut path = String::new();
        let mut drawn = false;
        let [begin, end] = self.span;
        let length = (end - begin) as f64 / intervals.len().max(1) as f64;
        for (n, interval) in intervals.iter().enumerate() {
            let time = begin + ((n as f64 + 0.5) * length) as u64;
            let Some(y) = y(interval) else {
                drawn = false;
                continue;
            };
            // Writing to a string does not fail.
            let _ = write!(
                path,
                "{}{:.1} {y:.1} ",
                if drawn { 'L' } else { 'M' },
                self.x(time)
            );
            drawn = true;
        }
        self.put(&format!("<path d=\"{path}\" class=\"line {class}\"/>"));
    }

    fn mark(&mut self, y: f64, label: &str) {
        self.text(LEFT - 8.0, y + 4.0, "label", label);
        self.put(&format!(
            "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{y:.1}\" class=\"rule\"/>",
            WIDTH - RIGHT
        ));
    }

    fn legend(&mut self, entries: &[(&str, &str)]) {
        for (n, (name, class)) in entries.iter().enumerate() {
            let x = LEFT + 170.0 + n as f64 * 96.0;
            self.put(&format!(
                "<line x1=\"{x}\" y1=\"12\" x2=\"{}\" y2=\"12\" class=\"line {class}\"/>",
                x + 18.0
            ));
            self.text(x + 24.0, 16.0, "legend", name);
        }
    }

    /// About ten marks of time, in whole seconds or minutes.
    fn axis(&mut self, y: f64) {
        let [begin, end] = self.span;
        let seconds = (end - begin) / 1000;
        let steps = [5, 10, 15, 30, 60, 120, 300, 600];
        let step = steps.into_iter().find(|step| seconds / step <= 12);
        let step = step.unwrap_or(1200);
        for mark in (0..=seconds).step_by(step as usize) {
            let x = self.x(begin + mark * 1000);
            let label = if step < 60 {
                format!("{mark} s")
            } else {
                format!("{} min", mark / 60)
            };
            self.text(x, y + 18.0, "tick", &label);
        }
    }
}
