//! Names that resources give themselves, and the values that references to resources yield.
//!
//! A name may itself be computed from other names. Each property is evaluated when something first refers to it, and once: what
//! nothing refers to is never evaluated, and a circle is found where it closes.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::intrinsics::resolve;
use super::resources::Resource;
use super::returns::{self, Returns};
use super::scope::Scope;
use crate::document::{Kind, Node, Problems};
use crate::model::Diagnostic;
use crate::model::qualified::{PUBLISHED, function_name};

/// Property of a function that publishes a version and names the alias of it.
const ALIAS: &str = "AutoPublishAlias";

/// A property of a resource, evaluated or about to be.
#[derive(Debug, Clone)]
enum Value {
    /// Being evaluated: a reference to it closes a circle.
    Open,
    /// `None`: not written, or `AWS::NoValue`.
    Known(Option<String>),
    /// Why it has no value.
    Failed(Vec<Diagnostic>),
}

/// The properties that references to resources yield.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Properties by logical id, not evaluated, with the resource's type.
    sources: BTreeMap<String, (String, Node)>,
    values: RefCell<BTreeMap<(String, String), Value>>,
    file: String,
}

impl Names {
    /// The resources that exist, of the types that `returns` lists.
    pub(super) fn of(resources: &[Resource], file: &str) -> Self {
        let named = resources
            .iter()
            .filter(|resource| returns::of(&resource.kind).is_some());
        let sources = named.map(|resource| {
            (
                resource.id.clone(),
                (resource.kind.clone(), resource.properties.clone()),
            )
        });
        Self {
            sources: sources.collect(),
            values: RefCell::default(),
            file: file.to_owned(),
        }
    }

    /// The text of a property; `None` where it is not written.
    fn property(
        &self,
        id: &str,
        property: &str,
        scope: &Scope<'_>,
    ) -> Result<Option<String>, Vec<Diagnostic>> {
        let Some((kind, properties)) = self.sources.get(id) else {
            return Ok(None);
        };
        let Some(node) = properties.get(property) else {
            return Ok(None);
        };
        let key = (id.to_owned(), property.to_owned());
        let found = self.values.borrow().get(&key).cloned();
        match found {
            Some(Value::Known(text)) => return Ok(text),
            Some(Value::Failed(why)) => return Err(why),
            Some(Value::Open) => {
                let message =
                    format!("the {property} of {id} is computed from itself. Break the circle.");
                return Err(vec![Diagnostic {
                    file: self.file.clone(),
                    line: node.line,
                    message,
                }]);
            }
            None => {}
        }
        self.values.borrow_mut().insert(key.clone(), Value::Open);
        // In the words of the type's own reader, so that one mistake is one message.
        let what = match kind.as_str() {
            "AWS::Serverless::Function" => format!("function {id}"),
            "AWS::SQS::Queue" => format!("queue {id}"),
            _ => format!("{id} ({kind})"),
        };
        let value = self.evaluate(node, &format!("{what}: {property}"), scope);
        self.values.borrow_mut().insert(key, value.clone());
        match value {
            Value::Failed(why) => Err(why),
            Value::Known(text) => Ok(text),
            Value::Open => Ok(None),
        }
    }

    fn evaluate(&self, node: &Node, what: &str, scope: &Scope<'_>) -> Value {
        let mut problems = Problems::new(self.file.clone());
        let before = problems.failures();
        let resolved = resolve(node, scope, &mut problems);
        let text = resolved.text().map(str::to_owned);
        if text.is_none() && resolved.kind != Kind::Null {
            problems.error(
                node.line,
                format!("{what} must be text, not {}.", resolved.describe()),
            );
        }
        if problems.failures() == before {
            return Value::Known(text.filter(|text| !text.is_empty()));
        }
        Value::Failed(problems.finish().err().unwrap_or_default())
    }

    /// The name that a resource gives itself; `None`: it gives none, or one that cannot be read.
    pub(super) fn given(&self, id: &str, scope: &Scope<'_>) -> Option<String> {
        let returns = self.returns(id)?;
        self.property(id, returns.property, scope).ok().flatten()
    }

    /// `Ref`; `None` where the type is not listed.
    pub(super) fn reference(
        &self,
        id: &str,
        scope: &Scope<'_>,
        line: usize,
        problems: &mut Problems,
    ) -> Option<Node> {
        let returns = self.returns(id)?;
        Some(self.fill(id, &returns, returns.reference, scope, line, problems))
    }

    /// `Fn::GetAtt`; `None` where the type or the attribute is not listed.
    pub(super) fn attribute(
        &self,
        id: &str,
        name: &str,
        scope: &Scope<'_>,
        line: usize,
        problems: &mut Problems,
    ) -> Option<Node> {
        let returns = self.returns(id)?;
        let (_, pattern) = returns
            .attributes
            .iter()
            .find(|(attribute, _)| *attribute == name)?;
        Some(self.fill(id, &returns, pattern, scope, line, problems))
    }

