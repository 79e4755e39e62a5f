//! What names mean: parameters, pseudo-parameters, resources, conditions, mappings.
//!
//! Resources that only the cloud has still need a value when something refers to them: a name, or an ARN in account
//! [`ACCOUNT`]. Those placeholders are stable, so that two references to one thing agree.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::parameters::Parameters;
use crate::document::{Kind, Node, Problems, nearest};
use crate::project::Project;

/// `AWS::AccountId`: no account has this number.
pub const ACCOUNT: &str = "000000000000";
/// `AWS::Region` on one's own machine.
pub const REGION: &str = "us-east-1";

/// Everything an intrinsic function may look up.
#[derive(Debug)]
pub(super) struct Scope<'t> {
    pub(super) stack: String,
    pub(super) conditions: BTreeMap<String, bool>,
    pub(super) mappings: Option<&'t Node>,
    pub(super) resolve: &'t BTreeMap<String, String>,
    /// Where SQS answers.
    pub(super) sqs: Option<&'t str>,
    /// Where the Redis of streams answers.
    pub(super) redis: Option<&'t str>,
    parameters: Parameters,
    /// Type by logical id.
    resources: BTreeMap<&'t str, &'t str>,
    /// Names that resources give themselves, by logical id.
    names: BTreeMap<String, String>,
}

impl<'t> Scope<'t> {
    pub(super) fn new(stack: String, parameters: Parameters, root: &'t Node, project: &'t Project) -> Self {
        let section = root.get("Resources").map_or(&[][..], Node::entries);
        let kind = |node: &'t Node| node.get("Type").and_then(Node::text).unwrap_or("");
        Self {
            stack,
            conditions: BTreeMap::new(),
            mappings: root.get("Mappings"),
            resolve: &project.resolve,
            sqs: project.sqs.as_ref().map(|given| given.value.as_str()),
            redis: project.redis.as_ref().map(|given| given.value.as_str()),
            parameters,
            resources: section.iter().map(|e| (e.key.as_str(), kind(&e.value))).collect(),
            names: BTreeMap::new(),
        }
    }

    /// Values that must never be printed.
    pub(super) fn secrets(&self) -> BTreeSet<String> {
        self.resolve.values().filter(|v| !v.is_empty()).cloned().chain(self.parameters.secrets.iter().cloned()).collect()
    }

    /// Makes a resource's explicit name what references to it yield.
    pub(super) fn name(&mut self, id: &str, name: String) {
        self.names.insert(id.to_owned(), name);
    }

