//! Creates the template's queues at the SQS endpoint, and updates those that differ.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_sqs::operation::create_queue::CreateQueueError;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};

use super::client::{Sqs, SqsError, convert};
use sam_template::model::sqs::name_of;
use sam_template::model::{Application, Destination, Queue, Redrive};

const REDRIVE: &str = "RedrivePolicy";

/// Why a queue is not as in the template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// It cannot be created.
    #[error("queue {queue} cannot be created at {endpoint}: {error}")]
    NotCreated {
        /// Name.
        queue: String,
        /// URL of the server.
        endpoint: String,
        /// The reason.
        #[source]
        error: SqsError,
    },
    /// Its attributes cannot be changed.
    #[error("queue {queue} cannot be changed at {endpoint}: {error}")]
    NotChanged {
        /// Name.
        queue: String,
        /// URL of the server.
        endpoint: String,
        /// The reason.
        #[source]
        error: SqsError,
    },
}

/// Creates or updates every queue. Idempotent, also with several hosts at once.
///
/// All queues exist before the first redrive policy is set, so that their order does not matter and
/// two queues may name each other.
///
/// # Errors
/// Which queue cannot be created or changed, and why.
pub async fn ensure(sqs: &Sqs, queues: &[Queue]) -> Result<(), QueueError> {
    let endpoint = || sqs.endpoint().to_owned();
    for queue in queues {
        create(sqs, queue)
            .await
            .map_err(|error| QueueError::NotCreated {
                queue: queue.name.clone(),
                endpoint: endpoint(),
                error,
            })?;
    }
    for queue in queues {
        update(sqs, queue)
            .await
            .map_err(|error| QueueError::NotChanged {
                queue: queue.name.clone(),
                endpoint: endpoint(),
                error,
            })?;
    }
    Ok(())
}

/// Queues that the application expects and the template does not declare, each with its role.
fn expected(app: &Application) -> BTreeMap<&str, String> {
    let mut expected: BTreeMap<&str, String> = BTreeMap::new();
    for queue in &app.queues {
        if let Some(redrive) = &queue.redrive {
            expected
                .entry(redrive.target_name())
                .or_insert_with(|| format!("the dead-letter queue of {}", queue.id));
        }
    }
    for mapping in app.kafka.iter().filter(|mapping| mapping.enabled) {
        if let Some(Destination::Sqs(arn)) = &mapping.on_failure {
            expected
                .entry(name_of(arn))
                .or_insert_with(|| format!("the on-failure destination of {}", mapping.id));
        }
    }
    for (function, config) in &app.event_invoke {
        for arn in config.queues() {
            expected.entry(name_of(arn)).or_insert_with(|| {
                format!("a destination of the asynchronous events of {function}")
            });
        }
    }
    for mapping in app.sqs.iter().filter(|mapping| mapping.enabled) {
        expected
            .entry(mapping.queue_name())
            .or_insert_with(|| format!("the source of {}", mapping.id));
    }
    expected.retain(|name, _| !app.queues.iter().any(|queue| queue.name == *name));
    expected
}

/// Queues that the application expects and that embedded queues lack, which are those of the
/// template; each with its remedy.
pub(super) fn undeclared(app: &Application) -> Vec<String> {
    let expected = expected(app).into_iter();
    expected
        .map(|(name, role)| {
            format!(
                "the template declares no queue {name}: {role}. Declare it as AWS::SQS::Queue, or \
                 name an SQS server that has it in usher.toml under [endpoints]"
            )
        })
        .collect()
}

/// Queues that the application expects and that exist neither in the template nor at the endpoint,
/// each with its remedy.
pub async fn missing(sqs: &Sqs, app: &Application) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, role) in expected(app) {
        match sqs.exists(name).await {
            Ok(true) => {}
            Ok(false) => problems.push(format!(
                "there is no queue {name} at {}: {role}. Create it, or declare it in the template \
                 as AWS::SQS::Queue",
                sqs.endpoint()
            )),
            Err(error) => problems.push(format!("queue {name} at {}: {error}", sqs.endpoint())),
        }
    }
    problems
}

async fn create(sqs: &Sqs, queue: &Queue) -> Result<(), SqsError> {
    if sqs.exists(&queue.name).await? {
        return Ok(());
    }
    let mut request = sqs.client.create_queue().queue_name(&queue.name);
    for (name, value) in &queue.attributes {
        request = request.attributes(QueueAttributeName::from(name.as_str()), value);
    }
    match request.send().await {
        Ok(_) => tracing::info!(queue = %queue.name, "queue created"),
        // another host created it first; its attributes are compared next
        Err(error)
            if error
                .as_service_error()
                .is_some_and(CreateQueueError::is_queue_name_exists) => {}
        Err(error) => return Err(convert(&error)),
    }
    Ok(())
}

