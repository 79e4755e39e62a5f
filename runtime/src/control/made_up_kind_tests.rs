//! A kind of source that only this file knows appears in status, metrics, health, settings and
//! dead letters.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use event_sources::health::{SourceHealth, SourceState};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use sam_template::model::Application;
use sam_template::project::SettingChange;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::status::HostStatus;
use super::{Tuner, health, metrics};
use crate::client::InvokeClient;
use crate::instances::{Pool, PoolOptions};
use crate::lock::lock;
use crate::observation::Observations;
use crate::parked::{
    self, DeadLetterError, DeadLetterStore, DeadLetterView, ReplaySummary, StoreList,
};
use crate::sources::{
    EventSource, MetricColumn, MetricFamily, OpenedSources, PlannedSource, SourceError, SourceHost,
    SourceKind, SourceMetric, SourceStatus, SourceSubject, Sources,
};
use crate::supervision::DrainStage;
use crate::tuning::{BatchSettings, SourceSettings, TunableSettings, TunableSource};

/// Rings of bells.
#[derive(Debug)]
struct Bells;

static OF_BELL: [MetricColumn<u64>; 1] = [(
    MetricFamily::new("usher_bells_rung_total", "Rings."),
    |rung| Some(*rung as f64),
)];

/// A call of `tune` reports that it has begun, and waits until it may go on.
type Pause = (mpsc::Sender<()>, mpsc::Receiver<()>);

#[derive(Debug, Default)]
struct Bell {
    settings: Mutex<SourceSettings>,
    /// Of the first call.
    pause: Mutex<Option<Pause>>,
}

impl SourceKind for Bells {
    fn name(&self) -> &'static str {
        "bells"
    }

    fn section(&self) -> &'static str {
        "bells"
    }

    fn planned(&self, _: &Application) -> Vec<PlannedSource> {
        let settings = TunableSource {
            id: "Door".into(),
            function: "Open".into(),
            subject: "bell".into(),
            batch_size: 1,
            window: Duration::ZERO,
            service_window: Duration::ZERO,
            max_concurrency: None,
            units: None,
            rule: at_most_ten,
        };
        vec![PlannedSource {
            id: settings.id.clone(),
            function: settings.function.clone(),
            subject: SourceSubject::Mapping,
            enabled: true,
            files: 0,
            servers: Vec::new(),
            settings: Some(settings),
        }]
    }

    fn dead_letters(&self, _: &Application, stores: &mut StoreList) {
        stores.add(Silence);
    }

    fn open<'a>(&'a self, _: &'a SourceHost<'a>) -> BoxFuture<'a, OpenedSources> {
        async { Ok(vec![Arc::new(Bell::default()) as _]) }.boxed()
    }
}

fn at_most_ten(settings: BatchSettings) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    if settings.size > 10 {
        return Err("a bell rings ten times at most".into());
    }
    Ok(())
}

impl EventSource for Bell {
    fn component(&self) -> String {
        "bell Door".to_owned()
    }

    fn id(&self) -> Option<&str> {
        Some("Door")
    }

    fn run(&self, _: watch::Receiver<bool>) -> BoxFuture<'static, Result<(), SourceError>> {
        async { Ok(()) }.boxed()
    }

    fn drain(&self) -> DrainStage {
        DrainStage::BeforeFunctions
    }

    fn status(&self) -> Vec<SourceStatus> {
        let mut status = SourceStatus {
            id: "Door".into(),
            health: SourceHealth {
                state: SourceState::Stuck,
                reason: Some("the wire is cut".into()),
                ..SourceHealth::default()
            },
            metrics: SourceMetric::table(&7, &[("bell", "Door")], &OF_BELL),
            entry: json!({ "bell": "Door", "rung": 7 }),
            ..SourceStatus::default()
        };
        status.add_loss(2, "rings were not heard");
        vec![status]
    }

    fn tune(&self, settings: &SourceSettings) {
        let pause = lock(&self.pause).take();
        if let Some((begun, go_on)) = pause {
            begun.send(()).unwrap();
            let _ = go_on.recv_timeout(Duration::from_secs(10));
        }
        settings.clone_into(&mut lock(&self.settings));
    }
}

/// A store of dead letters.
#[derive(Debug)]
struct Silence;

