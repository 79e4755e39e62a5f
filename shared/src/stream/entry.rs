//! An entry of a stream and its identity.

use std::fmt;
use std::str::FromStr;

use redis::{RedisWrite, ToRedisArgs};

use crate::link::{LinkError, Reply};
use crate::message::BadValue;

/// Identity of an entry and its place in the stream: `ms-seq`, by the server's clock, ever rising within one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EntryId {
    /// When it was added, milliseconds since 1970.
    pub ms: u64,
    /// Its number among the entries of that millisecond.
    pub seq: u64,
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

impl FromStr for EntryId {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let parse = || {
            let (ms, seq) = text.split_once('-')?;
            Some(Self {
                ms: ms.parse().ok()?,
                seq: seq.parse().ok()?,
            })
        };
        parse().ok_or(BadValue {
            what: "entry id",
            rule: "milliseconds, '-', number",
        })
    }
}

impl ToRedisArgs for EntryId {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        out.write_arg_fmt(self);
    }
}

/// One entry as it stands in the stream: fields in their order, bytes of any kind, names possibly repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its identity.
    pub id: EntryId,
    /// Names and values.
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Entry {
    /// The first value of a field; nothing where there is none, or where it is no UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        let (_, value) = self.fields.iter().find(|(n, _)| n == name.as_bytes())?;
        str::from_utf8(value).ok()
    }

    /// Reads an id and, behind it, the list of its fields.
    pub(super) fn read(reply: &mut Reply) -> Result<Self, LinkError> {
        let id = reply.parse()?;
        let mut list = reply.nested()?;
        let mut fields = Vec::with_capacity(list.remaining() / 2);
        while list.remaining() > 0 {
            let (Some(name), Some(value)) = (list.bytes(), list.bytes()) else {
                return Err(list.unexpected("a field that is no text"));
            };
            fields.push((name, value));
        }
        Ok(Self { id, fields })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ordered_as_the_stream_is_and_read_back() {
        let id = |text: &str| text.parse::<EntryId>().expect("an id");
        assert!(id("9-10") > id("9-9") && id("10-0") > id("9-18446744073709551615"));
        assert_eq!(id("1795371222316-3").to_string(), "1795371222316-3");
        for bad in [
            "",
            "5",
            "5-",
            "-5",
            "a-1",
            "1-1-1",
            "18446744073709551616-0",
        ] {
            assert!(bad.parse::<EntryId>().is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_field_is_found_by_its_name_unless_it_is_no_text() {
        let field = |name: &str, value: &[u8]| (name.as_bytes().to_vec(), value.to_vec());
        let fields = vec![
            field("id", b"17"),
            field("raw", b"\xff"),
            field("id", b"18"),
        ];
        let entry = Entry {
            id: EntryId::default(),
            fields,
        };
        assert_eq!(
            (entry.text("id"), entry.text("raw"), entry.text("none")),
            (Some("17"), None, None)
        );
    }
}
