//! Compares the readers' lists of names with SAM: the schema of aws-sam-translator, which
//! `scripts/setup` installs.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::apis::{http_api, rest_api};
use super::{events, functions, kafka, resources, schedules, sqs};

/// Lines of `scripts/lib/python/sam_lists.py`, as words.
fn schema() -> Vec<Vec<String>> {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/lib");
    let shell = "for part in say places python; do source \"$0/$part.sh\"; done; exec \
        \"$PYTHON_TOOLS/bin/python\" \"$0/python/sam_lists.py\"";
    let output = Command::new("bash")
        .args(["-c", shell])
        .arg(&scripts)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "run scripts/setup: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| line.split(' ').map(str::to_owned).collect())
        .collect()
}

fn set<'a>(lists: &[&[&'a str]]) -> BTreeSet<&'a str> {
    lists.iter().flat_map(|list| list.iter().copied()).collect()
}

#[test]
fn lists_of_types_and_properties_are_those_of_sam() {
    let schema = schema();
    let named = |kind: &str| {
        schema
            .iter()
            .filter(|line| line[0] == kind)
            .map(|line| line[1].as_str())
            .collect::<BTreeSet<_>>()
    };
    let of = |owner: &str| {
        let own = schema
            .iter()
            .filter(|line| line[0] == "property" && line[1] == owner);
        own.map(|line| line[2].as_str()).collect::<BTreeSet<_>>()
    };
    assert_eq!(set(&[&resources::SERVERLESS]), named("type"));
    assert_eq!(set(&[&resources::GLOBALS]), named("global"));
    assert_eq!(set(&[&events::RUN, &events::NOT_RUN]), named("event"));
    assert_eq!(
        set(&[&functions::READ, &functions::ALSO]),
        of("AWS::Serverless::Function")
    );
    assert_eq!(
        set(&[&http_api::READ, &http_api::ALSO]),
        of("AWS::Serverless::HttpApi")
    );
    assert_eq!(
        set(&[&rest_api::READ, &rest_api::ALSO]),
        of("AWS::Serverless::Api")
    );
    assert_eq!(set(&[&http_api::EVENT]), of("HttpApi"));
    assert_eq!(set(&[&rest_api::EVENT]), of("Api"));
    assert_eq!(set(&[&schedules::RULE]), of("Schedule"));
    assert_eq!(set(&[&schedules::SCHEDULER]), of("ScheduleV2"));
    // Both forms of a mapping share these lists, and the resource has more.
    let refused: Vec<&str> = kafka::REFUSED.iter().map(|(key, _)| *key).collect();
    let own = [
        "Stream",
        "KafkaBootstrapServers",
        "ConsumerGroupId",
        "Queue",
    ];
    let kafka = set(&[&kafka::COMMON, &kafka::IGNORED, &refused, &own]);
    let sqs = set(&[&sqs::COMMON, &sqs::IGNORED, &own]);
    for (owner, known) in [("MSK", &kafka), ("SelfManagedKafka", &kafka), ("SQS", &sqs)] {
        let schema = of(owner);
        assert_eq!(
            schema.difference(known).collect::<Vec<_>>(),
            [&""; 0],
            "{owner}"
        );
    }
}
