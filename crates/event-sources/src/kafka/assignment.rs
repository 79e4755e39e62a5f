//! Reads which partitions the members of a group have: the assignment of Kafka's consumer protocol.

use std::collections::BTreeSet;

/// A partition by the name of its topic.
pub type TopicPartition = (String, i32);

/// The partitions that an assignment names. `None`: it is malformed.
///
/// Format, big-endian: version (i16), number of topics (i32), and for each topic its name (length
/// as i16), the number of its partitions (i32) and their numbers (i32); data of the assignor
/// follows.
pub fn assignment(bytes: &[u8]) -> Option<BTreeSet<TopicPartition>> {
    let mut rest = Reader(bytes);
    rest.i16()?;
    let mut partitions = BTreeSet::new();
    for _ in 0..rest.i32()? {
        let length = usize::try_from(rest.i16()?).ok()?;
        let topic = std::str::from_utf8(rest.bytes(length)?).ok()?.to_owned();
        for _ in 0..rest.i32()? {
            partitions.insert((topic.clone(), rest.i32()?));
        }
    }
    Some(partitions)
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

/// Counts observations in which partitions had no member. A rebalance leaves partitions unassigned
/// for a short time.
#[derive(Debug, Default)]
pub struct UnassignedPartitions {
    partitions: BTreeSet<TopicPartition>,
    times: u32,
}

impl UnassignedPartitions {
    /// Compares all partitions of the topics with those that members have, while the group is
    /// stable. Returns in how many consecutive observations the same partitions were unassigned,
    /// and which.
    pub fn observe(
        &mut self,
        all: &BTreeSet<TopicPartition>,
        assigned: &BTreeSet<TopicPartition>,
    ) -> (u32, &BTreeSet<TopicPartition>) {
        let unassigned: BTreeSet<TopicPartition> = all.difference(assigned).cloned().collect();
        let lasting: BTreeSet<TopicPartition> =
            self.partitions.intersection(&unassigned).cloned().collect();
        if unassigned.is_empty() {
            self.times = 0;
        } else if lasting.is_empty() {
            self.times = 1;
        } else {
            self.times += 1;
        }
        self.partitions = if lasting.is_empty() {
            unassigned
        } else {
            lasting
        };
        (self.times, &self.partitions)
    }

    /// Starts over: the group is not stable.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partitions(all: &[(&str, i32)]) -> BTreeSet<TopicPartition> {
        all.iter()
            .map(|(topic, number)| ((*topic).to_owned(), *number))
            .collect()
    }

    #[test]
    fn a_malformed_assignment_is_none() {
        let mut bytes = vec![
            0, 1, 0, 0, 0, 2, 0, 1, b'a', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 7,
        ];
        bytes.extend([0, 2, b'b', b'c', 0, 0, 0, 0, 255, 255, 255, 255]);
        assert_eq!(assignment(&bytes), Some(partitions(&[("a", 0), ("a", 7)])));
        assert_eq!(assignment(&[0, 0, 0, 0, 0, 0]), Some(BTreeSet::new()));
        for broken in 0..20 {
            assert_eq!(assignment(&bytes[..broken]), None, "{broken} bytes");
        }
    }

    #[test]
    fn partitions_without_a_member_are_counted() {
        let all = partitions(&[("a", 0), ("a", 1)]);
        let mut unassigned = UnassignedPartitions::default();
        assert_eq!(
            unassigned.observe(&all, &all).0,
            0,
            "others may have them all"
        );
        assert_eq!(unassigned.observe(&all, &partitions(&[("a", 0)])).0, 1);
        assert_eq!(
            unassigned.observe(&all, &partitions(&[("a", 1)])).0,
            1,
            "a rebalance moved on"
        );
        assert_eq!(
            unassigned.observe(&all, &partitions(&[])),
            (2, &partitions(&[("a", 0)]))
        );
        unassigned.reset();
        assert_eq!(unassigned.observe(&all, &partitions(&[])).0, 1);
    }
}
