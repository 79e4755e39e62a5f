//! The promises of every source of events. Each is stated once, as a function over a
//! [`SourceUnderTest`], and runs against real hosts, functions and servers.
//!
//! A promise that does not apply to a source is an exemption with its reason. The table of
//! docs/reference/conformance/sources.md is derived from both (`page`).
//!
//! | file | holds |
//! |---|---|
//! | `kafka`, `sqs`, `asynchronous`, `schedule`, `redis_streams` | the sources |
//! | `case` | a host with a source, and its function |
//! | `items` | what happens to the items at the function, and what did |
//! | `handling` | promises about items: none is lost, order, failures, drain |
//! | `operating` | promises about settings, limits, lag and other sources |
//! | `health` | promises about outages |
//! | `page` | the table |
//!
//! A new source implements the trait in a file of its own and stands in [`for_each_source`].

mod asynchronous;
mod case;
mod handling;
mod health;
mod items;
mod kafka;
mod operating;
mod page;
mod redis_streams;
mod schedule;
mod sqs;

use serde_json::Value;

use crate::sources_fixture::Host;

/// A list with a value for each source; `$source` is its type.
macro_rules! for_each_source {
    ($source:ident => $value:expr) => {
        vec![
            {
                type $source = $crate::source_suite::kafka::Topic;
                $value
            },
            {
                type $source = $crate::source_suite::sqs::StandardQueue;
                $value
            },
            {
                type $source = $crate::source_suite::sqs::FifoQueue;
                $value
            },
            {
                type $source = $crate::source_suite::asynchronous::Events;
                $value
            },
            {
                type $source = $crate::source_suite::schedule::Schedule;
                $value
            },
            {
                type $source = $crate::source_suite::redis_streams::RedisStream;
                $value
            },
        ]
    };
}
use for_each_source;

/// Defines the promises. Each row: its test, its name and the row of the table, and its check.
macro_rules! promises {
    ($($test:ident, $promise:ident: $text:literal, $source:ident => $check:expr;)*) => {
        /// A promise of every source.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Promise {
            $($promise,)*
        }

        impl Promise {
            pub(crate) const ALL: &[Self] = &[$(Self::$promise),*];

            /// The row of the table.
            pub(crate) fn text(self) -> &'static str {
                match self {
                    $(Self::$promise => $text,)*
                }
            }
        }

        $(
            #[test]
            fn $test() {
                let promise = Promise::$promise;
                keep(promise, for_each_source!($source => Run::of::<$source>(promise, $check)));
            }
        )*
    };
}

promises! {
    every_item_is_handled_and_leaves_its_source, Handled:
        "every item is handled at least once, and once where nothing fails; then it has left \
         the source",
        S => handling::handled::<S>;
    a_killed_host_loses_no_item, Kill:
        "a host that is killed (SIGKILL) loses nothing; the next one continues",
        S => handling::kill::<S>;
    order_is_kept_within_its_unit, Order:
        "order is kept within its unit, also after a failure",
        S => handling::order::<S>;
    only_failed_items_come_again, PartialFailure:
        "only what failed comes again",
        S => handling::partial_failure::<S>;
    poison_becomes_a_dead_letter_and_stops_no_other, Poison:
        "an item that always fails is given up at the limit, kept as a dead letter, and stops \
         no other",
        S => handling::poison::<S>;
    a_drain_ends_what_is_in_flight, Drain:
        "SIGTERM: what is in flight ends, the exit code is 0, and nothing comes again after the \
         next start",
        S => handling::drain::<S>;
    a_paused_source_invokes_nothing_until_resumed, Pause:
        "a paused source invokes nothing and is well; resumed, it has lost nothing",
        S => operating::pause::<S>;
    a_changed_setting_applies_at_once, Setting:
        "a changed setting applies without a restart",
        S => operating::setting::<S>;
    lag_is_reported_and_becomes_zero, Lag:
        "lag is in the status and in the metrics, and becomes 0",
        S => operating::lag::<S>;
    a_busy_function_uses_up_no_attempt, Throttle:
        "a function that is busy loses nothing and uses up no attempt",
        S => operating::throttle::<S>;
    a_failing_source_does_not_stop_another, Neighbour:
        "a source whose function fails is named, and does not stop another source",
        S => operating::neighbour::<S>;
    health_names_a_source_that_does_not_exist_yet, Absent:
        "health names what does not exist at the start, until it does",
        S => || health::outage::<S>(Outage::Absent);
    health_names_a_deleted_source, Deleted:
        "health names what was deleted, until it exists again",
        S => || health::outage::<S>(Outage::Deleted);
    health_names_an_unreadable_source, Unreadable:
        "health names what cannot be read, until it can",
        S => || health::outage::<S>(Outage::Unreadable);
    health_names_a_server_that_is_away, Away:
        "health names a server that is away, until it answers",
        S => || health::outage::<S>(Outage::Away);
}

/// What an application is made of for a test.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    /// Logical id of the function.
    pub(crate) function: &'static str,
    /// Timeout of the function, seconds. A queue hides its messages a second longer.
    pub(crate) timeout: u32,
    /// `ReservedConcurrentExecutions`.
    pub(crate) concurrency: Option<u32>,
    /// Items of a batch.
    pub(crate) batch: u32,
    /// Attempts of an item, after which it is a dead letter. `None`: as the source has it.
    pub(crate) attempts: Option<u32>,
    /// Which outage the source will have.
    pub(crate) outage: Option<Outage>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            function: "Worker",
            timeout: 60,
            concurrency: None,
            batch: 10,
            attempts: None,
            outage: None,
        }
    }
}

