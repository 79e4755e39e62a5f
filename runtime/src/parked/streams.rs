//! Dead letters of Redis Streams: the stream `X-dead` holds the entries that the consumer groups of
//! the stream `X` parked.
//!
//! A dead letter begins with the fields `dead:id`, `dead:group`, `dead:deliveries` and
//! `dead:reason`; the fields of the entry follow.

use std::collections::BTreeSet;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncCommands as _, AsyncConnectionConfig, Client, IntoConnectionInfo, RedisError, RedisResult,
    ScanOptions, Script,
};

use super::{DeadLetterView, ReplaySummary};

/// Suffix of a dead-letter stream.
const DEAD: &str = "-dead";

/// Time limit of a connection and of a response.
const PATIENCE: Duration = Duration::from_secs(5);

/// Time limit of a scan through all keys of a database.
const SEARCH: Duration = Duration::from_secs(10);

/// A replay ends after so many dead letters that cannot be replayed.
const MAX_STAYING: usize = 1_000;

/// Keys that one SCAN call examines.
const STEP: usize = 1_000;

const REPLAY: &str = include_str!("lua/replay.lua");

/// The Redis of a command that an operator runs.
pub(super) struct Streams {
    connection: MultiplexedConnection,
    /// Host and port, for messages: the URL may contain a password.
    address: String,
}

impl Streams {
    /// # Errors
    /// The URL is invalid, or Redis does not respond.
    pub(super) async fn at(url: &str) -> Result<Self, String> {
        let info = url
            .into_connection_info()
            .map_err(|_| "the address of Redis is not one such as redis://127.0.0.1:6379")?;
        let address = info.addr().to_string();
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let client = Client::open(info).map_err(|error| redis_error(&address, &error))?;
        let connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await;
        Ok(Self {
            connection: connection.map_err(|error| redis_error(&address, &error))?,
            address,
        })
    }

    fn checked<T>(&self, result: RedisResult<T>) -> Result<T, String> {
        result.map_err(|error| redis_error(&self.address, &error))
    }

    /// Names of the dead-letter streams. Scans every key of the database.
    pub(super) async fn found(&mut self) -> Result<Vec<String>, String> {
        match tokio::time::timeout(SEARCH, self.search()).await {
            Ok(found) => Ok(self.checked(found)?.into_iter().collect()),
            Err(_) => Err(format!(
                "Redis at {}: the scan for dead-letter streams takes longer than {} s",
                self.address,
                SEARCH.as_secs()
            )),
        }
    }

    async fn search(&mut self) -> RedisResult<BTreeSet<String>> {
        let options = ScanOptions::default().with_pattern(format!("*{DEAD}"));
        let options = options.with_count(STEP).with_type("stream");
        let mut keys = self.connection.scan_options::<Vec<u8>>(options).await?;
        let mut found = BTreeSet::new();
        while let Some(key) = keys.next_item().await {
            // a name that is not UTF-8 cannot be an argument of the command line
            found.extend(String::from_utf8(key?));
        }
        Ok(found)
    }

    pub(super) async fn count(&mut self, dead: &str) -> Result<u64, String> {
        let count = self.connection.xlen(dead).await;
        self.checked(count)
    }

    /// Whether a dead-letter stream of this name exists.
    pub(super) async fn has(&mut self, name: &str) -> Result<bool, String> {
        let kind = self.connection.key_type(name).await;
        let kind: String = self.checked(kind)?;
        Ok(kind == "stream" && name.ends_with(DEAD))
    }

    pub(super) async fn peek(
        &mut self,
        dead: &str,
        limit: usize,
    ) -> Result<Vec<DeadLetterView>, String> {
        let entries = self.range(dead, "-", "+", limit).await?;
        Ok(entries.iter().map(|entry| entry.view(dead)).collect())
    }

    async fn range(
        &mut self,
        dead: &str,
        from: &str,
        to: &str,
        max: usize,
    ) -> Result<Vec<StreamEntry>, String> {
        let range = self.connection.xrange_count(dead, from, to, max).await;
        let range: Vec<(String, Vec<Vec<u8>>)> = self.checked(range)?;
        let entry = |(id, fields)| StreamEntry { id, fields };
        Ok(range.into_iter().map(entry).collect())
    }

