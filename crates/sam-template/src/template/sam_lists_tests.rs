//! Compares the readers' lists of names with SAM: the schema of aws-sam-translator, which
//! `scripts/setup` installs.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::apis::{http_api, rest_api};
use super::shapes::table;
use super::{events, functions, kafka, mapping, queues, resources, schedules, sqs};

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

fn set<'a>(lists: &[&'a str]) -> BTreeSet<&'a str> {
    lists
        .iter()
        .flat_map(|list| list.split_whitespace())
        .collect()
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
    assert_eq!(set(&[resources::SERVERLESS]), named("type"));
    assert_eq!(set(&[resources::GLOBALS]), named("global"));
    let events: BTreeSet<&str> = table::names("event:").collect();
    assert_eq!(events, named("event"));
    assert!(events::RUN.split(", ").all(|event| events.contains(event)));
    for (kind, owner) in [
        ("AWS::Serverless::Function/", "AWS::Serverless::Function"),
        ("AWS::Serverless::HttpApi/", "AWS::Serverless::HttpApi"),
        ("AWS::Serverless::Api/", "AWS::Serverless::Api"),
        ("event:HttpApi/", "HttpApi"),
        ("event:Api/", "Api"),
        ("event:Schedule/", "Schedule"),
        ("event:ScheduleV2/", "ScheduleV2"),
    ] {
        let known: BTreeSet<&str> = table::names(kind).collect();
        assert_eq!(known, of(owner), "{owner}");
    }
    // Both forms of a mapping share these lists, and the resource has more.
    let refused: Vec<&str> = kafka::REFUSED.iter().map(|(key, _)| *key).collect();
    let own = "Stream KafkaBootstrapServers ConsumerGroupId Queue ScalingConfig";
    let common = [mapping::COMMON, mapping::IGNORED, own].join(" ");
    let refused = refused.join(" ");
    let kafka = set(&[&common, kafka::READ, kafka::IGNORED, &refused]);
    let sqs = set(&[&common, sqs::IGNORED]);
    for (owner, known) in [("MSK", &kafka), ("SelfManagedKafka", &kafka), ("SQS", &sqs)] {
        let schema = of(owner);
        assert_eq!(
            schema.difference(known).collect::<Vec<_>>(),
            [&""; 0],
            "{owner}"
        );
    }
}

#[test]
fn properties_that_are_read_exist() {
    for (start, read) in [
        ("AWS::Serverless::Function/", functions::READ),
        ("AWS::Serverless::HttpApi/", http_api::READ),
        ("AWS::Serverless::Api/", rest_api::READ),
        ("AWS::SQS::Queue/", queues::READ),
        ("event:HttpApi/", http_api::EVENT),
        ("event:Api/", rest_api::EVENT),
    ] {
        let known: BTreeSet<&str> = table::names(start).collect();
        assert!(set(&[read]).is_subset(&known), "{start} {read}");
    }
    let of_either = table::names("event:Schedule/").chain(table::names("event:ScheduleV2/"));
    assert!(set(&[schedules::READ]).is_subset(&of_either.collect()));
}
