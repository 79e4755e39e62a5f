//! Output for the user. Colours and moving progress bars appear on a terminal only.

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

/// Title of a section.
pub(crate) fn title(text: &str) {
    println!("\n{}", paint("1", text));
}

/// One line of information.
pub(crate) fn line(text: &str) {
    println!("  {text}");
}

/// One completed step.
pub(crate) fn done(text: &str) {
    println!("  {} {text}", paint("32", "ok"));
}

/// An injected fault, or a failed check.
pub(crate) fn fault(text: &str) {
    println!("  {} {text}", paint("33", "!!"));
}

/// A progress bar on a terminal; elsewhere a line every few seconds.
pub(crate) struct Bar {
    drawn: ProgressBar,
    what: String,
    last_line: std::cell::Cell<Option<std::time::Instant>>,
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
        let last_line = std::cell::Cell::new((!terminal).then(std::time::Instant::now));
        Self {
            drawn: bar,
            what: what.to_owned(),
            last_line,
        }
    }

    pub(crate) fn set(&self, position: u64) {
        self.drawn.set_position(position);
        if self
            .last_line
            .get()
            .is_some_and(|t| t.elapsed() > Duration::from_secs(5))
        {
            self.last_line.set(Some(std::time::Instant::now()));
            line(&format!(
                "{}: {position} of {}",
                self.what,
                self.drawn.length().unwrap_or(0)
            ));
        }
    }

    /// Prints above the bar.
    pub(crate) fn above(&self, print: impl FnOnce()) {
        self.drawn.suspend(print);
    }

    pub(crate) fn finish(self) {
        self.drawn.finish_and_clear();
    }
}
