//! Which partitions a group's members have, read from its description: the assignment of Kafka's consumer protocol.

use std::collections::BTreeSet;

/// A partition by the name of its topic.
pub type TopicPartition = (String, i32);

/// The partitions that an assignment names. `None`: it is none of the consumer protocol.
///
/// The form: version (16 bits), then a list of topics, each with its name and the list of its partitions, then data of the assignor. Lists
/// and partitions are of 32 bits, names have a length of 16 bits before them; the most significant byte comes first.
pub fn assignment(bytes: &[u8]) -> Option<BTreeSet<TopicPartition>> {
    let mut rest = Reader(bytes);
    rest.i16()?;
    let mut places = BTreeSet::new();
    for _ in 0..rest.i32()? {
        let length = usize::try_from(rest.i16()?).ok()?;
        let topic = std::str::from_utf8(rest.bytes(length)?).ok()?.to_owned();
        for _ in 0..rest.i32()? {
            places.insert((topic.clone(), rest.i32()?));
        }
    }
    Some(places)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn i16(&mut self) -> Option<i16> {
        Some(i16::from_be_bytes(self.bytes(2)?.try_into().ok()?))
    }

    fn i32(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.bytes(4)?.try_into().ok()?))
    }
}

/// How long no member had some of the partitions: a rebalance may leave them out for a moment.
#[derive(Debug, Default)]
pub struct UnassignedPartitions {
    places: BTreeSet<TopicPartition>,
    looks: u32,
}

impl UnassignedPartitions {
    /// A look at a group that does not rebalance: the partitions that are there, and those that members have. How often in a row some were
    /// left out, and which.
    pub fn looked(
        &mut self,
        there: &BTreeSet<TopicPartition>,
        held: &BTreeSet<TopicPartition>,
    ) -> (u32, &BTreeSet<TopicPartition>) {
        let unheld: BTreeSet<TopicPartition> = there.difference(held).cloned().collect();
        let lasting: BTreeSet<TopicPartition> =
            self.places.intersection(&unheld).cloned().collect();
        if unheld.is_empty() {
            self.looks = 0;
        } else if lasting.is_empty() {
            self.looks = 1;
        } else {
            self.looks += 1;
        }
        self.places = if lasting.is_empty() { unheld } else { lasting };
        (self.looks, &self.places)
    }

    /// Nothing is known of the group just now.
    pub fn unknown(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(all: &[(&str, i32)]) -> BTreeSet<TopicPartition> {
        all.iter()
            .map(|(topic, number)| ((*topic).to_owned(), *number))
            .collect()
    }

    #[test]
    fn an_assignment_is_read_and_a_broken_one_is_none() {
        let mut bytes = vec![
            0, 1, 0, 0, 0, 2, 0, 1, b'a', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 7,
        ];
        bytes.extend([0, 2, b'b', b'c', 0, 0, 0, 0, 255, 255, 255, 255]);
        assert_eq!(assignment(&bytes), Some(places(&[("a", 0), ("a", 7)])));
        assert_eq!(assignment(&[0, 0, 0, 0, 0, 0]), Some(BTreeSet::new()));
        for broken in 0..20 {
            assert_eq!(assignment(&bytes[..broken]), None, "{broken} bytes");
        }
    }

    #[test]
    fn partitions_that_stay_without_a_member_are_counted() {
        let all = places(&[("a", 0), ("a", 1)]);
        let mut unheld = UnassignedPartitions::default();
        assert_eq!(unheld.looked(&all, &all).0, 0, "others may have them all");
        assert_eq!(unheld.looked(&all, &places(&[("a", 0)])).0, 1);
        assert_eq!(
            unheld.looked(&all, &places(&[("a", 1)])).0,
            1,
            "a rebalance moved on"
        );
        assert_eq!(unheld.looked(&all, &places(&[])), (2, &places(&[("a", 0)])));
        unheld.unknown();
        assert_eq!(unheld.looked(&all, &places(&[])).0, 1);
    }
}
