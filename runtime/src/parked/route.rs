//! The source of a dead letter in a queue. Pure, but for the returns of the kinds.

use std::fmt;

use futures::future::BoxFuture;
use sam_template::model::sqs::name_of;
use serde_json::Value;

use super::DeadLetterError;
use super::stores::QueueSources;
use crate::client::InvokeClient;
use crate::sources::sqs::dead_letters::DeadLetter;

/// Sources of one kind that send failure records or dead letters to a queue.
pub trait QueueOrigin: fmt::Debug + Send + Sync {
    /// The sources as messages name them, such as `topic orders`.
    fn sources(&self) -> Vec<String>;

    /// Logical ids of the functions to which it replays events through the running host.
    fn functions(&self) -> Vec<&str> {
        Vec::new()
    }

    /// How messages name a dead letter of these sources, if it may look like any other message.
    fn unmarked(&self) -> Option<&'static str> {
        None
    }

    /// The way back of a message. `None`: it is of none of these sources. `alone`: the queue
    /// receives nothing else.
    fn route(
        &self,
        dead: &DeadLetter,
        alone: bool,
    ) -> Option<Result<Box<dyn SourceReturn>, DeadLetterError>>;
}

/// The way of one dead letter back to its source.
pub trait SourceReturn: fmt::Debug + Send {
    /// Where a replay sends it, as text.
    fn to(&self) -> String;

    /// Sends it. Returns the number of records that the source accepted.
    ///
    /// # Errors
    /// The source did not accept all of it; the dead letter stays.
    fn replay(
        self: Box<Self>,
        host: Option<&InvokeClient>,
    ) -> BoxFuture<'_, Result<u64, DeadLetterError>>;
}

/// The target of a replay.
#[derive(Debug)]
pub(super) enum ReturnRoute {
    /// This queue; the message is unchanged.
    Queue(String),
    /// The kind of its source returns it.
    Source(Box<dyn SourceReturn>),
}

/// Why the source of a message in a queue is unknown.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RouteError {
    #[error("it came from queue {0}, which is not one of the template's that fail to here")]
    OtherQueue(String),
    #[error("it does not contain whether it came from queue {queue} or is {unmarked}")]
    QueueOrUnmarked {
        queue: String,
        unmarked: &'static str,
    },
    #[error(
        "it is no record of a failed batch or event of the template, and no queue of the template \
         fails to here"
    )]
    NoSource,
    #[error("it does not contain from which queue it came: {}", .0.join(" or "))]
    SeveralQueues(Vec<String>),
}

/// Derives where a dead letter is replayed to.
///
/// # Errors
/// Why the source is unknown.
pub(super) fn route(
    sources: &QueueSources,
    dead: &DeadLetter,
) -> Result<ReturnRoute, DeadLetterError> {
    let QueueSources { queues, origins } = sources;
    let alone = queues.is_empty() && origins.len() == 1;
    let mut routes = origins.iter().map(|origin| origin.route(dead, alone));
    if let Some(route) = routes.find_map(|route| route) {
        return route.map(ReturnRoute::Source);
    }
    let queue = queue_of(sources, dead)?;
    Ok(ReturnRoute::Queue(queue))
}

/// The queue from which a redrive policy moved the message.
fn queue_of(sources: &QueueSources, dead: &DeadLetter) -> Result<String, RouteError> {
    let QueueSources { queues, origins } = sources;
    if let Some(name) = dead.source.as_deref().map(name_of) {
        let name = name.to_owned();
        return if queues.contains(&name) {
            Ok(name)
        } else {
            Err(RouteError::OtherQueue(name))
        };
    }
    let unmarked = origins.iter().find_map(|origin| origin.unmarked());
    match (queues.as_slice(), unmarked) {
        ([only], None) => Ok(only.clone()),
        ([only], Some(unmarked)) => Err(RouteError::QueueOrUnmarked {
            queue: only.clone(),
            unmarked,
        }),
        ([], _) => Err(RouteError::NoSource),
        (several, _) => Err(RouteError::SeveralQueues(several.to_vec())),
    }
}

