//! Finds a function by its name, ARN or partial ARN, with or without a qualifier.
//!
//! Lambda's forms are those of [`function_name`]. A logical id is a name as well. Account and
//! region are not compared: an application has one of each.

use std::collections::BTreeMap;

use super::answer::ApiError;
use sam_template::model::qualified::{LATEST, function_name};
use sam_template::model::{Function, SkippedFunction};

/// The function that `written` and the request's `Qualifier` name, with the version or alias. Every
/// alias and version that the template declares is the same code; any other is not found, as on the
/// service.
///
/// # Errors
/// [`ApiError::NoFunction`] without such a name or version; [`ApiError::InvalidParameter`] where the
/// name and the request have different qualifiers.
pub(super) fn find<'f>(
    written: &str,
    qualifier: Option<&str>,
    functions: &'f BTreeMap<String, Function>,
) -> Result<(&'f Function, Option<String>), ApiError> {
    let (name, own) = function_name(written);
    if own
        .zip(qualifier)
        .is_some_and(|(own, requested)| own != requested)
    {
        return Err(ApiError::InvalidParameter(
            "the qualifier in the function's name is not the Qualifier of the request".into(),
        ));
    }
    let version = own.or(qualifier).unwrap_or(LATEST);
    let found = functions
        .values()
        .find(|function| function.name == name)
        .or_else(|| functions.get(name));
    found
        .filter(|function| version == LATEST || function.qualifiers.contains(version))
        .map(|function| (function, own.or(qualifier).map(str::to_owned)))
        .ok_or_else(|| {
            ApiError::NoFunction(if version == LATEST {
                name.to_owned()
            } else {
                format!("{name}:{version}")
            })
        })
}

/// Why this host cannot run the template's function of this name, with or without a qualifier.
pub(super) fn not_run<'s>(
    name: &str,
    skipped: &'s BTreeMap<String, SkippedFunction>,
) -> Option<&'s str> {
    let (name, _) = function_name(name);
    let (_, found) = skipped
        .iter()
        .find(|(id, skipped)| *id == name || skipped.name == name)?;
    Some(&found.reason)
}

#[cfg(test)]
pub(crate) use tests::function as function_fixture;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;
    use sam_template::model::{Code, Location};

    /// `Greeter` of the stack `shop`.
    pub(crate) fn function() -> Function {
        Function {
            id: "Greeter".into(),
            name: "shop-Greeter".into(),
            location: Location::default(),
            qualifiers: BTreeSet::from(["live".to_owned(), "1".to_owned()]),
            code: Code::Prebuilt("bootstrap".into()),
            place: String::new(),
            handler: String::new(),
            timeout: Duration::from_secs(3),
            memory_mb: 128,
            concurrency: None,
            managed: None,
            environment: BTreeMap::new(),
            logging: sam_template::model::Logging::default(),
        }
    }

    #[test]
    fn a_function_is_found_by_every_form_of_name() {
        let functions = BTreeMap::from([("Greeter".to_owned(), function())]);
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:shop-Greeter";
        for (written, qualifier) in [
            ("shop-Greeter", None),
            ("Greeter", None),
            ("shop-Greeter:$LATEST", None),
            ("shop-Greeter", Some("$LATEST")),
            ("shop-Greeter:live", None),
            ("Greeter", Some("live")),
            ("shop-Greeter", Some("1")),
            ("function:shop-Greeter:live", Some("live")),
            ("000000000000:function:shop-Greeter", None),
            ("function:shop-Greeter", None),
            (arn, None),
            (&format!("{arn}:$LATEST"), Some("$LATEST")),
        ] {
            assert_eq!(
                find(written, qualifier, &functions).map(|found| found.0.id.as_str()),
                Ok("Greeter"),
                "{written} {qualifier:?}"
            );
        }
        let qualifier = |written: &str, qualifier| find(written, qualifier, &functions).unwrap().1;
        assert_eq!(qualifier("Greeter:live", None).as_deref(), Some("live"));
        assert_eq!(qualifier(arn, Some("1")).as_deref(), Some("1"));
        assert_eq!(qualifier("Greeter", None), None);
        assert_eq!(
            find("shop-Greeter:beta", None, &functions),
            Err(ApiError::NoFunction("shop-Greeter:beta".into()))
        );
        assert!(matches!(
            find("shop-Greeter:1", Some("2"), &functions),
            Err(ApiError::InvalidParameter(_))
        ));
        assert_eq!(
            find("Missing", None, &functions),
            Err(ApiError::NoFunction("Missing".into()))
        );
        assert_eq!(
            find("", None, &functions),
            Err(ApiError::NoFunction(String::new()))
        );
    }
}
