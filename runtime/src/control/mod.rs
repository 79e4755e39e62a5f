//! The control port: what a host shows of itself, and the changes it accepts, on a loopback address
//! (`--control`, or `control` in usher.toml).
//!
//! `guard` checks that a request comes from this machine and from no foreign page. Then `routes`
//! passes it to one of: `page` (the live page at `/_usher/`, embedded in this program), `status`
//! (`/_usher/status`, JSON: what runs and how far it is), `metrics` (`/metrics`, for Prometheus),
//! `health` (`/health`, `/health/live`), `tuner` (`/_usher/settings`: the settings and their
//! changes), `dead_letters` (`/_usher/parked`: dead letters, counted), `offsets`
//! (`/_usher/offsets`: moves of a consumer group). It answers `/_usher/activity`, the last
//! invocations and failures, itself. [`crate::client::ControlClient`] is the client of the command
//! line.
//!
//! Guarantees: nothing that a function printed or answered becomes markup or script on the page; a
//! change needs the token of this run, which a foreign page cannot read; secrets are not shown.

mod dead_letters;
mod guard;
mod health;
#[cfg(test)]
mod made_up_kind_tests;
mod metrics;
mod offsets;
mod page;
mod routes;
mod status;
mod tuner;

use std::sync::Arc;

use crate::http::KeyStore;
use crate::instances::Pool;
use crate::listener::budget::ConnectionBudget;
use crate::listener::{Listener, ListenerClosed};
use crate::observation::Observations;
use crate::sources::Sources;
use crate::supervision::ComponentRegistry;
use sam_template::model::Application;

use dead_letters::DeadLetterCounts;

pub(crate) use guard::TOKEN_HEADER;
pub use tuner::{LogSwitch, SetLog, Tuner};

/// What the control port reads and changes.
#[derive(Debug)]
pub struct ControlState {
    /// What it runs.
    pub app: Application,
    /// The functions' processes.
    pub pool: Arc<Pool>,
    /// What happened.
    pub observations: Observations,
    /// The sources of events.
    pub sources: Sources,
    /// Keys for the JWT authorizers.
    pub keys: Option<Arc<KeyStore>>,
    /// Connections of all ports but the Runtime API's.
    pub(crate) budgets: Vec<ConnectionBudget>,
    /// Components of the host.
    pub parts: ComponentRegistry,
    /// Changes settings.
    pub tuner: Arc<Tuner>,
    /// What a change must send; random, of this run.
    pub token: String,
    /// When it started, milliseconds since 1970.
    pub started_ms: u64,
}

/// Serves until the task is dropped. The listener has a budget of its own, so that this port stays
/// reachable however many connections other ports have.
pub(crate) async fn serve(
    listener: Listener,
    state: Arc<ControlState>,
) -> Result<(), ListenerClosed> {
    let dead_letters = Arc::new(DeadLetterCounts::of(&state.app));
    let handle = move |request, connection| {
        let state = state.clone();
        let dead_letters = dead_letters.clone();
        async move { routes::answer(request, &connection, &state, &dead_letters).await }
    };
    listener.serve_until_dropped(handle).await
}
