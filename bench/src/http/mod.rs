//! Orders over HTTP. Each is reserved in Redis, acknowledged by Kafka and accepted in Redis before
//! its 202.
//!
//! | file | measures |
//! |---|---|
//! | `closed` | the maximum rate, by clients that wait for each answer, of both execution models |
//! | `curve` | latency at constant rates: an open loop |
//! | `budget` | CPU of each component, and counts of its work, per accepted order |
//! | `peers` | latency at constant rates of Spring |
//! | `sale`, `orders` | a running sale; prepared requests |
//! | `arrivals`, `rush` | requests at a constant rate; clients that wait |
//! | `wire`, `responses` | a client of HTTP/1.1; what it received |

pub(crate) mod arrivals;
mod budget;
mod closed;
mod curve;
mod model;
mod orders;
mod peers;
pub(crate) mod responses;
mod rush;
mod sale;
mod wire;

use anyhow::Result;

/// Measures orders over HTTP: `clients` in a closed loop, then constant rates, `seconds` each.
pub(crate) async fn run(clients: usize, seconds: u64, quick: bool) -> Result<()> {
    closed::run(clients, seconds, quick).await?;
    curve::run(seconds, quick).await?;
    budget::run(seconds, quick).await?;
    peers::run(seconds, quick).await
}
