//! The Rules section: assertions over several parameters.

use crate::fixture::{assert_reported, function, good, warnings};

/// A template with two parameters and one rule, whose lines begin with line 14.
fn with_rule(rule: &str) -> String {
    let mut text = function("Timeout: 9")
        + "Parameters:\n  User: {Type: String, Default: ''}\n  Zones: {Type: CommaDelimitedList, Default: 'a,b'}\nRules:\n";
    for line in rule.lines() {
        text.extend(["  ", line, "\n"]);
    }
    text
}

/// One rule with one assertion, on line 16.
fn asserting(condition: &str) -> String {
    with_rule(&format!(
        "Login:\n  Assertions:\n  - {{Assert: {condition}, AssertDescription: Give User.}}"
    ))
}

#[test]
fn every_function_of_rules_is_evaluated() {
    for (condition, settings, is_met) in [
        ("!Equals [!Ref User, ada]", "ada", true),
        ("!Equals [!Ref User, ada]", "bob", false),
        ("!Not [!Equals [!Ref User, '']]", "", false),
        ("!Not [!Equals [!Ref User, '']]", "ada", true),
        (
            "!And [!Equals [a, a], !Equals [!Ref User, ada]]",
            "bob",
            false,
        ),
        (
            "!Or [!Equals [a, b], !Equals [!Ref User, ada]]",
            "ada",
            true,
        ),
        ("{'Fn::Contains': [[ada, eve], !Ref User]}", "eve", true),
        ("{'Fn::Contains': [[ada, eve], !Ref User]}", "bob", false),
        (
            "{'Fn::EachMemberEquals': [!Ref Zones, !Ref User]}",
            "a",
            false,
        ),
        ("{'Fn::EachMemberEquals': [[a, a], !Ref User]}", "a", true),
        ("{'Fn::EachMemberIn': [!Ref Zones, [a, b, c]]}", "", true),
        (
            "{'Fn::EachMemberIn': [!Ref Zones, [a, !Ref User]]}",
            "c",
            false,
        ),
    ] {
        let text = asserting(condition);
        let settings = format!("[parameters]\nUser = '{settings}'\n");
        if is_met {
            good(&text, &settings);
        } else {
            assert_reported(&[(text, &settings, 16, "rule Login: Give User.")]);
        }
    }
}

#[test]
fn a_rule_applies_only_under_its_condition() {
    let text = with_rule(
        "Login:\n  RuleCondition: !Equals [!Ref User, ada]\n  Assertions:\n  - {Assert: !Equals [a, \
         b]}",
    );
    good(&text, "");
    let words = "rule Login: it asserts what the parameters do not meet.";
    assert_reported(&[(text, "[parameters]\nUser = 'ada'\n", 17, words)]);
}

#[test]
fn every_assertion_that_is_not_met_is_reported() {
    let text = with_rule(
        "First:\n  Assertions:\n  - {Assert: !Equals [a, b], AssertDescription: one}\n  - {Assert: \
         !Equals [a, b], AssertDescription: two}\nSecond:\n  Assertions: [{Assert: !Equals [a, b]}]",
    );
    let found = crate::fixture::complaints(&text, "");
    let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [16, 17, 19], "{found:?}");
}

#[test]
fn a_rule_about_the_service_is_named_as_unchecked() {
    let app = good(
        &asserting("{'Fn::Contains': [{'Fn::ValueOfAll': ['AWS::EC2::VPC::Id', Tags.Name]}, x]}"),
        "",
    );
    let found = warnings(&app);
    assert!(
        found.contains(":14: rule Login is not checked here: Fn::ValueOfAll"),
        "{found}"
    );
}

#[test]
fn an_invalid_parameter_is_reported_without_broken_rules() {
    let text = asserting("!Equals [!Ref User, x]").replace(
        "User: {Type: String, Default: ''}",
        "User: {Type: String, Default: '', MinLength: 1}",
    );
    assert_reported(&[(text, "", 11, "parameter User")]);
}

#[test]
fn a_mistake_in_a_rule_is_reported() {
    assert_reported(&[
        (with_rule("Login: {}"), "", 14, "has no Assertions"),
        (
            with_rule("Login:\n  Assertions: [{AssertDescription: x}]"),
            "",
            15,
            "has no Assert",
        ),
        (
            with_rule(
                "Login:\n  Asserts: [{Assert: !Equals [a, a]}]\n  Assertions: [{Assert: !Equals [a, a]}]",
            ),
            "",
            15,
            "Asserts",
        ),
        (
            asserting("!Equals [a]"),
            "",
            16,
            "Fn::Equals takes two values",
        ),
        (
            asserting("!Condition Big"),
            "",
            16,
            "Condition is no condition of a rule",
        ),
        (asserting("!Equals [!Ref Usr, a]"), "", 16, "Usr"),
        (asserting("yes"), "", 16, "a rule's condition is one of"),
    ]);
}
