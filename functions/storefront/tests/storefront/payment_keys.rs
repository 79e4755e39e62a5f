//! The provider's key is replaced while payments arrive.

use kafka_producer::BrokerAccess;
use serde_json::{Value, json};
use shared::access::Access;
use storefront::App;
use testkit::aws::SecretsServer;

use crate::payments::{notify, two_orders};
use crate::support::{Scripted, problem, settings};

const KEYS: &str = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:payments-AbCdEf";
const OLD: &str = "the old key of the provider";
const NEW: &str = "the new key of the provider";

async fn open(server: &SecretsServer, publisher: &std::sync::Arc<Scripted>) -> App {
    let variables = server.variables();
    let mut more: Vec<(&str, &str)> = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    more.extend([
        ("PAYMENT_WEBHOOK_SECRET", ""),
        ("PAYMENT_WEBHOOK_SECRET_ARN", KEYS),
    ]);
    let settings = settings(&more);
    let access = Access::open(&settings.access)
        .await
        .expect("the keys are read");
    let brokers = BrokerAccess::plaintext(settings.brokers.as_str());
    let app = App::with_publisher(settings, &access, publisher.clone(), brokers).expect("opens");
    app.store
        .migrate()
        .await
        .expect("Postgres runs (scripts/servers start)");
    app
}

fn payment(reference: &str, order: &str) -> Value {
    json!({"reference": reference, "order": order, "amount_cents": 200})
}

async fn result(app: &App, body: &Value, key: &str) -> String {
    let reply = app.serve(&notify(body, key)).await.expect("verified");
    reply.body["result"].as_str().expect("a result").to_owned()
}

#[tokio::test]
async fn both_keys_verify_while_the_provider_changes_them() {
    let server = SecretsServer::start().await;
    server.put(KEYS, OLD);
    let publisher = Scripted::new([]);
    let app = open(&server, &publisher).await;
    let [first, second] = two_orders(&app, &publisher).await;
    assert_eq!(result(&app, &payment("r1", &first), OLD).await, "applied");

    // The key is published beside the old one; the process learns it from the first signature.
    server.put(KEYS, &json!({"current": OLD, "next": NEW}).to_string());
    tokio::time::sleep(shared::access::KEYS_PAUSE).await;
    assert_eq!(result(&app, &payment("r2", &second), NEW).await, "applied");
    assert_eq!(result(&app, &payment("r1", &first), OLD).await, "duplicate");

    // A forged signature is refused and causes no further read for a while.
    let reads = server.reads().len();
    let forged = notify(&payment("r3", &second), "a key that is not the provider's");
    for _ in 0..5 {
        assert_eq!(problem(app.serve(&forged).await), (401, "bad_signature"));
    }
    assert_eq!(server.reads().len(), reads);
}

#[tokio::test]
async fn payments_are_answered_503_while_no_key_can_be_read() {
    let server = SecretsServer::start().await;
    for _ in 0..4 {
        server.fail(503, "", "");
    }
    server.put(KEYS, OLD);
    let publisher = Scripted::new([]);
    let app = open(&server, &publisher).await;
    let call = notify(&payment("r1", "1"), OLD);
    let refused = app.serve(&call).await.expect_err("no key");
    assert_eq!((refused.status, refused.code), (503, "unavailable"));
    assert!(refused.retry_after.is_some(), "the provider repeats it");
}