    /// The type of a declared resource.
    pub(super) fn kind_of(&self, id: &str) -> Option<&'t str> {
        self.resources.get(id).copied()
    }

    /// The name of a resource: given, or stack and logical id.
    pub(super) fn name_of(&self, id: &str) -> String {
        self.names.get(id).cloned().unwrap_or_else(|| format!("{}-{id}", self.stack))
    }

    /// `Ref name`.
    pub(super) fn reference(&self, name: &str, line: usize, problems: &mut Problems) -> Node {
        if let Some(value) = self.parameters.values.get(name) {
            let Some(value) = value else {
                problems.taint();
                return Node::null(line);
            };
            return Node { line, kind: value.kind.clone() };
        }
        let stack = &self.stack;
        let text = match name {
            "AWS::NoValue" => return Node::null(line),
            "AWS::NotificationARNs" => return Node { line, kind: Kind::List(Vec::new()) },
            "AWS::AccountId" => ACCOUNT.into(),
            "AWS::Region" => REGION.into(),
            "AWS::Partition" => "aws".into(),
            "AWS::URLSuffix" => "amazonaws.com".into(),
            "AWS::StackName" => stack.clone(),
            "AWS::StackId" => format!("arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{stack}/00000000"),
            _ => match self.resource(name) {
                Some((id, kind)) if refers_by_arn(kind) => self.arn(id, kind),
                Some((id, "AWS::SQS::Queue")) => self.queue_url(id),
                Some((id, _)) => self.name_of(id),
                None => return self.unknown(name, line, problems),
            },
        };
        Node::scalar(line, text)
    }

    /// `Fn::GetAtt name.attribute`.
    pub(super) fn attribute(&self, name: &str, attribute: &str, line: usize, problems: &mut Problems) -> Node {
        let Some((id, kind)) = self.resource(name) else { return self.unknown(name, line, problems) };
        let text = match attribute {
            "Name" | "QueueName" | "TopicName" => self.name_of(id),
            "QueueUrl" => self.queue_url(id),
            _ if attribute == "Arn" || attribute.ends_with("Arn") || attribute.ends_with("ARN") => self.arn(id, kind),
            _ => format!("{}-{attribute}", self.name_of(id)),
        };
        Node::scalar(line, text)
    }

    /// Where a queue is called. Without an endpoint the template is refused; no function ever sees this value then.
    fn queue_url(&self, id: &str) -> String {
        format!("{}/{ACCOUNT}/{}", self.sqs.unwrap_or_default(), self.name_of(id))
    }

    /// A declared resource, or one that SAM would generate from it (`GreeterRole`, `Greeter.Version`).
    fn resource<'a>(&'a self, name: &'a str) -> Option<(&'a str, &'a str)> {
        if let Some((id, kind)) = self.resources.get_key_value(name) {
            return Some((id, kind));
        }
        let generated = ["ServerlessHttpApi", "ServerlessRestApi"].iter().any(|implicit| name.starts_with(implicit))
            || self.resources.iter().any(|(id, kind)| kind.starts_with("AWS::Serverless::") && name.starts_with(id));
        generated.then_some((name, ""))
    }

    fn unknown(&self, name: &str, line: usize, problems: &mut Problems) -> Node {
        let names = self.resources.keys().copied().chain(self.parameters.values.keys().map(String::as_str));
        let hint = match nearest(name, names) {
            Some(near) => format!("Did you mean {near}?"),
            None => "Declare it under Parameters or Resources.".into(),
        };
        problems.error(line, format!("there is no parameter or resource {name}. {hint}"));
        Node::null(line)
    }

    fn arn(&self, id: &str, kind: &str) -> String {
        let name = self.name_of(id);
        let mut parts = kind.split("::").skip(1);
        let service = parts.next().unwrap_or("cloudformation").to_lowercase();
        let resource = parts.next().unwrap_or("resource").to_lowercase();
        match kind {
            "AWS::Serverless::Function" | "AWS::Lambda::Function" => {
                format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}")
            }
            "AWS::SQS::Queue" | "AWS::SNS::Topic" => format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{name}"),
            "AWS::S3::Bucket" => format!("arn:aws:s3:::{name}"),
            "AWS::MSK::Cluster" | "AWS::MSK::ServerlessCluster" => {
                format!("arn:aws:kafka:{REGION}:{ACCOUNT}:cluster/{name}/00000000")
            }
            "AWS::Serverless::SimpleTable" | "AWS::DynamoDB::Table" => {
                format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}")
            }
            "AWS::Serverless::StateMachine" | "AWS::StepFunctions::StateMachine" => {
                format!("arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}")
            }
            "AWS::Serverless::LayerVersion" | "AWS::Lambda::LayerVersion" => {
                format!("arn:aws:lambda:{REGION}:{ACCOUNT}:layer:{name}:1")
            }
            "AWS::Events::EventBus" => format!("arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{name}"),
            "AWS::Logs::LogGroup" => format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}:*"),
            "AWS::SecretsManager::Secret" => format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}"),
            "AWS::IAM::Role" => format!("arn:aws:iam::{ACCOUNT}:role/{name}"),
            _ => format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}/{name}"),
        }
    }
}

/// Types whose `Ref` is an ARN, of those that functions' settings commonly name.
fn refers_by_arn(kind: &str) -> bool {
    const BY_ARN: [&str; 10] = [
        "AWS::SNS::Topic",
        "AWS::MSK::Cluster",
        "AWS::MSK::ServerlessCluster",
        "AWS::SecretsManager::Secret",
        "AWS::StepFunctions::StateMachine",
        "AWS::Serverless::StateMachine",
        "AWS::Serverless::LayerVersion",
        "AWS::Lambda::LayerVersion",
        "AWS::Lambda::Alias",
        "AWS::Lambda::Version",
    ];
    BY_ARN.contains(&kind)
}

/// A stack's name from its folder: letters, digits and hyphens, beginning with a letter.
pub(super) fn stack_name(folder: &Path) -> String {
    let name = folder.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = name.trim_matches('-');
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) { name.to_owned() } else { format!("stack-{name}") }
}
