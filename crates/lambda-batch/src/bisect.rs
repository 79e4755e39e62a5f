//! Finds the record that fails a batch, left to right.

use std::ops::Range;

/// The parts of a batch that are still to be tried, leftmost first.
///
/// Everything left of the current part is finished, so progress may be recorded over the contiguous
/// prefix.
///
/// ```
/// use lambda_batch::Bisect;
///
/// // Record 2 of 0..4 always fails.
/// let mut parts = Bisect::new(4);
/// let mut parked = vec![];
/// while let Some(part) = parts.next() {
///     if part.contains(&2) && !parts.split(&part) {
///         parked.push(part.start);
///     }
/// }
/// assert_eq!(parked, [2]);
/// ```
#[derive(Debug, Clone)]
pub struct Bisect {
    /// The remaining parts, the leftmost last.
    stack: Vec<Range<usize>>,
}

impl Bisect {
    /// A batch of `len` records, first tried as a whole.
    pub fn new(len: usize) -> Self {
        let whole = 0..len;
        Self {
            stack: if len == 0 { vec![] } else { vec![whole] },
        }
    }

    /// Returns a failed part as two halves, the left one next. False if the part is a single
    /// record.
    pub fn split(&mut self, part: &Range<usize>) -> bool {
        if part.len() < 2 {
            return false;
        }
        let middle = part.start + part.len() / 2;
        self.stack.push(middle..part.end);
        self.stack.push(part.start..middle);
        true
    }
}

impl Iterator for Bisect {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        self.stack.pop()
    }
}
