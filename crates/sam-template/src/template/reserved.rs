//! Variables that Lambda sets itself ("Defined runtime environment variables" in Lambda's
//! documentation). The service refuses a template that sets one, and so does this crate.

/// The reserved names. A template may set `TZ`, `PATH`, `LANG` and `LD_LIBRARY_PATH`.
const RESERVED: &str = include_str!("reserved.txt");

/// Why a variable of this name is refused, if it is.
pub(super) fn refusal(name: &str) -> Option<String> {
    RESERVED.lines().any(|reserved| reserved == name).then(|| {
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
        for name in RESERVED.lines() {
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
