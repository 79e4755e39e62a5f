//! Looks up parameters, pseudo parameters, resources, conditions and mappings.
//!
//! A reference to a resource yields its explicit name ([`names`](super::names)), else a name or an
//! ARN from the stack and the logical id, which is the same for every reference.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::names::Value;
use super::parameters::Parameters;
use super::resource::Resource;
use crate::document::{Entry, Node, Problems, did_you_mean};
use crate::model::Location;
use crate::model::qualified::PUBLISHED;
use crate::project::Project;

/// What the readers of a template share: the template, the settings, everything that intrinsic
/// functions look up, and the list of problems.
#[derive(Debug)]
pub(super) struct Scope<'t> {
    pub(super) root: &'t Node,
    pub(super) project: &'t Project,
    pub(super) problems: &'t Problems,
    pub(super) stack: String,
    /// Region and account.
    pub(super) location: Location,
    /// The transform `AWS::LanguageExtensions` is declared.
    pub(super) extended: bool,
    pub(super) conditions: BTreeMap<String, bool>,
    parameters: Parameters,
    /// Type by logical id, whether or not the resource's condition holds.
    declared: BTreeMap<&'t str, &'t str>,
    /// The resources that exist. Empty until they have been read.
    pub(super) resources: Vec<Resource>,
    /// Properties of resources that references have evaluated, by logical id and name.
    pub(super) values: RefCell<BTreeMap<(String, String), Value>>,
}

impl<'t> Scope<'t> {
    pub(super) fn new(
        stack: String,
        parameters: Parameters,
        root: &'t Node,
        project: &'t Project,
        problems: &'t Problems,
    ) -> Self {
        let section = root.get("Resources").map_or(&[][..], Node::entries);
        let kind = |node: &'t Node| node.get("Type").and_then(Node::text).unwrap_or("");
        let declared = section.iter().map(|e| (e.key.as_str(), kind(&e.value)));
        Self {
            root,
            project,
            problems,
            stack,
            location: project.location(),
            extended: false,
            conditions: BTreeMap::new(),
            parameters,
            declared: declared.collect(),
            resources: Vec::new(),
            values: RefCell::default(),
        }
    }

    /// Reports an error in place of a value.
    pub(super) fn failed(&self, line: usize, message: String) -> Node {
        self.problems.error(line, message);
        Node::null(line)
    }

