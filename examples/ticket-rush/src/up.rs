//! `ticket-rush up`: runs the system and prints requests to try.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;
use ticket_rush::host::Environment;
use ticket_rush::locks::{DataFolderLock, EnvironmentLock};
use ticket_rush::prepare::prepare;
use ticket_rush::shutdown::ShutdownSignal;

use crate::output;

/// Lifetime of the printed tokens.
const TOKEN_LIFETIME: Duration = Duration::from_hours(24);
/// Scopes of the operator's token.
const OPERATOR_SCOPES: &str =
    "api-calls:read orders:read parked:read parked:write payments:read payments:write";

pub(crate) async fn run(environment: Environment) -> Result<()> {
    let mut shutdown = ShutdownSignal::listen()?;
    let _checkout = DataFolderLock::claim(&environment.checkout.data())?;
    let owned = EnvironmentLock::claim(&environment.servers, &environment.prefix).await?;
    ensure!(
        owned.is_some(),
        "environment {} is in use by another process on these servers; choose another --env",
        environment.prefix
    );
    output::title(&format!("Environment \"{}\"", environment.prefix));
    let keys = shutdown.unless(prepare(&environment, output::done)).await?;
    let mut host = shutdown.unless(environment.up()).await?;
    let api = format!("http://{}", environment.http);
    output::done(&format!(
        "usher serves {api}, its log is {}",
        environment.log.display()
    ));

    output::title("Try this, in a second terminal");
    let seller = keys.token("seller", Some("programs:write"), TOKEN_LIFETIME)?;
    let buyer = keys.token("alice", None, TOKEN_LIFETIME)?;
    let operator = keys.token("operator", Some(OPERATOR_SCOPES), TOKEN_LIFETIME)?;
    let program = json!({
        "title": "Autumn tour",
        "categories": [{ "name": "Stalls", "rows": 20, "seats_per_row": 40, "price_cents": 4500 }],
        "pay_window_seconds": 120,
    });
    println!(
        "
SELLER={seller}
BUYER={buyer}
OPERATOR={operator}

# create a program; note the id in the answer
curl -sS {api}/programs -H \"Authorization: Bearer $SELLER\" -d '{program}'
PROGRAM=1

# free seats
curl -sS {api}/programs/$PROGRAM

# order two adjacent seats, wait up to 5 s until they are stored; note the order number
curl -sS \"{api}/programs/$PROGRAM/orders?wait=5\" -H \"Authorization: Bearer $BUYER\" \\
  -H 'Idempotency-Key: first' -d '{{\"category\":0,\"count\":2}}'
ORDER=...

# get it, pay it as the payment provider does (amount_cents of the order), or cancel it
curl -sS {api}/orders/$ORDER -H \"Authorization: Bearer $BUYER\"
NOW=$(date +%s); BODY=\"{{\\\"reference\\\":\\\"r1\\\",\\\"order\\\":\\\"$ORDER\\\",\\\"amount_cents\\\":9000}}\"
curl -sS {api}/payments -H \"X-Payment-Timestamp: $NOW\" -d \"$BODY\" \\
  -H \"X-Payment-Signature: v1=$(printf %s \"$NOW.$BODY\" | openssl dgst -sha256 -hmac {secret} | \
       sed 's/.* //')\"
curl -sS -X POST {api}/orders/$ORDER/cancel -H \"Authorization: Bearer $BUYER\"

# change the program (version as last read), or stop its sale
curl -sS -X PATCH {api}/programs/$PROGRAM -H \"Authorization: Bearer $SELLER\" \\
  -d '{{\"version\":1,\"title\":\"Autumn tour, last nights\"}}'
curl -sS -X POST {api}/programs/$PROGRAM/stop -H \"Authorization: Bearer $SELLER\"

# for operators: API calls (a few seconds late), parked records, payments to refund, gaps, any order
curl -sS \"{api}/api-calls/statistics?by=route,status\" -H \"Authorization: Bearer $OPERATOR\"
curl -sS {api}/parked -H \"Authorization: Bearer $OPERATOR\"
curl -sS \"{api}/payments?state=to_refund\" -H \"Authorization: Bearer $OPERATOR\"
curl -sS {api}/gaps -H \"Authorization: Bearer $OPERATOR\"
curl -sS {api}/orders/$ORDER -H \"Authorization: Bearer $OPERATOR\"

# functions and topics; live page: http://{control}/_usher/
curl -sS http://{control}/_usher/status
",
        secret = crate::demo::WEBHOOK_SECRET,
        control = environment.control,
    );
    output::line("Ctrl-C stops it.");
    tokio::select! {
        ended = host.wait() => {
            anyhow::bail!("usher ended unexpectedly ({}): see {}", ended?, environment.log.display())
        }
        _ = shutdown.recv() => {}
    }
    output::line("stopping: invocations in flight finish first");
    host.stop().await?;
    output::done("stopped");
    Ok(())
}
