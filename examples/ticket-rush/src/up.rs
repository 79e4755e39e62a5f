//! `ticket-rush up`: runs the system and prints requests to try.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use serde_json::json;
use ticket_rush::locks::{DataFolderLock, EnvironmentLock};
use ticket_rush::prepare::prepare;
use ticket_rush::shutdown::ShutdownSignal;

use crate::output;

/// Lifetime of the printed tokens.
const TOKEN_LIFETIME: Duration = Duration::from_hours(24);
/// Scopes of the operator's token.
const OPERATOR_SCOPES: &str =
    "api-calls:read orders:read parked:read parked:write payments:read payments:write";

pub(crate) async fn run(prefix: &str) -> Result<ExitCode> {
    let environment = crate::environment(prefix)?;
    let mut shutdown = ShutdownSignal::listen()?;
    let _checkout = DataFolderLock::claim(&environment.checkout.data())?;
    let owned = EnvironmentLock::claim(&environment.servers, prefix).await?;
    ensure!(
        owned.is_some(),
        "environment {prefix} is in use by another process on these servers; choose another --env"
    );
    output::title(&format!("Environment \"{prefix}\""));
    let keys = shutdown.unless(prepare(&environment, output::done)).await?;
    let mut host = shutdown.unless(environment.up()).await?;
    let api = format!("http://{}", environment.http);
    let log = environment.log.display();
    output::done(&format!("usher serves {api}, its log is {log}"));

    output::title("Try this, in a second terminal");
    let token = |user, scopes| keys.token(user, scopes, TOKEN_LIFETIME);
    println!(
        include_str!("up.txt"),
        seller = token("seller", Some("programs:write"))?,
        buyer = token("alice", None)?,
        operator = token("operator", Some(OPERATOR_SCOPES))?,
        program = json!({
            "title": "Autumn tour",
            "categories": [{ "name": "Stalls", "rows": 20, "seats_per_row": 40, "price_cents": 4500 }],
            "pay_window_seconds": 120,
        }),
        secret = crate::demo::WEBHOOK_SECRET,
        control = environment.control,
        api = api,
    );
    output::line("Ctrl-C stops it.");
    tokio::select! {
        ended = host.wait() => bail!("usher ended unexpectedly ({}): see {log}", ended?),
        _ = shutdown.recv() => {}
    }
    output::line("stopping: invocations in flight finish first");
    host.stop().await?;
    output::done("stopped");
    Ok(ExitCode::SUCCESS)
}
