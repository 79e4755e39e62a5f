//! Names of resources, and the values of references to them.
//!
//! A name may be computed from other names. Each property is evaluated once, when it is first
//! referenced, so unused properties are never evaluated and a circle is detected where it closes.

use super::intrinsics::resolve;
use super::resource::Resource;
use super::return_values::{self, ReturnValues};
use super::scope::Scope;
use crate::document::{Kind, Node, parse_bool};
use crate::model::Diagnostic;
use crate::model::qualified::{PUBLISHED, function_name};

/// Property of a function that publishes a version under an alias.
const ALIAS: &str = "AutoPublishAlias";

/// The text of a property; `None`: missing, or `AWS::NoValue`. `Err`: evaluation failed.
pub(super) type Value = Result<Option<String>, Vec<Diagnostic>>;

impl Scope<'_> {
    /// The existing resource of this id, if its type is in `return_values`.
    fn named(&self, id: &str) -> Option<(&Resource, &'static ReturnValues)> {
        let resource = self.resource(id)?;
        Some((resource, return_values::of(&resource.kind)?))
    }

    /// The text of a property, if written.
    fn property(&self, id: &str, property: &str) -> Value {
        let Some((resource, _)) = self.named(id) else {
            return Ok(None);
        };
        let Some(node) = resource.properties.get(property) else {
            return Ok(None);
        };
        let key = (id.to_owned(), property.to_owned());
        if let Some(found) = self.values.borrow().get(&key) {
            return found.clone();
        }
        // Holds while the property is evaluated: a reference to it closes a circle.
        let circle = Diagnostic {
            file: self.problems.file().to_owned(),
            line: node.line,
            message: format!("the {property} of {id} is computed from itself. Break the circle."),
        };
        let open = Err(vec![circle]);
        self.values.borrow_mut().insert(key.clone(), open);
        let value = self.evaluate(node, &format!("{}: {property}", resource.what()));
        self.values.borrow_mut().insert(key, value.clone());
        value
    }

    fn evaluate(&self, node: &Node, what: &str) -> Value {
        let (text, sound) = self.problems.apart(|| {
            let resolved = resolve(node, self);
            let text = resolved.text().map(str::to_owned);
            if text.is_none() && resolved.kind != Kind::Null {
                let message = format!("{what} must be text, not {}.", resolved.describe());
                self.problems.error(node.line, message);
            }
            text
        });
        sound.map(|()| text.filter(|text| !text.is_empty()))
    }

    /// As [`Scope::property`], without the reasons of a failure.
    pub(super) fn valid_property(&self, id: &str, property: &str) -> Option<String> {
        self.property(id, property).ok().flatten()
    }

    /// `Ref` of a resource; `None` if the type is not listed.
    pub(super) fn listed_reference(&self, id: &str, line: usize) -> Option<Node> {
        let (_, values) = self.named(id)?;
        Some(self.fill(id, values, values.reference?, line))
    }

    /// `Fn::GetAtt`; `None` if the type or the attribute is not listed.
    pub(super) fn listed_attribute(&self, id: &str, name: &str, line: usize) -> Option<Node> {
        let (_, values) = self.named(id)?;
        Some(self.fill(id, values, values.attributes.get(name)?, line))
    }

    /// The alias that a function publishes.
    pub(super) fn alias(&self, id: &str) -> Option<String> {
        self.valid_property(id, ALIAS)
    }

    /// The function's name and the alias or version of an `AWS::Lambda::Alias` or
    /// `AWS::Lambda::Version`.
    pub(super) fn qualifier(&self, id: &str) -> Option<(String, String)> {
        let (resource, values) = self.named(id)?;
        let function = self.valid_property(id, "FunctionName")?;
        let qualifier = match resource.kind.as_str() {
            "AWS::Lambda::Alias" => self.valid_property(id, values.naming_property?)?,
            "AWS::Lambda::Version" => PUBLISHED.to_owned(),
            _ => return None,
        };
        Some((function_name(&function).0.to_owned(), qualifier))
    }

    /// Fills a pattern's braces; a missing value is reported.
    fn fill(&self, id: &str, values: &ReturnValues, pattern: &str, line: usize) -> Node {
        match self.filled(id, values, pattern) {
            Ok(text) => Node::scalar(line, text),
            Err(why) => {
                for found in why {
                    self.problems.error(found.line, found.message);
                }
                self.problems.count_failure();
                Node::null(line)
            }
        }
    }

    fn filled(
        &self,
        id: &str,
        values: &ReturnValues,
        pattern: &str,
    ) -> Result<String, Vec<Diagnostic>> {
        let location = &self.location;
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
                "name" => out.push_str(&self.name(id, values)?),
                // A Systems Manager parameter may start with a slash already.
                "slash" if self.name(id, values)?.starts_with('/') => {}
                "slash" => out.push('/'),
                "function" => {
                    let function = self.property(id, "FunctionName")?.unwrap_or_default();
                    out.push_str(function_name(&function).0);
                }
                property => {
                    let (property, default) = property.split_once(':').unwrap_or((property, ""));
                    let written = self.property(id, property)?;
                    out.push_str(written.as_deref().unwrap_or(default));
                }
            }
        }
        out.push_str(rest);
        Ok(service.map_or(out.clone(), |service| location.arn(service, &out)))
    }

    fn name(&self, id: &str, values: &ReturnValues) -> Result<String, Vec<Diagnostic>> {
        if let Some(property) = values.naming_property
            && let Some(given) = self.property(id, property)?
        {
            return Ok(given);
        }
        // CloudFormation appends the suffix of a FIFO queue or topic to a generated name.
        let of_fifo = match values.kind {
            "AWS::SQS::Queue" => self.property(id, "FifoQueue")?,
            "AWS::SNS::Topic" => self.property(id, "FifoTopic")?,
            _ => None,
        };
        let fifo = of_fifo.is_some_and(|text| parse_bool(&text) == Some(true));
        let suffix = if fifo { ".fifo" } else { "" };
        Ok(format!("{}{suffix}", self.generated_name(id)))
    }

    /// The explicit name of a resource, or a name from stack and logical id.
    pub(super) fn name_of(&self, id: &str) -> String {
        let name = self.named(id).map(|(_, values)| self.name(id, values));
        name.and_then(Result::ok)
            .unwrap_or_else(|| self.generated_name(id))
    }
}
