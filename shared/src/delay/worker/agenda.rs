//! When which shard has something due, as far as this worker knows. Pure.
//!
//! Knowledge comes from two sides that may cross: the answer to a claim (the shard's earliest time when the script ran) and wakes
//! (something earlier was scheduled, perhaps after it ran, perhaps before). What is heard of a shard while it is being asked is kept
//! apart and taken together with the answer: a wake is never forgotten, at worst it leads to a claim that finds nothing.

use crate::message::Shard;

/// What is known of all shards.
#[derive(Debug)]
pub(super) struct Agenda(Vec<Page>);

#[derive(Debug)]
struct Page {
    shard: Shard,
    next: Next,
    asked: bool,
    /// The earliest time heard of while it is being asked.
    heard: Option<u64>,
}

/// When something of a shard will be due, milliseconds by Redis' clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    /// Nobody knows: ask.
    Unknown,
    At(u64),
    Never,
}

impl Agenda {
    /// Knows nothing yet.
    pub(super) fn new(shards: &[Shard]) -> Self {
        Self(
            shards
                .iter()
                .map(|shard| Page {
                    shard: *shard,
                    next: Next::Unknown,
                    asked: false,
                    heard: None,
                })
                .collect(),
        )
    }

    /// Everything may be different by now. What is being asked is asked once more.
    pub(super) fn forget(&mut self) {
        for page in &mut self.0 {
            page.next = Next::Unknown;
            page.heard = page.asked.then_some(0);
        }
    }

    /// Something of a shard is due at this time.
    pub(super) fn heard(&mut self, shard: Shard, due_ms: u64) {
        let Some(page) = self.page(shard) else { return };
        if page.asked {
            page.heard = Some(page.heard.map_or(due_ms, |heard| heard.min(due_ms)));
        } else {
            page.next = page.next.min(Next::At(due_ms));
        }
    }

    /// The shards to be asked, when Redis' clock has reached this time; they count as asked from now on. While the clock is not known
    /// only what is unknown is asked: that tells.
    pub(super) fn ask(&mut self, reached_ms: Option<u64>) -> Vec<Shard> {
        let is_due = |page: &Page| match page.next {
            Next::Unknown => true,
            Next::At(due) => reached_ms.is_some_and(|reached| due <= reached),
            Next::Never => false,
        };
        let due = self.0.iter_mut().filter(|page| !page.asked && is_due(page));
        due.map(|page| {
            page.asked = true;
            page.shard
        })
        .collect()
    }

    /// The answers to what was asked. A shard without one (the limit was reached before its turn, or nothing was answered at all)
    /// stays what it was: due.
    pub(super) fn answered(&mut self, next: &[(Shard, Option<u64>)]) {
        for (shard, next) in next {
            if let Some(page) = self.page(*shard) {
                page.next = next.map_or(Next::Never, Next::At);
            }
        }
        for page in &mut self.0 {
            page.asked = false;
            if let Some(heard) = page.heard.take() {
                page.next = page.next.min(Next::At(heard));
            }
        }
    }

    /// The next time at which there is something to ask, 0 for at once. Nothing while there is nothing to wait for.
    pub(super) fn next_ms(&self) -> Option<u64> {
        let next = self
            .0
            .iter()
            .filter(|page| !page.asked)
            .map(|page| page.next)
            .min()?;
        match next {
            Next::Unknown => Some(0),
            Next::At(due) => Some(due),
            Next::Never => None,
        }
    }

    fn page(&mut self, shard: Shard) -> Option<&mut Page> {
        self.0.iter_mut().find(|page| page.shard == shard)
    }
}

/// How many entries to claim: never more than there is room for, so that nothing claimed waits for its turn.
pub(super) fn room(at_once: usize, held: usize, batch: usize) -> usize {
    at_once.saturating_sub(held).min(batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(n: u8) -> Shard {
        Shard::new(n).expect("valid")
    }

    fn agenda() -> Agenda {
        let mut agenda = Agenda::new(&[shard(1), shard(2), shard(3)]);
        assert_eq!(
            agenda.ask(None),
            [shard(1), shard(2), shard(3)],
            "at first nothing is known"
        );
        assert_eq!(agenda.next_ms(), None, "everything is being asked");
        agenda.answered(&[
            (shard(1), Some(100)),
            (shard(2), Some(200)),
            (shard(3), None),
        ]);
        agenda
    }

    #[test]
    fn only_shards_with_something_due_are_asked() {
        let mut agenda = agenda();
        assert_eq!(
            (agenda.next_ms(), agenda.ask(Some(99))),
            (Some(100), vec![])
        );
        assert_eq!(agenda.ask(Some(100)), [shard(1)]);
        assert_eq!(
            agenda.next_ms(),
            Some(200),
            "what is being asked is not asked again"
        );
        agenda.answered(&[(shard(1), Some(150))]);
        assert_eq!(
            (agenda.next_ms(), agenda.ask(Some(500))),
            (Some(150), vec![shard(1), shard(2)])
        );
    }

    #[test]
    fn an_earlier_entry_is_heard_of_and_a_later_one_changes_nothing() {
        let mut agenda = agenda();
        agenda.heard(shard(2), 50);
        agenda.heard(shard(2), 80);
        agenda.heard(shard(3), 70);
        agenda.heard(shard(60), 1);
        assert_eq!(
            (agenda.next_ms(), agenda.ask(Some(60))),
            (Some(50), vec![shard(2)])
        );
        assert_eq!(agenda.ask(Some(70)), [shard(3)]);
    }

    #[test]
    fn what_is_heard_while_a_shard_is_asked_outlives_the_answer() {
        let mut agenda = agenda();
        assert_eq!(agenda.ask(Some(100)), [shard(1)]);
        // Scheduled after the script ran, heard before its answer.
        agenda.heard(shard(1), 130);
        agenda.answered(&[(shard(1), Some(900))]);
        assert_eq!(agenda.next_ms(), Some(130));
    }

    #[test]
    fn a_shard_that_was_not_answered_for_is_asked_again() {
        let mut agenda = agenda();
        assert_eq!(agenda.ask(Some(200)), [shard(1), shard(2)]);
        agenda.answered(&[(shard(2), Some(200))]);
        assert_eq!(agenda.ask(Some(200)), [shard(1), shard(2)]);
        agenda.answered(&[]);
        assert_eq!(agenda.ask(Some(200)), [shard(1), shard(2)]);
    }

    #[test]
    fn forgetting_asks_everything_once_more_even_what_is_being_asked() {
        let mut agenda = agenda();
        assert_eq!(agenda.ask(Some(100)), [shard(1)]);
        agenda.forget();
        assert_eq!(agenda.ask(Some(100)), [shard(2), shard(3)]);
        agenda.answered(&[
            (shard(1), Some(900)),
            (shard(2), Some(900)),
            (shard(3), None),
        ]);
        assert_eq!(
            (agenda.next_ms(), agenda.ask(Some(100))),
            (Some(0), vec![shard(1)])
        );
    }

    #[test]
    fn no_more_is_claimed_than_there_is_room_for() {
        assert_eq!(room(64, 0, 32), 32);
        assert_eq!(room(64, 50, 32), 14);
        assert_eq!(room(64, 64, 32), 0);
        assert_eq!(room(64, 70, 32), 0);
    }
}
