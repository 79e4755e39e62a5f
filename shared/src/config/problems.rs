//! The problems of the settings, as one readable error.

use std::fmt;

/// One variable that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The variable, or several that contradict each other.
    pub variable: String,
    /// What is wrong, with the value unless it is a secret: `is missing`, `is "many"`.
    pub wrong: String,
    /// What is allowed.
    pub allowed: String,
}

/// All problems of the settings, at least one. `Debug` prints the same as `Display`, so that an
/// error returned from `main` is readable.
#[derive(Clone, PartialEq, Eq)]
pub struct Problems(pub(super) Vec<Problem>);

impl Problems {
    /// The problems, in the order they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.0.len();
        write!(
            f,
            "{n} setting{} of the environment cannot be used:",
            if n == 1 { "" } else { "s" }
        )?;
        for p in &self.0 {
            write!(
                f,
                "\n  {} {}; it must be {}",
                p.variable, p.wrong, p.allowed
            )?;
        }
        Ok(())
    }
}

impl fmt::Debug for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Problems {}
