//! Values of `Ref` and `Fn::GetAtt` for the types of resources that templates commonly name.
//!
//! The source of `return_values.txt` is the section "Return values" of each type's page in
//! `CloudFormation`'s template reference. `Ref` of a type that is not listed yields `STACK-ID`,
//! since the service generates its identifier.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A line is: type, naming property, `Ref`, and `ATTRIBUTE=PATTERN` for each attribute; `-` is
/// none.
///
/// In a pattern `{name}` is the resource's name; `{region}`, `{account}`, `{partition}` and
/// `{suffix}` are those of the stack; `{function}` is the bare name of `FunctionName`; any other
/// brace is a property of the resource, with its default after a colon. `@SERVICE:REST` is an ARN
/// of the stack's partition, region and account.
const TABLE: &str = include_str!("return_values.txt");

static BY_TYPE: LazyLock<BTreeMap<&'static str, ReturnValues>> = LazyLock::new(|| {
    let rows = TABLE.lines().filter_map(row);
    rows.map(|values| (values.kind, values)).collect()
});

/// Return values of one type.
#[derive(Debug)]
pub(super) struct ReturnValues {
    /// The type.
    pub(super) kind: &'static str,
    /// Property by which the template names the resource, if the type has one.
    pub(super) naming_property: Option<&'static str>,
    /// Pattern of `Ref`; `None`: it is no name or ARN.
    pub(super) reference: Option<&'static str>,
    /// Pattern of `Fn::GetAtt` by attribute.
    pub(super) attributes: BTreeMap<&'static str, &'static str>,
}

fn row(line: &'static str) -> Option<ReturnValues> {
    let mut fields = line.split(' ');
    let written = |field: &&str| *field != "-";
    Some(ReturnValues {
        kind: fields.next()?,
        naming_property: fields.next().filter(written),
        reference: fields.next().filter(written),
        attributes: fields.filter_map(|field| field.split_once('=')).collect(),
    })
}

/// The return values of a type.
pub(super) fn of(kind: &str) -> Option<&'static ReturnValues> {
    BY_TYPE.get(kind)
}