/// Why the message is a dead letter, as far as it contains that.
pub fn reason(dead: &DeadLetter) -> String {
    let body: Value = strict_json::from_str(&dead.body).unwrap_or_default();
    if let Some(condition) = body["requestContext"]["condition"].as_str() {
        let attempts = body["requestContext"]["approximateInvokeCount"].as_u64();
        let attempts = attempts
            .map(|count| format!(" after {count} attempts"))
            .unwrap_or_default();
        let error = body["responseContext"]["functionError"]
            .as_str()
            .map(|error| format!(" ({error})"))
            .unwrap_or_default();
        return format!("{condition}{attempts}{error}");
    }
    if let Some(message) = dead.attribute("ErrorMessage") {
        return message.to_owned();
    }
    "received too often (maxReceiveCount)".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sources that mark no message, and claim only a message that says so.
    #[derive(Debug)]
    struct Unmarked;

    #[derive(Debug)]
    struct Claimed(bool);

    impl QueueOrigin for Unmarked {
        fn sources(&self) -> Vec<String> {
            vec!["things".to_owned()]
        }

        fn unmarked(&self) -> Option<&'static str> {
            Some("a thing")
        }

        fn route(
            &self,
            dead: &DeadLetter,
            alone: bool,
        ) -> Option<Result<Box<dyn SourceReturn>, DeadLetterError>> {
            (alone || dead.body == "thing").then(|| Ok(Box::new(Claimed(alone)) as _))
        }
    }

    impl SourceReturn for Claimed {
        fn to(&self) -> String {
            format!("things, alone: {}", self.0)
        }

        fn replay(
            self: Box<Self>,
            _host: Option<&InvokeClient>,
        ) -> BoxFuture<'_, Result<u64, DeadLetterError>> {
            Box::pin(async { Ok(1) })
        }
    }

    fn queues(names: &[&str]) -> QueueSources {
        QueueSources {
            queues: names.iter().map(|&name| name.to_owned()).collect(),
            origins: Vec::new(),
        }
    }

    fn from(source: Option<&str>) -> DeadLetter {
        let mut dead = DeadLetter::default();
        dead.source = source.map(str::to_owned);
        dead
    }

    #[test]
    fn a_message_returns_to_its_source_or_only_queue() {
        let back = |names: &[&str], source| queue_of(&queues(names), &from(source));
        assert_eq!(back(&["a"], None), Ok("a".to_owned()));
        assert_eq!(
            back(&["a", "b"], Some("arn:aws:sqs:r:0:b")),
            Ok("b".to_owned())
        );
        let several = back(&["a", "b"], None).unwrap_err();
        assert!(several.to_string().ends_with("came: a or b"), "{several}");
        assert_eq!(
            back(&["a"], Some("arn:aws:sqs:r:0:other")),
            Err(RouteError::OtherQueue("other".to_owned()))
        );
        assert_eq!(back(&[], None), Err(RouteError::NoSource));
    }

    #[test]
    fn an_unmarked_message_returns_only_if_its_origin_is_certain() {
        let with = |names: &[&str]| QueueSources {
            origins: vec![Box::new(Unmarked)],
            ..queues(names)
        };
        let to = |sources: &QueueSources, dead: &DeadLetter| match route(sources, dead).unwrap() {
            ReturnRoute::Source(source) => source.to(),
            ReturnRoute::Queue(queue) => queue,
        };
        assert_eq!(to(&with(&[]), &from(None)), "things, alone: true");
        let mut claimed = from(None);
        claimed.body = "thing".into();
        assert_eq!(to(&with(&["q"]), &claimed), "things, alone: false");
        let why = route(&with(&["q"]), &from(None)).unwrap_err().to_string();
        assert!(why.ends_with("queue q or is a thing"), "{why}");
        // a redrive policy names the queue
        assert_eq!(to(&with(&["q"]), &from(Some("arn:aws:sqs:r:0:q"))), "q");
    }
}
