//! Dead letters of Redis Streams: a stream `X-dead` beside each stream `X` whose groups set entries aside.
//!
//! Each letter begins with the fields `dead:id`, `dead:group`, `dead:deliveries` and `dead:reason`; the entry's own fields follow.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::streams::{StreamId, StreamRangeReply};
use redis::{AsyncConnectionConfig, Client, IntoConnectionInfo, RedisError, Script, Value, cmd};

use super::{Replayed, Seen};

/// How the dead letters of a stream are called.
const DEAD: &str = "-dead";

/// A Redis that says nothing for so long is away.
const PATIENCE: Duration = Duration::from_secs(5);

/// Keys that one step of the search looks at.
const STEP: usize = 1_000;

const REPLAY: &str = include_str!("lua/replay.lua");

/// A Redis, asked by a person's command.
pub(super) struct Streams {
    connection: MultiplexedConnection,
    /// Host and port, for messages: the URL may hold a password.
    shown: String,
}

impl Streams {
    /// # Errors
    /// The URL is none, or nobody answers there.
    pub(super) async fn at(url: &str) -> Result<Self, String> {
        let info = url.into_connection_info().map_err(|_| "[endpoints] redis is no address such as redis://127.0.0.1:6379")?;
        let shown = info.addr().to_string();
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(PATIENCE));
        let client = Client::open(info).map_err(|error| told(&shown, &error))?;
        let connection = client.get_multiplexed_async_connection_with_config(&config).await;
        Ok(Self { connection: connection.map_err(|error| told(&shown, &error))?, shown })
    }

    fn told<T>(&self, result: Result<T, RedisError>) -> Result<T, String> {
        result.map_err(|error| told(&self.shown, &error))
    }

    /// Streams that hold dead letters, by name. Looks at every key of the database, some at a time.
    pub(super) async fn found(&mut self) -> Result<Vec<String>, String> {
        let mut found = BTreeSet::new();
        let mut cursor = 0_u64;
        loop {
            let mut step = cmd("SCAN");
            step.arg(cursor).arg("MATCH").arg(format!("*{DEAD}")).arg("COUNT").arg(STEP).arg("TYPE").arg("stream");
            let step: Result<(u64, Vec<Vec<u8>>), _> = step.query_async(&mut self.connection).await;
            let (next, keys) = self.told(step)?;
            // a name that is no text could not be typed either
            found.extend(keys.into_iter().filter_map(|key| String::from_utf8(key).ok()));
            if next == 0 {
                return Ok(found.into_iter().collect());
            }
            cursor = next;
        }
    }

    pub(super) async fn count(&mut self, dead: &str) -> Result<u64, String> {
        let count = cmd("XLEN").arg(dead).query_async(&mut self.connection).await;
        self.told(count)
    }

    pub(super) async fn peek(&mut self, dead: &str, limit: usize) -> Result<Vec<Seen>, String> {
        Ok(self.first(dead, limit).await?.iter().map(|letter| seen(letter, dead)).collect())
    }

    async fn first(&mut self, dead: &str, limit: usize) -> Result<Vec<StreamId>, String> {
        let range = cmd("XRANGE").arg(dead).arg("-").arg("+").arg("COUNT").arg(limit).query_async(&mut self.connection).await;
        let range: StreamRangeReply = self.told(range)?;
        Ok(range.ids)
    }

    /// Brings the first letters back, each at once or not at all.
    pub(super) async fn replay(&mut self, dead: &str, limit: usize) -> Result<Replayed, String> {
        let script = Script::new(REPLAY);
        let mut replayed = Replayed::default();
        for letter in self.first(dead, limit).await? {
            let mut call = script.key(dead);
            call.key(source(dead)).arg(&letter.id);
            let answer: String = call.invoke_async(&mut self.connection).await.map_err(|error| {
                let so_far = replayed.letters;
                format!("{}; {so_far} letters were brought back before", told(&self.shown, &error))
            })?;
            match answer.as_str() {
                "BACK" => {
                    replayed.letters += 1;
                    replayed.records += 1;
                }
                // somebody else brought it back meanwhile, or removed it
                "GONE" => {}
                why => replayed.stayed.push(format!("{}: {}", letter.id, reason_to_stay(why))),
            }
        }
        Ok(replayed)
    }
}

/// The stream that a stream of dead letters belongs to.
pub(super) fn source(dead: &str) -> &str {
    dead.strip_suffix(DEAD).unwrap_or(dead)
}

fn told(shown: &str, error: &RedisError) -> String {
    format!("Redis at {shown}: {error}")
}

fn reason_to_stay(answer: &str) -> &str {
    match answer {
        "FOREIGN" => "no group of a stream set it aside (it has no field dead:id first)",
        "EMPTY" => "the stream had removed its entry before it was set aside: nothing is left to bring back",
        "LARGE" => "it has more fields than Redis can move in one step; add it by hand (XADD) and remove it here (XDEL)",
        other => other,
    }
}

/// A letter for a person.
fn seen(letter: &StreamId, dead: &str) -> Seen {
    let field = |name: &str| letter.map.get(name).map(text).unwrap_or_default();
    let set_aside = letter.map.contains_key("dead:id");
    let reason = if set_aside {
        let (times, group) = (field("dead:deliveries"), field("dead:group"));
        format!("{} (entry {}, delivered {times} times to group {group})", field("dead:reason"), field("dead:id"))
    } else {
        "it does not say".to_owned()
    };
    let mut own: Vec<(&str, String)> = letter
        .map
        .iter()
        .filter(|(name, _)| !name.starts_with("dead:"))
        .map(|(name, value)| (name.as_str(), text(value)))
        .collect();
    own.sort_unstable();
    let mut body = String::new();
    for (name, value) in own {
        let _ = write!(body, "{}{name}={value}", if body.is_empty() { "" } else { "  " });
    }
    if letter.map.contains_key("dead:packed") {
        body.push_str("(more fields than are shown)");
    }
    let back_to = match (set_aside, body.is_empty()) {
        (false, _) => format!("nowhere: {}", reason_to_stay("FOREIGN")),
        (true, true) => format!("nowhere: {}", reason_to_stay("EMPTY")),
        (true, false) => format!("stream {}", source(dead)),
    };
    let sent_ms = letter.id.split_once('-').and_then(|(ms, _)| ms.parse().ok());
    Seen { id: letter.id.clone(), sent_ms, reason, back_to, body }
}

fn text(value: &Value) -> String {
    match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(fields: &[(&str, &str)]) -> StreamId {
        let map = fields.iter().map(|(name, value)| ((*name).to_owned(), Value::BulkString(value.as_bytes().to_vec()))).collect();
        StreamId { id: "1795370400000-2".into(), map, ..StreamId::default() }
    }

    #[test]
    fn a_letter_tells_why_it_is_there_and_where_it_would_go() {
        let aside = [("dead:id", "5-1"), ("dead:group", "g"), ("dead:deliveries", "3"), ("dead:reason", "no number")];
        let shown = seen(&letter(&[&aside[..], &[("version", "x"), ("id", "7")]].concat()), "e:{s}-dead");
        assert_eq!(shown.sent_ms, Some(1_795_370_400_000));
        assert_eq!(shown.reason, "no number (entry 5-1, delivered 3 times to group g)");
        assert_eq!((shown.body.as_str(), shown.back_to.as_str()), ("id=7  version=x", "stream e:{s}"));
        assert!(seen(&letter(&aside), "e:{s}-dead").back_to.starts_with("nowhere: the stream had removed"));
        assert!(seen(&letter(&[("id", "7")]), "e:{s}-dead").back_to.starts_with("nowhere: no group"));
    }
}
