//! What this machine lacks for an application, and how to mend it: the checks of `usher up` and some more, each told even when it is well.
//!
//! `checks` looks; what it finds is data ([`Finding`]), which the command line prints. Nothing is changed, started or built.

mod checks;
mod redis;

use std::fmt;

pub use checks::{Subject, examine};

/// How serious it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Ok,
    /// The application starts, and something will not work, or works badly.
    Warn,
    /// The application does not start.
    Fail,
}

/// One thing looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How serious.
    pub level: Level,
    /// What was looked at, and what is to be done where it is not well.
    pub text: String,
}

impl Finding {
    fn new(level: Level, text: impl Into<String>) -> Self {
        Self {
            level,
            text: text.into(),
        }
    }

    /// Something well if there are no problems, else each of them.
    fn each(well: &str, level: Level, problems: Vec<String>) -> Vec<Self> {
        if problems.is_empty() {
            return vec![Self::new(Level::Ok, well)];
        }
        problems
            .into_iter()
            .map(|problem| Self::new(level, problem))
            .collect()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok  ",
            Level::Warn => "warn",
            Level::Fail => "fail",
        };
        // a text of several lines stays one finding
        write!(f, "{level}  {}", self.text.replace('\n', "\n      "))
    }
}
