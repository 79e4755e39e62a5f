//! Splits the stored chunks of a seat map into rows.

use crate::sale::Layout;

/// Reads chunks in order and splits them into rows. `None` if one is missing or has a length other
/// than that of the layout.
pub(super) fn rows(
    layout: Layout,
    mut chunk: impl FnMut() -> Option<Vec<u8>>,
) -> Option<Vec<Vec<u8>>> {
    let mut rows = Vec::with_capacity(layout.rows() as usize);
    for n in 0..layout.chunks() {
        let bytes = chunk().filter(|bytes| bytes.len() == layout.chunk_seats(n) as usize)?;
        rows.extend(bytes.chunks(layout.row_len() as usize).map(<[u8]>::to_vec));
    }
    Some(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::SeatIndex;

    #[test]
    fn chunks_become_rows_and_a_missing_chunk_none() {
        let layout = Layout::new(SeatIndex::new(0).expect("valid"), 7, 500).expect("valid");
        let mut chunks = vec![vec![b'0'; 2000], vec![b'1'; 1500]].into_iter();
        let all = rows(layout, || chunks.next()).expect("whole");
        assert_eq!(all.len(), 7);
        assert_eq!((all[3][0], all[4][0]), (b'0', b'1'));
        let mut short = vec![vec![b'0'; 2000]].into_iter();
        assert_eq!(rows(layout, || short.next()), None);
    }
}
