//! The value of `paused-partitions`: the partitions of which a mapping invokes nothing.

use std::collections::BTreeSet;

use event_sources::stream::Partition;

use super::ValueError;

/// Parses a list such as `0,3` or `orders-0,orders-3`. `none` and an empty text mean no partition;
/// `+3` adds a partition to `now`, `-3` removes one.
///
/// # Errors
/// What may be written instead.
pub(super) fn parse_list(
    text: &str,
    now: &BTreeSet<Partition>,
    topics: &[String],
) -> Result<BTreeSet<Partition>, ValueError> {
    let text = text.trim();
    if let Some(added) = text.strip_prefix('+') {
        let mut partitions = now.clone();
        partitions.insert(parse_one(added, topics)?);
        return Ok(partitions);
    }
    if let Some(removed) = text.strip_prefix('-') {
        let mut partitions = now.clone();
        partitions.remove(&parse_one(removed, topics)?);
        return Ok(partitions);
    }
    if text == "none" {
        return Ok(BTreeSet::new());
    }
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| parse_one(part, topics))
        .collect()
}

fn parse_one(text: &str, topics: &[String]) -> Result<Partition, ValueError> {
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
    named.ok_or_else(|| match topics {
        [_] => ValueError::Partitions(text.to_owned()),
        _ => ValueError::PartitionsOfTopics(text.to_owned()),
    })
}

/// The text that [`parse_list`] reads back.
pub(super) fn format_list(partitions: &BTreeSet<Partition>, topics: &[String]) -> String {
    let name = |partition: &Partition| match topics {
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
        partitions.iter().map(name).collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formatted_list_parses_back() {
        let several = ["a".to_owned(), "b-c".to_owned()];
        for (text, topics, back) in [
            ("0,3", &several[..1], "0,3"),
            (" a-3 , a-0 ", &several[..1], "0,3"),
            ("b-c-2,a-1", &several[..], "a-1,b-c-2"),
            ("", &several[..], "none"),
            ("none", &several[..], "none"),
        ] {
            let parsed = parse_list(text, &BTreeSet::new(), topics).unwrap();
            assert_eq!(format_list(&parsed, topics), back);
            assert_eq!(
                super::parse_list(back, &BTreeSet::new(), topics),
                Ok(parsed)
            );
        }
    }

    #[test]
    fn one_partition_is_added_or_removed() {
        let topics = ["a".to_owned()];
        let both = parse_list(
            "+1",
            &parse_list("3", &BTreeSet::new(), &topics).unwrap(),
            &topics,
        )
        .unwrap();
        assert_eq!(format_list(&both, &topics), "1,3");
        assert_eq!(
            parse_list("-3", &both, &topics).map(|left| format_list(&left, &topics)),
            Ok("1".to_owned())
        );
    }

    #[test]
    fn other_text_is_refused_with_the_format() {
        let several = ["a".to_owned(), "b".to_owned()];
        assert!(
            parse_list("x", &BTreeSet::new(), &several[..1])
                .unwrap_err()
                .to_string()
                .contains("such as 0,3")
        );
        for wrong in ["3", "c-1", "a--1", "a-x"] {
            assert!(
                parse_list(wrong, &BTreeSet::new(), &several)
                    .unwrap_err()
                    .to_string()
                    .contains("TOPIC-NUMBER"),
                "{wrong}"
            );
        }
    }
}
