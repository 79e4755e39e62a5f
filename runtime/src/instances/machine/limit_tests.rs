//! Limits of processes that change while invocations run.

use super::case_tests::{A1, Case, id, opened, respond};
use super::*;
use crate::instances::failure::End;

/// Two processes for two jobs each: the first has two jobs, the second one and a call that waits.
fn two_processes() -> Case {
    let mut case = Case::managed(2);
    for job in ["a", "b", "c"] {
        case.submit(0, job);
    }
    opened(&mut case, 1, 2);
    opened(&mut case, 2, 2);
    case
}

#[test]
fn a_managed_process_above_a_lowered_limit_drains_and_ends() {
    let mut case = two_processes();
    assert!(case.step(Input::Limit(0, 1)).is_empty(), "both are busy");
    assert!(
        case.submit(0, "d").is_empty(),
        "the second has a call, and ends"
    );
    assert_eq!(respond(&mut case, 2, "c"), ["reply c "]);
    assert_eq!(case.step(Input::NextCalled(id(0, 2), 2)), ["kill 2"]);
    respond(&mut case, 1, "a");
    assert_eq!(case.step(Input::NextCalled(A1, 1)), ["deliver d"]);
}

#[test]
fn a_crash_leaves_its_place_to_a_process_above_a_lowered_limit() {
    let mut case = two_processes();
    case.step(Input::Limit(0, 1));
    assert!(case.submit(0, "d").is_empty(), "the first has no room");
    assert!(!case.machine.is_available(0));
    let ended = case.step(Input::Exited(A1, End::Exited("exit status 1".into())));
    assert!(ended.contains(&"deliver d 2".to_owned()), "{ended:?}");
}

#[test]
fn a_call_of_a_process_above_a_lowered_limit_is_not_available() {
    let mut case = two_processes();
    case.wait(200);
    assert!(case.machine.is_available(0));
    case.step(Input::Limit(0, 1));
    assert!(!case.machine.is_available(0));
    assert!(case.step(Input::Limit(0, 2)).is_empty());
    assert!(case.machine.is_available(0));
}

#[test]
fn a_raised_limit_starts_no_process_where_calls_wait() {
    let mut case = two_processes();
    case.wait(200);
    case.step(Input::Limit(0, 1));
    assert!(case.submit(0, "d").is_empty());
    assert_eq!(case.step(Input::Limit(0, 3)), ["deliver d 2"]);
}

#[test]
fn a_process_above_a_lowered_limit_works_on_after_its_answer() {
    let mut case = Case::new(9);
    for job in ["a", "b"] {
        case.submit(0, job);
    }
    opened(&mut case, 1, 1);
    opened(&mut case, 2, 1);
    case.step(Input::Limit(0, 1));
    assert_eq!(respond(&mut case, 2, "b"), ["reply b "]);
    assert!(case.wait(1_000).is_empty(), "it may do more than answer");
    assert_eq!(case.step(Input::NextCalled(id(0, 2), 1)), ["kill 2"]);
}

#[test]
fn a_lowered_limit_ends_no_more_processes_than_it_must() {
    for second_first in [false, true] {
        let mut case = two_processes();
        case.step(Input::Limit(0, 1));
        for (process, job) in [(1, "a"), (1, "b"), (2, "c")] {
            respond(&mut case, process, job);
        }
        // The one that is ended has not exited yet when the other calls.
        let mut calls = [(A1, vec![]), (id(0, 2), vec!["kill 2"])];
        if second_first {
            calls.reverse();
        }
        for (process, expected) in calls {
            assert_eq!(case.step(Input::NextCalled(process, 2)), expected);
        }
    }
}
