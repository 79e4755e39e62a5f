use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;

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

#[tokio::test]
async fn an_observer_of_the_drain_is_restarted_in_it() {
    let (fail, failing) = watch::channel(false);
    let (started, mut runs) = mpsc::unbounded_channel();
    let observer = HostComponent::new("page", DrainStage::AfterFunctions, move |_| {
        started.send(()).unwrap();
        let mut failing = failing.clone();
        async move {
            failing.changed().await?;
            Err::<(), Box<dyn Error + Send + Sync>>("no luck".into())
        }
    });
    let running = RunningComponents::start(vec![observer], &ComponentRegistry::default());
    runs.recv().await.unwrap();
    running.stop();
    fail.send_replace(true);
    assert!(runs.recv().await.is_some(), "its failure ended it");
}
