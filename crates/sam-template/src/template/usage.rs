//! What an intrinsic function takes instead of its arguments.

/// A call of an intrinsic function that cannot be evaluated. The text follows the function's name.
#[derive(Debug, thiserror::Error)]
pub(super) enum UsageError {
    #[error("Ref takes a name: `!Ref Name`")]
    Ref,
    #[error("Fn::GetAtt takes a resource and its attribute: `!GetAtt Name.Arn`")]
    GetAtt,
    #[error("Fn::If takes [ConditionName, value if true, value if false]")]
    If,
    #[error("Fn::Join takes [delimiter, [values]]")]
    Join,
    #[error("Fn::Split takes [delimiter, text]")]
    Split,
    #[error("Fn::Select takes [index, [values]]")]
    Select,
    #[error("Fn::Base64 takes text")]
    Base64,
    #[error("Fn::Sub takes text, or [text, {{Name: value}}]")]
    Sub,
    #[error("a ${{ has no closing }}; a literal one is written ${{!Name}}")]
    SubWithoutEnd,
    #[error("${{{0}}} is a list; join it first with Fn::Join")]
    ListInSub(String),
    #[error("takes [MapName, TopLevelKey, SecondLevelKey]")]
    FindInMap,
    #[error(
        "takes [MapName, TopLevelKey, SecondLevelKey]. A DefaultValue needs the transform \
         AWS::LanguageExtensions"
    )]
    FindInMapDefault,
    #[error("needs the transform AWS::LanguageExtensions. List it under Transform, before SAM's")]
    LanguageExtensions,
    #[error("takes a list")]
    Length,
    #[error("takes a list or a mapping")]
    ToJsonString,
    #[error("conditions are written under Conditions and used by name through Fn::If")]
    Condition,
    #[error("runs a macro that only the service has; write its result instead")]
    Macro,
}
