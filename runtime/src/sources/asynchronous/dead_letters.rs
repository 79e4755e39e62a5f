//! Queues that receive the events that functions' asynchronous invocations gave up, and the way of
//! an event back to its function: through the running host, as a new event.

use std::borrow::Cow;
use std::collections::BTreeMap;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sam_template::model::sqs::name_of;
use sam_template::model::{Application, EventTarget};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::client::{InvokeClient, InvokeReply};
use crate::instances::arn;
use crate::parked::{DeadLetterError, QueueOrigin, SourceReturn, StoreList};
use crate::sources::sqs::DeadLetter;

/// The functions whose discarded events a queue receives.
#[derive(Debug, Default)]
struct EventOrigins(Vec<EventOrigin>);

#[derive(Debug, Clone)]
struct EventOrigin {
    /// Logical id.
    function: String,
    /// As failure records contain it.
    arn: String,
}

/// An event that is replayed to its function.
#[derive(Debug, PartialEq, Eq)]
struct DeadEvent {
    function: String,
    payload: String,
}

/// Why a message yields no event.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum EventError {
    #[error("it does not contain which function's event it was: {}", .0.join(" or "))]
    Ambiguous(Vec<String>),
    #[error("it is about the function {0}, none of whose events the template sends here")]
    OtherFunction(String),
    #[error("it does not contain the event, which was too large for the record")]
    Omitted,
}

/// Why the running host has not accepted an event, or may have.
#[derive(Debug, thiserror::Error)]
enum SubmitError {
    #[error("the running host refuses the event: {0}")]
    Refused(String),
    #[error("events need a running host. Start one with `usher up`")]
    NoHost,
    #[error("the host stopped responding ({0}); it may have accepted the event")]
    Broken(String),
}

/// The record of an on-failure destination, as `record` writes it, in Lambda's format.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FailureRecord<'a> {
    #[serde(borrow)]
    request_context: RequestContext<'a>,
    #[serde(borrow)]
    request_payload: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    #[serde(borrow)]
    function_arn: Cow<'a, str>,
}

/// Adds the on-failure destinations and dead-letter queues of all functions.
pub(super) fn add(app: &Application, stores: &mut StoreList) {
    let mut queues: BTreeMap<&str, EventOrigins> = BTreeMap::new();
    for (id, config) in &app.event_invoke {
        let Some(function) = app.functions.get(id) else {
            continue;
        };
        let discarded_to = config.on_failure.iter().filter_map(|target| match target {
            EventTarget::Queue(arn) => Some(arn),
            EventTarget::Function(_) => None,
        });
        for queue in discarded_to.chain(&config.dead_letters) {
            let EventOrigins(origins) = queues.entry(name_of(queue)).or_default();
            if !origins.iter().any(|known| known.function == *id) {
                origins.push(EventOrigin {
                    function: id.clone(),
                    arn: arn(function),
                });
            }
        }
    }
    for (queue, origins) in queues {
        stores.add_origin(queue, origins);
    }
}

impl QueueOrigin for EventOrigins {
    fn sources(&self) -> Vec<String> {
        let functions = self.functions().into_iter();
        functions.map(|id| format!("events of {id}")).collect()
    }

    fn functions(&self) -> Vec<&str> {
        let functions = self.0.iter();
        functions.map(|origin| origin.function.as_str()).collect()
    }

    fn unmarked(&self) -> Option<&'static str> {
        Some("an event of a function")
    }

    fn route(
        &self,
        dead: &DeadLetter,
        alone: bool,
    ) -> Option<Result<Box<dyn SourceReturn>, DeadLetterError>> {
        Some(match self.event(dead, alone)? {
            Ok(event) => Ok(Box::new(event)),
            Err(why) => Err(why.into()),
        })
    }
}

