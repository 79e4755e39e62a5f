//! Migrate: creates or updates the schema and tables of an environment, by `shared::store`.
//!
//! A deployment of the stack runs it as a custom resource, before any other function is updated:
//! [`handle`] answers `CloudFormation` at the URL that its request names. Any other event runs the
//! migrations and returns what was applied.

mod custom_resource;
mod schema;
mod settings;
mod upload;

use std::fmt::Display;
use std::time::Duration;

use serde_json::{Value, json};
use shared::store::Migrated;
use tokio::time::timeout;

pub use custom_resource::{Outcome, RequestError, RequestType, ResourceAnswer, ResourceRequest};
pub use schema::{MigrateError, migrate};
pub use settings::Settings;
pub use upload::UploadError;

/// Why an invocation failed. Lambda repeats one of `CloudFormation`, which has no answer then;
/// migrations may be repeated.
#[derive(Debug, thiserror::Error)]
pub enum HandleError<E: std::error::Error> {
    /// The migration of an event that is no request of `CloudFormation`.
    #[error(transparent)]
    Migration(E),
    /// The event cannot be answered.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The answer was not stored.
    #[error("CloudFormation has no answer: {0}")]
    Upload(#[from] UploadError),
    /// The answer is no JSON.
    #[error(transparent)]
    Answer(#[from] serde_json::Error),
}

/// Handles an event. `time` is how long the process may still run: a migration of `CloudFormation`
/// that takes longer is cancelled, since a function that has ended answers nothing.
pub async fn handle<E: std::error::Error>(
    event: &Value,
    schema: &str,
    time: Duration,
    migration: impl Future<Output = Result<Migrated, E>>,
) -> Result<Value, HandleError<E>> {
    let Some(request) = ResourceRequest::read(event)? else {
        let migrated = migration.await.map_err(HandleError::Migration)?;
        return Ok(serde_json::to_value(migrated)?);
    };
    let limit = time.saturating_sub(upload::LONGEST.min(time / 2));
    let outcome = match request.request_type {
        RequestType::Delete => Outcome::Kept,
        RequestType::Create | RequestType::Update => match timeout(limit, migration).await {
            Ok(Ok(migrated)) => Outcome::Migrated(migrated),
            Ok(Err(error)) => failed(&error),
            Err(_) => failed(&format_args!(
                "the migration did not end within {} s and was rolled back; raise \
                 MigrateTimeoutSeconds",
                limit.as_secs()
            )),
        },
    };
    let is_failed = matches!(outcome, Outcome::Failed(_));
    let answer = serde_json::to_vec(&request.answer(schema, outcome))?;
    upload::store(&request.response_url, answer.into()).await?;
    Ok(json!({ "answered": if is_failed { "FAILED" } else { "SUCCESS" } }))
}

fn failed(reason: &dyn Display) -> Outcome {
    let reason = reason.to_string();
    tracing::error!(
        reason,
        "the schema is as before; CloudFormation rolls the deployment back"
    );
    Outcome::Failed(reason)
}
