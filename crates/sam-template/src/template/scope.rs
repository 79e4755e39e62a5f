//! Looks up parameters, pseudo parameters, resources, conditions and mappings.
//!
//! A reference to a resource yields its explicit name ([`names`](super::names)), else a name or an
//! ARN from the stack and the logical id, which is the same for every reference.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::names::Names;
use super::parameters::Parameters;
use super::resource::Resource;
use crate::document::{Kind, Node, Problems, nearest};
use crate::model::Location;
use crate::model::qualified::PUBLISHED;
use crate::project::Project;

/// Everything that intrinsic functions look up.
#[derive(Debug)]
pub(super) struct Scope<'t> {
    pub(super) stack: String,
    /// Region and account.
    pub(super) location: Location,
    /// The transform `AWS::LanguageExtensions` is declared.
    pub(super) extended: bool,
    pub(super) conditions: BTreeMap<String, bool>,
    pub(super) mappings: Option<&'t Node>,
    pub(super) resolve: &'t BTreeMap<String, String>,
    /// URL of SQS.
    pub(super) sqs: Option<&'t str>,
    /// URL of the Redis of streams.
    pub(super) redis: Option<&'t str>,
    parameters: Parameters,
    /// Type by logical id.
    resources: BTreeMap<&'t str, &'t str>,
    /// The condition of a resource that has one, by logical id.
    conditional: BTreeMap<&'t str, &'t str>,
    /// Explicit names of resources.
    names: Names,
}

impl<'t> Scope<'t> {
    pub(super) fn new(
        stack: String,
        parameters: Parameters,
        root: &'t Node,
        project: &'t Project,
    ) -> Self {
        let section = root.get("Resources").map_or(&[][..], Node::entries);
        let kind = |node: &'t Node| node.get("Type").and_then(Node::text).unwrap_or("");
        Self {
            stack,
            location: project.location(),
            extended: false,
            conditions: BTreeMap::new(),
            mappings: root.get("Mappings"),
            resolve: &project.resolve,
            sqs: project.sqs.as_ref().map(|given| given.value.as_str()),
            redis: project.redis.as_ref().map(|given| given.value.as_str()),
            parameters,
            resources: section
                .iter()
                .map(|e| (e.key.as_str(), kind(&e.value)))
                .collect(),
            conditional: section
                .iter()
                .filter_map(|e| Some((e.key.as_str(), e.value.get("Condition")?.text()?)))
                .collect(),
            names: Names::default(),
        }
    }

    /// Values that must never be printed.
    pub(super) fn secrets(&self) -> BTreeSet<String> {
        self.resolve
            .values()
            .filter(|v| !v.is_empty())
            .cloned()
            .chain(self.parameters.secrets.iter().cloned())
            .collect()
    }

    /// Sets the resources whose explicit names references yield.
    pub(super) fn know(&mut self, resources: &[Resource], file: &str) {
        self.names = Names::of(resources, file);
    }

