//! Wires the stream-bridge: settings, adapters, then one run a tick, or a single one without end.

use std::process::ExitCode;

use lambda_batch::Tick;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use stream_bridge::{Bridge, Mode, Settings, Stop};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Error> {
    let Some(settings) = shared::start::settings(Settings::read) else {
        return Ok(ExitCode::FAILURE);
    };
    let mode = settings.mode;
    let timeout = settings.timeout;
    let bridge = &Bridge::open(settings).await?;
    match mode {
        Mode::Lambda => {
            let tick = |event: LambdaEvent<Tick>| async move {
                // Not until the deadline in the event: that is a time by the clock of another machine.
                bridge
                    .tick(&event.payload, timeout)
                    .await
                    .map_err(Error::from)
            };
            lambda_runtime::run(service_fn(tick)).await?;
        }
        Mode::AlwaysOn => {
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            let (tell, told) = watch::channel(false);
            let told_to_end = async {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                tell.send_replace(true);
            };
            let stop = Stop::when(told);
            tokio::join!(bridge.run(&stop), told_to_end);
        }
    }
    Ok(ExitCode::SUCCESS)
}
