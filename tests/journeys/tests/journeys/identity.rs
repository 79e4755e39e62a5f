//! Authorization: tokens, owners, the signature of the payment provider.

use std::time::Duration;

use anyhow::Result;
use journeys::TestEnvironment;
use reqwest::Client;
use serde_json::json;
use ticket_rush::api::{Buyer, SeatSelection, sign};
use ticket_rush::keys::Keys;

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test]
async fn an_order_is_shown_to_its_owner_only() -> Result<()> {
    let env = TestEnvironment::new().await?;
    let host = env.up().await?;
    let program = env.sale(1, 4, HOUR, 4).await?;
    let ann = env.buyer("ann")?;
    let eve = env.buyer("eve")?;
    let order = env
        .order(&ann, &program, SeatSelection::Best(1), "k1")
        .await?;
    assert_eq!(env.api.get_order(&eve, &order.order).await.http, 404);
    env.until_status(&ann, &order.order, "unpaid").await?;
    assert_eq!(env.api.get_order(&eve, &order.order).await.http, 404);
    assert_eq!(env.api.cancel(&eve, &order.order).await.http, 404);
    assert!(
        !env.api
            .list_orders(&eve)
            .await
            .body
            .to_string()
            .contains(&order.order)
    );
    env.until_status(&ann, &order.order, "unpaid").await?;
    host.stop().await?;
    env.remove().await
}

#[tokio::test]
async fn orders_need_a_valid_token() -> Result<()> {
    let env = TestEnvironment::new().await?;
    let host = env.up().await?;
    let program = env.sale(1, 4, HOUR, 4).await?;
    let stranger = Keys::at(&env.folder.path().join("other-keys"))?.token("ann", None, HOUR)?;
    let good = env.buyer("ann")?.token;
    let forged = format!(
        "{}.{}",
        &good[..good.rfind('.').unwrap_or(0)],
        "c2lnbmF0dXJl"
    );
    let unsigned = jsonwebtoken::encode(
        &jsonwebtoken::Header::default(),
        &json!({ "iss": "https://auth.example.test/", "aud": "ticket-sale", "sub": "ann",
        "exp": 4_000_000_000_u64 }),
        &jsonwebtoken::EncodingKey::from_secret(b"guess"),
    )?;
    for token in [
        stranger,
        forged,
        unsigned,
        "nonsense".to_owned(),
        String::new(),
    ] {
        let buyer = Buyer {
            user: "ann".to_owned(),
            token,
        };
        let answer = env
            .api
            .order(&buyer, &program, 0, &SeatSelection::Best(1), Some("k1"), 0)
            .await;
        assert_eq!(answer.http, 401, "{} {}", buyer.token, answer.body);
    }
    let no_scope = env
        .api
        .create_program(
            &env.buyer("ann")?,
            &json!({ "title": "Mine", "categories": [] }),
        )
        .await;
    assert_eq!(no_scope.http, 403, "{}", no_scope.body);
    env.until_free(&program, 4).await?;
    host.stop().await?;
    env.remove().await
}

#[tokio::test]
async fn a_payment_needs_the_signature_of_the_provider() -> Result<()> {
    let env = TestEnvironment::new().await?;
    let host = env.up().await?;
    let body =
        json!({ "reference": "p1", "order": "1234567890123", "amount_cents": 1000 }).to_string();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)?
        .as_secs();
    let stale = (now - 3600).to_string();
    let now = now.to_string();
    let right = "for-this-machine-only";
    let attempts = [
        (now.clone(), sign("guess", &now, &body)),
        (stale.clone(), sign(right, &stale, &body)),
        (now.clone(), sign(right, &now, "another body")),
        (now, "v1=00".to_owned()),
    ];
    for (time, signature) in attempts {
        let request = Client::new()
            .post(format!("http://{}/payments", env.environment.http))
            .body(body.clone());
        let request = request
            .header("X-Payment-Timestamp", &time)
            .header("X-Payment-Signature", &signature);
        assert_eq!(request.send().await?.status(), 401, "{time} {signature}");
    }
    assert_eq!(env.count("SELECT count(*) FROM payments").await?, 0);
    host.stop().await?;
    env.remove().await
}
