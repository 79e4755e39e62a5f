//! The last few of something.

use std::collections::VecDeque;

/// Keeps the newest, up to a number.
#[derive(Debug, Clone)]
pub struct Recent<T> {
    most: usize,
    pushed: u64,
    items: VecDeque<T>,
}

impl<T> Recent<T> {
    /// Keeps `most`.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            pushed: 0,
            items: VecDeque::with_capacity(most),
        }
    }

    /// Adds one; the oldest goes if there is no room.
    pub fn push(&mut self, item: T) {
        self.pushed += 1;
        if self.items.len() == self.most {
            self.items.pop_front();
        }
        if self.most > 0 {
            self.items.push_back(item);
        }
    }

    /// Newest first.
    pub fn newest(&self) -> impl Iterator<Item = &T> {
        self.items.iter().rev()
    }

    /// Newest first, each with its number: how many there were when it was added.
    pub fn numbered(&self) -> impl Iterator<Item = (u64, &T)> {
        (0..self.pushed)
            .rev()
            .map(|before| before + 1)
            .zip(self.newest())
    }
}

/// At most `most` bytes of a text, cut between characters, with a sign that it was.
pub fn shortened(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most)
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0);
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room() {
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
