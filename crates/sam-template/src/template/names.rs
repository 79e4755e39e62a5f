//! Names of resources, and the values of references to them.
//!
//! A name may be computed from other names. Each property is evaluated once, when it is first
//! referenced, so unused properties are never evaluated and a circle is detected where it closes.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::intrinsics::resolve;
use super::resource::Resource;
use super::return_values::{self, ReturnValues};
use super::scope::Scope;
use crate::document::{Kind, Node, Problems};
use crate::model::Diagnostic;
use crate::model::qualified::{PUBLISHED, function_name};

/// Property of a function that publishes a version under an alias.
const ALIAS: &str = "AutoPublishAlias";

/// The state of a property of a resource.
#[derive(Debug, Clone)]
enum Value {
    /// In evaluation: a reference to it closes a circle.
    Open,
    /// `None`: missing, or `AWS::NoValue`.
    Known(Option<String>),
    /// Evaluation failed.
    Failed(Vec<Diagnostic>),
}

/// The properties of resources that references evaluate.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Unevaluated properties by logical id, with the resource's type.
    sources: BTreeMap<String, (String, Node)>,
    values: RefCell<BTreeMap<(String, String), Value>>,
    file: String,
}

impl Names {
    /// The existing resources of the types in `return_values`.
    pub(super) fn of(resources: &[Resource], file: &str) -> Self {
        let named = resources
            .iter()
            .filter(|resource| return_values::of(&resource.kind).is_some());
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

    /// The text of a property, if written.
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
        // The same text as the type's reader uses, so that one mistake is reported once.
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

    /// The explicit name of a resource, if it has a valid one.
    pub(super) fn explicit(&self, id: &str, scope: &Scope<'_>) -> Option<String> {
        let property = self.return_values(id)?.naming_property?;
        self.property(id, property, scope).ok().flatten()
    }

    /// `Ref`; `None` if the type is not listed.
    pub(super) fn reference(
        &self,
        id: &str,
        scope: &Scope<'_>,
        line: usize,
        problems: &mut Problems,
    ) -> Option<Node> {
        let values = self.return_values(id)?;
        Some(self.fill(id, values, values.reference?, scope, line, problems))
    }

    /// `Fn::GetAtt`; `None` if the type or the attribute is not listed.
    pub(super) fn attribute(
        &self,
        id: &str,
        name: &str,
        scope: &Scope<'_>,
        line: usize,
        problems: &mut Problems,
    ) -> Option<Node> {
        let values = self.return_values(id)?;
        let pattern = values.attributes.get(name)?;
        Some(self.fill(id, values, pattern, scope, line, problems))
    }

    /// `StageName` of an API.
    pub(super) fn stage(&self, id: &str, scope: &Scope<'_>) -> Option<String> {
        self.property(id, "StageName", scope).ok().flatten()
    }

    /// The alias that a function publishes.
    pub(super) fn alias(&self, id: &str, scope: &Scope<'_>) -> Option<String> {
        self.property(id, ALIAS, scope).ok().flatten()
    }

    /// The function's name and the alias or version of an `AWS::Lambda::Alias` or
    /// `AWS::Lambda::Version`.
    pub(super) fn qualifier(&self, id: &str, scope: &Scope<'_>) -> Option<(String, String)> {
        let (kind, _) = self.sources.get(id)?;
        let function = self.property(id, "FunctionName", scope).ok().flatten()?;
        let qualifier = match kind.as_str() {
            "AWS::Lambda::Alias" => self.explicit(id, scope)?,
            "AWS::Lambda::Version" => PUBLISHED.to_owned(),
            _ => return None,
        };
        Some((function_name(&function).0.to_owned(), qualifier))
    }

    fn return_values(&self, id: &str) -> Option<&'static ReturnValues> {
        return_values::of(&self.sources.get(id)?.0)
    }

    /// Fills a pattern's braces; a missing value is reported.
    fn fill(
        &self,
        id: &str,
        values: &ReturnValues,
        pattern: &str,
        scope: &Scope<'_>,
        line: usize,
        problems: &mut Problems,
    ) -> Node {
        match self.text(id, values, pattern, scope) {
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
        values: &ReturnValues,
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
                "name" => out.push_str(&self.name(id, values, scope)?),
                // A Systems Manager parameter may start with a slash already.
                "slash" if self.name(id, values, scope)?.starts_with('/') => {}
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
        values: &ReturnValues,
        scope: &Scope<'_>,
    ) -> Result<String, Vec<Diagnostic>> {
        if let Some(property) = values.naming_property
            && let Some(given) = self.property(id, property, scope)?
        {
            return Ok(given);
        }
        // CloudFormation appends the suffix of a FIFO queue or topic to a generated name.
        let of_fifo = match values.kind {
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

    /// The explicit or generated name of a resource.
    pub(super) fn name_of(&self, id: &str, scope: &Scope<'_>) -> String {
        let name = self
            .return_values(id)
            .map(|values| self.name(id, values, scope));
        name.and_then(Result::ok)
            .unwrap_or_else(|| scope.generated_name(id))
    }
}
