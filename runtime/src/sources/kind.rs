//! One kind of event source.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;
use sam_template::model::Application;
use sam_template::project::LocalServer;

use super::error::SourceError;
use super::host::SourceHost;
use super::source::EventSource;
use super::status::SourceSubject;
use crate::doctor::Finding;
use crate::parked::StoreList;
use crate::tuning::TunableSource;

/// A kind of event source. The registry ([`super::KINDS`]) lists all kinds; the rest of the host is
/// written against this trait and [`EventSource`].
///
/// Everything but [`SourceKind::open`] is about an application that may not run: `usher doctor`,
/// `usher template` and the preflight checks use it.
pub trait SourceKind: fmt::Debug + Sync {
    /// Name in the metrics (`kind="kafka"`).
    fn name(&self) -> &'static str;

    /// The key of its sources in `GET /_usher/status`.
    fn section(&self) -> &'static str;

    /// The types of SAM events that become sources of this kind.
    fn event_types(&self) -> &'static [&'static str] {
        &[]
    }

    /// The `type` of a source that `usher.toml` declares, if it may declare sources of this kind
    /// ([`Application::declared`]).
    fn declared_type(&self) -> Option<&'static str> {
        None
    }

    /// The application's sources of this kind, disabled ones included. Pure.
    fn planned(&self, app: &Application) -> Vec<PlannedSource>;

    /// What contradicts itself or the application, a sentence each. The function of each planned
    /// source is checked for all kinds together. Pure.
    fn contradictions(&self, app: &Application) -> Vec<String> {
        let _ = app;
        Vec::new()
    }

    /// Checks the servers that enabled sources need. A finding that fails stops the start; the start
    /// logs warnings.
    fn probe<'a>(&'a self, app: &'a Application) -> BoxFuture<'a, Vec<Finding>> {
        let _ = app;
        Box::pin(async { Vec::new() })
    }

    /// Adds the places where this kind leaves dead letters, and the way back from them. Pure.
    fn dead_letters(&self, app: &Application, stores: &mut StoreList) {
        let _ = (app, stores);
    }

    /// The server that all its sources share, as `usher template` prints it: `SQS at URL`. Pure.
    fn server(&self, app: &Application) -> Option<String> {
        let _ = app;
        None
    }

    /// Adds what `usher template` prints of its sources and of the resources that it creates for
    /// them: paragraphs that begin with an empty line. Pure.
    fn describe(&self, app: &Application, out: &mut String) {
        let _ = (app, out);
    }

    /// Opens every enabled source: creates or checks what it needs, and invokes nothing yet. What
    /// was opened is dropped if another source cannot be opened.
    ///
    /// # Errors
    /// A source cannot work; the host does not start.
    fn open<'a>(&'a self, host: &'a SourceHost<'a>) -> BoxFuture<'a, OpenedSources>;
}

/// The enabled sources of a kind, or why one of them cannot work.
pub type OpenedSources = Result<Vec<Arc<dyn EventSource>>, SourceError>;

/// A source as the application describes it.
#[derive(Debug, Clone)]
pub struct PlannedSource {
    /// Logical id.
    pub id: String,
    /// Logical id of the function.
    pub function: String,
    /// What `id` names.
    pub subject: SourceSubject,
    /// Whether the host runs it.
    pub enabled: bool,
    /// Open files that it needs, beside those of its function.
    pub files: u64,
    /// Servers of this machine that its probe checks, so that no other check reports them again.
    pub servers: Vec<LocalServer>,
    /// Settings that may change while it runs.
    pub settings: Option<TunableSource>,
}
