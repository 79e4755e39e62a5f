//! Which node serves which slot, as `CLUSTER SLOTS` says.

use redis::Value;

use crate::address::Address;

/// Slots of a cluster.
const SLOTS: u16 = 16_384;

/// The slots of one primary that follow one another, and the addresses of its replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: u16,
    pub(super) last: u16,
    pub(super) primary: Address,
    pub(super) replicas: Vec<Address>,
}

/// The slot of a key: of its hash tag, if it has one.
pub(super) fn of_key(key: &[u8]) -> u16 {
    crc16(hash_tag(key).unwrap_or(key)) % SLOTS
}

/// What stands between the first `{` and the next `}`, unless that is nothing.
fn hash_tag(key: &[u8]) -> Option<&[u8]> {
    let begin = key.iter().position(|byte| *byte == b'{')? + 1;
    let length = key[begin..].iter().position(|byte| *byte == b'}')?;
    (length > 0).then(|| &key[begin..begin + length])
}

/// CRC-16/XMODEM, as the Redis Cluster specification prescribes.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            let shifted = crc << 1;
            if crc & 0x8000 == 0 {
                shifted
            } else {
                shifted ^ 0x1021
            }
        })
    })
}

/// The index of the range that contains a slot; `ranges` are in order.
pub(super) fn position(ranges: &[Range], slot: u16) -> Option<usize> {
    let index = ranges.partition_point(|range| range.last < slot);
    (ranges.get(index)?.first <= slot).then_some(index)
}

/// Parses the reply, in the order of the slots. `asked` answered; where the reply contains no host,
/// it is that one's. `None` for a reply of another form, or without slots.
pub(super) fn parse(reply: &Value, asked: &Address) -> Option<Vec<Range>> {
    let Value::Array(ranges) = reply else {
        return None;
    };
    let mut ranges: Vec<Range> = ranges
        .iter()
        .map(|range| parse_range(range, asked))
        .collect::<Option<_>>()?;
    ranges.sort_by_key(|range| range.first);
    (!ranges.is_empty()).then_some(ranges)
}

fn parse_range(range: &Value, asked: &Address) -> Option<Range> {
    let Value::Array(words) = range else {
        return None;
    };
    let [first, last, primary, replicas @ ..] = words.as_slice() else {
        return None;
    };
    let replicas = replicas.iter();
    Some(Range {
        first: slot(first)?,
        last: slot(last)?,
        primary: node(primary, asked)?,
        // A replica without an address is unreachable.
        replicas: replicas
            .filter_map(|replica| node(replica, asked))
            .collect(),
    })
}

fn slot(value: &Value) -> Option<u16> {
    let Value::Int(slot) = value else {
        return None;
    };
    u16::try_from(*slot).ok().filter(|slot| *slot < SLOTS)
}

fn node(value: &Value, asked: &Address) -> Option<Address> {
    let Value::Array(words) = value else {
        return None;
    };
    let [host, Value::Int(port), ..] = words.as_slice() else {
        return None;
    };
    let host = match host {
        Value::BulkString(host) => std::str::from_utf8(host).ok()?,
        Value::SimpleString(host) => host,
        Value::Nil => "",
        _ => return None,
    };
    // "?" stands for a node whose host name is not known yet.
    let host = match (host, asked) {
        ("?", _) => return None,
        ("", Address::Tcp { host, .. }) => host,
        (host, _) => host,
    };
    Some(Address::Tcp {
        host: host.to_owned(),
        port: u16::try_from(*port).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(host: &str, port: u16) -> Address {
        Address::Tcp {
            host: host.into(),
            port,
        }
    }

    fn node_of(host: Value, port: i64) -> Value {
        let id = Value::BulkString(b"id".to_vec());
        Value::Array(vec![host, Value::Int(port), id, Value::Array(Vec::new())])
    }

    fn host(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn keys_of_one_hash_tag_share_a_slot() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        for (key, slot) in [("foo", 12_182), ("{foo}:x", 12_182), ("a{foo}{b}", 12_182)] {
            assert_eq!(of_key(key.as_bytes()), slot, "{key}");
        }
        for key in ["{}foo", "{foo", "foo}"] {
            assert_eq!(
                of_key(key.as_bytes()),
                crc16(key.as_bytes()) % SLOTS,
                "{key}"
            );
        }
    }

    #[test]
    fn a_slot_without_a_node_has_no_range() {
        let range = |first, last| Range {
            first,
            last,
            primary: address("a", 1),
            replicas: Vec::new(),
        };
        let ranges = [range(0, 5), range(8, 9)];
        for (slot, index) in [
            (0, Some(0)),
            (5, Some(0)),
            (6, None),
            (8, Some(1)),
            (10, None),
        ] {
            assert_eq!(position(&ranges, slot), index, "{slot}");
        }
    }

    #[test]
    fn slots_lead_to_primaries_in_order() {
        let range = |first, last, nodes: Vec<Value>| {
            let mut words = vec![Value::Int(first), Value::Int(last)];
            words.extend(nodes);
            Value::Array(words)
        };
        let reply = Value::Array(vec![
            range(
                8000,
                16_383,
                vec![node_of(Value::Nil, 2), node_of(host("?"), 3)],
            ),
            range(
                0,
                7999,
                vec![node_of(host("10.0.0.1"), 1), node_of(host("b"), 4)],
            ),
        ]);
        let ranges = parse(&reply, &address("seed", 9)).expect("it is complete");
        assert_eq!(
            ranges,
            [
                Range {
                    first: 0,
                    last: 7999,
                    primary: address("10.0.0.1", 1),
                    replicas: vec![address("b", 4)],
                },
                Range {
                    first: 8000,
                    last: 16_383,
                    primary: address("seed", 2),
                    replicas: Vec::new(),
                },
            ]
        );
    }

    #[test]
    fn a_reply_without_slots_is_no_layout() {
        let asked = address("a", 1);
        for reply in [
            Value::Nil,
            Value::Array(Vec::new()),
            Value::Array(vec![Value::Int(1)]),
            Value::Array(vec![Value::Array(vec![
                Value::Int(0),
                Value::Int(16_384),
                node_of(host("a"), 1),
            ])]),
        ] {
            assert_eq!(parse(&reply, &asked), None, "{reply:?}");
        }
    }
}
