//! Certificates of all clients of a function.

use std::path::PathBuf;

use super::reader::Reader;
use super::values::SecretRef;

/// Where certificates are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// Authorities that are trusted beside the built-in ones.
    pub authorities: Option<PemSetting>,
    /// The client's own certificate.
    pub identity: Option<IdentitySetting>,
}

/// Where a text in PEM is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PemSetting {
    /// In a file.
    File(PathBuf),
    /// In a secret: the text itself, or `{"certificate":"..."}`.
    Secret(SecretRef),
}

/// Where a certificate and its private key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentitySetting {
    /// In two files in PEM.
    Files {
        /// The certificate, and those of intermediate authorities.
        certificate: PathBuf,
        /// The private key, not encrypted.
        key: PathBuf,
    },
    /// In a secret: `{"certificate":"...","privateKey":"..."}`.
    Secret(SecretRef),
}

/// Names of the variables, for error texts.
pub(crate) mod variable {
    pub(crate) const CA_FILE: &str = "TLS_CA_FILE";
    pub(crate) const CA_SECRET: &str = "TLS_CA_SECRET_ARN";
    pub(crate) const CERTIFICATE_FILE: &str = "TLS_CERTIFICATE_FILE";
    pub(crate) const KEY_FILE: &str = "TLS_KEY_FILE";
    pub(crate) const CERTIFICATE_SECRET: &str = "TLS_CERTIFICATE_SECRET_ARN";
}

impl TlsSettings {
    /// Reads the variables that begin with `TLS_`.
    pub fn read(reader: &Reader) -> Self {
        Self {
            authorities: authorities(reader),
            identity: identity(reader),
        }
    }

    /// Whether a certificate is read from AWS.
    pub const fn is_of_aws(&self) -> bool {
        matches!(self.authorities, Some(PemSetting::Secret(_)))
            || matches!(self.identity, Some(IdentitySetting::Secret(_)))
    }
}

fn authorities(reader: &Reader) -> Option<PemSetting> {
    let file = reader.optional_text(variable::CA_FILE);
    let secret = reader.optional_secret(variable::CA_SECRET);
    if file.is_some() && secret.is_some() {
        refuse_both(reader, variable::CA_FILE, variable::CA_SECRET);
    }
    let secret = secret.map(PemSetting::Secret);
    secret.or_else(|| file.map(|file| PemSetting::File(file.into())))
}

fn identity(reader: &Reader) -> Option<IdentitySetting> {
    let certificate = reader.optional_text(variable::CERTIFICATE_FILE);
    let key = reader.optional_text(variable::KEY_FILE);
    let secret = reader.optional_secret(variable::CERTIFICATE_SECRET);
    if certificate.is_some() != key.is_some() {
        let (missing, given) = if key.is_none() {
            (variable::KEY_FILE, variable::CERTIFICATE_FILE)
        } else {
            (variable::CERTIFICATE_FILE, variable::KEY_FILE)
        };
        reader.refuse(
            missing,
            "is missing",
            format_args!("a file in PEM, as {given} is given"),
        );
    }
    if secret.is_some() && certificate.is_some() {
        refuse_both(
            reader,
            variable::CERTIFICATE_FILE,
            variable::CERTIFICATE_SECRET,
        );
    }
    let files = certificate
        .zip(key)
        .map(|(certificate, key)| IdentitySetting::Files {
            certificate: certificate.into(),
            key: key.into(),
        });
    secret.map(IdentitySetting::Secret).or(files)
}

fn refuse_both(reader: &Reader, file: &str, secret: &str) {
    reader.refuse(
        file,
        "is given",
        format_args!("missing, as {secret} is given"),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "arn:aws:secretsmanager:eu-central-1:1:secret:tls-AbCdEf";

    fn read(variables: &[(&str, &str)]) -> Result<TlsSettings, String> {
        let reader = Reader::new(variables.iter().copied());
        reader
            .finish(|| TlsSettings::read(&reader))
            .map_err(|problems| problems.to_string())
    }

    #[test]
    fn certificates_come_from_files_or_secrets() {
        assert_eq!(read(&[]), Ok(TlsSettings::default()));
        let files = read(&[
            ("TLS_CA_FILE", "/ca.pem"),
            ("TLS_CERTIFICATE_FILE", "/own.pem"),
            ("TLS_KEY_FILE", "/own.key"),
        ])
        .expect("valid");
        assert_eq!(files.authorities, Some(PemSetting::File("/ca.pem".into())));
        assert!(!files.is_of_aws());
        let secrets = read(&[
            ("TLS_CA_SECRET_ARN", SECRET),
            ("TLS_CERTIFICATE_SECRET_ARN", SECRET),
        ]);
        assert!(secrets.is_ok_and(|secrets| secrets.is_of_aws()));
    }

    #[test]
    fn half_an_identity_and_two_places_are_refused() {
        for (variables, problem) in [
            (
                vec![("TLS_KEY_FILE", "/a")],
                "TLS_CERTIFICATE_FILE is missing",
            ),
            (
                vec![("TLS_CERTIFICATE_FILE", "/a")],
                "TLS_KEY_FILE is missing",
            ),
            (
                vec![("TLS_CA_FILE", "/a"), ("TLS_CA_SECRET_ARN", SECRET)],
                "TLS_CA_FILE is given",
            ),
            (
                vec![("TLS_CA_SECRET_ARN", "ca.pem")],
                "TLS_CA_SECRET_ARN is \"ca.pem\"",
            ),
        ] {
            let refused = read(&variables).expect_err(problem);
            assert!(refused.contains(problem), "{refused}");
        }
    }
}