    /// The branch of a call of `Fn::If` that its condition selects.
    pub(super) fn branch<'n>(&self, call: &'n Entry) -> Option<&'n Node> {
        let [condition, yes, no] = call.value.items() else {
            return None;
        };
        let holds = *self.conditions.get(condition.text()?)?;
        Some(if holds { yes } else { no })
    }

    /// Whether the template declares this event (`Function.Event`) with one of these types, even if
    /// the function's condition is false.
    pub(super) fn declares(&self, id: &str, types: &[&str]) -> bool {
        let kind = id.split_once('.').and_then(|(function, event)| {
            let function = self.root.get("Resources")?.get(function)?;
            let events = function.get("Properties")?.get("Events")?;
            events.get(event)?.get("Type")?.text()
        });
        kind.is_some_and(|kind| types.contains(&kind))
    }

    /// The existing resource of this id.
    pub(super) fn resource(&self, id: &str) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.id == id)
    }

    /// Properties and line of a mapping, or of an event with an id such as `Function.Event`.
    pub(super) fn mapping(&self, id: &str) -> Option<(&Node, usize)> {
        if let Some((function, event)) = id.split_once('.') {
            let events = self.resource(function)?.properties.get("Events")?;
            let properties = events.get(event)?.get("Properties")?;
            return Some((properties, properties.line));
        }
        self.resource(id)
            .map(|resource| (&resource.properties, resource.line))
    }

    /// The line of a property of a mapping, or of the mapping.
    pub(super) fn mapping_line(&self, id: &str, key: &str) -> usize {
        self.mapping(id).map_or(0, |(properties, line)| {
            properties.line_of(key).unwrap_or(line)
        })
    }

    /// The existing resources of a type.
    pub(super) fn of_kind<'s>(&'s self, kind: &'s str) -> impl Iterator<Item = &'s Resource> {
        self.resources.iter().filter(move |r| r.kind == kind)
    }

    /// Values that must never be printed.
    pub(super) fn secrets(&self) -> BTreeSet<String> {
        let resolved = self.project.resolve.values().filter(|v| !v.is_empty());
        resolved.chain(&self.parameters.secrets).cloned().collect()
    }

    /// The type of a declared resource.
    pub(super) fn kind_of(&self, id: &str) -> Option<&'t str> {
        self.declared.get(id).copied()
    }

    /// The name of a resource without an explicit one.
    pub(super) fn generated_name(&self, id: &str) -> String {
        format!("{}-{id}", self.stack)
    }

    /// Aliases and versions of a function: `AutoPublishAlias`, and resources.
    pub(super) fn qualifiers(&self, id: &str) -> BTreeSet<String> {
        let name = self.name_of(id);
        let alias = self.alias(id).into_iter();
        let own = alias.flat_map(|alias| [alias, PUBLISHED.to_owned()]);
        let declared = self
            .declared
            .keys()
            .filter_map(|other| self.qualifier(other));
        let of_function = declared.filter(|(function, _)| *function == name);
        own.chain(of_function.map(|(_, qualifier)| qualifier))
            .collect()
    }

    /// `Ref name`.
    pub(super) fn reference(&self, name: &str, line: usize) -> Node {
        if let Some(value) = self.parameters.values.get(name) {
            let Some(value) = value else {
                self.problems.count_failure();
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
            "AWS::NotificationARNs" => return Node::list(line, Vec::new()),
            "AWS::AccountId" => location.account.clone(),
            "AWS::Region" => location.region.clone(),
            "AWS::Partition" => location.partition().into(),
            "AWS::URLSuffix" => location.url_suffix().into(),
            "AWS::StackName" => stack.clone(),
            "AWS::StackId" => location.arn("cloudformation", &format!("stack/{stack}/00000000")),
            _ => match self.declared.get_key_value(name) {
                Some((id, _)) if self.is_absent(id, line) => return Node::null(line),
                Some((id, &"AWS::SQS::Queue")) => self.queue_url(id),
                Some((id, kind)) => match self.listed_reference(id, line) {
                    Some(node) => return node,
                    None if refers_by_arn(kind) => self.arn(id, kind),
                    None => self.generated_name(id),
                },
                None => return self.made_by_sam(name, line),
            },
        };
        Node::scalar(line, text)
    }

    /// `Fn::GetAtt name.attribute`.
    pub(super) fn attribute(&self, name: &str, attribute: &str, line: usize) -> Node {
        let Some((id, kind)) = self.declared.get_key_value(name) else {
            let made = self.made_by_sam(name, line);
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
        if self.is_absent(id, line) {
            return Node::null(line);
        }
        // `X.Alias`, `X.Version` and `X.Stage` are resources of SAM, which have attributes.
        if let Some((of_sam, rest)) = of_sam(kind, attribute) {
            let made = self.made_by_sam(&format!("{id}.{of_sam}"), line);
            return match (rest, made.text()) {
                ("Name" | "Version", Some(arn)) => {
                    Node::scalar(line, arn.rsplit(':').next().unwrap_or(arn))
                }
                _ => made,
            };
        }
        if let Some(node) = self.listed_attribute(id, attribute, line) {
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
    fn is_absent(&self, id: &str, line: usize) -> bool {
        let condition = || {
            let resource = self.root.get("Resources")?.get(id)?;
            let condition = resource.get("Condition")?.text()?;
            (self.conditions.get(condition) == Some(&false)).then_some(condition)
        };
        let Some(condition) = condition() else {
            return false;
        };
        let message = format!(
            "{id} does not exist, since its condition {condition} does not hold. Put the \
             reference into Fn::If of {condition}, or give this resource the same Condition."
        );
        self.problems.error(line, message);
        true
    }

    /// URL of a queue.
    fn queue_url(&self, id: &str) -> String {
        let endpoint = self.project.sqs_url();
        format!("{endpoint}/{}/{}", self.location.account, self.name_of(id))
    }

    /// `Ref` of a resource that SAM creates: a function's alias, version or role, or part of an
    /// API.
    fn made_by_sam(&self, name: &str, line: usize) -> Node {
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
            .declared
            .iter()
            .filter(|(id, kind)| kind.starts_with("AWS::Serverless::") && name.starts_with(**id));
        let Some((id, kind)) = owners.max_by_key(|(id, _)| id.len()) else {
            return self.unknown(name, line);
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
                    .valid_property(id, "StageName")
                    .unwrap_or_else(|| stage.to_owned()),
                _ => self.generated_name(&name.replace('.', "")),
            });
        }
        let alias = self.alias(id);
        let qualified = |qualifier: &str| {
            let resource = format!("function:{}:{qualifier}", self.name_of(id));
            text(self.location.arn("lambda", &resource))
        };
        match (rest, &alias) {
            (".Alias", Some(alias)) => qualified(alias),
            (".Version", Some(_)) => qualified(PUBLISHED),
            (".Alias" | ".Version", None) => {
                let message = format!(
                    "{name} is made by AutoPublishAlias, which {id} does not have. Write \
                     `AutoPublishAlias: live`."
                );
                self.failed(line, message)
            }
            (rest, Some(alias)) if rest.strip_prefix("Alias").is_some_and(|end| end == alias) => {
                qualified(alias)
            }
            (rest, Some(_)) if rest.starts_with("Version") => qualified(PUBLISHED),
            _ if rest.starts_with('.') => self.unknown(name, line),
            _ => text(self.generated_name(name)),
        }
    }

    fn unknown(&self, name: &str, line: usize) -> Node {
        let parameters = self.parameters.values.keys().map(String::as_str);
        let hint = did_you_mean(name, self.declared.keys().copied().chain(parameters))
            .unwrap_or_else(|| "Declare it under Parameters or Resources.".into());
        let message = format!("there is no parameter or resource {name}. {hint}");
        self.failed(line, message)
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
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let name = name.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let name = name.trim_matches('-');
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        name.to_owned()
    } else {
        format!("stack-{name}")
    }
}
