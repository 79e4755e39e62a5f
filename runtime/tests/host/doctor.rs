//! `usher doctor` on a machine that lacks something.

use crate::operations_stage::Application;
use crate::{kafka, sqs_stage};

#[test]
fn the_doctor_names_what_is_missing_and_its_remedy() {
    let application = Application::new();
    let well = application.said(&["doctor"]);
    assert!(well.contains("ok    servers answer") && well.contains("0 to mend"), "{well}");
    std::fs::remove_file(application.path().join("built/bootstrap")).unwrap();
    let toml = std::fs::read_to_string(application.path().join("usher.toml")).unwrap();
    let nowhere = kafka::free_address();
    std::fs::write(application.path().join("usher.toml"), toml.replace(&sqs_stage::endpoint(), &format!("http://{nowhere}")))
        .unwrap();
    let output = application.usher(&["doctor"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    for part in ["function Behave: there is no executable", &format!("SQS at http://{nowhere} does not answer"), "2 to mend"] {
        assert!(said.contains(part), "{part} is missing from {said}");
    }
}
