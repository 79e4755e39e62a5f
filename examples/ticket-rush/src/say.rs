//! What the user reads: short lines, colour only on a terminal, bars only where they can move.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

fn colour() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

fn paint(code: &str, text: &str) -> String {
    if colour() {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// A chapter of the story.
pub(crate) fn title(text: &str) {
    println!("\n{}", paint("1", text));
}

/// One thing that happened or is so.
pub(crate) fn line(text: &str) {
    println!("  {text}");
}

/// One thing that was done.
pub(crate) fn done(text: &str) {
    println!("  {} {text}", paint("32", "ok"));
}

/// Something broken on purpose.
pub(crate) fn fault(text: &str) {
    println!("  {} {text}", paint("33", "!!"));
}

/// A bar of `total` steps on a terminal; elsewhere a line every few seconds.
pub(crate) struct Bar {
    drawn: ProgressBar,
    what: String,
    told: std::cell::Cell<Option<std::time::Instant>>,
}

impl Bar {
    pub(crate) fn new(what: &str, total: u64) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if terminal {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        let template = if colour() {
            "  {msg:24} {bar:32.green/dim} {pos}/{len}"
        } else {
            "  {msg:24} {bar:32} {pos}/{len}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        let told = std::cell::Cell::new((!terminal).then(std::time::Instant::now));
        Self {
            drawn: bar,
            what: what.to_owned(),
            told,
        }
    }

    pub(crate) fn set(&self, position: u64) {
        self.drawn.set_position(position);
        if self
            .told
            .get()
            .is_some_and(|t| t.elapsed() > Duration::from_secs(5))
        {
            self.told.set(Some(std::time::Instant::now()));
            line(&format!(
                "{}: {position} of {}",
                self.what,
                self.drawn.length().unwrap_or(0)
            ));
        }
    }

    /// A line above the bar.
    pub(crate) fn above(&self, print: impl FnOnce()) {
        self.drawn.suspend(print);
    }

    pub(crate) fn finish(self) {
        self.drawn.finish_and_clear();
    }
}
