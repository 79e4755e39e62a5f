//! Errors and warnings about documents, collected so that one run reports all of them.

use std::collections::BTreeSet;

use crate::model::Diagnostic;

/// Errors and warnings about one file, in the order found.
#[derive(Debug)]
pub struct Problems {
    file: String,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    failures: usize,
    unreadable: bool,
    /// Line and key of each value of a wrong kind that has been reported.
    wrong_kinds: BTreeSet<(usize, String)>,
}

impl Problems {
    /// An empty list for this file, named as the user named it.
    pub fn new(file: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            errors: Vec::new(),
            warnings: Vec::new(),
            failures: 0,
            unreadable: false,
            wrong_kinds: BTreeSet::new(),
        }
    }

    /// The file's name, as the user gave it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Reports an error: what is wrong, and what to write instead. A repeated one is kept once.
    pub fn error(&mut self, line: usize, message: impl Into<String>) {
        self.failures += 1;
        let found = self.diagnostic(line, message);
        if !self.errors.contains(&found) {
            self.errors.push(found);
        }
    }

    /// Reports a value of a kind that its key does not take. Several checks read one value; the
    /// first message is kept.
    pub fn wrong_kind(&mut self, line: usize, key: &str, message: impl Into<String>) {
        if self.wrong_kinds.insert((line, key.to_owned())) {
            self.error(line, message);
        } else {
            self.count_failure();
        }
    }

    /// Whether this line has an error.
    pub fn has_error_on(&self, line: usize) -> bool {
        self.errors.iter().any(|error| error.line == line)
    }

    /// Reports that the file could not be read, so its contents cannot be checked.
    pub fn unreadable(&mut self, line: usize, message: impl Into<String>) {
        self.unreadable = true;
        self.error(line, message);
    }

    /// Whether the file could be read.
    pub fn is_readable(&self) -> bool {
        !self.unreadable
    }

    /// Counts a value that is missing because of an error already reported.
    pub fn count_failure(&mut self) {
        self.failures += 1;
    }

    /// Failures so far. A caller compares the count before and after a step to learn whether the
    /// step failed.
    pub fn failures(&self) -> usize {
        self.failures
    }

    /// Reports something that is not run here, or looks wrong, without failing.
    pub fn warn(&mut self, line: usize, message: impl Into<String>) {
        let found = self.diagnostic(line, message);
        if !self.warnings.contains(&found) {
            self.warnings.push(found);
        }
    }

    /// Whether any error was reported.
    pub fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// The warnings by line.
    ///
    /// # Errors
    /// Every error by line, when there is one.
    pub fn finish(mut self) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
        if self.errors.is_empty() {
            self.warnings.sort_by_key(|d| d.line);
            Ok(self.warnings)
        } else {
            self.errors.sort_by_key(|d| d.line);
            Err(self.errors)
        }
    }

    fn diagnostic(&self, line: usize, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            file: self.file.clone(),
            line,
            message: message.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_kind_is_reported_once() {
        let mut problems = Problems::new("t.yaml");
        problems.wrong_kind(3, "Timeout", "by the reader");
        problems.wrong_kind(3, "Timeout", "by the table");
        problems.wrong_kind(3, "Handler", "another key");
        assert!(problems.has_error_on(3) && !problems.has_error_on(4) && problems.failures() == 3);
        assert_eq!(problems.finish().unwrap_err().len(), 2);
    }

    #[test]
    fn repeated_errors_are_kept_once_and_sorted() {
        let mut problems = Problems::new("t.yaml");
        problems.error(9, "late");
        problems.error(2, "early");
        problems.error(9, "late");
        let lines: Vec<usize> = problems
            .finish()
            .unwrap_err()
            .iter()
            .map(|d| d.line)
            .collect();
        assert_eq!(lines, [2, 9]);
    }
}
