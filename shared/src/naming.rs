//! The environment prefix: the only place that builds a topic, group, key, stream, queue or schema
//! name.
//!
//! Everything carries one prefix, so that environments can share servers (each test is an
//! environment).

use std::fmt;
use std::sync::Arc;

use crate::message::{BadValue, ProgramId, Shard};

/// Names of one environment. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Names(Arc<str>);

impl Names {
    /// `prefix`: 1 to 31 of `a-z 0-9 -`, starting with a letter, not ending with `-`.
    pub fn new(prefix: &str) -> Result<Self, BadValue> {
        let starts = prefix.starts_with(|c: char| c.is_ascii_lowercase());
        let allowed = prefix
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if starts && allowed && prefix.len() <= 31 && !prefix.ends_with('-') {
            Ok(Self(prefix.into()))
        } else {
            Err(BadValue {
                what: "environment prefix",
                rule: "1 to 31 of a-z, 0-9 and '-', starting with a letter and not ending with '-'",
            })
        }
    }

    /// Instead of a prefix that cannot be read.
    pub(crate) fn unknown() -> Self {
        Self("unknown".into())
    }

    /// The prefix itself.
    pub fn prefix(&self) -> &str {
        &self.0
    }

    /// Kafka topic `{env}-{name}`.
    pub fn topic(&self, name: &str) -> String {
        format!("{}-{name}", self.0)
    }

    /// Consumer group `{env}-{name}`.
    pub fn group(&self, name: &str) -> String {
        format!("{}-{name}", self.0)
    }

    /// Redis stream `{env}:{<name>}`. The braces put all keys of the stream into one slot.
    pub fn stream(&self, name: &str) -> String {
        format!("{}:{{{name}}}", self.0)
    }

    /// Stream of the dead letters of a stream: `{stream}-dead`, in the same slot.
    pub fn dead_stream(&self, name: &str) -> String {
        format!("{}-dead", self.stream(name))
    }

    /// Folder of the files of API calls in an object store: `{env}/api-calls`.
    pub fn call_files(&self) -> String {
        format!("{}/api-calls", self.0)
    }

    /// SQS queue `{env}-{name}`.
    pub fn queue(&self, name: &str) -> String {
        format!("{}-{name}", self.0)
    }

    /// Redis key `{env}:{p<id>}:program:{rest}` of a program in the cache. Braces around the
    /// program only.
    pub fn program_key(&self, program: ProgramId, rest: impl fmt::Display) -> String {
        format!("{}:{{p{program}}}:program:{rest}", self.0)
    }

    /// Redis key `{env}:{rate}:{rest}` of a rate limit. All limits share a slot, so that one call takes
    /// from several.
    pub fn rate_key(&self, rest: impl fmt::Display) -> String {
        format!("{}:{{rate}}:{rest}", self.0)
    }

    /// Postgres schema: the prefix with `-` as `_`. Needs no quoting.
    pub fn schema(&self) -> String {
        self.0.replace('-', "_")
    }

    /// Redis key `{env}:{sNN}:{rest}`. Braces around the shard, so that a shard, not the
    /// environment, shares a slot.
    pub fn shard_key(&self, shard: Shard, rest: impl fmt::Display) -> String {
        format!("{}:{{{shard}}}:{rest}", self.0)
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_the_prefix_and_shards_share_slots() {
        let names = Names::new("demo-1").expect("valid");
        assert_eq!(names.topic("order-create"), "demo-1-order-create");
        assert_eq!(names.schema(), "demo_1");
        assert_eq!(names.call_files(), "demo-1/api-calls");
        assert_eq!(names.queue("program-changed"), "demo-1-program-changed");
        assert_eq!(names.stream("program-changed"), "demo-1:{program-changed}");
        assert_eq!(
            names.dead_stream("program-changed"),
            "demo-1:{program-changed}-dead"
        );
        let shard = Shard::new(7).expect("valid");
        assert_eq!(names.shard_key(shard, "resv:42"), "demo-1:{s07}:resv:42");
        let program = ProgramId::new(17).expect("valid");
        assert_eq!(
            names.program_key(program, "floor"),
            "demo-1:{p17}:program:floor"
        );
        assert_eq!(names.rate_key("order:user:a"), "demo-1:{rate}:order:user:a");
    }

    #[test]
    fn an_ambiguous_prefix_is_refused() {
        for bad in [
            "",
            "Demo",
            "1a",
            "a-",
            "a_b",
            "a:b",
            "a{b}",
            "a b",
            &"a".repeat(32),
        ] {
            assert!(Names::new(bad).is_err(), "{bad:?} was accepted");
        }
    }
}
