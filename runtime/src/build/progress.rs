//! Shows the progress of a cargo build.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Interval between lines if the output is no terminal.
const PLAIN_INTERVAL: Duration = Duration::from_secs(15);

/// A spinner on a terminal, else a line every [`PLAIN_INTERVAL`].
pub(super) struct BuildProgress {
    bar: Option<ProgressBar>,
    started: Instant,
    told: Instant,
    crates: usize,
    compiled: usize,
    functions: usize,
}

impl BuildProgress {
    pub(super) fn new(functions: usize, profile: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        let now = Instant::now();
        let progress = Self {
            bar,
            started: now,
            told: now,
            crates: 0,
            compiled: 0,
            functions,
        };
        match &progress.bar {
            Some(bar) => bar.set_message(format!(
                "building {functions} functions (profile {profile})"
            )),
            None => eprintln!("building {functions} functions (profile {profile})"),
        }
        progress
    }

    pub(super) fn step(&mut self, name: &str, fresh: bool) {
        self.crates += 1;
        self.compiled += usize::from(!fresh);
        let text = format!(
            "building {} functions: {} crates done, last {name}",
            self.functions, self.crates
        );
        match &self.bar {
            Some(bar) => bar.set_message(text),
            None if self.told.elapsed() >= PLAIN_INTERVAL => {
                self.told = Instant::now();
                eprintln!("{text}");
            }
            None => {}
        }
    }

    pub(super) fn end(&self, success: bool) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if success {
            eprintln!(
                "{} functions ready ({} crates compiled, {:.1} s)",
                self.functions,
                self.compiled,
                self.started.elapsed().as_secs_f64()
            );
        }
    }
}
