//! Rules with times that random runs rarely meet.

use std::io;

use super::model_for_tests::function;
use super::*;
use crate::instances::failure::End;

const A1: ProcessId = ProcessId {
    function: 0,
    number: 1,
};

/// A machine, its time, and what it did.
struct Case {
    machine: Machine,
    now: Instant,
}

impl Case {
    /// Two functions with two processes each, and a limit for all.
    fn new(processes: usize) -> Self {
        let now = Instant::now();
        let settings = MachineSettings {
            processes,
            idle: Duration::from_mins(1),
            freeze: false,
        };
        let functions = ["A", "B"].map(|id| (function(id), 2));
        let machine = Machine::new(settings, functions.into_iter(), now);
        Self { machine, now }
    }

    /// Applies an input; returns the actions without log lines and notifications.
    fn step(&mut self, input: Input) -> Vec<String> {
        self.machine.step(self.now, input);
        let actions = std::iter::from_fn(|| self.machine.next_action());
        let shown = actions.filter_map(|action| match action {
            Action::Start(id) => Some(format!("start {}", id.number)),
            Action::Deliver(_, job) => Some(format!("deliver {job}")),
            Action::Kill(id) => Some(format!("kill {}", id.number)),
            Action::Reply(job, Ok(outcome)) => {
                let error = outcome.error().map(|error| error.error_type.clone());
                Some(format!("reply {job} {}", error.unwrap_or_default()))
            }
            Action::Reply(job, Err(why)) => Some(format!("reject {job} {why}")),
            _ => None,
        });
        shown.collect()
    }

    fn submit(&mut self, function: usize, id: &str) -> Vec<String> {
        let job = Job {
            id: id.into(),
            request_id: id.into(),
            records: 0,
            kill: None,
            queue_at_limit: true,
            start_by: None,
        };
        self.step(Input::Submit(function, job))
    }

    fn wait(&mut self, ms: u64) -> Vec<String> {
        self.now += Duration::from_millis(ms);
        self.step(Input::Tick)
    }
}

fn id(function: usize, number: u64) -> ProcessId {
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
