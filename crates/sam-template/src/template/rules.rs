//! Checks the Rules section: what depends on several parameters. The service checks it before it
//! creates anything.
//!
//! Source: "`CloudFormation` template Rules syntax" and "Rule-specific intrinsic functions".

use super::intrinsics::resolve;
use super::scope::Scope;
use crate::document::{Entry, Node, Reader, did_you_mean};

/// What yields true or false in a rule.
const PREDICATES: &str =
    "Fn::And, Fn::Contains, Fn::EachMemberEquals, Fn::EachMemberIn, Fn::Equals, Fn::Not, Fn::Or";

/// Functions that read attributes of the parameter's resource from AWS.
const OF_THE_SERVICE: [&str; 3] = ["Fn::RefAll", "Fn::ValueOf", "Fn::ValueOfAll"];

/// Why a predicate has no result.
enum Undecided {
    /// It is invalid, which has been reported.
    Reported,
    /// It calls a function that only the service has.
    ByService(String),
}

/// Reports every assertion that is not met.
///
/// Not after an invalid parameter: another value stands in for its value, so that a rule would
/// report a consequence.
pub(super) fn check(scope: &Scope<'_>) {
    let rules = scope.root.get("Rules").map_or(&[][..], Node::entries);
    if scope.problems.has_errors() {
        return;
    }
    for rule in rules {
        if let Err(Undecided::ByService(function)) = check_one(rule, scope) {
            let message = format!(
                "rule {} is not checked here: {function} reads attributes that only AWS knows.",
                rule.key
            );
            scope.problems.warn(rule.line, message);
        }
    }
}

fn check_one(rule: &Entry, scope: &Scope<'_>) -> Result<(), Undecided> {
    let what = format!("rule {}", rule.key);
    let reader = Reader::new(&rule.value, what.clone(), scope.problems);
    reader.only("RuleCondition Assertions");
    let assertions = reader.mappings("Assertions", "Assertions");
    if assertions.is_empty() {
        let message =
            format!("{what} has no Assertions. Write `Assertions: [{{Assert: !Equals [...]}}]`.");
        scope.problems.error(rule.line, message);
        return Err(Undecided::Reported);
    }
    if let Some(condition) = reader.get("RuleCondition")
        && !holds(condition, scope)?
    {
        return Ok(());
    }
    for assertion in assertions {
        assertion.only("Assert AssertDescription");
        let Some(assert) = assertion.get("Assert") else {
            let message = format!("an assertion of {what} has no Assert.");
            scope.problems.error(assertion.node.line, message);
            continue;
        };
        if !holds(assert, scope)? {
            let described = assertion.text("AssertDescription");
            let described = described.unwrap_or("it asserts what the parameters do not meet.");
            let message = format!("{what}: {described}");
            scope.problems.error(assertion.node.line, message);
        }
    }
    Ok(())
}

fn holds(node: &Node, scope: &Scope<'_>) -> Result<bool, Undecided> {
    let Some(function) = node.single() else {
        let message = format!(
            "a rule's condition is one of {PREDICATES}; here is {}.",
            node.describe()
        );
        return refused(node.line, message, scope);
    };
    let items = function.value.items();
    match (function.key.as_str(), items) {
        ("Fn::Equals", [a, b]) => Ok(value(a, scope)?.kind == value(b, scope)?.kind),
        ("Fn::Contains", [list, member]) => {
            let member = value(member, scope)?;
            let list = value(list, scope)?;
            Ok(list.items().iter().any(|item| item.kind == member.kind))
        }
        ("Fn::EachMemberEquals", [list, wanted]) => {
            let wanted = value(wanted, scope)?;
            let list = value(list, scope)?;
            Ok(list.items().iter().all(|item| item.kind == wanted.kind))
        }
        ("Fn::EachMemberIn", [list, allowed]) => {
            let (list, allowed) = (value(list, scope)?, value(allowed, scope)?);
            let is_allowed = |item: &Node| allowed.items().iter().any(|a| a.kind == item.kind);
            Ok(list.items().iter().all(is_allowed))
        }
        ("Fn::Not", [side]) => Ok(!holds(side, scope)?),
        // Every side is evaluated, so that mistakes on all sides are reported.
        ("Fn::And", sides) if (2..=10).contains(&sides.len()) => {
            sides_of(sides, scope).map(|sides| sides.iter().all(|side| *side))
        }
        ("Fn::Or", sides) if (2..=10).contains(&sides.len()) => {
            sides_of(sides, scope).map(|sides| sides.iter().any(|side| *side))
        }
        (name, _) if PREDICATES.split(", ").any(|known| known == name) => {
            let takes = match name {
                "Fn::Not" => "one condition, in a list",
                "Fn::And" | "Fn::Or" => "two to ten conditions",
                "Fn::Equals" => "two values",
                _ => "a list and a value",
            };
            refused(function.line, format!("{name} takes {takes}."), scope)
        }
        (name, _) if OF_THE_SERVICE.contains(&name) => Err(Undecided::ByService(name.to_owned())),
        (name, _) => {
            let hint = did_you_mean(name, PREDICATES.split(", "))
                .unwrap_or_else(|| format!("Write one of {PREDICATES}."));
            let message = format!("{name} is no condition of a rule. {hint}");
            refused(function.line, message, scope)
        }
    }
}

fn sides_of(sides: &[Node], scope: &Scope<'_>) -> Result<Vec<bool>, Undecided> {
    let decided: Vec<_> = sides.iter().map(|side| holds(side, scope)).collect();
    decided.into_iter().collect()
}

/// A value that is compared: of parameters, pseudo parameters and texts.
fn value(node: &Node, scope: &Scope<'_>) -> Result<Node, Undecided> {
    if let Some(function) = node.single()
        && OF_THE_SERVICE.contains(&function.key.as_str())
    {
        return Err(Undecided::ByService(function.key.clone()));
    }
    let before = scope.problems.failures();
    let value = resolve(node, scope);
    if scope.problems.failures() == before {
        Ok(value)
    } else {
        Err(Undecided::Reported)
    }
}

fn refused(line: usize, message: String, scope: &Scope<'_>) -> Result<bool, Undecided> {
    scope.problems.error(line, message);
    Err(Undecided::Reported)
}
