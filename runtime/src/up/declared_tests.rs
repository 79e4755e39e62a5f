use std::collections::BTreeMap;
use std::time::Instant;

use sam_template::model::Application;
use sam_template::project::{Arguments, Project};
use sam_template::template;

use super::*;
use crate::instances::PoolOptions;
use crate::state::StateFolder;
use crate::supervision::DrainStage;
use crate::up::{HostOptions, InvokeAt};

const TEMPLATE: &str = "Transform: AWS::Serverless-2016-10-31
Resources:
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: built
      Handler: bootstrap
      Runtime: provided.al2023
      Events:
        Tick: {Type: Schedule, Properties: {Schedule: rate(1 hour)}}
        Root: {Type: HttpApi, Properties: {Path: /, Method: GET}}
        Orders:
          Type: SelfManagedKafka
          Properties:
            KafkaBootstrapServers: ['127.0.0.1:1']
            Topics: [orders]
            StartingPosition: LATEST
            ConsumerGroupId: orders
";

fn application(folder: &std::path::Path) -> Application {
    let file = folder.join("template.yaml");
    std::fs::write(&file, TEMPLATE).unwrap();
    std::fs::create_dir(folder.join("built")).unwrap();
    std::fs::write(folder.join("built/bootstrap"), "").unwrap();
    let project = Project::load(&file, &Arguments::default()).unwrap();
    template::load(&file, &project).unwrap()
}

/// The components of a host with each kind of work, in the order in which they start. None starts
/// here, and no server is needed to prepare them.
#[tokio::test]
async fn what_takes_work_starts_first_and_drains_later() {
    let folder = tempfile::tempdir().unwrap();
    let any = ([127, 0, 0, 1], 0).into();
    let options = HostOptions {
        executables: BTreeMap::new(),
        pool: PoolOptions::default(),
        control: Some(any),
        http: BTreeMap::from([("ServerlessHttpApi".to_owned(), any)]),
        keys: None,
        schedules: true,
        aws_timing: false,
        settings: Some((folder.path().join("usher.toml"), Vec::new())),
        log: None,
        state: StateFolder::claim(&folder.path().join("state")).unwrap(),
        invoke: InvokeAt::Given(any),
        token: None,
    };
    let host = Host::prepare(application(folder.path()), options)
        .await
        .unwrap();
    let known = host.registry().status(Instant::now());
    assert!(
        known.iter().any(|part| part.part == "schedule Worker.Tick"),
        "`--panic` may name it: {known:?}"
    );
    let mut all = components(&host);
    DrainStage::sort(&mut all, |one| one.drain);
    let all: Vec<(&str, DrainStage)> = all
        .iter()
        .map(|one| (one.name.as_str(), one.drain))
        .collect();
    assert_eq!(
        all,
        [
            ("asynchronous events", WithFunctions),
            ("schedules", WithFunctions),
            ("Invoke API", WithFunctions),
            ("mapping Worker.Orders", BeforeFunctions),
            ("API ServerlessHttpApi", BeforeFunctions),
            ("settings of usher.toml", AfterFunctions),
            ("live page", AfterFunctions),
        ]
    );
}
