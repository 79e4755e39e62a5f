//! What a host shows of itself, and lets itself be told, on a loopback address: `--control`, or `control` in usher.toml.
//!
//! A request passes `guard` (is it from this machine, and from no foreign page?) and then goes to one of: `page` (the live page at
//! `/_usher/`, embedded in this program), `status` (`/_usher/status`, JSON: what runs and how far it is), `activity`
//! (`/_usher/activity`: the last invocations and failures), `metrics` (`/metrics`, for Prometheus), `health` (`/health`, `/health/live`),
//! `tuner` (`/_usher/settings`: what is set, and changes of it), `dead_letters` (`/_usher/parked`: dead letters, counted).
//! `client` asks such a host from the command line.
//!
//! Promises: nothing that a function printed or answered is ever markup or script on the page; what changes something needs the token of
//! this run, which a foreign page cannot read; secrets are not among what is shown.

mod activity;
mod client;
mod dead_letters;
mod guard;
mod health;
mod metrics;
mod offsets;
mod page;
mod routes;
mod status;
mod tuner;

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::asynchronous::Queue;
use crate::connections::places::Places;
use crate::connections::{self, Rules};
use crate::http::KeyStore;
use crate::instances::Pool;
use crate::model::Application;
use crate::observation::Observations;
use crate::supervision::Registry;
use crate::{kafka, sqs};

use dead_letters::DeadLetterCounts;

pub use client::{Asked, Client};
pub use tuner::{LogSwitch, SetLog, Tuner};

/// A host, as those who ask see it.
#[derive(Debug)]
pub struct Host {
    /// What it runs.
    pub app: Application,
    /// The functions' processes.
    pub pool: Arc<Pool>,
    /// What happened.
    pub observations: Observations,
    /// The Kafka mappings.
    pub kafka: Vec<kafka::Watch>,
    /// The mappings of queues.
    pub sqs: Vec<sqs::SqsWatch>,
    /// Keys for the JWT authorizers.
    pub keys: Option<Arc<KeyStore>>,
    /// The events that nobody waits for.
    pub events: Queue,
    /// Connections of all ports.
    pub(crate) places: Vec<Places>,
    /// What the host is made of.
    pub parts: Registry,
    /// What may be changed.
    pub tuner: Arc<Tuner>,
    /// What a change must bring along; random, of this run.
    pub token: String,
    /// When it started, milliseconds since 1970.
    pub started_ms: u64,
}

type Answer = http::Response<Full<Bytes>>;

/// Serves until it is aborted; connections end with it. `places`: a budget of its own, so that this port can be reached however
/// many connections there are to others.
pub(crate) async fn serve(listener: TcpListener, host: Arc<Host>, places: Places) {
    let dead_letters = Arc::new(DeadLetterCounts::default());
    let (_live, never) = watch::channel(false);
    connections::serve(
        listener,
        places,
        Rules::default(),
        never,
        move |request, peers| {
            let host = host.clone();
            let dead_letters = dead_letters.clone();
            async move { routes::answer(request, &peers, &host, &dead_letters).await }
        },
    )
    .await;
}
