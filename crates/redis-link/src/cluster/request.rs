//! What runs on the nodes of a cluster: script calls and commands.

use redis::{Arg, Cmd, Value, cmd};
use tokio::time::Instant;

use super::slots;
use crate::LinkError;
use crate::node::{Node, pipeline};
use crate::script::Call;

/// A call or a command, with one key or none.
pub(crate) trait Request: Sync {
    /// The slot of its key.
    fn slot(&self) -> Option<u16>;

    /// Runs requests on one node, in one round trip.
    fn run(
        node: &Node,
        batch: &[&Self],
        deadline: Instant,
    ) -> impl Future<Output = Result<Vec<Value>, LinkError>> + Send;

    /// The commands that run it on a node to which its slot is being moved. The last of them gives
    /// the reply.
    fn asking(&self) -> Vec<Cmd>;
}

impl Request for Call {
    fn slot(&self) -> Option<u16> {
        Some(slots::of_key(self.key()))
    }

    async fn run(node: &Node, batch: &[&Self], deadline: Instant) -> Result<Vec<Value>, LinkError> {
        let calls: Vec<Self> = batch.iter().map(|call| call.declaring()).collect();
        node.run_loading(&calls, deadline).await
    }

    fn asking(&self) -> Vec<Cmd> {
        let [load, call] = self.declaring().loading();
        vec![load, cmd("ASKING"), call]
    }
}

impl Request for Cmd {
    fn slot(&self) -> Option<u16> {
        key(self).map(slots::of_key)
    }

    async fn run(node: &Node, batch: &[&Self], deadline: Instant) -> Result<Vec<Value>, LinkError> {
        let commands = batch.iter().map(|command| (*command).clone());
        node.exchange(&pipeline(commands), deadline).await
    }

    fn asking(&self) -> Vec<Cmd> {
        vec![cmd("ASKING"), self.clone()]
    }
}

/// The key of a command: behind `STREAMS` for reads of streams, else the first argument.
pub(crate) fn key(command: &Cmd) -> Option<&[u8]> {
    let mut words = command.args_iter().filter_map(|word| match word {
        Arg::Simple(word) => Some(word),
        _ => None,
    });
    match words.next()? {
        b"PING" | b"TIME" | b"INFO" | b"SCAN" => None,
        b"XREAD" | b"XREADGROUP" => key_of_read(words),
        _ => words.next(),
    }
}

/// The first stream of a read. Names of groups and consumers may be any words.
fn key_of_read<'a>(mut words: impl Iterator<Item = &'a [u8]>) -> Option<&'a [u8]> {
    loop {
        let values = match words.next()?.to_ascii_uppercase().as_slice() {
            b"STREAMS" => return words.next(),
            b"GROUP" => 2,
            b"COUNT" | b"BLOCK" => 1,
            _ => 0,
        };
        words.by_ref().take(values).for_each(drop);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_runs_where_its_key_is() {
        for (words, expected) in [
            ("HGET a b", Some("a")),
            ("MGET {t}a {t}b", Some("{t}a")),
            ("XREAD COUNT 1 BLOCK 5 STREAMS s 0-0", Some("s")),
            ("XREADGROUP GROUP streams me STREAMS s >", Some("me")),
            ("TIME", None),
        ] {
            let mut words = words.split(' ');
            let mut command = cmd(words.next().expect("a command"));
            for word in words {
                command.arg(word);
            }
            let found = key(&command).map(|key| String::from_utf8_lossy(key).into_owned());
            assert_eq!(found.as_deref(), expected);
        }
    }
}
