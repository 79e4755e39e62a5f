//! Keys that verify signatures.

use super::reader::Reader;
use super::values::{Secret, SecretRef};

/// Where keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeysSetting {
    /// From variables: the current key, and the next one during a rotation.
    Fixed(Vec<Secret>),
    /// From a secret: a key, or `{"current":"...","next":"..."}`.
    Secret {
        /// The secret.
        secret: SecretRef,
        /// Minimum length of each key.
        min_bytes: usize,
    },
}

impl Reader {
    /// Keys of at least `min_bytes` each, from the secret that `PREFIX_ARN` names, or from the
    /// variables `PREFIX` and, optional, `PREFIX_NEXT`.
    pub fn keys(&self, prefix: &str, min_bytes: usize) -> KeysSetting {
        let next = format!("{prefix}_NEXT");
        let secret = self.optional_secret(&format!("{prefix}_ARN"));
        let Some(secret) = secret else {
            return KeysSetting::Fixed(self.secrets(prefix, &[&next], min_bytes));
        };
        for variable in [prefix, &next] {
            if self.optional_raw_secret(variable).is_some() {
                let allowed = format!("missing, as {} is given", secret.variable);
                self.refuse_once(variable, "is given", allowed);
            }
        }
        KeysSetting::Secret { secret, min_bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_from_variables_or_a_secret() {
        let read = |variables: &[(&str, &str)]| {
            let reader = Reader::new(variables.iter().copied());
            let keys = reader.finish(|| reader.keys("KEY", 4));
            keys.map_err(|problems| problems.to_string())
        };
        let fixed = read(&[("KEY", "abcd"), ("KEY_NEXT", "efgh")]);
        let both = vec![Secret::new("abcd"), Secret::new("efgh")];
        assert_eq!(fixed, Ok(KeysSetting::Fixed(both)));
        let arn = ("KEY_ARN", "arn:aws:ssm:eu-central-1:1:parameter/key");
        assert!(matches!(read(&[arn]), Ok(KeysSetting::Secret { .. })));
        let twice = read(&[arn, ("KEY_NEXT", "hunter2")]).expect_err("in two places");
        assert!(
            twice.contains("KEY_NEXT is given") && !twice.contains("hunter2"),
            "{twice}"
        );
        assert!(read(&[]).is_err_and(|text| text.contains("KEY is missing")));
    }
}
