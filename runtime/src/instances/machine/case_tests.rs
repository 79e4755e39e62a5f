//! Rules with times that random runs rarely meet.

use std::io;

use super::model_for_tests::{function, managed};
use super::*;
use crate::instances::failure::End;

pub(super) const A1: ProcessId = ProcessId {
    function: 0,
    number: 1,
};

/// A machine, its time, and what it did.
pub(super) struct Case {
    pub(super) machine: Machine,
    now: Instant,
}

impl Case {
    /// Two functions with two processes each, and a limit for all.
    pub(super) fn new(processes: usize) -> Self {
        Self::with(processes, ["A", "B"].map(function), false)
    }

    /// One function on managed instances with two processes, each for so many invocations.
    pub(super) fn managed(max: usize) -> Self {
        let function = Function {
            managed: Some(managed(max)),
            ..function("A")
        };
        Self::with(9, [function], true)
    }

    fn with<const N: usize>(processes: usize, functions: [Function; N], freeze: bool) -> Self {
        let now = Instant::now();
        let settings = MachineSettings {
            processes,
            idle: Duration::from_mins(1),
            freeze,
        };
        let functions = functions.map(|function| (function, 2));
        let machine = Machine::new(settings, functions.into_iter(), now);
        Self { machine, now }
    }

    /// Applies an input; returns the actions without log lines and notifications.
    pub(super) fn step(&mut self, input: Input) -> Vec<String> {
        self.machine.step(self.now, input);
        let actions = std::iter::from_fn(|| self.machine.next_action());
        let shown = actions.filter_map(|action| match action {
            Action::Start(id) => Some(format!("start {}", id.number)),
            Action::Deliver(id, job) if id.number > 1 => {
                Some(format!("deliver {job} {}", id.number))
            }
            Action::Deliver(_, job) => Some(format!("deliver {job}")),
            Action::Kill(id) => Some(format!("kill {}", id.number)),
            Action::Freeze(id) => Some(format!("freeze {}", id.number)),
            Action::Reply(job, Ok(outcome)) => {
                let error = outcome.error().map(|error| error.error_type.clone());
                Some(format!("reply {job} {}", error.unwrap_or_default()))
            }
            Action::Reply(job, Err(why)) => Some(format!("reject {job} {why}")),
            _ => None,
        });
        shown.collect()
    }

    pub(super) fn submit(&mut self, function: usize, id: &str) -> Vec<String> {
        let job = Job {
            id: id.into(),
            request_id: id.into(),
            trigger: crate::invocation::Trigger::Invoke,
            records: 0,
            kill: None,
            queue_at_limit: true,
            start_by: None,
        };
        self.step(Input::Submit(function, job))
    }

    pub(super) fn wait(&mut self, ms: u64) -> Vec<String> {
        self.now += Duration::from_millis(ms);
        self.step(Input::Tick)
    }
}

pub(super) fn id(function: usize, number: u64) -> ProcessId {
    ProcessId { function, number }
}

fn shortage() -> End {
    End::Shortage(io::Error::from_raw_os_error(24))
}

#[test]
fn a_shortage_is_a_throttle_with_a_growing_pause() {
    let mut case = Case::new(9);
    let refused = |job: &str| {
        let why = io::Error::from_raw_os_error(24);
        vec![format!(
            "reject {job} no process of function A can be started: {why}"
        )]
    };
    for (number, pause) in [(1, 100), (2, 200), (3, 400)] {
        assert_eq!(case.submit(0, "a"), [format!("start {number}")]);
        assert_eq!(
            case.step(Input::Exited(id(0, number), shortage())),
            refused("a")
        );
        assert_eq!(case.submit(0, "b"), refused("b"));
        assert!(case.wait(pause - 1).is_empty());
        assert_eq!(case.submit(0, "c"), refused("c"));
        assert!(!case.machine.is_available(0) && case.machine.is_available(1));
        assert!(case.wait(1).is_empty());
        assert!(case.machine.is_available(0));
    }
    // a start that succeeds ends the shortage
    assert_eq!(case.submit(0, "d"), ["start 4"]);
    case.step(Input::Started(id(0, 4), 7));
    case.submit(0, "e");
    case.step(Input::Exited(id(0, 5), shortage()));
    assert_eq!(case.wait(100), ["start 6"], "the queued job waited");
}

