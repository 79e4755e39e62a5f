//! Prepared requests for orders.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use serde_json::json;
use ticket_rush::api::{Buyer, SeatSelection};

use crate::environment::BenchEnvironment;

/// Buyers in rotation: reserve sums up what a buyer holds, so one buyer must not hold thousands of
/// tickets.
const BUYERS: usize = 500;

/// The buyers of a run.
pub(super) fn buyers(env: &BenchEnvironment) -> Result<Vec<Buyer>> {
    (0..BUYERS)
        .map(|n| env.buyer(&format!("buyer-{n}")))
        .collect()
}

/// One request of each buyer for two best seats of a program, as the bytes that are sent.
pub(super) fn requests(server: SocketAddr, program: &str, buyers: &[Buyer]) -> Arc<[Vec<u8>]> {
    prepared(server, program, buyers.iter().map(|buyer| &*buyer.token))
}

/// The same for each token.
pub(super) fn prepared<'t>(
    server: SocketAddr,
    program: &str,
    tokens: impl Iterator<Item = &'t str>,
) -> Arc<[Vec<u8>]> {
    let mut body = json!(SeatSelection::Best(2));
    body["category"] = json!(0);
    let body = body.to_string();
    let request = |token: &str| {
        let length = body.len();
        format!(
            "POST /programs/{program}/orders?wait=0 HTTP/1.1\r\nHost: {server}\r\n\
             Authorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    };
    tokens.map(request).collect()
}
