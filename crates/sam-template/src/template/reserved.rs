//! Variables that Lambda sets itself ("Defined runtime environment variables" in Lambda's
//! documentation). The service refuses a template that sets one, and so does this crate.

/// The reserved names. A template may set `TZ`, `PATH`, `LANG` and `LD_LIBRARY_PATH`.
const RESERVED: [&str; 21] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_MAX_CONCURRENCY",
    "AWS_LAMBDA_METADATA_API",
    "AWS_LAMBDA_METADATA_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

/// Why a variable of this name is refused, if it is.
pub(super) fn refusal(name: &str) -> Option<String> {
    RESERVED.contains(&name).then(|| {
        format!(
            "the variable {name} is reserved: Lambda sets it, and refuses a function that sets it \
             (InvalidParameterValueException, \"Reserved keys used in this request: {name}\"). Use \
             another name."
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_names_are_refused_and_others_are_not() {
        for name in RESERVED {
            assert!(
                refusal(name).is_some_and(|why| why.contains(name)),
                "{name}"
            );
        }
        for free in [
            "TZ",
            "PATH",
            "LANG",
            "LD_LIBRARY_PATH",
            "AWS_ENDPOINT_URL_SQS",
            "AWS_EC2_METADATA_DISABLED",
            "aws_region",
        ] {
            assert_eq!(refusal(free), None, "{free}");
        }
    }
}
