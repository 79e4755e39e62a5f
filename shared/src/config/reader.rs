//! Reads variables one by one and collects their problems.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::inventory::{Inventory, Variable};
use super::postgres::ssl_mode;
use super::problems::{Problem, Problems};
use super::values::{Secret, Url};
use crate::naming::Names;

/// What is wrong with a value. The text follows the name of its variable.
#[derive(Debug, thiserror::Error)]
enum ValueError {
    #[error("is too short")]
    TooShort,
    #[error("is not such an address (not shown, it may contain a password)")]
    NotAnAddress,
    #[error("is {0:?}")]
    NotAllowed(String),
}

/// The variables of a process.
///
/// Every method returns a value. Instead of one that is missing or wrong it returns the default or a
/// placeholder, so that the caller reads the remaining variables as well; the problem is recorded,
/// and [`Reader::finish`] returns it instead of the settings.
///
/// Surrounding blanks are trimmed. A blank value counts as missing. Without `Debug`, since the values
/// contain secrets.
pub struct Reader {
    /// `None` for a value that is not UTF-8.
    vars: BTreeMap<String, Option<String>>,
    problems: RefCell<Vec<Problem>>,
    read: RefCell<Inventory>,
}

impl Reader {
    /// Reads the given variables. One that is not UTF-8 is a problem when it is read, and does not
    /// fall back to its default.
    pub fn new<K, V>(vars: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        // Every setting has a name in UTF-8.
        let vars = vars.into_iter().filter_map(|(name, value)| {
            let name = name.into().into_string().ok()?;
            Some((name, value.into().into_string().ok()))
        });
        Self {
            vars: vars.collect(),
            problems: RefCell::default(),
            read: RefCell::default(),
        }
    }

    /// Reads the environment of this process.
    pub fn from_env() -> Self {
        Self::new(std::env::vars_os())
    }

    /// The settings that `read` returns, or every problem.
    pub fn finish<T>(&self, read: impl FnOnce() -> T) -> Result<T, Problems> {
        let settings = read();
        let problems = self.problems.borrow();
        if problems.is_empty() {
            Ok(settings)
        } else {
            Err(Problems(problems.clone()))
        }
    }

    /// The variables that were read so far, set or not.
    pub fn inventory(&self) -> Inventory {
        self.read.borrow().clone()
    }

    /// Adds what is known of a variable to the inventory.
    fn note(&self, variable: &str, what: impl FnOnce(&mut Variable)) {
        what(self.read.borrow_mut().entry(variable));
    }

    /// Whether none of these variables has a problem so far. Only then does a rule for several of
    /// them apply.
    pub fn accepts(&self, variables: &[&str]) -> bool {
        let problems = self.problems.borrow();
        problems
            .iter()
            .all(|problem| !variables.contains(&problem.variable.as_str()))
    }

    /// Records a problem found by the caller, e.g. two variables that contradict each other.
    pub fn refuse(&self, variable: &str, wrong: impl Display, allowed: impl Display) {
        let problem = Problem {
            variable: variable.to_owned(),
            wrong: wrong.to_string(),
            allowed: allowed.to_string(),
        };
        self.problems.borrow_mut().push(problem);
    }

