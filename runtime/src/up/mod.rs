//! Runs an application: starts its components, and stops them in a stated order.
//!
//! Start: `preflight` reports all that cannot work in one message. `host` then prepares everything
//! that can fail: it opens ports, stored events and sources, and applies settings; an error drops
//! what was opened. `declared` lists the components, and `components` starts them: those that take
//! work from others first (stored events, Invoke API, schedules), then those that create it
//! (mappings, APIs), the control port last.
//!
//! Stop (`shutdown` resolved): the ports to functions close, and no component accepts new work.
//! What invokes functions drains first; then, together with the functions' processes, what they may
//! still call; observers end last. Each drain is bounded by
//! [`crate::instances::PoolOptions::drain`]. A component that ends by itself is restarted
//! ([`crate::supervision`]) and affects no other.

mod capacity;
mod components;
mod declared;
mod error;
mod host;
mod invoke_api;
mod options;
mod ports;
mod preflight;
mod settings;

use std::future::Future;

use self::components::RunningComponents;
use self::host::Host;
use crate::supervision::DrainStage;
use sam_template::model::Application;

pub use error::StartError;
pub use options::{HostOptions, InvokeAt, endpoints};
pub use preflight::{contradictions, keys, missing, probe};

/// Runs the application until `shutdown` resolves, then drains and returns. Dropping the future
/// instead kills what is left.
///
/// # Errors
/// Before anything has started, one message that names everything that is missing or cannot work.
pub async fn run(
    app: Application,
    options: HostOptions,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), StartError> {
    preflight::check(&app, &options).await?;
    let host = Host::prepare(app, options).await?;
    let mut running = RunningComponents::start(declared::components(&host), host.registry());
    host.report_ready();

    shutdown.await;
    tracing::info!("draining: no new records, requests or schedules; what is in flight finishes");
    running.stop();
    host.ports.close();
    running.drained(DrainStage::BeforeFunctions).await;
    // together: the pool rejects queued events and bounds those in flight, which the others await
    tokio::join!(
        host.pool.shutdown(),
        running.drained(DrainStage::WithFunctions)
    );
    drop((running, host));
    tracing::info!("stopped");
    Ok(())
}