impl DeadLetterStore for Silence {
    fn name(&self) -> &'static str {
        "silence"
    }

    fn sources(&self) -> String {
        "bell Door".to_owned()
    }

    fn count(&self) -> BoxFuture<'_, Result<u64, DeadLetterError>> {
        async { Ok(3) }.boxed()
    }

    fn peek(&self, _: usize) -> BoxFuture<'_, Result<Vec<DeadLetterView>, DeadLetterError>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn replay<'a>(
        &'a self,
        _: usize,
        _: Option<&'a InvokeClient>,
    ) -> BoxFuture<'a, Result<ReplaySummary, DeadLetterError>> {
        async { Ok(ReplaySummary::default()) }.boxed()
    }
}

fn sources(bell: &Arc<Bell>) -> Sources {
    let source: Arc<dyn EventSource> = bell.clone();
    Sources::of([(&Bells as _, source)])
}

fn tuner(bell: &Arc<Bell>) -> Tuner {
    let app = Application::default();
    let planned = Bells.planned(&app).into_iter();
    let tunable = planned.filter_map(|source| source.settings);
    let settings = TunableSettings::new(tunable, &app, 4, "info", false);
    let pool = Pool::new(&app, &BTreeMap::new(), &PoolOptions::default());
    Tuner::new(settings, sources(bell), pool, None)
}

fn batch_size(value: &str) -> SettingChange {
    SettingChange {
        target: "Door".into(),
        setting: "batch-size".into(),
        value: value.into(),
    }
}

#[test]
fn its_sources_are_in_status_metrics_and_health() {
    let status = HostStatus {
        sources: sources(&Arc::default()).statuses(),
        ..HostStatus::default()
    };
    let shown = json!(status);
    assert_eq!(shown["bells"], json!([{ "bell": "Door", "rung": 7 }]));
    for section in ["mappings", "queues", "events", "schedules"] {
        assert_eq!(shown[section], json!([]), "{section} is empty and there");
    }
    let text = metrics::render(&status, &Observations::default());
    for line in [
        "# TYPE usher_bells_rung_total counter\nusher_bells_rung_total{bell=\"Door\"} 7\n",
        "usher_source_state{kind=\"bells\",source=\"Door\",state=\"stuck\"} 1\n",
    ] {
        assert!(text.contains(line), "{line} is missing from {text}");
    }
    let health = json!(health::assess(&status));
    let problem = json!([{
        "mapping": "Door", "state": "stuck", "since_ms": 0, "problem": "the wire is cut",
    }]);
    let alarm = json!([{ "of": "Door", "alarm": "2 rings were not heard" }]);
    assert_eq!((&health["problems"], &health["alarms"]), (&problem, &alarm));
}

#[tokio::test]
async fn its_settings_change_within_its_own_rule() {
    let bell = Arc::<Bell>::default();
    let tuner = tuner(&bell);
    let views = json!(tuner.settings().views());
    let subjects = views.as_array().unwrap().iter();
    let subjects: Vec<&Value> = subjects.map(|view| &view["subject"]).collect();
    assert_eq!(subjects, ["bell", "bell", "bell", "host"]);
    tuner.apply("test", &batch_size("5")).unwrap();
    assert_eq!(lock(&bell.settings).batch_size, 5);
    let why = tuner.apply("test", &batch_size("11")).unwrap_err();
    assert_eq!(why.to_string(), "Door: a bell rings ten times at most.");
    assert_eq!(lock(&bell.settings).batch_size, 5);
}

#[tokio::test]
async fn its_dead_letters_are_counted() {
    let mut list = StoreList::default();
    Bells.dead_letters(&Application::default(), &mut list);
    let counted = parked::counted(&list.complete(None).stores).await;
    assert_eq!(
        json!(counted),
        json!([{ "place": "silence", "from": "bell Door", "count": 3, "problem": null }])
    );
}

#[tokio::test]
async fn of_two_racing_changes_the_later_one_takes_effect() {
    let (begun, has_begun) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel();
    let bell = Arc::new(Bell {
        pause: Mutex::new(Some((begun, may_go_on))),
        ..Bell::default()
    });
    let tuner = tuner(&bell);
    std::thread::scope(|scope| {
        scope.spawn(|| tuner.apply("first", &batch_size("2")).unwrap());
        has_begun.recv().unwrap();
        tuner.apply("second", &batch_size("3")).unwrap();
        // the first change waits still: the second one did not wait for it
        go_on.send(()).unwrap();
    });
    let effective = lock(&bell.settings).clone();
    assert_eq!(effective.batch_size, 3);
    assert_eq!(Some(effective), tuner.settings().for_source("Door"));
}