    /// An optional text.
    pub fn optional_text(&self, variable: &str) -> Option<String> {
        self.note(variable, |_| ());
        let Some(text) = self.vars.get(variable)? else {
            self.refuse_once(variable, "is not UTF-8", "text in UTF-8");
            return None;
        };
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// A secret with the blanks at its ends, if it is not blank.
    pub fn optional_raw_secret(&self, variable: &str) -> Option<Secret> {
        self.note(variable, |v| v.is_secret = true);
        self.optional_text(variable)?;
        self.vars.get(variable)?.clone().map(Secret::new)
    }

    /// A required secret with the blanks at its ends.
    pub fn raw_secret(&self, variable: &str) -> Secret {
        self.optional_raw_secret(variable)
            .unwrap_or_else(|| self.secret(variable, 1))
    }

    /// Several methods may read the same variable.
    pub(super) fn refuse_once(&self, variable: &str, wrong: impl Display, allowed: impl Display) {
        if self.accepts(&[variable]) {
            self.refuse(variable, wrong, allowed);
        }
    }

    /// A required value, from `parse`.
    fn required<T>(
        &self,
        variable: &str,
        allowed: &str,
        parse: impl FnOnce(String) -> Result<T, ValueError>,
    ) -> Option<T> {
        let Some(text) = self.optional_text(variable) else {
            self.refuse_once(variable, "is missing", allowed);
            return None;
        };
        parse(text)
            .map_err(|wrong| self.refuse(variable, wrong, allowed))
            .ok()
    }

    /// A required text. `allowed` describes it in the problem.
    pub fn text(&self, variable: &str, allowed: &str) -> String {
        self.required(variable, allowed, Ok).unwrap_or_default()
    }

    /// A text, else the default.
    pub fn text_or(&self, variable: &str, default: &str) -> String {
        self.note(variable, |v| v.default = Some(default.to_owned()));
        self.optional_text(variable)
            .unwrap_or_else(|| default.to_owned())
    }

    /// A secret of at least `min_bytes`, never printed.
    pub fn secret(&self, variable: &str, min_bytes: usize) -> Secret {
        self.note(variable, |v| v.is_secret = true);
        let allowed = format!("a secret of at least {min_bytes} bytes");
        let secret = self.required(variable, &allowed, |text| {
            (text.len() >= min_bytes)
                .then_some(text)
                .ok_or(ValueError::TooShort)
        });
        Secret::new(secret.unwrap_or_default())
    }

    /// Secrets of one use, each of at least `min_bytes`. The first is required, the others are
    /// optional.
    pub fn secrets(&self, variable: &str, others: &[&str], min_bytes: usize) -> Vec<Secret> {
        let others = others.iter().filter(|other| {
            self.note(other, |v| v.is_secret = true);
            self.optional_text(other).is_some()
        });
        std::iter::once(&variable)
            .chain(others)
            .map(|name| self.secret(name, min_bytes))
            .collect()
    }

    /// A value that `parse` accepts, else the default. `allowed` describes it in the problem.
    pub fn parsed_or<T>(
        &self,
        variable: &str,
        allowed: impl Display,
        default: T,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> T {
        let Some(text) = self.optional_text(variable) else {
            return default;
        };
        parse(&text).unwrap_or_else(|| {
            self.refuse_once(variable, format_args!("is {text:?}"), allowed);
            default
        })
    }

    /// A whole number in bounds, else the default.
    pub fn integer_or<T: FromStr + Display + PartialOrd>(
        &self,
        variable: &str,
        range: RangeInclusive<T>,
        default: T,
    ) -> T {
        self.note(variable, |v| {
            v.minimum = Some(range.start().to_string());
            v.maximum = Some(range.end().to_string());
            v.default = Some(default.to_string());
        });
        let allowed = format!("a whole number from {} to {}", range.start(), range.end());
        self.parsed_or(variable, allowed, default, |text| {
            text.parse().ok().filter(|n| range.contains(n))
        })
    }

    /// A switch, `true` or `false`, else the default.
    pub fn switch_or(&self, variable: &str, default: bool) -> bool {
        self.note(variable, |v| v.default = Some(default.to_string()));
        self.parsed_or(variable, "true or false", default, |text| text.parse().ok())
    }

    /// A time in whole ms, else the default in ms.
    pub fn milliseconds_or(
        &self,
        variable: &str,
        range: RangeInclusive<u64>,
        default: u64,
    ) -> Duration {
        Duration::from_millis(self.integer_or(variable, range, default))
    }

    /// A time in whole seconds, else the default in seconds.
    pub fn seconds_or(&self, variable: &str, range: RangeInclusive<u64>, default: u64) -> Duration {
        Duration::from_secs(self.integer_or(variable, range, default))
    }

    /// The address of a server, with one of these schemes. An invalid one is not printed, because
    /// it may contain a password.
    pub fn url(&self, variable: &str, schemes: &[&str]) -> Url {
        let forms: Vec<String> = schemes.iter().map(|s| format!("{s}://host...")).collect();
        let allowed = format!("an address like {}", forms.join(" or "));
        let url = self.required(variable, &allowed, |text| {
            Url::new(text, schemes).ok_or(ValueError::NotAnAddress)
        });
        url.unwrap_or_else(Url::unknown)
    }

    /// The address of a Redis, with TLS (`rediss`) or without.
    pub fn redis_url(&self, variable: &str) -> Url {
        self.url(variable, &["redis", "rediss"])
    }

    /// The address of a Postgres. Refuses parameters about TLS that have no effect.
    pub fn postgres_url(&self, variable: &str) -> Url {
        let url = self.url(variable, &["postgres", "postgresql"]);
        match ssl_mode(url.as_str()) {
            Ok(_) => url,
            Err(wrong) => {
                let allowed = "an address with sslmode=verify-full, sslmode=disable or neither; \
                               certificates stand in TLS_CA_FILE, TLS_CERTIFICATE_FILE and \
                               TLS_KEY_FILE";
                self.refuse_once(variable, wrong, allowed);
                Url::unknown()
            }
        }
    }

    /// `host:port`, several separated by commas, as Kafka clients take them.
    pub fn brokers(&self, variable: &str) -> String {
        let is_broker = |b: &str| {
            b.trim().rsplit_once(':').is_some_and(|(host, port)| {
                !host.is_empty() && port.parse::<u16>().is_ok_and(|p| p > 0)
            })
        };
        let brokers = self.required(variable, "host:port, several separated by commas", |text| {
            if text.split(',').all(is_broker) {
                Ok(text)
            } else {
                Err(ValueError::NotAllowed(text))
            }
        });
        brokers.unwrap_or_default()
    }

    /// The environment prefix, from `ENV_PREFIX`.
    pub fn names(&self) -> Names {
        const ALLOWED: &str =
            "1 to 31 of a-z, 0-9 and '-', starting with a letter and not ending with '-'";
        self.required("ENV_PREFIX", ALLOWED, |text| {
            Names::new(&text).map_err(|_| ValueError::NotAllowed(text))
        })
        .unwrap_or_else(Names::unknown)
    }
}
