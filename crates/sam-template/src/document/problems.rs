//! Errors and warnings about documents, collected so that one run reports all of them.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::model::Diagnostic;

/// Errors and warnings about one file, in the order found. Every reader of the file shares the
/// list, so reporting needs no exclusive access.
#[derive(Debug)]
pub struct Problems {
    file: String,
    found: RefCell<Found>,
}

#[derive(Debug, Default)]
struct Found {
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
            found: RefCell::default(),
        }
    }

    /// The file's name, as the user gave it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Reports an error: what is wrong, and what to write instead. A repeated one is kept once.
    pub fn error(&self, line: usize, message: impl Into<String>) {
        self.count_failure();
        self.add(|found| &mut found.errors, line, message.into());
    }

    /// Reports an error about another file, which this one contradicts.
    pub fn other_file(&self, error: Diagnostic) {
        self.count_failure();
        let list = &mut self.found.borrow_mut().errors;
        if !list.contains(&error) {
            list.push(error);
        }
    }

    /// Reports a value of a kind that its key does not take. Several checks read one value; the
    /// first message is kept.
    pub fn wrong_kind(&self, line: usize, key: &str, message: impl Into<String>) {
        let place = (line, key.to_owned());
        if self.found.borrow_mut().wrong_kinds.insert(place) {
            self.error(line, message);
        } else {
            self.count_failure();
        }
    }

    /// Whether this line has an error.
    pub fn has_error_on(&self, line: usize) -> bool {
        let found = self.found.borrow();
        found.errors.iter().any(|error| error.line == line)
    }

    /// Reports that the file could not be read, so its contents cannot be checked.
    pub fn unreadable(&self, line: usize, message: impl Into<String>) {
        self.found.borrow_mut().unreadable = true;
        self.error(line, message);
    }

    /// Whether the file could be read.
    pub fn is_readable(&self) -> bool {
        !self.found.borrow().unreadable
    }

    /// Counts a value that is missing because of an error already reported.
    pub fn count_failure(&self) {
        self.found.borrow_mut().failures += 1;
    }

    /// Failures so far. A caller compares the count before and after a step to learn whether the
    /// step failed.
    pub fn failures(&self) -> usize {
        self.found.borrow().failures
    }

    /// Reports something that is not run here, or looks wrong, without failing.
    pub fn warn(&self, line: usize, message: impl Into<String>) {
        self.add(|found| &mut found.warnings, line, message.into());
    }

    /// Whether any error was reported.
    pub fn has_errors(&self) -> bool {
        !self.found.borrow().errors.is_empty()
    }

    /// Runs a step and returns what it yields, and its errors if it failed. None of its problems
    /// are kept here.
    pub fn apart<T>(&self, step: impl FnOnce() -> T) -> (T, Result<(), Vec<Diagnostic>>) {
        let before = self.found.take();
        let value = step();
        let own = self.found.replace(before);
        let sound = own.failures == 0;
        (value, if sound { Ok(()) } else { Err(own.errors) })
    }

    /// Runs a step of which no problem counts.
    pub fn ignoring<T>(&self, step: impl FnOnce() -> T) -> T {
        self.apart(step).0
    }

    /// The warnings by line.
    ///
    /// # Errors
    /// Every error by line, when there is one; those about other files last.
    pub fn finish(self) -> Result<Vec<Diagnostic>, Vec<Diagnostic>> {
        let Found {
            mut errors,
            mut warnings,
            ..
        } = self.found.into_inner();
        errors.sort_by_key(|d| (d.file != self.file, d.line));
        warnings.sort_by_key(|d| d.line);
        if errors.is_empty() {
            Ok(warnings)
        } else {
            Err(errors)
        }
    }

    fn add(
        &self,
        list: impl FnOnce(&mut Found) -> &mut Vec<Diagnostic>,
        line: usize,
        message: String,
    ) {
        let file = self.file.clone();
        let diagnostic = Diagnostic {
            file,
            line,
            message,
        };
        let mut found = self.found.borrow_mut();
        let list = list(&mut found);
        if !list.contains(&diagnostic) {
            list.push(diagnostic);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_kind_is_reported_once() {
        let problems = Problems::new("t.yaml");
        problems.wrong_kind(3, "Timeout", "by the reader");
        problems.wrong_kind(3, "Timeout", "by the table");
        problems.wrong_kind(3, "Handler", "another key");
        assert!(problems.has_error_on(3) && !problems.has_error_on(4) && problems.failures() == 3);
        assert_eq!(problems.finish().unwrap_err().len(), 2);
    }

    #[test]
    fn repeated_errors_are_kept_once_and_sorted() {
        let problems = Problems::new("t.yaml");
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
