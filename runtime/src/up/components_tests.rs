use std::sync::{Arc, Mutex};

use super::*;
use crate::lock::lock;
use crate::waiting::turned;

/// What happened, in order.
type Events = Arc<Mutex<Vec<String>>>;

fn component(name: &'static str, drain: DrainStage, events: &Events) -> HostComponent {
    let events = events.clone();
    HostComponent::new(name, drain, move |mut stopping| {
        lock(&events).push(format!("{name} starts"));
        let events = events.clone();
        async move {
            turned(&mut stopping).await;
            lock(&events).push(format!("{name} drains"));
            Ok::<(), ComponentError>(())
        }
    })
}

/// A runtime of one thread starts tasks in the order in which they were spawned.
#[tokio::test]
async fn stages_drain_one_after_another() {
    let events = Events::default();
    let mut running = RunningComponents::start(
        vec![
            component("page", DrainStage::AfterFunctions, &events),
            component("topic", DrainStage::BeforeFunctions, &events),
            component("stored events", DrainStage::WithFunctions, &events),
        ],
        &ComponentRegistry::default(),
    );
    tokio::task::yield_now().await;
    assert_eq!(
        *lock(&events),
        ["stored events starts", "topic starts", "page starts"]
    );
    lock(&events).clear();
    running.stop();
    running.drained(DrainStage::BeforeFunctions).await;
    assert!(lock(&events).contains(&"topic drains".to_owned()));
    running.drained(DrainStage::WithFunctions).await;
    assert!(lock(&events).contains(&"stored events drains".to_owned()));
}
