//! The word that a misspelt one most likely stands for.

/// The candidate nearest to `word`, if at most a third of its bytes differ.
///
/// ```
/// assert_eq!(event_sources::suggestion::nearest("prefx", ["prefix", "suffix"]), Some("prefix"));
/// ```
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.len() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| {
            (
                distance(&word.to_lowercase(), &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance, over bytes: enough for identifiers.
fn distance(a: &str, b: &str) -> usize {
    let a = a.as_bytes();
    let b = b.as_bytes();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_word_finds_its_neighbour_and_nonsense_finds_none() {
        assert_eq!(nearest("Timout", ["Handler", "Timeout"]), Some("Timeout"));
        assert_eq!(nearest("handler", ["Handler", "Timeout"]), Some("Handler"));
        assert_eq!(nearest("Colour", ["Handler", "Timeout"]), None);
    }
}
