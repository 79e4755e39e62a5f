//! Reads variables one by one and collects their problems.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::problems::{Problem, Problems};
use super::values::{Secret, Url, tls_of_postgres, tls_of_redis};
use crate::naming::Names;

/// The variables of a process. Each `None` that a method returns has been recorded as a problem,
/// except from `optional_*`.
///
/// Surrounding blanks are trimmed. A blank value counts as missing.
#[derive(Debug)]
pub struct Reader {
    vars: BTreeMap<String, String>,
    /// Variables that are set but not UTF-8.
    unreadable: BTreeSet<String>,
    problems: RefCell<Vec<Problem>>,
}

impl Reader {
    /// Reads the given variables.
    pub fn new<K: Into<String>, V: Into<String>>(vars: impl IntoIterator<Item = (K, V)>) -> Self {
        let vars = vars
            .into_iter()
            .map(|(k, v)| (k.into(), v.into()))
            .collect();
        Self {
            vars,
            unreadable: BTreeSet::new(),
            problems: RefCell::default(),
        }
    }

    /// Reads the environment of this process.
    pub fn from_env() -> Self {
        Self::of_os(std::env::vars_os())
    }

    /// Reads variables as the operating system returns them. One that is not UTF-8 is a problem
    /// when it is read, and does not fall back to its default.
    pub fn of_os(vars: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut reader = Self::new::<String, String>([]);
        // Every setting has a name in UTF-8.
        for (name, value) in vars
            .into_iter()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        {
            match value.into_string() {
                Ok(value) => {
                    reader.vars.insert(name, value);
                }
                Err(_) => {
                    reader.unreadable.insert(name);
                }
            }
        }
        reader
    }

    /// The settings, or every problem.
    ///
    /// `make` may return `None` only if a value was `None`, which has then been recorded.
    pub fn finish<T>(&self, make: impl FnOnce() -> Option<T>) -> Result<T, Problems> {
        match Problems::new(self.problems.borrow().clone()) {
            Some(problems) => Err(problems),
            None => Ok(make().unwrap_or_else(|| {
                unreachable!("a reader without problems has returned every value")
            })),
        }
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
        if self.unreadable.contains(variable) {
            self.refuse_once(variable, "is not UTF-8", "text in UTF-8");
        }
        self.vars
            .get(variable)
            .map(|v| v.trim())
            .filter(|v| !v.is_empty())
            .map(str::to_owned)
    }

    /// A required text. `allowed` describes it in the problem.
    pub fn text(&self, variable: &str, allowed: &str) -> Option<String> {
        let text = self.optional_text(variable);
        if text.is_none() && !self.unreadable.contains(variable) {
            self.refuse(variable, "is missing", allowed);
        }
        text
    }

    /// Several methods may read the same variable.
    fn refuse_once(&self, variable: &str, wrong: &str, allowed: &str) {
        if self
            .problems
            .borrow()
            .iter()
            .all(|problem| problem.variable != variable)
        {
            self.refuse(variable, wrong, allowed);
        }
    }

    /// A text, else the default.
    pub fn text_or(&self, variable: &str, default: &str) -> Option<String> {
        Some(
            self.optional_text(variable)
                .unwrap_or_else(|| default.to_owned()),
        )
    }

    /// A secret of at least `min_bytes`, never printed.
    pub fn secret(&self, variable: &str, min_bytes: usize) -> Option<Secret> {
        let allowed = format!("a secret of at least {min_bytes} bytes");
        let secret = self.text(variable, &allowed)?;
        if secret.len() < min_bytes {
            self.refuse(variable, "is too short", allowed);
            return None;
        }
        Some(Secret::new(secret))
    }

    /// Secrets of one use, each of at least `min_bytes`. The first is required, the others are
    /// optional.
    pub fn secrets(
        &self,
        variable: &str,
        others: &[&str],
        min_bytes: usize,
    ) -> Option<Vec<Secret>> {
        let others = others
            .iter()
            .filter(|other| self.optional_text(other).is_some());
        // Reads all before it returns, so that every problem is recorded.
        let secrets: Vec<_> = std::iter::once(&variable)
            .chain(others)
            .map(|name| self.secret(name, min_bytes))
            .collect();
        secrets.into_iter().collect()
    }