async fn update(sqs: &Sqs, queue: &Queue) -> Result<(), SqsError> {
    let found = sqs
        .attributes(&queue.name, &[QueueAttributeName::All])
        .await?;
    let found: HashMap<String, String> = found
        .into_iter()
        .map(|(name, value)| (name.as_str().to_owned(), value))
        .collect();
    let mut changes = differences(queue, &found);
    // ElasticMQ cannot remove a policy; the start goes on, since all else is as in the template
    if changes.get(REDRIVE).is_some_and(String::is_empty) {
        changes.remove(REDRIVE);
        if let Err(why) = set(
            sqs,
            queue,
            &BTreeMap::from([(REDRIVE.to_owned(), String::new())]),
        )
        .await
        {
            tracing::warn!(queue = %queue.name, "the template no longer has a {REDRIVE} for this \
                 queue, but the server keeps the \
                 old one ({why}). Delete the queue to remove it");
        }
    }
    if changes.is_empty() {
        Ok(())
    } else {
        set(sqs, queue, &changes).await
    }
}

async fn set(sqs: &Sqs, queue: &Queue, changes: &BTreeMap<String, String>) -> Result<(), SqsError> {
    let mut request = sqs
        .client
        .set_queue_attributes()
        .queue_url(sqs.url(&queue.name));
    for (name, value) in changes {
        request = request.attributes(QueueAttributeName::from(name.as_str()), value);
    }
    request.send().await.map_err(|error| convert(&error))?;
    tracing::info!(queue = %queue.name, ?changes, "queue changed");
    Ok(())
}

/// The attributes to change. An attribute that the server does not report is unsupported there.
fn differences(queue: &Queue, found: &HashMap<String, String>) -> BTreeMap<String, String> {
    let mut changes: BTreeMap<String, String> = queue
        .attributes
        .iter()
        .filter(|(name, value)| found.get(*name).is_some_and(|there| there != *value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let there = found
        .get(REDRIVE)
        .filter(|text| !text.is_empty())
        .and_then(|text| policy(text));
    if there != queue.redrive {
        changes.insert(
            REDRIVE.to_owned(),
            queue
                .redrive
                .as_ref()
                .map(format_policy)
                .unwrap_or_default(),
        );
    }
    changes
}

fn format_policy(redrive: &Redrive) -> String {
    json!({ "deadLetterTargetArn": redrive.target, "maxReceiveCount": redrive.max_receives })
        .to_string()
}

/// Servers write the count as a number or as text.
fn policy(text: &str) -> Option<Redrive> {
    let policy: Value = strict_json::from_str(text).ok()?;
    let count = &policy["maxReceiveCount"];
    let count = count.as_u64().or_else(|| count.as_str()?.parse().ok())?;
    Some(Redrive {
        target: policy["deadLetterTargetArn"].as_str()?.to_owned(),
        max_receives: u32::try_from(count).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn queue(redrive: Option<Redrive>) -> Queue {
        Queue {
            id: "Q".into(),
            name: "q".into(),
            arn: "arn:aws:sqs:us-east-1:000000000000:q".into(),
            fifo: false,
            visibility: Duration::from_secs(30),
            attributes: [("VisibilityTimeout", "30"), ("MaximumMessageSize", "2048")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            redrive,
        }
    }

    fn found(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn only_different_attributes_are_set() {
        let redrive = Redrive {
            target: "arn:dead".into(),
            max_receives: 3,
        };
        let there = found(&[
            ("VisibilityTimeout", "30"),
            (
                "RedrivePolicy",
                r#"{"maxReceiveCount":"3","deadLetterTargetArn":"arn:dead"}"#,
            ),
        ]);
        assert!(differences(&queue(Some(redrive.clone())), &there).is_empty());
        let changes = differences(
            &queue(Some(Redrive {
                max_receives: 4,
                ..redrive
            })),
            &found(&[("VisibilityTimeout", "9")]),
        );
        assert_eq!(
            changes.keys().collect::<Vec<_>>(),
            ["RedrivePolicy", "VisibilityTimeout"]
        );
        assert_eq!(policy(&changes["RedrivePolicy"]).unwrap().max_receives, 4);
    }

    #[test]
    fn a_policy_absent_from_the_template_is_removed() {
        let there = found(&[(
            "RedrivePolicy",
            r#"{"maxReceiveCount":3,"deadLetterTargetArn":"arn:dead"}"#,
        )]);
        assert_eq!(
            differences(&queue(None), &there),
            BTreeMap::from([("RedrivePolicy".to_owned(), String::new())])
        );
    }
}