    /// The type of a declared resource.
    pub(super) fn kind_of(&self, id: &str) -> Option<&'t str> {
        self.resources.get(id).copied()
    }

    /// The name of a resource: explicit, or stack and logical id.
    pub(super) fn name_of(&self, id: &str) -> String {
        self.names.name_of(id, self)
    }

    /// The name of a resource without an explicit one.
    pub(super) fn generated_name(&self, id: &str) -> String {
        format!("{}-{id}", self.stack)
    }

    /// Aliases and versions of a function: `AutoPublishAlias`, and resources.
    pub(super) fn qualifiers(&self, id: &str) -> BTreeSet<String> {
        let name = self.name_of(id);
        let own = self
            .names
            .alias(id, self)
            .into_iter()
            .flat_map(|alias| [alias, PUBLISHED.to_owned()]);
        let declared = self
            .resources
            .keys()
            .filter_map(|other| self.names.qualifier(other, self));
        own.chain(
            declared
                .filter(|(function, _)| *function == name)
                .map(|(_, qualifier)| qualifier),
        )
        .collect()
    }

    /// `Ref name`.
    pub(super) fn reference(&self, name: &str, line: usize, problems: &mut Problems) -> Node {
        if let Some(value) = self.parameters.values.get(name) {
            let Some(value) = value else {
                problems.count_failure();
                return Node::null(line);
            };
            return Node {
                line,
                kind: value.kind.clone(),
            };
        }
        let stack = &self.stack;
        let location = &self.location;
        let text = match name {
            "AWS::NoValue" => return Node::null(line),
            "AWS::NotificationARNs" => {
                return Node {
                    line,
                    kind: Kind::List(Vec::new()),
                };
            }
            "AWS::AccountId" => location.account.clone(),
            "AWS::Region" => location.region.clone(),
            "AWS::Partition" => location.partition().into(),
            "AWS::URLSuffix" => location.url_suffix().into(),
            "AWS::StackName" => stack.clone(),
            "AWS::StackId" => location.arn("cloudformation", &format!("stack/{stack}/00000000")),
            _ => match self.resources.get_key_value(name) {
                Some((id, _)) if self.is_absent(id, line, problems) => return Node::null(line),
                Some((id, &"AWS::SQS::Queue")) => self.queue_url(id),
                Some((id, kind)) => match self.names.reference(id, self, line, problems) {
                    Some(node) => return node,
                    None if refers_by_arn(kind) => self.arn(id, kind),
                    None => self.generated_name(id),
                },
                None => return self.made_by_sam(name, line, problems),
            },
        };
        Node::scalar(line, text)
    }

    /// `Fn::GetAtt name.attribute`.
    pub(super) fn attribute(
        &self,
        name: &str,
        attribute: &str,
        line: usize,
        problems: &mut Problems,
    ) -> Node {
        let Some((id, kind)) = self.resources.get_key_value(name) else {
            let made = self.made_by_sam(name, line, problems);
            let text = match made.text() {
                None => return made,
                Some(arn) if arn.starts_with("arn:") => arn.to_owned(),
                Some(role) if attribute == "Arn" && name.ends_with("Role") => {
                    self.location.arn("iam", &format!("role/{role}"))
                }
                Some(text) if attribute.ends_with("Arn") => self.arn(text, ""),
                Some(text) => format!("{text}-{attribute}"),
            };
            return Node::scalar(line, text);
        };
        if self.is_absent(id, line, problems) {
            return Node::null(line);
        }
        // `X.Alias`, `X.Version` and `X.Stage` are resources of SAM, which have attributes.
        if let Some((of_sam, rest)) = of_sam(kind, attribute) {
            let made = self.made_by_sam(&format!("{id}.{of_sam}"), line, problems);
            return match (rest, made.text()) {
                ("Name" | "Version", Some(arn)) => {
                    Node::scalar(line, arn.rsplit(':').next().unwrap_or(arn))
                }
                _ => made,
            };
        }
        if let Some(node) = self.names.attribute(id, attribute, self, line, problems) {
            return node;
        }
        let text = match attribute {
            "QueueUrl" => self.queue_url(id),
            "Name" | "QueueName" | "TopicName" => self.name_of(id),
            _ if attribute == "Arn" || attribute.ends_with("Arn") || attribute.ends_with("ARN") => {
                self.arn(id, kind)
            }
            _ => format!("{}-{attribute}", self.generated_name(id)),
        };
        Node::scalar(line, text)
    }

    /// Whether a resource is left out by its condition. A reference to it is an error, as in
    /// `CloudFormation`.
    fn is_absent(&self, id: &str, line: usize, problems: &mut Problems) -> bool {
        let condition = self
            .conditional
            .get(id)
            .filter(|condition| self.conditions.get(**condition) == Some(&false));
        let Some(condition) = condition else {
            return false;
        };
        problems.error(
            line,
            format!(
                "{id} does not exist, since its condition {condition} does not hold. Put the \
                 reference into Fn::If of {condition}, or give this resource the same Condition."
            ),
        );
        true
    }

    /// URL of a queue. Without an endpoint a template that uses queues is refused.
    fn queue_url(&self, id: &str) -> String {
        format!(
            "{}/{}/{}",
            self.sqs.unwrap_or_default(),
            self.location.account,
            self.name_of(id)
        )
    }

    /// `Ref` of a resource that SAM creates: a function's alias, version or role, or part of an
    /// API.
    fn made_by_sam(&self, name: &str, line: usize, problems: &mut Problems) -> Node {
        let text = |text: String| Node::scalar(line, text);
        if let Some(rest) = name
            .strip_prefix("ServerlessHttpApi")
            .or_else(|| name.strip_prefix("ServerlessRestApi"))
        {
            return text(match rest {
                ".Stage" | "ProdStage" if name.starts_with("ServerlessRestApi") => {
                    "Prod".to_owned()
                }
                ".Stage" => "$default".to_owned(),
                _ => self.generated_name(name),
            });
        }
        let owners = self
            .resources
            .iter()
            .filter(|(id, kind)| kind.starts_with("AWS::Serverless::") && name.starts_with(**id));
        let Some((id, kind)) = owners.max_by_key(|(id, _)| id.len()) else {
            return self.unknown(name, line, problems);
        };
        let rest = &name[id.len()..];
        if *kind != "AWS::Serverless::Function" {
            let stage = if *kind == "AWS::Serverless::HttpApi" {
                "$default"
            } else {
                "Prod"
            };
            return text(match rest {
                ".Stage" => self
                    .names
                    .stage(id, self)
                    .unwrap_or_else(|| stage.to_owned()),
                _ => self.generated_name(&name.replace('.', "")),
            });
        }
        let alias = self.names.alias(id, self);
        let qualified = |qualifier: &str| {
            text(self.location.arn(
                "lambda",
                &format!("function:{}:{qualifier}", self.name_of(id)),
            ))
        };
        match (rest, &alias) {
            (".Alias", Some(alias)) => qualified(alias),
            (".Version", Some(_)) => qualified(PUBLISHED),
            (".Alias" | ".Version", None) => {
                let message = format!(
                    "{name} is made by AutoPublishAlias, which {id} does not have. Write \
                     `AutoPublishAlias: live`."
                );
                problems.error(line, message);
                Node::null(line)
            }
            (rest, Some(alias)) if rest.strip_prefix("Alias").is_some_and(|end| end == alias) => {
                qualified(alias)
            }
            (rest, Some(_)) if rest.starts_with("Version") => qualified(PUBLISHED),
            _ if rest.starts_with('.') => self.unknown(name, line, problems),
            _ => text(self.generated_name(name)),
        }
    }

    fn unknown(&self, name: &str, line: usize, problems: &mut Problems) -> Node {
        let names = self
            .resources
            .keys()
            .copied()
            .chain(self.parameters.values.keys().map(String::as_str));
        let hint = match nearest(name, names) {
            Some(near) => format!("Did you mean {near}?"),
            None => "Declare it under Parameters or Resources.".into(),
        };
        problems.error(
            line,
            format!("there is no parameter or resource {name}. {hint}"),
        );
        Node::null(line)
    }

    /// The ARN of a resource of a type that [`return_values`](super::return_values) does not list.
    fn arn(&self, id: &str, kind: &str) -> String {
        let mut parts = kind.split("::").skip(1);
        let service = parts.next().unwrap_or("cloudformation").to_lowercase();
        let resource = parts.next().unwrap_or("resource").to_lowercase();
        let name = if kind.is_empty() {
            id.to_owned()
        } else {
            self.generated_name(id)
        };
        self.location.arn(&service, &format!("{resource}/{name}"))
    }
}

/// Whether `Ref` of a type without explicit names is an ARN.
fn refers_by_arn(kind: &str) -> bool {
    const BY_ARN: [&str; 5] = [
        "AWS::CloudFormation::Stack",
        "AWS::ECS::TaskDefinition",
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        "AWS::SNS::Subscription",
    ];
    BY_ARN.contains(&kind)
}

/// Splits an attribute that is a resource of SAM (`Alias.Arn`) into resource and attribute.
fn of_sam<'a>(kind: &str, attribute: &'a str) -> Option<(&'a str, &'a str)> {
    let (first, rest) = attribute.split_once('.').unwrap_or((attribute, ""));
    let made = match kind {
        "AWS::Serverless::Function" => matches!(first, "Alias" | "Version"),
        "AWS::Serverless::Api" | "AWS::Serverless::HttpApi" => {
            matches!(first, "Stage" | "Deployment")
        }
        _ => false,
    };
    made.then_some((first, rest))
}

/// The stack's name from its folder: letters, digits and hyphens, starting with a letter.
pub(super) fn stack_name(folder: &Path) -> String {
    let name = folder
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default();
    let name: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let name = name.trim_matches('-');
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        name.to_owned()
    } else {
        format!("stack-{name}")
    }
}