impl EventOrigins {
    /// The event that a message is about: the message is the record of an on-failure destination,
    /// or the event itself in a dead-letter queue. `alone`: the queue receives nothing else.
    fn event(&self, dead: &DeadLetter, alone: bool) -> Option<Result<DeadEvent, EventError>> {
        // a message with a source came by a redrive policy and is not an event
        if dead.source.is_some() {
            return None;
        }
        let record: Option<FailureRecord<'_>> = strict_json::from_str(&dead.body).ok();
        // a message filled by its event has no room for attributes
        if dead.attribute("RequestID").is_some() || (alone && record.is_none()) {
            let names = || self.functions().into_iter().map(str::to_owned).collect();
            return Some(match self.0.as_slice() {
                [only] => Ok(only.event(&dead.body)),
                _ => Err(EventError::Ambiguous(names())),
            });
        }
        let record = record?;
        let arn = record.request_context.function_arn;
        let arn = arn.trim_end_matches(":$LATEST");
        let origin = self.0.iter().find(|origin| origin.arn == arn);
        let payload = record.request_payload.map(RawValue::get);
        Some(match (origin, payload) {
            (None, _) => Err(EventError::OtherFunction(arn.to_owned())),
            (Some(_), None | Some("null")) => Err(EventError::Omitted),
            (Some(origin), Some(payload)) => Ok(origin.event(payload)),
        })
    }
}

impl EventOrigin {
    fn event(&self, payload: &str) -> DeadEvent {
        DeadEvent {
            function: self.function.clone(),
            payload: payload.to_owned(),
        }
    }
}

impl SourceReturn for DeadEvent {
    fn to(&self) -> String {
        format!("function {}, as an event", self.function)
    }

    fn replay(
        self: Box<Self>,
        host: Option<&InvokeClient>,
    ) -> BoxFuture<'_, Result<u64, DeadLetterError>> {
        async move {
            let Self { function, payload } = *self;
            // the host stores it on disk before it responds
            let reply = match host {
                Some(host) => host.invoke(&function, payload.into(), true, false).await,
                None => InvokeReply::Unreachable,
            };
            match reply {
                InvokeReply::Answer(_) => Ok(1),
                InvokeReply::Refused(why) => Err(SubmitError::Refused(why).into()),
                InvokeReply::Unreachable => Err(SubmitError::NoHost.into()),
                InvokeReply::Broken(why) => Err(SubmitError::Broken(why).into()),
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(names: &[&str]) -> EventOrigins {
        let origin = |name: &&str| EventOrigin {
            function: (*name).into(),
            arn: format!("arn:aws:lambda:r:0:function:{name}"),
        };
        EventOrigins(names.iter().map(origin).collect())
    }

    fn event(function: &str, payload: &str) -> Option<Result<DeadEvent, EventError>> {
        let (function, payload) = (function.into(), payload.into());
        Some(Ok(DeadEvent { function, payload }))
    }

    fn record(function: &str, payload: &str) -> DeadLetter {
        let context =
            format!(r#"{{"functionArn":"arn:aws:lambda:r:0:function:{function}:$LATEST"}}"#);
        let mut dead = DeadLetter::default();
        dead.body =
            format!(r#"{{"version":"1.0","requestContext":{context},"requestPayload":{payload}}}"#);
        dead
    }

    #[test]
    fn an_event_returns_to_its_function_unchanged() {
        let both = origins(&["F", "G"]);
        let of = |dead: &DeadLetter| both.event(dead, false);
        assert_eq!(
            of(&record("G", r#"{"a": 1.0}"#)),
            event("G", r#"{"a": 1.0}"#)
        );
        let other = "arn:aws:lambda:r:0:function:H".to_owned();
        assert_eq!(
            of(&record("H", "{}")),
            Some(Err(EventError::OtherFunction(other)))
        );
        assert_eq!(of(&record("F", "null")), Some(Err(EventError::Omitted)));
        // a message that a redrive policy moved here is never an event
        let mut redriven = record("F", "{}");
        redriven.source = Some("arn:aws:sqs:r:0:q".into());
        assert_eq!(of(&redriven), None);
    }

    #[test]
    fn a_bare_event_is_certain_only_where_nothing_else_arrives() {
        let mut bare = DeadLetter::default();
        bare.body = "[1]".into();
        let one = origins(&["F"]);
        assert_eq!(one.event(&bare, false), None);
        assert_eq!(one.event(&bare, true), event("F", "[1]"));
        let names = vec!["F".to_owned(), "G".to_owned()];
        assert_eq!(
            origins(&["F", "G"]).event(&bare, true),
            Some(Err(EventError::Ambiguous(names)))
        );
    }
}
