//! Replies that send a command to another node, or to a later time.

use redis::{RedisError, Value};

use crate::address::Address;

/// Part of the error of a script that reads or writes a key which has left its node: the slot is
/// being moved.
const NOT_LOCAL: &str = "non local key";

/// Whether an error is that of a script which met such a key.
pub(crate) fn is_moving(error: &RedisError) -> bool {
    error.detail().is_some_and(|text| text.contains(NOT_LOCAL))
}

/// Why a node did not carry out a command, and where it may be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Redirect {
    /// The slot belongs to another node; `None`: the reply does not say which.
    Moved(Option<Address>),
    /// This one command belongs to another node: the slot is being moved there.
    Ask(Address),
    /// No node can carry it out now: keys of the slot are on two nodes, or the cluster is changing
    /// its primaries.
    Later,
}

impl Redirect {
    /// The redirection, if this reply is one.
    pub(crate) fn of(reply: &Value) -> Option<Self> {
        let Value::ServerError(error) = reply else {
            return None;
        };
        let details = error.details().unwrap_or_default();
        match error.code() {
            "MOVED" => Some(Self::Moved(target(details))),
            "ASK" => Some(target(details).map_or(Self::Later, Self::Ask)),
            "TRYAGAIN" | "CLUSTERDOWN" => Some(Self::Later),
            _ if details.contains(NOT_LOCAL) => Some(Self::Later),
            _ => None,
        }
    }
}

/// The address in `<slot> <host>:<port>`. Without a host it is that of the node which answered: the
/// next layout names it.
fn target(details: &str) -> Option<Address> {
    let (_, address) = details.split_once(' ')?;
    let (host, port) = address.rsplit_once(':')?;
    let port = port.parse().ok()?;
    (!host.is_empty()).then(|| Address::Tcp {
        host: host.to_owned(),
        port,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LinkError;
    use redis::parse_redis_value;

    fn of(reply: &str) -> Option<Redirect> {
        let reply = format!("-{reply}\r\n");
        Redirect::of(&parse_redis_value(reply.as_bytes()).expect("a reply"))
    }

    fn address(host: &str, port: u16) -> Address {
        let host = host.to_owned();
        Address::Tcp { host, port }
    }

    #[test]
    fn redirections_name_their_node() {
        for (reply, expected) in [
            (
                "MOVED 866 127.0.0.1:7001",
                Redirect::Moved(Some(address("127.0.0.1", 7001))),
            ),
            (
                "MOVED 866 fe80::1:7001",
                Redirect::Moved(Some(address("fe80::1", 7001))),
            ),
            ("MOVED 866 :7001", Redirect::Moved(None)),
            (
                "ASK 866 node.example:7001",
                Redirect::Ask(address("node.example", 7001)),
            ),
            (
                "TRYAGAIN Multiple keys request during rehashing of slot",
                Redirect::Later,
            ),
            ("CLUSTERDOWN The cluster is down", Redirect::Later),
            (
                "ERR Script attempted to access a non local key in a cluster node script: x",
                Redirect::Later,
            ),
        ] {
            assert_eq!(of(reply), Some(expected), "{reply}");
        }
        assert_eq!(
            of("READONLY You can't write against a read only replica."),
            None
        );
        assert_eq!(Redirect::of(&Value::Okay), None);
    }
    #[test]
    fn what_is_still_redirected_at_the_end_is_unavailable() {
        for reply in [
            "MOVED 866 127.0.0.1:7001",
            "ASK 866 127.0.0.1:7001",
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "CLUSTERDOWN The cluster is down",
            "ERR Script attempted to access a non local key in a cluster node script: x",
        ] {
            let reply = parse_redis_value(format!("-{reply}\r\n").as_bytes()).expect("a reply");
            let error = LinkError::from(reply.extract_error().expect_err("an error"));
            assert!(matches!(error, LinkError::Unavailable(_)), "{error:?}");
        }
    }
}
