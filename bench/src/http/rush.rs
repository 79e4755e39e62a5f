//! A closed loop: clients that order as fast as they are answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::task::JoinSet;

use super::responses::Responses;
use super::wire::Connection;

/// Sends `requests` in rotation by `clients`, each after the response to the one before.
pub(super) async fn rush(
    server: SocketAddr,
    requests: &Arc<[Vec<u8>]>,
    clients: usize,
    span: Duration,
) -> Result<Responses> {
    let end = Instant::now() + span;
    let mut tasks = JoinSet::new();
    for client in 0..clients {
        let requests = requests.clone();
        tasks.spawn(async move {
            let mut connection = Connection::to(server);
            let mut responses = Responses::none()?;
            for turn in 0.. {
                let began = Instant::now();
                if began >= end {
                    break;
                }
                let request = &requests[(client + turn * clients) % requests.len()];
                let answer = connection.exchange(request).await;
                responses.note(&answer, began.elapsed())?;
            }
            Ok::<_, anyhow::Error>(responses)
        });
    }
    let mut all = Responses::none()?;
    for responses in tasks.join_all().await {
        all.add(responses?)?;
    }
    Ok(all)
}
