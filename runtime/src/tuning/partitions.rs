//! The value of `paused-partitions`: which partitions of a mapping are left alone.

use std::collections::BTreeSet;

use event_sources::stream::Partition;

/// Reads a list such as `0,3` or `orders-0,orders-3`; `none` or nothing at all for no partition; `+3` and `-3` change `now` by one.
///
/// # Errors
/// What may be written instead.
pub(super) fn read(
    text: &str,
    now: &BTreeSet<Partition>,
    topics: &[String],
) -> Result<BTreeSet<Partition>, String> {
    let text = text.trim();
    if let Some(added) = text.strip_prefix('+') {
        return Ok(now.iter().copied().chain([one(added, topics)?]).collect());
    }
    if let Some(removed) = text.strip_prefix('-') {
        let removed = one(removed, topics)?;
        return Ok(now
            .iter()
            .copied()
            .filter(|partition| *partition != removed)
            .collect());
    }
    if text == "none" {
        return Ok(BTreeSet::new());
    }
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| one(part, topics))
        .collect()
}

fn one(text: &str, topics: &[String]) -> Result<Partition, String> {
    let number = |text: &str| text.parse::<i32>().ok().filter(|number| *number >= 0);
    if let (Some(number), [_]) = (number(text), topics) {
        return Ok(Partition { topic: 0, number });
    }
    let named = text.rsplit_once('-').and_then(|(name, text)| {
        let topic = topics.iter().position(|topic| topic == name)?;
        Some(Partition {
            topic,
            number: number(text)?,
        })
    });
    named.ok_or_else(|| {
        let shape = if topics.len() == 1 {
            "numbers of partitions, such as 0,3"
        } else {
            "TOPIC-NUMBER of its topics"
        };
        format!("must be {shape}, or none; not '{text}'")
    })
}

/// As [`read`] takes it.
pub(super) fn written(partitions: &BTreeSet<Partition>, topics: &[String]) -> String {
    let one = |partition: &Partition| match topics {
        [_] => partition.number.to_string(),
        _ => format!(
            "{}-{}",
            topics.get(partition.topic).map_or("", String::as_str),
            partition.number
        ),
    };
    if partitions.is_empty() {
        "none".to_owned()
    } else {
        partitions.iter().map(one).collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let several = ["a".to_owned(), "b-c".to_owned()];
        for (text, topics, back) in [
            ("0,3", &several[..1], "0,3"),
            (" a-3 , a-0 ", &several[..1], "0,3"),
            ("b-c-2,a-1", &several[..], "a-1,b-c-2"),
            ("", &several[..], "none"),
            ("none", &several[..], "none"),
        ] {
            let read = read(text, &BTreeSet::new(), topics).unwrap();
            assert_eq!(written(&read, topics), back);
            assert_eq!(super::read(back, &BTreeSet::new(), topics), Ok(read));
        }
    }

    #[test]
    fn one_partition_is_added_or_taken_away() {
        let topics = ["a".to_owned()];
        let both = read(
            "+1",
            &read("3", &BTreeSet::new(), &topics).unwrap(),
            &topics,
        )
        .unwrap();
        assert_eq!(written(&both, &topics), "1,3");
        assert_eq!(
            read("-3", &both, &topics).map(|left| written(&left, &topics)),
            Ok("1".to_owned())
        );
    }

    #[test]
    fn anything_else_says_what_may_be_written() {
        let several = ["a".to_owned(), "b".to_owned()];
        assert!(
            read("x", &BTreeSet::new(), &several[..1])
                .unwrap_err()
                .contains("such as 0,3")
        );
        for wrong in ["3", "c-1", "a--1", "a-x"] {
            assert!(
                read(wrong, &BTreeSet::new(), &several)
                    .unwrap_err()
                    .contains("TOPIC-NUMBER"),
                "{wrong}"
            );
        }
    }
}
