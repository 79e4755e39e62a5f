//! Finding the record that fails a batch, left to right.

use std::ops::Range;

/// The parts of a batch still to be tried, leftmost first.
///
/// Everything left of the part in hand has been dealt with, so progress may always be recorded over the contiguous prefix.
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
    /// To do, the leftmost last.
    stack: Vec<Range<usize>>,
}

impl Bisect {
    /// A batch of `len` records, tried whole at first.
    pub fn new(len: usize) -> Self {
        let whole = 0..len;
        Self {
            stack: if len == 0 { vec![] } else { vec![whole] },
        }
    }

    /// Puts a part that failed back as two halves, the left one next. False for a single record: that is the one.
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
