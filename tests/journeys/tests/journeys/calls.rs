//! API calls from the request to the statistics, exactly once from Kafka on.

use std::time::Duration;

use anyhow::{Context, Result};
use journeys::{Settings, TestEnvironment, until};
use serde_json::Value;
use ticket_rush::api::SeatSelection;
use ticket_rush::kill::kill_busy;

const LONG: Duration = Duration::from_mins(10);

/// Requests a path as an operator.
async fn get(env: &TestEnvironment, path: &str) -> Result<Value> {
    let token = env.keys.token("operator", Some("api-calls:read"), LONG)?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    let answer = client
        .get(format!("http://{}{path}", env.environment.http))
        .bearer_auth(token)
        .send()
        .await?;
    let answer = answer.error_for_status()?;
    Ok(serde_json::from_slice(&answer.bytes().await?)?)
}

#[tokio::test]
async fn the_statistics_count_every_request() -> Result<()> {
    let env = TestEnvironment::new().await?;
    let host = env.up().await?;
    let program = env.sale(1, 10, LONG, 6).await?;
    let mut sent = 0;
    for n in 0..12 {
        let buyer = env.buyer(&format!("buyer-{n}"))?;
        // Ten seats: the last two orders are refused.
        let answer = env
            .api
            .order(&buyer, &program, 0, &SeatSelection::Best(1), Some("k"), 0)
            .await;
        assert_eq!(
            answer.http,
            if n < 10 { 202 } else { 409 },
            "{}",
            answer.body
        );
        sent += 1;
    }
    let path = "/api-calls/statistics?route=POST%20/programs/{id}/orders&by=status,client";
    let seen = until("every order is counted", async || {
        let seen = get(&env, path).await?;
        Ok((seen["total"]["calls"] == sent).then_some(seen))
    })
    .await?;
    let by_status: Vec<_> = seen["groups"]
        .as_array()
        .context("groups")?
        .iter()
        .map(|g| (g["status"].clone(), g["calls"].clone()))
        .collect();
    assert_eq!(by_status, [(202.into(), 10.into()), (409.into(), 2.into())]);
    let refused = get(
        &env,
        &format!("/api-calls?status=4xx&ip=127.0.0.1&url=/programs/{program}*"),
    )
    .await?;
    let refused = refused["calls"].as_array().context("calls")?;
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(
        refused.iter().all(|call| call["user"]
            .as_str()
            .is_some_and(|user| user.starts_with("buyer-1"))),
        "{refused:?}"
    );
    host.stop().await?;
    env.remove().await
}

#[tokio::test]
async fn the_collector_counts_every_call_once() -> Result<()> {
    const KILLS: u32 = 20;
    const A_ROUND: u32 = 1_000;
    let settings = Settings {
        parameters: vec![
            ("ApiCallsEnabled", "false".to_owned()),
            ("ApiDataCollectorConcurrency", "1".to_owned()),
            ("ApiDataCollectorBatchSize", "50".to_owned()),
        ],
        ..Settings::default()
    };
    let env = TestEnvironment::with(settings).await?;
    let mut host = env.up().await?;
    let mut sent = 0;
    for kill in 0..KILLS {
        let watch = host.status_client();
        // The search for a busy process starts before there are records, so that it finds the first
        // one.
        let killing = kill_busy(&watch, "ApiDataCollector", Duration::from_secs(20));
        let (killed, produced) = tokio::join!(killing, env.produce_calls(sent, sent + A_ROUND));
        produced?;
        sent += A_ROUND;
        assert!(killed?.records > 0, "it was killed with records in flight");
        if kill == KILLS / 2 {
            host.kill().await?;
            host = env.up().await?;
        }
    }
    let sent = i64::from(sent);
    env.until_collected(sent).await?;
    host.stop().await?;

    // Kafka delivers everything a second time, and a third time to a new group of the same name.
    for round in ["rewound", "deleted"] {
        match round {
            "rewound" => env.rewind_collector().await?,
            _ => env.delete_collector_group().await?,
        }
        let host = env.up().await?;
        until(
            &format!("a group that was {round} has read everything"),
            async || {
                let status = host.status_client().status().await?;
                Ok(status
                    .mapping("ApiDataCollector")
                    .is_some_and(|m| m.records_done >= sent as u64)
                    .then_some(()))
            },
        )
        .await?;
        assert_eq!(env.collected().await?, (sent, sent), "{round}");
        host.stop().await?;
    }
    assert_eq!(
        env.count("SELECT count(DISTINCT id) FROM api_calls")
            .await?,
        sent
    );
    let differ = "SELECT count(*) FROM
         (SELECT date_trunc('minute', at) AS minute, route, status, client, count(*) AS calls, sum(duration_us) AS us FROM api_calls
          GROUP BY 1, 2, 3, 4) r
         FULL JOIN (SELECT minute, route, status, client, sum(calls) AS calls, sum(duration_us) AS us FROM api_minutes GROUP BY 1, 2, 3, 4) m
         USING (minute, route, status, client) WHERE (r.calls, r.us) IS DISTINCT FROM (m.calls, m.us)";
    assert_eq!(
        env.count(differ).await?,
        0,
        "the sums differ from the records"
    );
    assert_eq!(
        env.count("SELECT count(*) FROM api_sources").await?,
        4,
        "the topic was not created again"
    );
    env.remove().await
}
