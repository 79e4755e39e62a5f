//! Answers `GET /%FOLDER%?name=Ada`.

use std::collections::HashMap;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Deserialize;
use serde_json::{Value, json};

/// What this function reads of a request.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    #[serde(default)]
    query_string_parameters: HashMap<String, String>,
}

fn answer(request: &Request) -> Value {
    let name = request.query_string_parameters.get("name");
    let name = name.map_or("world", String::as_str);
    println!("a greeting for {name}");
    json!({
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json!({"message": format!("Hello, {name}")}).to_string(),
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let handle = async |event: LambdaEvent<Request>| Ok::<_, Error>(answer(&event.payload));
    lambda_runtime::run(service_fn(handle)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(event: &str) -> Value {
        let response = answer(&serde_json::from_str(event).unwrap());
        assert_eq!(response["statusCode"], 200);
        serde_json::from_str(response["body"].as_str().unwrap()).unwrap()
    }

    #[test]
    fn the_sample_request_is_greeted_by_name() {
        let event = include_str!("../../../events/%FOLDER%/one.json");
        assert_eq!(body(event)["message"], "Hello, Ada");
    }

    #[test]
    fn a_request_without_a_name_is_greeted() {
        assert_eq!(body("{}")["message"], "Hello, world");
    }
}
