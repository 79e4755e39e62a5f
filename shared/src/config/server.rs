//! A server that a function connects to, and how it logs in.
//!
//! The variables of a server have one prefix: `DATABASE_URL`, `DATABASE_USER` and so on.

use super::reader::Reader;
use super::values::{Arn, Secret, SecretRef, Url};

/// A server and the login to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The address.
    pub url: Url,
    /// User and password.
    pub login: LoginSetting,
}

/// Where user and password come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginSetting {
    /// From the address, if it has any.
    Address,
    /// From the variables.
    Fixed {
        /// The user. `None`: the default user of Redis.
        user: Option<String>,
        /// The password as it is. `None`: the server requires none, such as for a certificate.
        password: Option<Secret>,
    },
    /// From a secret, `{"username":"...","password":"..."}`.
    Secret {
        /// The secret.
        secret: SecretRef,
        /// The user, if it is not the one of the secret.
        user: Option<String>,
    },
    /// A token of IAM is the password.
    Iam {
        /// The user.
        user: String,
        /// What the token is for.
        target: TokenTarget,
    },
}

/// What accepts a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenTarget {
    /// A `PostgreSQL` of RDS, at this address.
    Database {
        /// The host of the address.
        host: String,
        /// Its port.
        port: u16,
    },
    /// A replication group, serverless cache or cluster of MemoryDB.
    Redis(Arn),
}

impl LoginSetting {
    /// Whether it is obtained from AWS.
    pub const fn is_of_aws(&self) -> bool {
        matches!(self, Self::Secret { .. } | Self::Iam { .. })
    }
}

impl Reader {
    /// A `PostgreSQL`: `PREFIX_URL`, and the variables of its login.
    ///
    /// `PREFIX_AUTH` is `password` (the default) or `iam`. The password stands in one place only:
    /// in `PREFIX_SECRET_ARN`, in `PREFIX_PASSWORD`, or in the address.
    pub fn postgres(&self, prefix: &str) -> Server {
        let variables = Variables::of(prefix);
        let url = self.postgres_url(&variables.url);
        let login = self.login(&variables, &url, None);
        if let LoginSetting::Fixed { user: None, .. } = login {
            let allowed = "the user whose password is given";
            self.refuse_once(&variables.user, "is missing", allowed);
        }
        if matches!(login, LoginSetting::Iam { .. }) && url.as_str().contains("sslmode=disable") {
            self.refuse_once(&variables.url, "has sslmode=disable", OVER_TLS);
        }
        Server { url, login }
    }

    /// A Redis: `PREFIX_URL`, and the variables of its login as [`Self::postgres`] reads them, with
    /// `PREFIX_ARN`: for `iam`, the replication group, serverless cache or cluster of MemoryDB.
    pub fn redis(&self, prefix: &str) -> Server {
        let variables = Variables::of(prefix);
        let url = self.redis_url(&variables.url);
        let login = self.login(&variables, &url, Some(&format!("{prefix}_ARN")));
        if let LoginSetting::Fixed { password: None, .. } = login {
            let allowed = "the password of the user";
            self.refuse_once(&variables.password, "is missing", allowed);
        }
        if matches!(login, LoginSetting::Iam { .. }) && !url.as_str().starts_with("rediss://") {
            self.refuse_once(&variables.url, "is not rediss://...", OVER_TLS);
        }
        Server { url, login }
    }

    /// All variables are read, whichever applies: those that contradict each other are problems.
    fn login(&self, variables: &Variables, url: &Url, resource: Option<&str>) -> LoginSetting {
        let user = self.optional_text(&variables.user);
        let password = self.optional_raw_secret(&variables.password);
        let secret = self.optional_secret(&variables.secret);
        let resource = resource.map(|variable| (variable, self.optional_arn(variable, RESOURCES)));
        let is_iam = self.parsed_or(
            &variables.auth,
            "password or iam",
            false,
            |text| match text {
                "password" => Some(false),
                "iam" => Some(true),
                _ => None,
            },
        );
        let given: Vec<&str> = [
            (&variables.password, password.is_some()),
            (&variables.secret, secret.is_some()),
        ]
        .into_iter()
        .filter_map(|(variable, given)| given.then_some(variable.as_str()))
        .collect();
        if !given.is_empty() && url.has_password() {
            let allowed = format!("an address without password, as {} is given", given[0]);
            self.refuse_once(&variables.url, "contains a password (not shown)", allowed);
        }
        if is_iam {
            for variable in given {
                let allowed = format!("missing, as {} is iam", variables.auth);
                self.refuse_once(variable, "is given", allowed);
            }
            if user.is_none() {
                let allowed = format!("the user whose token is made, as {} is iam", variables.auth);
                self.refuse_once(&variables.user, "is missing", allowed);
            }
            if let Some((variable, None)) = resource {
                self.refuse_once(variable, "is missing", RESOURCES_ALLOWED);
            }
            let target = match resource.and_then(|(_, arn)| arn) {
                Some(arn) => TokenTarget::Redis(arn),
                None => database(url),
            };
            let user = user.unwrap_or_default();
            return LoginSetting::Iam { user, target };
        }
        match (secret, password, user) {
            (Some(_), Some(_), _) => {
                let allowed = format!("missing, as {} is given", variables.secret);
                self.refuse_once(&variables.password, "is given", allowed);
                LoginSetting::Address
            }
            (Some(secret), None, user) => LoginSetting::Secret { secret, user },
            (None, None, None) => LoginSetting::Address,
            (None, password, user) => LoginSetting::Fixed { user, password },
        }
    }

    /// A secret by its ARN, if the variable is set.
    pub fn optional_secret(&self, variable: &str) -> Option<SecretRef> {
        let arn = self.optional_arn(variable, &["secretsmanager", "ssm"])?;
        let variable = variable.to_owned();
        Some(SecretRef { variable, arn })
    }

    fn optional_arn(&self, variable: &str, services: &[&str]) -> Option<Arn> {
        let text = self.optional_text(variable)?;
        let arn = Arn::new(&text, services);
        if arn.is_none() {
            let allowed = format!("an ARN of {}", services.join(" or "));
            self.refuse_once(variable, format_args!("is {text:?}"), allowed);
        }
        arn
    }
}

fn database(url: &Url) -> TokenTarget {
    let (host, port) = url.host_and_port();
    TokenTarget::Database {
        host: host.to_owned(),
        port: port.unwrap_or(5432),
    }
}

const OVER_TLS: &str = "an address with TLS, as a token of IAM is sent to it";
const RESOURCES: &[&str] = &["elasticache", "memorydb"];
const RESOURCES_ALLOWED: &str =
    "the ARN of the replication group, serverless cache or cluster of MemoryDB";

/// The names of a server's variables.
struct Variables {
    url: String,
    user: String,
    password: String,
    secret: String,
    auth: String,
}

impl Variables {
    fn of(prefix: &str) -> Self {
        let variable = |part: &str| format!("{prefix}_{part}");
        Self {
            url: variable("URL"),
            user: variable("USER"),
            password: variable("PASSWORD"),
            secret: variable("SECRET_ARN"),
            auth: variable("AUTH"),
        }
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
