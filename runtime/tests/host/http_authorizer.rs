//! JWT authorizers of an HTTP API over a real listener.

use jsonwebtoken::{Algorithm, EncodingKey};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::http_fixture::{
    KNOWN, STRANGER, claims, get, good_token, guarded, key_store, message, serve_with, token,
};

#[tokio::test]
async fn a_valid_tokens_claims_reach_the_function() {
    let server = serve_with(guarded(), Some(key_store().await)).await;
    let token = good_token(&json!({"scope": "read write"}));
    for presented in [format!("Bearer {token}"), token.clone()] {
        let response = get(&server, "/write", Some(&presented)).await;
        assert_eq!(response.status(), StatusCode::OK);
        let event = response.json::<Value>().await.unwrap()["event"].clone();
        let jwt = &event["requestContext"]["authorizer"]["jwt"];
        assert_eq!(
            (&jwt["claims"]["sub"], &jwt["claims"]["exp"]),
            (&json!("alice"), &json!("4000000000"))
        );
        assert_eq!(
            (&jwt["claims"]["groups"], &jwt["scopes"]),
            (&json!("[a b]"), &json!(["write"]))
        );
    }
    assert_eq!(
        get(&server, "/open", None).await.status(),
        StatusCode::OK,
        "a route without an authorizer needs no token"
    );
}

#[tokio::test]
async fn requests_without_a_valid_token_are_denied() {
    let server = serve_with(guarded(), Some(key_store().await)).await;
    let known = EncodingKey::from_rsa_pem(KNOWN.as_bytes()).unwrap();
    let stranger = EncodingKey::from_rsa_pem(STRANGER.as_bytes()).unwrap();
    let plain = claims(&json!({}));
    let good = good_token(&json!({}));
    let (head, rest) = good.split_once('.').unwrap();
    let (_, signature) = rest.split_once('.').unwrap();
    let encode = |value: &Value| {
        base64::Engine::encode(
            &base64::engine::general_purpose::URL_SAFE_NO_PAD,
            value.to_string(),
        )
    };
    let none = format!(
        "{}.{}.",
        encode(&json!({"alg": "none", "kid": "k1"})),
        encode(&plain)
    );
    let swapped = format!(
        "{head}.{}.{signature}",
        encode(&claims(&json!({"sub": "mallory"})))
    );
    let tokens = [
        ("no signature", none),
        ("claims swapped under a signature", swapped),
        (
            "another key under the known id",
            token(Algorithm::RS256, "k1", &stranger, &plain),
        ),
        (
            "an unknown key id",
            token(Algorithm::RS256, "k2", &known, &plain),
        ),
        (
            "another algorithm than the key's",
            token(Algorithm::RS512, "k1", &known, &plain),
        ),
        (
            "a shared secret made of public things",
            token(
                Algorithm::HS256,
                "k1",
                &EncodingKey::from_secret(KNOWN.as_bytes()),
                &plain,
            ),
        ),
        ("expired", good_token(&json!({"exp": 1_000_000_000}))),
        (
            "not yet valid",
            good_token(&json!({"nbf": 3_999_999_999_u64})),
        ),
        (
            "another issuer",
            good_token(&json!({"iss": "https://issuer.test"})),
        ),
        (
            "another audience",
            good_token(&json!({"aud": "other", "client_id": "app"})),
        ),
        ("noise", "a.b.c".into()),
        ("nothing", String::new()),
    ];
    for (what, token) in tokens {
        let response = get(&server, "/mine", Some(&format!("Bearer {token}"))).await;
        assert!(
            response.headers()["www-authenticate"]
                .to_str()
                .unwrap()
                .starts_with("Bearer"),
            "{what}"
        );
        assert_eq!(
            message(response).await,
            (StatusCode::UNAUTHORIZED, json!({"message": "Unauthorized"})),
            "{what}"
        );
    }
    assert_eq!(
        get(&server, "/mine", None).await.status(),
        StatusCode::UNAUTHORIZED
    );
    let unscoped = get(
        &server,
        "/write",
        Some(&good_token(&json!({"scope": "read writer"}))),
    )
    .await;
    assert_eq!(
        message(unscoped).await,
        (StatusCode::FORBIDDEN, json!({"message": "Forbidden"}))
    );
}

#[tokio::test]
async fn an_authorizer_without_keys_is_not_served() {
    let server = serve_with(guarded(), None).await;
    let refused = server.serving.await.unwrap().unwrap_err().to_string();
    assert!(
        refused.contains("GET /mine") && refused.contains("--jwks FILE"),
        "{refused}"
    );
}