    /// Replays the oldest dead letters, up to `limit`. Those that arrive during the replay are not
    /// tried.
    pub(super) async fn replay(
        &mut self,
        dead: &str,
        limit: usize,
    ) -> Result<ReplaySummary, String> {
        let script = Script::new(REPLAY);
        let mut replayed = ReplaySummary::default();
        let last = self.connection.xrevrange_count(dead, "+", "-", 1).await;
        let last: Vec<(String, Vec<Vec<u8>>)> = self.checked(last)?;
        let Some((last, _)) = last.into_iter().next() else {
            return Ok(replayed);
        };
        let mut from = "-".to_owned();
        while (replayed.dead_letters as usize) < limit && replayed.stayed.len() < MAX_STAYING {
            let left = limit - replayed.dead_letters as usize;
            let entries = self.range(dead, &from, &last, left).await?;
            let Some(end) = entries.last() else { break };
            from = format!("({}", end.id);
            for entry in &entries {
                let mut call = script.key(dead);
                call.key(source(dead)).arg(&entry.id);
                let answer = call.invoke_async(&mut self.connection).await;
                let answer: String = self.checked(answer).map_err(|error| {
                    let so_far = replayed.dead_letters;
                    format!("{error}; {so_far} dead letters were replayed before")
                })?;
                match answer.as_str() {
                    "BACK" => {
                        replayed.dead_letters += 1;
                        replayed.records += 1;
                    }
                    // another command replayed or removed it
                    "GONE" => {}
                    why => {
                        let why = reason_to_stay(why, dead);
                        replayed.stayed.push(format!("{}: {why}", entry.id));
                    }
                }
            }
        }
        Ok(replayed)
    }
}

/// The stream whose groups parked the entries of this dead-letter stream.
pub(super) fn source(dead: &str) -> &str {
    dead.strip_suffix(DEAD).unwrap_or(dead)
}

fn redis_error(address: &str, error: &RedisError) -> String {
    format!("Redis at {address}: {error}")
}

fn reason_to_stay(answer: &str, dead: &str) -> String {
    let (why, remedy) = match answer {
        "FOREIGN" => (
            "no consumer group parked it: its first field is not dead:id",
            "remove",
        ),
        "EMPTY" => (
            "the stream had lost its entry before it was parked: there is nothing to replay",
            "remove",
        ),
        "LARGE" => (
            "it has more fields than Redis can move in one step",
            "add it to the stream by hand (XADD), then remove",
        ),
        other => (other, "remove"),
    };
    format!("{why}; {remedy} it: XDEL {dead} ID")
}

/// An entry of a dead-letter stream.
#[derive(Debug)]
struct StreamEntry {
    id: String,
    /// Names and values in turn; not necessarily UTF-8.
    fields: Vec<Vec<u8>>,
}

impl StreamEntry {
    /// Classifies the entry as the replay script does.
    fn view(&self, dead: &str) -> DeadLetterView {
        let text = |at: usize| {
            self.fields
                .get(at)
                .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
                .unwrap_or_default()
        };
        let name = |at: usize| self.fields.get(at).map_or(&b""[..], Vec::as_slice);
        let parked = name(0) == b"dead:id";
        let own = if parked { 8 } else { 0 };
        let fields = (own..self.fields.len()).step_by(2);
        let fields: Vec<String> = fields
            .map(|at| format!("{}={}", text(at), text(at + 1)))
            .collect();
        let body = if parked && name(own) == b"dead:packed" {
            "(more fields than are shown)".to_owned()
        } else {
            fields.join("  ")
        };
        let reason = if parked {
            format!(
                "{} (entry {}, delivered {} times to group {})",
                text(7),
                text(1),
                text(5),
                text(3)
            )
        } else {
            "unknown".to_owned()
        };
        let back_to = match (parked, body.is_empty()) {
            (false, _) => format!("nowhere: {}", reason_to_stay("FOREIGN", dead)),
            (true, true) => format!("nowhere: {}", reason_to_stay("EMPTY", dead)),
            (true, false) => format!("stream {}", source(dead)),
        };
        let sent_ms = self.id.split_once('-').and_then(|(ms, _)| ms.parse().ok());
        DeadLetterView {
            id: self.id.clone(),
            sent_ms,
            reason,
            back_to,
            body,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(fields: &[&[u8]]) -> DeadLetterView {
        StreamEntry {
            id: "1795370400000-2".into(),
            fields: fields.iter().map(|field| field.to_vec()).collect(),
        }
        .view("e:{s}-dead")
    }

    #[test]
    fn a_view_has_the_reason_and_the_target() {
        let parked: [&[u8]; 8] = [
            b"dead:id",
            b"5-1",
            b"dead:group",
            b"g",
            b"dead:deliveries",
            b"3",
            b"dead:reason",
            b"no number",
        ];
        let shown = view(
            &[
                &parked[..],
                &[b"version", b"x", b"\xff", b"7", b"version", b"y"],
            ]
            .concat(),
        );
        assert_eq!(shown.sent_ms, Some(1_795_370_400_000));
        assert_eq!(
            shown.reason,
            "no number (entry 5-1, delivered 3 times to group g)"
        );
        assert_eq!(
            (shown.body.as_str(), shown.back_to.as_str()),
            ("version=x  \u{fffd}=7  version=y", "stream e:{s}")
        );
        assert_eq!(
            view(&[&parked[..], &[b"dead:packed", b"\x92"]].concat()).body,
            "(more fields than are shown)"
        );
        assert!(
            view(&parked)
                .back_to
                .starts_with("nowhere: the stream had lost")
        );
        let foreign = view(&[b"id", b"7"]);
        assert!(
            foreign.back_to.ends_with("remove it: XDEL e:{s}-dead ID") && foreign.body == "id=7",
            "{foreign:?}"
        );
    }
}
