//! Output for the user. Colours and moving progress bars appear on a terminal only.

use std::cell::Cell;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

fn paint(code: &str, text: &str) -> String {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if plain || !std::io::stdout().is_terminal() {
        text.to_owned()
    } else {
        format!("\x1b[{code}m{text}\x1b[0m")
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

/// The result of a check. Returns it.
pub(crate) fn checked(correct: bool, text: &str) -> bool {
    let print: fn(&str) = if correct { done } else { fault };
    print(text);
    correct
}

/// A progress bar on a terminal; elsewhere a line every few seconds.
pub(crate) struct Bar {
    pub drawn: ProgressBar,
    last_line: Cell<Instant>,
}

impl Bar {
    pub(crate) fn new(what: &'static str, total: u64) -> Self {
        let style = ProgressStyle::with_template("  {msg:24} {bar:32.green/dim} {pos}/{len}");
        let drawn = ProgressBar::new(total).with_message(what);
        Self {
            drawn: drawn.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())),
            last_line: Cell::new(Instant::now()),
        }
    }

    pub(crate) fn set(&self, position: u64) {
        let Self { drawn, last_line } = self;
        drawn.set_position(position);
        if drawn.is_hidden() && last_line.get().elapsed() > Duration::from_secs(5) {
            last_line.set(Instant::now());
            let total = drawn.length().unwrap_or(0);
            line(&format!("{}: {position} of {total}", drawn.message()));
        }
    }
}