    /// A whole number in bounds.
    pub fn integer<T: FromStr + Display + PartialOrd>(
        &self,
        variable: &str,
        range: RangeInclusive<T>,
    ) -> Option<T> {
        let allowed = format!("a whole number from {} to {}", range.start(), range.end());
        let text = self.text(variable, &allowed)?;
        match text.parse() {
            Ok(n) if range.contains(&n) => Some(n),
            _ => {
                self.refuse(variable, format_args!("is {text:?}"), allowed);
                None
            }
        }
    }

    /// A whole number in bounds, else the default.
    pub fn integer_or<T: FromStr + Display + PartialOrd>(
        &self,
        variable: &str,
        range: RangeInclusive<T>,
        default: T,
    ) -> Option<T> {
        if self.optional_text(variable).is_none() {
            Some(default)
        } else {
            self.integer(variable, range)
        }
    }

    /// A switch, `true` or `false`, else the default.
    pub fn switch_or(&self, variable: &str, default: bool) -> Option<bool> {
        match self.optional_text(variable).as_deref() {
            None => Some(default),
            Some("true") => Some(true),
            Some("false") => Some(false),
            Some(other) => {
                self.refuse(variable, format_args!("is {other:?}"), "true or false");
                None
            }
        }
    }

    /// A time in whole ms, else the default in ms.
    pub fn milliseconds_or(
        &self,
        variable: &str,
        range: RangeInclusive<u64>,
        default: u64,
    ) -> Option<Duration> {
        self.integer_or(variable, range, default)
            .map(Duration::from_millis)
    }

    /// A time in whole seconds, else the default in seconds.
    pub fn seconds_or(
        &self,
        variable: &str,
        range: RangeInclusive<u64>,
        default: u64,
    ) -> Option<Duration> {
        self.integer_or(variable, range, default)
            .map(Duration::from_secs)
    }

    /// The address of a server, with one of these schemes. An invalid one is not printed, because
    /// it may contain a password.
    pub fn url(&self, variable: &str, schemes: &[&str]) -> Option<Url> {
        let forms: Vec<String> = schemes.iter().map(|s| format!("{s}://host...")).collect();
        let allowed = format!("an address like {}", forms.join(" or "));
        let text = self.text(variable, &allowed)?;
        let url = Url::new(text, schemes);
        if url.is_none() {
            self.refuse(
                variable,
                "is not such an address (not shown, it may contain a password)",
                allowed,
            );
        }
        url
    }

    /// The address of a Redis. Refuses an address that requires TLS, which is not built in.
    pub fn redis_url(&self, variable: &str) -> Option<Url> {
        self.url_without_tls(variable, &["redis"], tls_of_redis)
    }

    /// The address of a Postgres. Refuses an address that requires TLS, which is not built in.
    pub fn postgres_url(&self, variable: &str) -> Option<Url> {
        self.url_without_tls(variable, &["postgres", "postgresql"], tls_of_postgres)
    }

    fn url_without_tls(
        &self,
        variable: &str,
        schemes: &[&str],
        find_tls: impl Fn(&str) -> Option<&str>,
    ) -> Option<Url> {
        if let Some(tls) = self.optional_text(variable).as_deref().and_then(find_tls) {
            let allowed = format!(
                "an address like {}://host..., of a TLS tunnel if need be",
                schemes[0]
            );
            self.refuse(
                variable,
                format_args!("requires TLS ({tls}), which is not built in"),
                allowed,
            );
            return None;
        }
        self.url(variable, schemes)
    }

    /// `host:port`, several separated by commas, as Kafka clients take them.
    pub fn brokers(&self, variable: &str) -> Option<String> {
        const ALLOWED: &str = "host:port, several separated by commas";
        let text = self.text(variable, ALLOWED)?;
        let is_broker = |b: &str| {
            b.trim().rsplit_once(':').is_some_and(|(host, port)| {
                !host.is_empty() && port.parse::<u16>().is_ok_and(|p| p > 0)
            })
        };
        if !text.split(',').all(is_broker) {
            self.refuse(variable, format_args!("is {text:?}"), ALLOWED);
            return None;
        }
        Some(text)
    }

    /// The environment prefix, from `ENV_PREFIX`.
    pub fn names(&self) -> Option<Names> {
        const VARIABLE: &str = "ENV_PREFIX";
        const ALLOWED: &str =
            "1 to 31 of a-z, 0-9 and '-', starting with a letter and not ending with '-'";
        let text = self.text(VARIABLE, ALLOWED)?;
        let names = Names::new(&text).ok();
        if names.is_none() {
            self.refuse(VARIABLE, format_args!("is {text:?}"), ALLOWED);
        }
        names
    }
}
