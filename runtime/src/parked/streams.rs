//! Dead letters of Redis Streams: a stream `X-dead` beside each stream `X` whose groups set entries aside.
//!
//! Each letter begins with the fields `dead:id`, `dead:group`, `dead:deliveries` and `dead:reason`; the entry's own fields follow.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, IntoConnectionInfo, RedisError, Script, cmd};

use super::{Replayed, Seen};

/// How the dead letters of a stream are called.
const DEAD: &str = "-dead";

/// A Redis that says nothing for so long is away.
const PATIENCE: Duration = Duration::from_secs(5);

/// A search through all keys of a database that takes longer is given up.
const SEARCH: Duration = Duration::from_secs(10);

/// Letters that cannot be brought back: a replay looks behind so many, not more.
const MOST_STAYING: usize = 1_000;

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
        let info = url
            .into_connection_info()
            .map_err(|_| "the address of Redis is not one such as redis://127.0.0.1:6379")?;
        let shown = info.addr().to_string();
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let client = Client::open(info).map_err(|error| told(&shown, &error))?;
        let connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await;
        Ok(Self {
            connection: connection.map_err(|error| told(&shown, &error))?,
            shown,
        })
    }

    fn told<T>(&self, result: Result<T, RedisError>) -> Result<T, String> {
        result.map_err(|error| told(&self.shown, &error))
    }

    /// Streams that hold dead letters, by name. Looks at every key of the database, some at a time.
    pub(super) async fn found(&mut self) -> Result<Vec<String>, String> {
        let shown = self.shown.clone();
        let found = tokio::time::timeout(SEARCH, self.search()).await;
        found.unwrap_or_else(|_| {
            Err(format!(
                "Redis at {shown}: looking for streams of dead letters takes longer than {} s",
                SEARCH.as_secs()
            ))
        })
    }

    async fn search(&mut self) -> Result<Vec<String>, String> {
        let mut found = BTreeSet::new();
        let mut cursor = 0_u64;
        loop {
            let mut step = cmd("SCAN");
            step.arg(cursor)
                .arg("MATCH")
                .arg(format!("*{DEAD}"))
                .arg("COUNT")
                .arg(STEP)
                .arg("TYPE")
                .arg("stream");
            let step: Result<(u64, Vec<Vec<u8>>), _> = step.query_async(&mut self.connection).await;
            let (next, keys) = self.told(step)?;
            // a name that is no text could not be typed either
            found.extend(
                keys.into_iter()
                    .filter_map(|key| String::from_utf8(key).ok()),
            );
            if next == 0 {
                return Ok(found.into_iter().collect());
            }
            cursor = next;
        }
    }

    pub(super) async fn count(&mut self, dead: &str) -> Result<u64, String> {
        let count = cmd("XLEN")
            .arg(dead)
            .query_async(&mut self.connection)
            .await;
        self.told(count)
    }

    /// Whether this is a stream that may hold dead letters.
    pub(super) async fn has(&mut self, name: &str) -> Result<bool, String> {
        let kind = cmd("TYPE")
            .arg(name)
            .query_async(&mut self.connection)
            .await;
        let kind: String = self.told(kind)?;
        Ok(kind == "stream" && name.ends_with(DEAD))
    }

    pub(super) async fn peek(&mut self, dead: &str, limit: usize) -> Result<Vec<Seen>, String> {
        let letters = self.range(dead, "-", "+", limit).await?;
        Ok(letters.iter().map(|letter| letter.seen(dead)).collect())
    }

    async fn range(
        &mut self,
        dead: &str,
        from: &str,
        to: &str,
        most: usize,
    ) -> Result<Vec<Letter>, String> {
        let range = cmd("XRANGE")
            .arg(dead)
            .arg(from)
            .arg(to)
            .arg("COUNT")
            .arg(most)
            .query_async(&mut self.connection)
            .await;
        let range: Vec<(String, Vec<Vec<u8>>)> = self.told(range)?;
        Ok(range
            .into_iter()
            .map(|(id, fields)| Letter { id, fields })
            .collect())
    }

    /// Brings letters back, oldest first, until as many are back or all that were there have been looked at.
    pub(super) async fn replay(&mut self, dead: &str, limit: usize) -> Result<Replayed, String> {
        let script = Script::new(REPLAY);
        let mut replayed = Replayed::default();
        let last = cmd("XREVRANGE")
            .arg(dead)
            .arg("+")
            .arg("-")
            .arg("COUNT")
            .arg(1)
            .query_async(&mut self.connection)
            .await;
        let last: Vec<(String, Vec<Vec<u8>>)> = self.told(last)?;
        let Some((last, _)) = last.into_iter().next() else {
            return Ok(replayed);
        };
        let mut from = "-".to_owned();
        while (replayed.letters as usize) < limit && replayed.stayed.len() < MOST_STAYING {
            let letters = self
                .range(dead, &from, &last, limit - replayed.letters as usize)
                .await?;
            let Some(end) = letters.last() else { break };
            from = format!("({}", end.id);
            for letter in &letters {
                let mut call = script.key(dead);
                call.key(source(dead)).arg(&letter.id);
                let answer: String =
                    call.invoke_async(&mut self.connection)
                        .await
                        .map_err(|error| {
                            let so_far = replayed.letters;
                            format!(
                                "{}; {so_far} letters were brought back before",
                                told(&self.shown, &error)
                            )
                        })?;
                match answer.as_str() {
                    "BACK" => {
                        replayed.letters += 1;
                        replayed.records += 1;
                    }
                    // somebody else brought it back meanwhile, or removed it
                    "GONE" => {}
                    why => replayed.stayed.push(format!(
                        "{}: {}",
                        letter.id,
                        reason_to_stay(why, dead)
                    )),
                }
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

fn reason_to_stay(answer: &str, dead: &str) -> String {
    let (why, remedy) = match answer {
        "FOREIGN" => (
            "no group of a stream set it aside: its first field is not dead:id",
            "remove",
        ),
        "EMPTY" => (
            "the stream had lost its entry before it was set aside: there is nothing to bring back",
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

/// An entry of a stream of dead letters: names and values by turns, bytes of any kind.
#[derive(Debug)]
struct Letter {
    id: String,
    fields: Vec<Vec<u8>>,
}

impl Letter {
    /// As a person sees it; decided as the script decides.
    fn seen(&self, dead: &str) -> Seen {
        let text = |at: usize| {
            self.fields
                .get(at)
                .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
                .unwrap_or_default()
        };
        let name = |at: usize| self.fields.get(at).map_or(&b""[..], Vec::as_slice);
        let set_aside = name(0) == b"dead:id";
        let own = if set_aside { 8 } else { 0 };
        let mut body = String::new();
        for at in (own..self.fields.len()).step_by(2) {
            let _ = write!(
                body,
                "{}{}={}",
                if body.is_empty() { "" } else { "  " },
                text(at),
                text(at + 1)
            );
        }
        if set_aside && name(own) == b"dead:packed" {
            "(more fields than are shown)".clone_into(&mut body);
        }
        let (reason, back_to) = match (set_aside, body.is_empty()) {
            (false, _) => (
                "it does not say".to_owned(),
                format!("nowhere: {}", reason_to_stay("FOREIGN", dead)),
            ),
            (true, empty) => (
                format!(
                    "{} (entry {}, delivered {} times to group {})",
                    text(7),
                    text(1),
                    text(5),
                    text(3)
                ),
                if empty {
                    format!("nowhere: {}", reason_to_stay("EMPTY", dead))
                } else {
                    format!("stream {}", source(dead))
                },
            ),
        };
        let sent_ms = self.id.split_once('-').and_then(|(ms, _)| ms.parse().ok());
        Seen {
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

    fn seen(fields: &[&[u8]]) -> Seen {
        Letter {
            id: "1795370400000-2".into(),
            fields: fields.iter().map(|field| field.to_vec()).collect(),
        }
        .seen("e:{s}-dead")
    }

    #[test]
    fn a_letter_tells_why_it_is_there_and_where_it_would_go() {
        let aside: [&[u8]; 8] = [
            b"dead:id",
            b"5-1",
            b"dead:group",
            b"g",
            b"dead:deliveries",
            b"3",
            b"dead:reason",
            b"no number",
        ];
        let shown = seen(
            &[
                &aside[..],
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
            seen(&[&aside[..], &[b"dead:packed", b"\x92"]].concat()).body,
            "(more fields than are shown)"
        );
        assert!(
            seen(&aside)
                .back_to
                .starts_with("nowhere: the stream had lost")
        );
        let foreign = seen(&[b"id", b"7"]);
        assert!(
            foreign.back_to.ends_with("remove it: XDEL e:{s}-dead ID") && foreign.body == "id=7",
            "{foreign:?}"
        );
    }
}
