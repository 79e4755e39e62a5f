//! The schedules of an application as one source.

use std::fmt::Write as _;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sam_template::model::{Application, Schedule};
use tokio::sync::watch;

use super::ScheduleEventSource;
use crate::sources::error::SourceError;
use crate::sources::host::SourceHost;
use crate::sources::kind::{OpenedSources, PlannedSource, SourceKind};
use crate::sources::source::EventSource;
use crate::sources::status::{SourceStatus, SourceSubject};
use crate::supervision::DrainStage;
use crate::waiting::turned;

/// File in the state folder with the time up to which schedules have fired.
const SCHEDULES_FIRED: &str = "schedules-seen";

/// Schedules.
#[derive(Debug)]
pub struct ScheduleSourceKind;

impl SourceKind for ScheduleSourceKind {
    fn name(&self) -> &'static str {
        "schedule"
    }

    fn section(&self) -> &'static str {
        "schedules"
    }

    fn event_types(&self) -> &'static [&'static str] {
        &["Schedule", "ScheduleV2"]
    }

    fn planned(&self, app: &Application) -> Vec<PlannedSource> {
        let planned = |schedule: &Schedule| PlannedSource {
            id: schedule.id.clone(),
            function: schedule.function.clone(),
            subject: SourceSubject::Schedule,
            enabled: schedule.enabled,
            files: 0,
            servers: Vec::new(),
            settings: None,
        };
        app.schedules.iter().map(planned).collect()
    }

    fn describe(&self, app: &Application, out: &mut String) {
        for schedule in &app.schedules {
            let state = if schedule.enabled { "" } else { " (disabled)" };
            let _ = writeln!(
                out,
                "\nschedule {}{state} -> {}\n  {} {}",
                schedule.id, schedule.function, schedule.expression, schedule.timezone
            );
        }
    }

    fn open<'a>(&'a self, host: &'a SourceHost<'a>) -> BoxFuture<'a, OpenedSources> {
        let enabled = host.app.schedules.iter();
        let enabled = enabled.filter(|schedule| schedule.enabled && host.schedules);
        for schedule in enabled.clone() {
            tracing::info!(
                schedule = %schedule.id,
                "fires {} at {}",
                schedule.expression,
                schedule.function
            );
        }
        let source = ScheduleEventSource::new(
            enabled.cloned(),
            &host.queue(),
            Some(&host.state.join(SCHEDULES_FIRED)),
            &host.parts,
        );
        let opened: Vec<Arc<dyn EventSource>> = vec![Arc::new(source)];
        async move { Ok(opened) }.boxed()
    }
}

impl EventSource for ScheduleEventSource {
    fn component(&self) -> String {
        "schedules".to_owned()
    }

    fn run(
        &self,
        mut stopping: watch::Receiver<bool>,
    ) -> BoxFuture<'static, Result<(), SourceError>> {
        let fired = self.fire(&stopping);
        async move {
            fired.await;
            // there may be no schedule that fires again
            turned(&mut stopping).await;
            Ok(())
        }
        .boxed()
    }

    fn drain(&self) -> DrainStage {
        DrainStage::WithFunctions
    }

    fn status(&self) -> Vec<SourceStatus> {
        let snapshots = self.snapshots().into_iter();
        snapshots.map(SourceStatus::from).collect()
    }
}
