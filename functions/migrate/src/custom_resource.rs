//! The protocol of `CloudFormation`'s custom resources: a request that names a URL, and the answer
//! that is stored there. Pure: no I/O, no clock.
//!
//! Source: "Custom resource request types" and "Response objects", AWS `CloudFormation` User Guide.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use shared::store::Migrated;

/// Longest reason of a failure, bytes. A whole answer may have 4,096.
const LONGEST_REASON: usize = 1_000;

/// What `CloudFormation` requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum RequestType {
    /// The resource is new in the stack.
    Create,
    /// A property changed. A rollback is one as well, with the earlier properties.
    Update,
    /// The resource left the stack, or the stack is deleted.
    Delete,
}

/// A request of `CloudFormation`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ResourceRequest {
    /// What is requested.
    pub request_type: RequestType,
    /// Presigned URL that takes the answer by PUT.
    #[serde(rename = "ResponseURL")]
    pub response_url: String,
    stack_id: String,
    request_id: String,
    logical_resource_id: String,
    physical_resource_id: Option<String>,
}

/// An event that has the fields of such a request, and is none.
#[derive(Debug, thiserror::Error)]
#[error("the event is no request of CloudFormation: {0}. It cannot be answered")]
pub struct RequestError(#[from] serde_json::Error);

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The schema is up to date.
    Migrated(Migrated),
    /// A deletion, which keeps the schema and its data.
    Kept,
    /// Why the schema is as it was before.
    Failed(String),
}

/// The answer, as `CloudFormation` reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ResourceAnswer {
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    physical_resource_id: String,
    stack_id: String,
    request_id: String,
    logical_resource_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum Status {
    Success,
    Failed,
}

/// Attributes that a template reads by `Fn::GetAtt`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Data {
    schema: String,
    version: i32,
    /// Migrations that this request applied, separated by commas.
    applied: String,
}

impl ResourceRequest {
    /// The request in an event. `None`: the event is of another caller.
    pub fn read(event: &Value) -> Result<Option<Self>, RequestError> {
        if event.get("ResponseURL").is_none() {
            return Ok(None);
        }
        Ok(Some(strict_json::from_value(event.clone())?))
    }

    /// The answer. The resource is the schema: its physical id is `schema`, or the one that an
    /// earlier answer gave, since `CloudFormation` deletes a resource whose id changes.
    pub fn answer(&self, schema: &str, outcome: Outcome) -> ResourceAnswer {
        let (status, reason, data) = match outcome {
            Outcome::Migrated(migrated) => {
                let data = Data {
                    schema: migrated.schema,
                    version: migrated.version,
                    applied: migrated.applied.join(","),
                };
                (Status::Success, None, Some(data))
            }
            Outcome::Kept => (Status::Success, None, None),
            Outcome::Failed(mut reason) => {
                reason.truncate(reason.floor_char_boundary(LONGEST_REASON));
                (Status::Failed, Some(reason), None)
            }
        };
        let id = self.physical_resource_id.clone();
        ResourceAnswer {
            status,
            reason,
            physical_resource_id: id.unwrap_or_else(|| schema.to_owned()),
            stack_id: self.stack_id.clone(),
            request_id: self.request_id.clone(),
            logical_resource_id: self.logical_resource_id.clone(),
            data,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(request_type: &str) -> Value {
        json!({
            "RequestType": request_type,
            "ResponseURL": "https://bucket.s3.amazonaws.com/key?X-Amz-Signature=s",
            "StackId": "arn:aws:cloudformation:eu-central-1:1:stack/demo/1",
            "RequestId": "r-1",
            "ResourceType": "Custom::Migration",
            "LogicalResourceId": "Migration",
            "ServiceToken": "arn:aws:lambda:eu-central-1:1:function:demo-migrate:live",
            "ResourceProperties": {"Version": "7"},
        })
    }

    fn request(request_type: &str) -> ResourceRequest {
        let request = ResourceRequest::read(&event(request_type)).expect("readable");
        request.expect("a request of CloudFormation")
    }

    #[test]
    fn an_answer_names_its_request() {
        let migrated = Migrated {
            schema: "demo".into(),
            applied: vec!["0001_sale".into(), "0002_outbox".into()],
            version: 2,
            granted: Vec::new(),
        };
        let answer = request("Create").answer("demo", Outcome::Migrated(migrated));
        assert_eq!(
            serde_json::to_value(answer).expect("JSON"),
            json!({
                "Status": "SUCCESS",
                "PhysicalResourceId": "demo",
                "StackId": "arn:aws:cloudformation:eu-central-1:1:stack/demo/1",
                "RequestId": "r-1",
                "LogicalResourceId": "Migration",
                "Data": {"Schema": "demo", "Version": 2, "Applied": "0001_sale,0002_outbox"},
            })
        );
    }

    #[test]
    fn the_id_of_an_earlier_answer_stays() {
        let mut event = event("Delete");
        event["PhysicalResourceId"] = json!("an-earlier-name");
        let request = ResourceRequest::read(&event).expect("readable");
        let answer = request.expect("a request").answer("demo", Outcome::Kept);
        let answer = serde_json::to_value(answer).expect("JSON");
        assert_eq!(answer["PhysicalResourceId"], "an-earlier-name");
        assert_eq!(answer["Status"], "SUCCESS");
        assert!(answer.get("Data").is_none(), "{answer}");
    }

    #[test]
    fn a_long_reason_fits_into_an_answer() {
        let outcome = Outcome::Failed("ä".repeat(5_000));
        let answer = request("Update").answer("demo", outcome);
        let body = serde_json::to_string(&answer).expect("JSON");
        assert!(body.len() < 4_096, "{} bytes", body.len());
        assert!(body.contains(r#""Status":"FAILED","Reason":"ää"#), "{body}");
    }

    #[test]
    fn other_events_are_no_request() {
        for event in [json!({}), json!({"reason": "first deployment"}), json!(7)] {
            assert_eq!(ResourceRequest::read(&event).expect("readable"), None);
        }
        assert!(ResourceRequest::read(&event("Recreate")).is_err());
    }
}