#[test]
fn a_hanging_initialisation_is_repeated_once() {
    let mut case = Case::new(9);
    assert_eq!(case.submit(0, "a"), ["start 1"]);
    case.step(Input::Started(A1, 7));
    assert!(case.wait(9_999).is_empty());
    assert_eq!(case.wait(1), ["kill 1"]);
    assert_eq!(case.step(Input::Exited(A1, End::Killed)), ["start 1"]);
    case.step(Input::Started(A1, 8));
    assert_eq!(case.wait(3_000), ["kill 1"], "the function's own timeout");
    let ended = case.step(Input::Exited(A1, End::Killed));
    assert_eq!(ended, ["reply a Sandbox.Timedout"]);
}

#[test]
fn an_idle_process_makes_room_for_another_function() {
    let mut case = Case::new(1);
    case.submit(0, "a");
    case.step(Input::Started(A1, 7));
    assert_eq!(case.step(Input::NextCalled(A1, 1)), ["deliver a"]);
    assert!(case.submit(1, "b").is_empty(), "the process is busy");
    let answer = Outcome::Answer(bytes::Bytes::new());
    case.step(Input::Responded(A1, "a".into(), answer));
    assert_eq!(case.step(Input::NextCalled(A1, 1)), ["kill 1"]);
    let ended = case.step(Input::Exited(A1, End::Killed));
    assert_eq!(ended, ["start 1"], "the process of the other function");
    case.submit(0, "c");
    let refused = case.wait(250).join("");
    assert!(
        refused.starts_with("reject c no process of function A"),
        "{refused}"
    );
}

#[test]
fn several_invocations_at_a_time_outlive_a_deadline() {
    let mut case = Case::new(9);
    case.submit(0, "a");
    case.step(Input::Started(A1, 7));
    case.step(Input::NextCalled(A1, 1));
    case.step(Input::NextCalled(A1, 1));
    case.now += Duration::from_secs(1);
    assert_eq!(case.submit(0, "b"), ["deliver b"]);
    assert_eq!(case.wait(2_000), ["reply a Sandbox.Timedout"]);
    assert_eq!(case.machine.in_flight(A1, "b", None).as_deref(), Some("b"));
}

#[test]
fn a_runtime_that_connects_again_takes_one_event() {
    let mut case = Case::new(9);
    case.submit(0, "a");
    case.step(Input::Started(A1, 7));
    case.step(Input::NextCalled(A1, 1));
    let answer = Outcome::Answer(bytes::Bytes::new());
    case.step(Input::Responded(A1, "a".into(), answer));
    case.step(Input::NextCalled(A1, 1));
    // the client of the call before is gone
    case.step(Input::NextCalled(A1, 1));
    assert_eq!(case.submit(0, "b"), ["deliver b"]);
    assert_eq!(case.wait(3_000), ["kill 1"], "a deadline ends the process");
}

/// Starts a process of the managed function, with so many calls that wait.
pub(super) fn opened(case: &mut Case, number: u64, calls: usize) -> Vec<String> {
    case.step(Input::Started(id(0, number), 7));
    let calls = (1..=calls).map(|open| case.step(Input::NextCalled(id(0, number), open)));
    calls.flatten().collect()
}

pub(super) fn respond(case: &mut Case, number: u64, job: &str) -> Vec<String> {
    let answer = Outcome::Answer(bytes::Bytes::new());
    case.step(Input::Responded(id(0, number), job.into(), answer))
}

#[test]
fn a_managed_process_is_filled_before_another_starts() {
    let mut case = Case::managed(3);
    assert_eq!(case.submit(0, "a"), ["start 1"]);
    for job in ["b", "c"] {
        assert!(
            case.submit(0, job).is_empty(),
            "the first start covers {job}"
        );
    }
    assert_eq!(case.submit(0, "d"), ["start 2"]);
    assert_eq!(
        opened(&mut case, 1, 3),
        ["deliver a", "deliver b", "deliver c"]
    );
    // its calls are more than it may have events
    assert!(case.step(Input::NextCalled(A1, 1)).is_empty());
    assert_eq!(opened(&mut case, 2, 1), ["deliver d 2"]);
    assert!(
        case.submit(0, "e").is_empty(),
        "the second has not called again"
    );
    let mut answered = respond(&mut case, 1, "b");
    answered.sort();
    assert_eq!(answered, ["deliver e", "reply b "]);
}