/// How a source may be out of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outage {
    /// It does not exist when the host starts.
    Absent,
    Deleted,
    Unreadable,
    Away,
}

/// What a source needs in the template and in usher.toml.
#[derive(Debug, Default)]
pub(crate) struct Declaration {
    /// Properties of the function, at 6 spaces.
    pub(crate) properties: String,
    /// Lines of usher.toml, before its first table.
    pub(crate) settings: Vec<String>,
}

/// Where a source stands in the status and in the metrics.
#[derive(Debug)]
pub(crate) struct Place {
    /// Its list in the status.
    pub(crate) list: &'static str,
    /// The field of the list's entries that names it.
    pub(crate) field: &'static str,
    pub(crate) id: String,
    /// Label `kind` of `usher_source_state`.
    pub(crate) kind: &'static str,
    /// Beginnings of the samples whose sum is its lag.
    pub(crate) lag: Vec<String>,
    /// Beginning of the sample that is 1 while it is well, if it has one.
    pub(crate) up: Option<String>,
}

impl Place {
    /// The source's entry in the status.
    pub(crate) fn entry(&self, status: &Value) -> Value {
        let mut entries = status[self.list].as_array().into_iter().flatten();
        let entry = entries.find(|entry| entry[self.field] == self.id.as_str());
        entry.cloned().unwrap_or_default()
    }
}

/// A source of events with a name of its own. Its items read `NAME-UNIT.NUMBER`.
pub(crate) trait SourceUnderTest: Sized {
    /// Name of its kind in the registry of the host.
    const KIND: &'static str;

    /// The column of the table.
    const NAME: &'static str;

    /// Items of a test that needs many.
    const MANY: usize = 80;

    /// After a failure, later items of the unit may come again as well.
    const REPEATS_UNIT: bool = false;

    /// Attempts end where no limit is set.
    const GIVES_UP: bool = false;

    /// Why a promise does not apply.
    fn exempt(promise: Promise) -> Option<&'static str>;

    /// The source as the outage `Absent` or `Unreadable` has it, else ready.
    async fn new(setup: Setup) -> Self;

    fn name(&self) -> &str;

    fn declare(&self) -> Declaration;

    fn place(&self) -> Place;

    /// The next items, spread over the units of order. A caller may say what happens to them
    /// before it sends them.
    fn plan(&self, count: usize) -> Vec<String>;

    /// Has the source accept these items, in this order.
    async fn send(&self, host: &Host, items: &[String]);

    /// Items that have not left the source, by its entry in the status. `None`: unknown.
    fn lag(entry: &Value) -> Option<u64>;

    /// Whether a lag says that so many items of the test are left.
    fn is_lag(lag: u64, items: u64) -> bool {
        lag == items
    }

    /// Whether nothing more can reach the function, by its entry in the status, once it is paused.
    fn is_still(_entry: &Value) -> bool {
        true
    }

    /// Whether the server holds nothing that is not done.
    async fn is_empty(&self) -> bool;

    async fn dead_letters(&self) -> u64;

    /// Whether an outage begins before the host does.
    fn begins_before(_outage: Outage) -> bool {
        false
    }

    /// The state in an outage, and what its reason must contain.
    fn state_in(&self, outage: Outage) -> (&'static str, [String; 2]) {
        unreachable!("{} is exempt from {outage:?}", Self::NAME)
    }

    /// Begins an outage.
    async fn begin(&self, outage: Outage) {
        unreachable!("{} is exempt from {outage:?}", Self::NAME)
    }

    /// Ends it.
    async fn end(&self, _host: &Host, outage: Outage) {
        unreachable!("{} is exempt from {outage:?}", Self::NAME)
    }
}

/// A promise against one source.
pub(crate) struct Run {
    source: &'static str,
    exempt: Option<&'static str>,
    check: Box<dyn FnOnce() + Send>,
}

impl Run {
    pub(crate) fn of<S: SourceUnderTest>(
        promise: Promise,
        check: impl AsyncFnOnce() + Send + 'static,
    ) -> Self {
        let check = || {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
            runtime.block_on(check());
        };
        Self {
            source: S::NAME,
            exempt: S::exempt(promise),
            check: Box::new(check),
        }
    }
}

/// Checks a promise against every source at once, each on a thread with its name. Names all
/// sources that break it.
pub(crate) fn keep(promise: Promise, runs: Vec<Run>) {
    let mut checks = Vec::new();
    for run in runs {
        let source = run.source;
        if let Some(reason) = run.exempt {
            println!("{promise:?}: {source} is exempt: {reason}");
            continue;
        }
        let thread = std::thread::Builder::new().name(source.to_owned());
        checks.push((source, thread.spawn(run.check).unwrap()));
    }
    let broken: Vec<&str> = checks
        .into_iter()
        .filter_map(|(source, check)| check.join().is_err().then_some(source))
        .collect();
    assert!(
        broken.is_empty(),
        "\"{}\" is broken by: {}",
        promise.text(),
        broken.join(", ")
    );
}
