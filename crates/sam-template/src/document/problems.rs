//! Complaints about documents, gathered so that one run names all of them.

use std::collections::BTreeSet;

use crate::model::Diagnostic;

/// Errors and warnings about one file, in the order found.
#[derive(Debug)]
pub struct Problems {
    file: String,
    errors: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    failures: usize,
    illegible: bool,
    /// Line and key of each value of a wrong kind that has been reported.
    wrong_kinds: BTreeSet<(usize, String)>,
}

impl Problems {
    /// Nothing wrong yet with this file (named as the user named it).
    pub fn new(file: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            errors: Vec::new(),
            warnings: Vec::new(),
            failures: 0,
            illegible: false,
            wrong_kinds: BTreeSet::new(),
        }
    }

    /// The file's name, as the user gave it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Something that must be mended before anything runs: what is wrong, and what to write instead.
    pub fn error(&mut self, line: usize, message: impl Into<String>) {
        self.failures += 1;
        let found = self.diagnostic(line, message);
        if !self.errors.contains(&found) {
            self.errors.push(found);
        }
    }

    /// A value of a kind that its key does not take. Several checks look at one value; the first one's message is kept.
    pub fn wrong_kind(&mut self, line: usize, key: &str, message: impl Into<String>) {
        if self.wrong_kinds.insert((line, key.to_owned())) {
            self.error(line, message);
        } else {
            self.taint();
        }
    }

    /// Whether an error about this line has been reported.
    pub fn has_error_on(&self, line: usize) -> bool {
        self.errors.iter().any(|error| error.line == line)
    }

    /// The file could not be read at all: what depends on its contents cannot be judged.
    pub fn illegible(&mut self, line: usize, message: impl Into<String>) {
        self.illegible = true;
        self.error(line, message);
    }

    /// Whether the file was read at all.
    pub fn is_legible(&self) -> bool {
        !self.illegible
    }

    /// A value could not be had because of something already complained of.
    pub fn taint(&mut self) {
        self.failures += 1;
    }

    /// How much has failed so far: compared before and after a piece of work, it tells whether that piece is sound.
    pub fn mark(&self) -> usize {
        self.failures
    }

    /// Something that is not run here, or looks wrong; the rest goes on.
    pub fn warn(&mut self, line: usize, message: impl Into<String>) {
        let found = self.diagnostic(line, message);
        if !self.warnings.contains(&found) {
            self.warnings.push(found);
        }
    }

    /// Whether anything must be mended.
    pub fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// Ends the gathering: the warnings, or every error by line.
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
    fn a_wrong_kind_is_reported_once_for_a_key_and_line() {
        let mut problems = Problems::new("t.yaml");
        problems.wrong_kind(3, "Timeout", "by the reader");
        problems.wrong_kind(3, "Timeout", "by the table");
        problems.wrong_kind(3, "Handler", "another key");
        assert!(problems.has_error_on(3) && !problems.has_error_on(4) && problems.mark() == 3);
        assert_eq!(problems.finish().unwrap_err().len(), 2);
    }

    #[test]
    fn the_same_complaint_is_kept_once_and_all_come_by_line() {
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
