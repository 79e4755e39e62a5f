//! Parked records put back by a person, through the API.

use std::time::Duration;

use anyhow::{Context, Result};
use journeys::{TestEnvironment, until};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use ticket_rush::api::SeatSelection;

/// The API as somebody who looks after the system uses it.
struct Desk {
    client: Client,
    base: String,
    token: String,
}

impl Desk {
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

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<(u16, Value)> {
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

    /// Waits until so many records are parked, or were; the newest first.
    async fn records(&self, count: usize) -> Result<Vec<Value>> {
        until(&format!("{count} records were parked"), async || {
            let (http, list) = self.ask(Method::GET, "/parked?limit=100", None).await?;
            assert_eq!(http, 200, "{list}");
            let records = list["records"].as_array().context("a list")?.clone();
            assert!(records.len() <= count, "{list}");
            Ok((records.len() == count).then_some(records))
        })
        .await
    }
}

#[tokio::test]
async fn an_order_parked_by_a_fault_is_stored_when_it_is_replayed_after_the_fault_is_mended()
-> Result<()> {
    let env = TestEnvironment::new().await?;
    let host = env.up().await?;
    let desk = Desk::of(&env)?;
    let program = env.sale(1, 10, Duration::from_mins(10), 6).await?;
    let ann = env.buyer("ann")?;
    let bob = env.buyer("bob")?;
    // A mistake of ours that hits one buyer: Postgres refuses her rows.
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
    let record = desk.records(1).await?.remove(0);
    assert!(
        record["reason"]
            .as_str()
            .is_some_and(|why| why.contains("mistaken")),
        "{record}"
    );
    let id = record["id"].as_str().context("an id")?.to_owned();
    let (_, shown) = desk
        .ask(Method::GET, &format!("/parked/{id}"), None)
        .await?;
    assert_eq!(shown["key"]["text"], json!(hers.order), "{shown}");

    // Replayed too early it is parked once more, as what it is by then: another record.
    let replay = format!("/parked/{id}/replay");
    let (http, replayed) = desk.ask(Method::POST, &replay, None).await?;
    assert_eq!(
        (http, replayed["state"].as_str()),
        (200, Some("replayed")),
        "{replayed}"
    );
    let again = desk.records(2).await?.remove(0);
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
    let (http, twice) = desk.ask(Method::POST, &replay, None).await?;
    assert_eq!(
        (http, twice["code"].as_str()),
        (409, Some("already_replayed")),
        "{twice}"
    );
    let replay = format!("/parked/{}/replay", again["id"].as_str().context("an id")?);
    assert_eq!(desk.ask(Method::POST, &replay, None).await?.0, 200);
    env.until_status(&ann, &hers.order, "unpaid").await?;
    // A second copy of the same record, asked for on purpose, is the same order.
    assert_eq!(
        desk.ask(Method::POST, &replay, Some(json!({"replays": 1})))
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
async fn poison_replayed_is_parked_again_and_can_be_given_up() -> Result<()> {
    let env = TestEnvironment::new().await?;
    let newer = br#"{"v":2,"order":"123456789","seats":"as a later version writes them"}"#;
    env.produce(0, b"123456789", Some(newer)).await?;
    let host = env.up().await?;
    let desk = Desk::of(&env)?;
    let first = desk.records(1).await?.remove(0);
    let at = |record: &Value| {
        record["id"]
            .as_str()
            .map(|id| format!("/parked/{id}"))
            .context("an id")
    };
    assert_eq!(
        desk.ask(Method::POST, &format!("{}/replay", at(&first)?), None)
            .await?
            .0,
        200
    );
    let both = desk.records(2).await?;
    assert_eq!(
        both.iter()
            .map(|record| &record["state"])
            .collect::<Vec<_>>(),
        ["parked", "replayed"]
    );
    let (_, first) = desk.ask(Method::GET, &at(&both[1])?, None).await?;
    let (_, second) = desk.ask(Method::GET, &at(&both[0])?, None).await?;
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
    let (http, gone) = desk
        .ask(
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
    let (http, refused) = desk
        .ask(Method::POST, &format!("{}/replay", at(&second)?), None)
        .await?;
    assert_eq!(
        (http, refused["code"].as_str()),
        (409, Some("already_discarded")),
        "{refused}"
    );
    // The gateway itself asks for the scope.
    let buyer = Desk {
        token: env
            .keys
            .token("ann", Some("parked:read"), Duration::from_mins(1))?,
        ..Desk::of(&env)?
    };
    assert_eq!(
        buyer
            .ask(
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
async fn an_entry_that_the_bridge_set_aside_is_told_by_usher_and_brought_back() -> Result<()> {
    let env = TestEnvironment::new().await?;
    let host = env.up().await?;
    let stream = format!("{}:{{program-changed}}", env.environment.prefix);
    let mut redis = redis::Client::open(env.environment.servers.cache_url.as_str())?
        .get_multiplexed_async_connection()
        .await?;
    // no text: there can be no message of it
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
    until("the entry is set aside", async || {
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
    // still no text: it is set aside once more
    until("the entry is set aside again", async || {
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
