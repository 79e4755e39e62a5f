//! Which function is meant: a name, an ARN or a part of one, with or without a qualifier.
//!
//! Lambda's forms are `name`, `account:function:name` and `arn:aws:lambda:region:account:function:name`, each with `:qualifier`
//! behind it. Here a logical id is a name as well, and account and region are not looked at: there is but one of each.

use std::collections::BTreeMap;

use crate::model::Function;

/// The only version there is.
const LATEST: &str = "$LATEST";

/// Why no function is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotFound {
    /// There is none of this name, or not of this version.
    Unknown(String),
    /// The name carries one qualifier and the request another.
    Contradiction,
}

/// The function that `written` and the request's `Qualifier` name.
pub(super) fn find<'f>(
    written: &str,
    qualifier: Option<&str>,
    functions: &'f BTreeMap<String, Function>,
) -> Result<&'f Function, NotFound> {
    let bare = written.split_once("function:").map_or(written, |(_, rest)| rest);
    let (name, own) = bare.split_once(':').map_or((bare, None), |(name, own)| (name, Some(own)));
    if own.zip(qualifier).is_some_and(|(own, asked)| own != asked) {
        return Err(NotFound::Contradiction);
    }
    let version = own.or(qualifier).unwrap_or(LATEST);
    let known = functions.values().find(|function| function.name == name).or_else(|| functions.get(name));
    known
        .filter(|_| version == LATEST)
        .ok_or_else(|| NotFound::Unknown(if version == LATEST { name.to_owned() } else { format!("{name}:{version}") }))
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::Code;

    /// `Greeter` of the stack `shop`.
    pub(in crate::invoke_api) fn function() -> Function {
        Function {
            id: "Greeter".into(),
            name: "shop-Greeter".into(),
            code: Code::Prebuilt("bootstrap".into()),
            place: String::new(),
            handler: String::new(),
            timeout: Duration::from_secs(3),
            memory_mb: 128,
            concurrency: None,
            environment: BTreeMap::new(),
            logging: crate::model::Logging::default(),
        }
    }

    #[test]
    fn a_function_is_found_by_name_arn_partial_arn_and_logical_id() {
        let functions = BTreeMap::from([("Greeter".to_owned(), function())]);
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:shop-Greeter";
        for (written, qualifier) in [
            ("shop-Greeter", None),
            ("Greeter", None),
            ("shop-Greeter:$LATEST", None),
            ("shop-Greeter", Some("$LATEST")),
            ("000000000000:function:shop-Greeter", None),
            ("function:shop-Greeter", None),
            (arn, None),
            (&format!("{arn}:$LATEST"), Some("$LATEST")),
        ] {
            assert_eq!(find(written, qualifier, &functions).map(|f| f.id.as_str()), Ok("Greeter"), "{written} {qualifier:?}");
        }
        assert_eq!(find("shop-Greeter:live", None, &functions), Err(NotFound::Unknown("shop-Greeter:live".into())));
        assert_eq!(find("shop-Greeter:1", Some("2"), &functions), Err(NotFound::Contradiction));
        assert_eq!(find("Nobody", None, &functions), Err(NotFound::Unknown("Nobody".into())));
        assert_eq!(find("", None, &functions), Err(NotFound::Unknown(String::new())));
    }
}