#[test]
fn the_next_event_goes_to_the_process_with_the_fewest() {
    let mut case = Case::managed(2);
    for job in ["a", "b", "c"] {
        case.submit(0, job);
    }
    assert_eq!(opened(&mut case, 1, 2), ["deliver a", "deliver b"]);
    assert_eq!(opened(&mut case, 2, 2), ["deliver c 2"]);
    respond(&mut case, 1, "a");
    respond(&mut case, 1, "b");
    case.step(Input::NextCalled(A1, 1));
    case.step(Input::NextCalled(A1, 2));
    assert_eq!(case.submit(0, "d"), ["deliver d"]);
    assert_eq!(case.submit(0, "e"), ["deliver e"], "the oldest of equals");
    assert_eq!(case.submit(0, "f"), ["deliver f 2"]);
}

#[test]
fn a_managed_process_outlives_a_deadline_and_its_late_answer() {
    let mut case = Case::managed(2);
    case.submit(0, "a");
    assert_eq!(
        opened(&mut case, 1, 1),
        ["deliver a"],
        "not frozen, and no other"
    );
    assert_eq!(case.wait(3_000), ["reply a Sandbox.Timedout"]);
    assert!(case.machine.in_flight(A1, "a", None).is_none());
    assert!(!case.machine.take_late(A1, "a", Some("other")));
    assert!(case.machine.take_late(A1, "a", Some("a")));
    assert!(!case.machine.take_late(A1, "a", None), "true once");
}

#[test]
fn a_sequential_runtime_on_managed_instances_gets_a_second_process() {
    let mut case = Case::managed(8);
    case.submit(0, "a");
    case.submit(0, "b");
    assert_eq!(opened(&mut case, 1, 1), ["deliver a"]);
    assert!(case.wait(199).is_empty(), "further calls may arrive");
    assert_eq!(case.wait(1), ["start 2"]);
}

#[test]
fn answers_do_not_hide_that_a_runtime_is_sequential() {
    let mut case = Case::managed(8);
    for job in ["a", "b", "c"] {
        case.submit(0, job);
    }
    assert_eq!(opened(&mut case, 1, 1), ["deliver a"]);
    case.wait(150);
    assert_eq!(respond(&mut case, 1, "a"), ["reply a "]);
    assert_eq!(case.step(Input::NextCalled(A1, 1)), ["deliver b"]);
    assert_eq!(case.wait(50), ["start 2"]);
}

#[test]
fn a_managed_initialisation_has_more_time_and_is_not_repeated() {
    let mut case = Case::managed(2);
    for job in ["a", "b"] {
        case.submit(0, job);
    }
    case.step(Input::Started(A1, 7));
    assert!(case.wait(129_999).is_empty());
    assert_eq!(case.wait(1), ["kill 1"]);
    let ended = case.step(Input::Exited(A1, End::Killed));
    let both = ["reply a Sandbox.Timedout", "reply b Sandbox.Timedout"];
    assert_eq!(ended, both, "what waited for this process alone");
}

#[test]
fn a_crash_fails_every_event_of_a_managed_process() {
    let mut case = Case::managed(2);
    for job in ["a", "b"] {
        case.submit(0, job);
    }
    opened(&mut case, 1, 2);
    let ended = case.step(Input::Exited(A1, End::Exited("exit status 1".into())));
    let both = ["reply a Runtime.ExitError", "reply b Runtime.ExitError"];
    assert_eq!(ended, both);
}

#[test]
fn calls_before_readiness_show_that_a_process_takes_several() {
    let mut case = Case::with(9, [function("A")], true);
    case.submit(0, "a");
    case.step(Input::Started(A1, 7));
    let registered = case.machine.register(A1, "e".into(), "e".into(), None);
    assert_eq!(registered, Ok(()));
    case.step(Input::NextCalled(A1, 1));
    case.step(Input::NextCalled(A1, 2));
    // the clients of both are gone, and one calls again
    case.step(Input::NextCalled(A1, 1));
    assert_eq!(
        case.step(Input::ExtensionReady(A1, "e".into())),
        ["deliver a"]
    );
    respond(&mut case, 1, "a");
    let frozen = case.step(Input::NextCalled(A1, 1));
    assert!(
        frozen.is_empty(),
        "{frozen:?}: the other task would stand still"
    );
}

#[test]
fn a_call_that_arrives_during_a_failed_delivery_waits() {
    let mut case = Case::new(9);
    case.submit(0, "a");
    opened(&mut case, 1, 1);
    respond(&mut case, 1, "a");
    case.step(Input::NextCalled(A1, 1));
    assert_eq!(case.submit(0, "b"), ["deliver b"]);
    // the client of that call was gone, and the runtime calls again before this is known
    case.step(Input::NextCalled(A1, 1));
    let again = case.step(Input::Undelivered(A1, "b".into(), 1));
    assert_eq!(again, ["deliver b"]);
}
