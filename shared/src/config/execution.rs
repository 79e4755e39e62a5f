//! How Lambda, or its host, runs the process of a function.

use std::time::Duration;

use super::Reader;

/// The upper bound of Lambda's `PerExecutionEnvironmentMaxConcurrency`.
const MAX_CONCURRENCY: u32 = 1_600;
/// Maximum number of connections to Postgres of one process.
const MAX_CONNECTIONS: u32 = 100;

/// How the process of a function is run. Lambda, or its host, sets the variables.
///
/// A classic process handles one invocation at a time and may be frozen between two of them. A
/// process of Lambda Managed Instances handles several at a time and is never frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Execution {
    /// Maximum number of invocations that the process handles at the same time, 1 or more.
    pub concurrency: u32,
    /// Whether the process may be frozen between invocations.
    pub freezes: bool,
}

impl Execution {
    /// Reads `AWS_LAMBDA_MAX_CONCURRENCY` and `AWS_LAMBDA_INITIALIZATION_TYPE`. Without them the
    /// process is a classic one.
    pub fn read(reader: &Reader) -> Self {
        let concurrency = reader.integer_or("AWS_LAMBDA_MAX_CONCURRENCY", 1..=MAX_CONCURRENCY, 1);
        let kind = reader.optional_text("AWS_LAMBDA_INITIALIZATION_TYPE");
        let managed = kind.as_deref() == Some("lambda-managed-instances");
        Self {
            concurrency,
            freezes: concurrency == 1 && !managed,
        }
    }

    /// How long a response waits for work that runs beside it, such as an export: `configured` if
    /// the process may be frozen after the response. Else zero: the work continues anyway, and the
    /// work of other invocations may never be at an end.
    pub const fn flush(self, configured: Duration) -> Duration {
        if self.freezes {
            configured
        } else {
            Duration::ZERO
        }
    }

    /// Maximum number of connections to Postgres of the process.
    ///
    /// `DB_CONNECTIONS` is the number for one invocation at a time. A process that handles several
    /// has one more for each further `sharing` (1 or more) of them, up to 100 in all.
    pub fn connections(self, reader: &Reader, sharing: u32) -> u32 {
        let one = reader.integer_or("DB_CONNECTIONS", 1..=MAX_CONNECTIONS, 2);
        let more = (self.concurrency - 1).div_ceil(sharing);
        (one + more).min(MAX_CONNECTIONS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLUSH: Duration = Duration::from_millis(100);

    fn reader(vars: &[(&str, &str)]) -> Reader {
        Reader::new(vars.iter().copied())
    }

    #[test]
    fn only_a_classic_process_waits_before_its_response() {
        let classic = Execution::read(&reader(&[("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")]));
        assert_eq!(classic, Execution::read(&reader(&[])));
        assert_eq!((classic.concurrency, classic.flush(FLUSH)), (1, FLUSH));
        for vars in [
            &[("AWS_LAMBDA_MAX_CONCURRENCY", "2")][..],
            &[("AWS_LAMBDA_INITIALIZATION_TYPE", "lambda-managed-instances")],
        ] {
            let managed = Execution::read(&reader(vars));
            assert_eq!(managed.flush(FLUSH), Duration::ZERO, "{vars:?}");
        }
    }

    #[test]
    fn connections_grow_with_the_concurrency_up_to_a_bound() {
        for (concurrency, set, sharing, expected) in [
            ("1", "2", 4, 2),
            ("2", "2", 4, 3),
            ("64", "2", 4, 18),
            ("8", "2", 1, 9),
            ("1600", "100", 1, 100),
        ] {
            let vars = [
                ("AWS_LAMBDA_MAX_CONCURRENCY", concurrency),
                ("DB_CONNECTIONS", set),
            ];
            let reader = reader(&vars);
            let execution = Execution::read(&reader);
            let connections = execution.connections(&reader, sharing);
            assert_eq!(connections, expected, "{vars:?}, {sharing} share one");
        }
    }

    #[test]
    fn a_concurrency_out_of_bounds_is_one_problem() {
        for wrong in ["0", "1601", "many"] {
            let reader = reader(&[("AWS_LAMBDA_MAX_CONCURRENCY", wrong)]);
            let read = reader.finish(|| (Execution::read(&reader), Execution::read(&reader)));
            let problems = read.expect_err(wrong).to_string();
            let named = problems.matches("AWS_LAMBDA_MAX_CONCURRENCY").count();
            assert_eq!(named, 1, "{problems}");
        }
    }
}
