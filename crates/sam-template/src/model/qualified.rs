//! Function names in requests: a name, an ARN or part of one, with an optional version or alias.

/// The unpublished version.
pub const LATEST: &str = "$LATEST";

/// The version that `AutoPublishAlias` and `AWS::Lambda::Version` publish. The host runs one build
/// of each function, so there is only one.
pub const PUBLISHED: &str = "1";

/// Splits `name`, `account:function:name` or `arn:aws:lambda:region:account:function:name`, each
/// with an optional `:qualifier`, into name and qualifier ("Invoke" in Lambda's API reference:
/// `FunctionName`). Account and region are not compared.
pub fn function_name(written: &str) -> (&str, Option<&str>) {
    let parts: Vec<&str> = written.splitn(7, ':').collect();
    let bare = match &parts[..] {
        ["arn", _, "lambda", _, _, "function", rest] => rest,
        ["function", ..] => written.split_once(':').map_or(written, |(_, rest)| rest),
        [account, "function", ..] if super::location::is_account(account) => {
            written.splitn(3, ':').last().unwrap_or(written)
        }
        _ => written,
    };
    bare.split_once(':')
        .map_or((bare, None), |(name, qualifier)| (name, Some(qualifier)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_name_is_split() {
        let arn = "arn:aws-cn:lambda:cn-north-1:123456789012:function:shop";
        for written in ["shop", "function:shop", "123456789012:function:shop", arn] {
            assert_eq!(function_name(written), ("shop", None), "{written}");
            assert_eq!(
                function_name(&format!("{written}:live")),
                ("shop", Some("live")),
                "{written}:live"
            );
        }
        assert_eq!(
            function_name("my-function:live"),
            ("my-function", Some("live"))
        );
        assert_eq!(function_name("my-function"), ("my-function", None));
        assert_eq!(function_name(""), ("", None));
    }
}
