//! The form of each token, as its service reads it.

use std::time::{Duration, SystemTime};

use aws_access::{Access, Credentials, Endpoints, RedisService};

fn access() -> Access {
    let credentials = Credentials::new("AKID", "key", Some("session".into()));
    Access::new("eu-central-1", credentials, Endpoints::default())
}

#[tokio::test]
async fn a_database_token_names_host_port_and_user() {
    let token = access()
        .database_token("db.example", 5432, "usher writer")
        .await;
    let token = token.expect("signed");
    let text = token.text.expose();
    assert!(
        text.starts_with("db.example:5432/?Action=connect&DBUser=usher%20writer&"),
        "{text}"
    );
    assert!(text.contains("X-Amz-Security-Token=session"), "{text}");
    let left = token
        .expires
        .duration_since(SystemTime::now())
        .expect("not expired");
    assert!(left > Duration::from_secs(840) && left <= Duration::from_secs(900));
    assert!(!format!("{token:?}").contains("X-Amz"));
}

#[tokio::test]
async fn a_redis_token_names_the_lower_case_cache() {
    let serverless = RedisService::ElastiCacheServerless;
    let token = access()
        .redis_token(serverless, "Usher-Cache", "usher")
        .await;
    let token = token.expect("signed");
    let text = token.text.expose();
    let begin = "usher-cache/?Action=connect&ResourceType=ServerlessCache&User=usher&";
    assert!(text.starts_with(begin), "{text}");
    assert!(text.contains("%2Felasticache%2Faws4_request"), "{text}");
    let token = access()
        .redis_token(RedisService::MemoryDb, "gate", "usher")
        .await;
    let token = token.expect("signed");
    assert!(token.text.expose().contains("%2Fmemorydb%2Faws4_request"));
}

#[tokio::test]
async fn a_kafka_token_is_a_url_in_base64() {
    let token = access().kafka_token().await.expect("signed");
    let decoded = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(token.text.expose());
    let url = String::from_utf8(decoded.expect("base64url without padding")).expect("text");
    assert!(
        url.starts_with(
            "https://kafka.eu-central-1.amazonaws.com/?Action=kafka-cluster%3AConnect&"
        ),
        "{url}"
    );
    assert!(
        url.contains("X-Amz-Expires=900") && url.ends_with("&User-Agent=aws-access"),
        "{url}"
    );
}
