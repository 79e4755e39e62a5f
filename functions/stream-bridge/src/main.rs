//! Wires the stream-bridge: one run for each tick, or a single run until SIGTERM.

use std::sync::Arc;

use lambda_batch::Tick;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use stream_bridge::{Bridge, Mode, Settings, Stop};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = shared::start::settings(Settings::read);
    let access = shared::start::access(&settings.access).await;
    let mode = settings.mode;
    let timeout = settings.timeout;
    let bridge = Arc::new(Bridge::open(settings, &access).await?);
    match mode {
        Mode::Lambda => {
            let tick = move |event: LambdaEvent<Tick>| {
                let bridge = bridge.clone();
                async move {
                    // Not the deadline of the event: another machine's clock set it.
                    Ok::<_, Error>(bridge.tick(&event.payload, timeout).await?)
                }
            };
            lambda_runtime::run_concurrent(service_fn(tick)).await?;
        }
        Mode::AlwaysOn => {
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            let (sender, stopped) = watch::channel(false);
            let wait_for_signal = async {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                sender.send_replace(true);
            };
            let stop = Stop::when(stopped);
            tokio::join!(bridge.run(&stop), wait_for_signal);
        }
    }
    Ok(())
}
