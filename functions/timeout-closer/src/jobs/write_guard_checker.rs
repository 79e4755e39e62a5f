//! Checks that a gate with replicas takes no writes without them (`min-replicas-to-write`). Replicas
//! come and go while a process runs, so each sweep checks again.

use super::{JobError, Sweep};

pub(super) async fn run(sweep: &mut Sweep<'_>) -> Result<(), JobError> {
    match sweep.closer.gate.link().write_guard().await {
        Ok(guard) => {
            guard.raise_alarm();
            sweep.report.unguarded = u64::from(guard.alarm().unwrap_or_default());
            Ok(())
        }
        // A service that leaves the fields out of INFO.
        Err(error @ redis_link::LinkError::Protocol(_)) => {
            tracing::debug!(%error, "whether the gate takes writes without its replicas is unknown");
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}
