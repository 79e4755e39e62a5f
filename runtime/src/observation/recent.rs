//! The newest items of a sequence.

use std::collections::VecDeque;

/// Keeps the newest items, up to a maximum.
#[derive(Debug, Clone)]
pub struct Recent<T> {
    max: usize,
    pushed: u64,
    items: VecDeque<T>,
}

impl<T> Recent<T> {
    /// Keeps `max` items.
    pub fn new(max: usize) -> Self {
        Self {
            max,
            pushed: 0,
            items: VecDeque::with_capacity(max),
        }
    }

    /// Adds an item; beyond the maximum the oldest is removed.
    pub fn push(&mut self, item: T) {
        self.pushed += 1;
        if self.items.len() == self.max {
            self.items.pop_front();
        }
        if self.max > 0 {
            self.items.push_back(item);
        }
    }

    /// Newest first.
    pub fn newest(&self) -> impl Iterator<Item = &T> {
        self.items.iter().rev()
    }

    /// Newest first, each with its number, counted from 1.
    pub fn numbered(&self) -> impl Iterator<Item = (u64, &T)> {
        (0..self.pushed)
            .rev()
            .map(|before| before + 1)
            .zip(self.newest())
    }
}

/// At most `max` bytes of a text, cut between characters and marked with an ellipsis.
pub fn shortened(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let end = (0..=max)
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0);
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_removed() {
        let mut recent = Recent::new(2);
        (1..=3).for_each(|n| recent.push(n));
        assert_eq!(recent.numbered().collect::<Vec<_>>(), [(3, &3), (2, &2)]);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(shortened("äää", 3), "ä…");
        assert_eq!(shortened("abc", 3), "abc");
    }
}
