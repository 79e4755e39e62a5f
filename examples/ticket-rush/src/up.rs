//! `ticket-rush up`: the system left running, with requests to try.

use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;
use ticket_rush::checkout::{Checkout, Owned};
use ticket_rush::ending::Ending;
use ticket_rush::host::Environment;
use ticket_rush::prepare::prepare;

use crate::say;

/// Tokens printed for trying things out are good for a day.
const DAY: Duration = Duration::from_hours(24);
/// Scopes of the token for operators: everything that they may look at or mend.
const OPERATOR: &str =
    "api-calls:read orders:read parked:read parked:write payments:read payments:write";

pub(crate) async fn run(environment: Environment) -> Result<()> {
    let mut ending = Ending::listen()?;
    let _checkout = Checkout::claim(&environment.place.data())?;
    let owned = Owned::claim(&environment.servers, &environment.prefix).await?;
    ensure!(
        owned.is_some(),
        "environment {} is in use by another process on these servers; give another --env",
        environment.prefix
    );
    say::title(&format!("Environment \"{}\"", environment.prefix));
    let keys = ending.unless(prepare(&environment, say::done)).await?;
    let mut host = ending.unless(environment.up()).await?;
    let api = format!("http://{}", environment.http);
    say::done(&format!(
        "usher serves {api}, its log is {}",
        environment.log.display()
    ));

    say::title("Try this, in a second terminal");
    let seller = keys.token("seller", Some("programs:write"), DAY)?;
    let buyer = keys.token("alice", None, DAY)?;
    let operator = keys.token("operator", Some(OPERATOR), DAY)?;
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

# open a sale; note the id it answers
curl -sS {api}/programs -H \"Authorization: Bearer $SELLER\" -d '{program}'
PROGRAM=1

# what is free
curl -sS {api}/programs/$PROGRAM

# order two adjacent seats, wait up to 5 s until they are stored; note the order number
curl -sS \"{api}/programs/$PROGRAM/orders?wait=5\" -H \"Authorization: Bearer $BUYER\" -H 'Idempotency-Key: first' \\
  -d '{{\"category\":0,\"count\":2}}'
ORDER=...

# look it up, pay it as the payment provider would (amount_cents of the order), or cancel it
curl -sS {api}/orders/$ORDER -H \"Authorization: Bearer $BUYER\"
NOW=$(date +%s); BODY=\"{{\\\"reference\\\":\\\"r1\\\",\\\"order\\\":\\\"$ORDER\\\",\\\"amount_cents\\\":9000}}\"
curl -sS {api}/payments -H \"X-Payment-Timestamp: $NOW\" -d \"$BODY\" \\
  -H \"X-Payment-Signature: v1=$(printf %s \"$NOW.$BODY\" | openssl dgst -sha256 -hmac {secret} | sed 's/.* //')\"
curl -sS -X POST {api}/orders/$ORDER/cancel -H \"Authorization: Bearer $BUYER\"

# change the program (the version is the one that you saw), or stop its sale
curl -sS -X PATCH {api}/programs/$PROGRAM -H \"Authorization: Bearer $SELLER\" -d '{{\"version\":1,\"title\":\"Autumn tour, last nights\"}}'
curl -sS -X POST {api}/programs/$PROGRAM/stop -H \"Authorization: Bearer $SELLER\"

# for operators: API calls (a few seconds behind), records that were set aside, payments to refund, offsets without a record, any order
curl -sS \"{api}/api-calls/statistics?by=route,status\" -H \"Authorization: Bearer $OPERATOR\"
curl -sS {api}/parked -H \"Authorization: Bearer $OPERATOR\"
curl -sS \"{api}/payments?state=to_refund\" -H \"Authorization: Bearer $OPERATOR\"
curl -sS {api}/gaps -H \"Authorization: Bearer $OPERATOR\"
curl -sS {api}/orders/$ORDER -H \"Authorization: Bearer $OPERATOR\"

# what runs, and how far the topic is; to look at: http://{control}/_usher/
curl -sS http://{control}/_usher/status
",
        secret = crate::demo::WEBHOOK_SECRET,
        control = environment.control,
    );
    say::line("Ctrl-C stops it.");
    tokio::select! {
        ended = host.ended() => anyhow::bail!("usher ended by itself ({}): see {}", ended?, environment.log.display()),
        _ = ending.told() => {}
    }
    say::line("stopping: what is in flight is finished first");
    host.stop().await?;
    say::done("stopped");
    Ok(())
}
