//! One resource of the template.

use crate::document::{Node, Problems, Reader};

pub(super) const MAPPING: &str = "AWS::Lambda::EventSourceMapping";

/// A resource whose condition holds.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) id: String,
    pub(super) line: usize,
    pub(super) kind: String,
    /// With the globals merged; intrinsic functions not evaluated.
    pub(super) properties: Node,
    pub(super) metadata: Node,
}

impl Resource {
    /// Its name in messages.
    pub(super) fn what(&self) -> String {
        name_in_messages(&self.kind, &self.id)
    }

    /// A reader of the properties as written, of which functions are not evaluated.
    pub(super) fn written<'r>(&'r self, problems: &'r Problems) -> Reader<'r> {
        Reader::new(&self.properties, self.what(), problems)
    }
}

/// How messages name a resource. All checks name it alike, so that one mistake is reported once.
pub(super) fn name_in_messages(kind: &str, id: &str) -> String {
    match kind {
        "AWS::Serverless::Function" => format!("function {id}"),
        "AWS::SQS::Queue" => format!("queue {id}"),
        MAPPING => format!("mapping {id}"),
        "AWS::ApiGatewayV2::Api" | "AWS::Serverless::Api" | "AWS::Serverless::HttpApi" => {
            format!("API {id}")
        }
        _ => format!("{id} ({kind})"),
    }
}
