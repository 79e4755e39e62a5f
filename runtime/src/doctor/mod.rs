//! Checks whether this machine has what an application needs: the preflight checks of `usher up`
//! and more, each with its result.
//!
//! Results are data ([`Finding`]), which the command line prints. Nothing is changed, started or
//! built.

mod checks;
mod redis;

use std::fmt;

pub use checks::{DoctorInput, run_checks};

/// Severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The check passed.
    Ok,
    /// The application starts, but part of it will not work as intended.
    Warn,
    /// The application will not start.
    Fail,
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Severity.
    pub severity: Severity,
    /// What was checked, and the remedy if the check failed.
    pub text: String,
}

impl Finding {
    fn new(severity: Severity, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { severity, text }
    }

    /// A check that passed.
    pub fn ok(text: impl Into<String>) -> Self {
        Self::new(Severity::Ok, text)
    }

    /// Something that will not work as intended.
    pub fn warn(text: impl Into<String>) -> Self {
        Self::new(Severity::Warn, text)
    }

    /// Why the application will not start.
    pub fn fail(text: impl Into<String>) -> Self {
        Self::new(Severity::Fail, text)
    }

    /// One passed check if there are no problems, else a finding for each problem.
    pub fn each(passed: &str, severity: Severity, problems: Vec<String>) -> Vec<Self> {
        if problems.is_empty() {
            return vec![Self::ok(passed)];
        }
        problems
            .into_iter()
            .map(|problem| Self::new(severity, problem))
            .collect()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Ok => "ok  ",
            Severity::Warn => "warn",
            Severity::Fail => "fail",
        };
        // Further lines are indented.
        write!(f, "{severity}  {}", self.text.replace('\n', "\n      "))
    }
}