    /// The stage of an API.
    pub(super) fn stage(&self, id: &str, scope: &Scope<'_>) -> Option<String> {
        self.property(id, "StageName", scope).ok().flatten()
    }

    /// The alias that a function publishes.
    pub(super) fn alias(&self, id: &str, scope: &Scope<'_>) -> Option<String> {
        self.property(id, ALIAS, scope).ok().flatten()
    }

    /// The function (its name) of an `AWS::Lambda::Alias` or `AWS::Lambda::Version`, and the alias or version.
    pub(super) fn qualifier(&self, id: &str, scope: &Scope<'_>) -> Option<(String, String)> {
        let (kind, _) = self.sources.get(id)?;
        let function = self.property(id, "FunctionName", scope).ok().flatten()?;
        let qualifier = match kind.as_str() {
            "AWS::Lambda::Alias" => self.given(id, scope)?,
            "AWS::Lambda::Version" => PUBLISHED.to_owned(),
            _ => return None,
        };
        Some((function_name(&function).0.to_owned(), qualifier))
    }

    fn returns(&self, id: &str) -> Option<Returns> {
        returns::of(&self.sources.get(id)?.0)
    }

    /// A pattern with its braces filled; what cannot be had is among the problems.
    fn fill(
        &self,
        id: &str,
        returns: &Returns,
        pattern: &str,
        scope: &Scope<'_>,
        line: usize,
        problems: &mut Problems,
    ) -> Node {
        match self.text(id, returns, pattern, scope) {
            Ok(text) => Node::scalar(line, text),
            Err(why) => {
                for found in why {
                    problems.error(found.line, found.message);
                }
                problems.count_failure();
                Node::null(line)
            }
        }
    }

    fn text(
        &self,
        id: &str,
        returns: &Returns,
        pattern: &str,
        scope: &Scope<'_>,
    ) -> Result<String, Vec<Diagnostic>> {
        let location = &scope.location;
        let (service, mut rest) = match pattern
            .strip_prefix('@')
            .and_then(|arn| arn.split_once(':'))
        {
            Some((service, rest)) => (Some(service), rest),
            None => (None, pattern),
        };
        let mut out = String::new();
        while let Some((before, after)) = rest.split_once('{') {
            let (brace, after) = after.split_once('}').unwrap_or((after, ""));
            out.push_str(before);
            rest = after;
            match brace {
                "region" => out.push_str(&location.region),
                "account" => out.push_str(&location.account),
                "partition" => out.push_str(location.partition()),
                "suffix" => out.push_str(location.url_suffix()),
                "name" => out.push_str(&self.name(id, returns, scope)?),
                // A parameter of Systems Manager that begins with a slash brings its own.
                "slash" if self.name(id, returns, scope)?.starts_with('/') => {}
                "slash" => out.push('/'),
                "function" => {
                    let function = self
                        .property(id, "FunctionName", scope)?
                        .unwrap_or_default();
                    out.push_str(function_name(&function).0);
                }
                property => {
                    let (property, default) = property.split_once(':').unwrap_or((property, ""));
                    out.push_str(
                        self.property(id, property, scope)?
                            .as_deref()
                            .unwrap_or(default),
                    );
                }
            }
        }
        out.push_str(rest);
        Ok(service.map_or(out.clone(), |service| location.arn(service, &out)))
    }

    fn name(
        &self,
        id: &str,
        returns: &Returns,
        scope: &Scope<'_>,
    ) -> Result<String, Vec<Diagnostic>> {
        if !returns.property.is_empty()
            && let Some(given) = self.property(id, returns.property, scope)?
        {
            return Ok(given);
        }
        // The service appends the suffix of a FIFO queue or topic to a name that it makes.
        let of_fifo = match returns.kind {
            "AWS::SQS::Queue" => self.property(id, "FifoQueue", scope)?,
            "AWS::SNS::Topic" => self.property(id, "FifoTopic", scope)?,
            _ => None,
        };
        let fifo = of_fifo.is_some_and(|text| {
            matches!(text.to_ascii_lowercase().as_str(), "true" | "yes" | "on")
        });
        let suffix = if fifo { ".fifo" } else { "" };
        Ok(format!("{}{suffix}", scope.generated_name(id)))
    }

    /// The name of a resource, given or made.
    pub(super) fn name_of(&self, id: &str, scope: &Scope<'_>) -> String {
        let name = self
            .returns(id)
            .map(|returns| self.name(id, &returns, scope));
        name.and_then(Result::ok)
            .unwrap_or_else(|| scope.generated_name(id))
    }
}
