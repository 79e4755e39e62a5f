//! Parked records: replayed and discarded by an operator through the API, and by `usher parked`.

use std::time::Duration;

use anyhow::{Context, Result};
use journeys::{TestEnvironment, until};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use ticket_rush::api::SeatSelection;

/// A client of the API with the scopes of an operator.
struct Operator {
    client: Client,
    base: String,
    token: String,
}

impl Operator {
    fn of(env: &TestEnvironment) -> Result<Self> {
        let token = env.keys.token(
            "ops",
            Some("parked:read parked:write"),
            Duration::from_mins(10),
        )?;
        Ok(Self {
            client: Client::new(),
            base: format!("http://{}", env.environment.http),
            token,
        })
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<(u16, Value)> {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }

    /// Waits until this number of records is or was parked; newest first.
    async fn records(&self, count: usize) -> Result<Vec<Value>> {
        until(&format!("{count} records were parked"), async || {
            let (http, list) = self.request(Method::GET, "/parked?limit=100", None).await?;
            assert_eq!(http, 200, "{list}");
            let records = list["records"].as_array().context("a list")?.clone();
            assert!(records.len() <= count, "{list}");
            Ok((records.len() == count).then_some(records))
        })
        .await
    }
}

#[tokio::test]
async fn a_parked_order_is_stored_by_its_replay() -> Result<()> {
    let env = TestEnvironment::new().await?;
    let host = env.up().await?;
    let operator = Operator::of(&env)?;
    let program = env.sale(1, 10, Duration::from_mins(10), 6).await?;
    let ann = env.buyer("ann")?;
    let bob = env.buyer("bob")?;
    // A faulty constraint: Postgres refuses the rows of one buyer.
    sqlx::raw_sql("ALTER TABLE orders ADD CONSTRAINT mistaken CHECK (user_id <> 'ann')")
        .execute(&env.db)
        .await?;
    let hers = env
        .order(&ann, &program, SeatSelection::Best(2), "k")
        .await?;
    let his = env
        .order(&bob, &program, SeatSelection::Best(3), "k")
        .await?;
    env.until_status(&bob, &his.order, "unpaid").await?;
    let record = operator.records(1).await?.remove(0);
    assert!(
        record["reason"]
            .as_str()
            .is_some_and(|why| why.contains("mistaken")),
        "{record}"
    );
    let id = record["id"].as_str().context("an id")?.to_owned();
    let (_, shown) = operator
        .request(Method::GET, &format!("/parked/{id}"), None)
        .await?;
    assert_eq!(shown["key"]["text"], json!(hers.order), "{shown}");

    // Replayed too early, it is parked again as another record.
    let replay = format!("/parked/{id}/replay");
    let (http, replayed) = operator.request(Method::POST, &replay, None).await?;
    assert_eq!(
        (http, replayed["state"].as_str()),
        (200, Some("replayed")),
        "{replayed}"
    );
    let again = operator.records(2).await?.remove(0);
    assert_eq!(
        (&again["state"], &again["offset"]),
        (
            &json!("parked"),
            &json!(replayed["replayed"]["offset"].to_string())
        )
    );

    sqlx::raw_sql("ALTER TABLE orders DROP CONSTRAINT mistaken")
        .execute(&env.db)
        .await?;
    let (http, twice) = operator.request(Method::POST, &replay, None).await?;
    assert_eq!(
        (http, twice["code"].as_str()),
        (409, Some("already_replayed")),
        "{twice}"
    );
    let replay = format!("/parked/{}/replay", again["id"].as_str().context("an id")?);
    assert_eq!(operator.request(Method::POST, &replay, None).await?.0, 200);
    env.until_status(&ann, &hers.order, "unpaid").await?;
    // A second copy of the same record, requested explicitly, is the same order.
    assert_eq!(
        operator
            .request(Method::POST, &replay, Some(json!({"replays": 1})))
            .await?
            .0,
        200
    );
    assert_eq!(
        env.api.pay(&hers.order, "p1", 2000).await.text("result"),
        Some("applied")
    );
    env.until_status(&ann, &hers.order, "paid").await?;
    env.until_free(&program, 5).await?;
    assert_eq!(env.count("SELECT count(*) FROM orders").await?, 2);
    env.audited(&["--parked", "2"]).await?;
    host.stop().await?;
    env.remove().await
}

#[tokio::test]
async fn a_replayed_poison_record_is_parked_again() -> Result<()> {
    let env = TestEnvironment::new().await?;
    let newer = br#"{"v":2,"order":"123456789","seats":"as a later version writes them"}"#;
    env.produce(0, b"123456789", Some(newer)).await?;
    let host = env.up().await?;
    let operator = Operator::of(&env)?;
    let first = operator.records(1).await?.remove(0);
    let at = |record: &Value| {
        record["id"]
            .as_str()
            .map(|id| format!("/parked/{id}"))
            .context("an id")
    };
    assert_eq!(
        operator
            .request(Method::POST, &format!("{}/replay", at(&first)?), None)
            .await?
            .0,
        200
    );
    let both = operator.records(2).await?;
    assert_eq!(
        both.iter()
            .map(|record| &record["state"])
            .collect::<Vec<_>>(),
        ["parked", "replayed"]
    );
    let (_, first) = operator.request(Method::GET, &at(&both[1])?, None).await?;
    let (_, second) = operator.request(Method::GET, &at(&both[0])?, None).await?;
    assert_eq!(
        (&first["key"], &first["value"], &first["reason"]),
        (&second["key"], &second["value"], &second["reason"])
    );
    assert_eq!(
        second["value"]["text"].as_str().map(str::as_bytes),
        Some(newer.as_slice())
    );
    assert_eq!(first["history"][0]["offset"], second["offset"]);
    let why = json!({"why": "made by a later version that was withdrawn"});
    let (http, gone) = operator
        .request(
            Method::POST,
            &format!("{}/discard", at(&second)?),
            Some(why),
        )
        .await?;
    assert_eq!(
        (http, &gone["state"], &gone["discarded"]["by"]),
        (200, &json!("discarded"), &json!("ops")),
        "{gone}"
    );
    let (http, refused) = operator
        .request(Method::POST, &format!("{}/replay", at(&second)?), None)
        .await?;
    assert_eq!(
        (http, refused["code"].as_str()),
        (409, Some("already_discarded")),
        "{refused}"
    );
    // The gateway requires the scope.
    let buyer = Operator {
        token: env
            .keys
            .token("ann", Some("parked:read"), Duration::from_mins(1))?,
        ..Operator::of(&env)?
    };
    assert_eq!(
        buyer
            .request(
                Method::POST,
                &format!("{}/discard", at(&first)?),
                Some(json!({"why": "mine"}))
            )
            .await?
            .0,
        403
    );
    assert_eq!(
        env.count("SELECT count(*) FROM parked").await?,
        2,
        "nothing is deleted"
    );
    host.stop().await?;
    env.remove().await
}

#[tokio::test]
async fn usher_lists_and_replays_parked_entries() -> Result<()> {
    let env = TestEnvironment::new().await?;
    let host = env.up().await?;
    let stream = format!("{}:{{program-changed}}", env.environment.prefix);
    let mut redis = redis::Client::open(env.environment.servers.cache_url.as_str())?
        .get_multiplexed_async_connection()
        .await?;
    // Not UTF-8, so that it cannot become a message.
    let field: (&str, &[u8]) = ("id", b"\xff");
    redis::cmd("XADD")
        .arg(&stream)
        .arg("*")
        .arg(field)
        .query_async::<()>(&mut redis)
        .await?;
    let usher = async |arguments: &[&str]| -> Result<String> {
        let words = [&["parked"], arguments].concat();
        let output = env.environment.usher_with(&words)?.output().await?;
        Ok(String::from_utf8(output.stdout)? + &String::from_utf8(output.stderr)?)
    };
    let dead = format!("{stream}-dead");
    until("the entry is parked", async || {
        let listed = usher(&["list"]).await?;
        Ok(listed
            .lines()
            .any(|line| line.starts_with(&dead) && line.contains(" 1  from stream"))
            .then_some(()))
    })
    .await?;
    let shown = usher(&["show", &dead]).await?;
    assert!(
        shown.contains("not UTF-8") && shown.contains(&format!("back to stream {stream}")),
        "{shown}"
    );
    let replayed = usher(&["replay", &dead]).await?;
    assert!(replayed.contains("1 dead letters are back"), "{replayed}");
    // It is still not UTF-8 and is parked again.
    until("the entry is parked again", async || {
        Ok(usher(&["list"])
            .await?
            .lines()
            .any(|line| line.starts_with(&dead) && line.contains(" 1  from stream"))
            .then_some(()))
    })
    .await?;
    host.stop().await?;
    env.remove().await
}
