//! The example as a user runs it.

use std::process::{Command, Output};

fn run(url: Option<&str>) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_timed-release"));
    if let Some(url) = url {
        program.env("REDIS_URL", url);
    }
    program.output().expect("the example starts")
}

#[test]
fn an_evening_ends_with_nothing_lost_and_nothing_early() {
    let output = run(None);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    for step in [
        "held",
        "extended",
        "confirmed",
        "killed",
        "the sign sticks",
        "parked",
        "replayed",
        "Nothing was lost, nothing was early.",
    ] {
        assert!(said.contains(step), "{step} is missing:\n{said}");
    }
    assert!(said.contains("13 tables: 11 released, 2 kept"), "{said}");
}

#[test]
fn without_redis_it_says_what_to_do() {
    let output = run(Some("redis://127.0.0.1:1"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("REDIS_URL"), "{said}");
}
