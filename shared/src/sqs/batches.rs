//! Splits messages into requests.

use std::ops::Range;

use super::{MAX_BATCH, MAX_BYTES};

/// Splits messages of these sizes, in order, into as few requests as possible, each of at most
/// [`MAX_BATCH`] messages and [`MAX_BYTES`] bytes. A message larger than that is a request of its
/// own.
///
/// ```
/// assert_eq!(shared::sqs::batches(&[700_000, 300_000, 100_000]), [0..2, 2..3]);
/// ```
pub fn batches(sizes: &[usize]) -> Vec<Range<usize>> {
    let mut all = Vec::new();
    let mut from = 0;
    let mut bytes = 0;
    for (at, size) in sizes.iter().enumerate() {
        if at > from && (at - from == MAX_BATCH || bytes + size > MAX_BYTES) {
            all.push(from..at);
            (from, bytes) = (at, 0);
        }
        bytes += size;
    }
    if from < sizes.len() {
        all.push(from..sizes.len());
    }
    all
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn requests_are_complete_within_bounds_and_full(
            sizes in prop::collection::vec(prop_oneof![0..2_000_usize, 0..MAX_BYTES + 2], 0..60),
        ) {
            let all = batches(&sizes);
            let mut next = 0;
            for batch in &all {
                prop_assert_eq!(batch.start, next);
                next = batch.end;
                let bytes: usize = sizes[batch.clone()].iter().sum();
                prop_assert!(!batch.is_empty() && batch.len() <= MAX_BATCH);
                prop_assert!(bytes <= MAX_BYTES || batch.len() == 1);
                if let Some(more) = sizes.get(batch.end) {
                    let full = batch.len() == MAX_BATCH || bytes + more > MAX_BYTES;
                    prop_assert!(full, "{batch:?} has room for one more");
                }
            }
            prop_assert_eq!(next, sizes.len());
        }
    }
}
