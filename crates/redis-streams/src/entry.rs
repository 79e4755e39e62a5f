//! An entry of a stream and its id.

use std::fmt;
use std::str::FromStr;

use redis::{RedisWrite, ToRedisArgs};
use redis_link::{InvalidArgument, LinkError, Reply};

/// The id of an entry, `ms-seq`. Ids increase within a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EntryId {
    /// When it was added, milliseconds since 1970 by the server's clock.
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
    type Err = InvalidArgument;

    fn from_str(text: &str) -> Result<Self, InvalidArgument> {
        let parse = || {
            let (ms, seq) = text.split_once('-')?;
            Some(Self {
                ms: ms.parse().ok()?,
                seq: seq.parse().ok()?,
            })
        };
        parse().ok_or(InvalidArgument {
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

/// An entry of a stream. Fields have an order, may hold any bytes, and may repeat a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: EntryId,
    /// Names and values.
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Entry {
    /// The first value of a field; `None` if it is missing or not UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        let (_, value) = self.fields.iter().find(|(n, _)| n == name.as_bytes())?;
        str::from_utf8(value).ok()
    }

    /// Reads an id and the list of fields after it.
    pub(super) fn read(reply: &mut Reply) -> Result<Self, LinkError> {
        let id = reply.parse()?;
        let fields = reply.nested()?.rest(|list| {
            let field = list.bytes().zip(list.bytes());
            field.ok_or_else(|| list.unexpected("a field that is not a string"))
        })?;
        Ok(Self { id, fields })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ordered_as_in_the_stream() {
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
            assert!(bad.parse::<EntryId>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn text_finds_the_first_value_if_it_is_utf8() {
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
