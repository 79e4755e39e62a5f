//! A message is read from a JSON object only, never from an array by position.

use lambda_batch::{BadContent, MessageBody, SqsMessage};
use serde::de::DeserializeOwned;

use super::{OrderRequested, StreamEntry};
use crate::api_calls::ApiCall;

fn refuses<T: DeserializeOwned>(array: &str) {
    let message = SqsMessage {
        id: "m".to_owned(),
        body: MessageBody::Text(array.to_owned()),
        attributes: vec![],
        receive_count: None,
        sent_ms: None,
        group: None,
        queue: None,
    };
    let refused = message.parse_json::<T>().err();
    let Some(BadContent::Json(error)) = refused else {
        panic!("{array} is refused as JSON of another shape: {refused:?}");
    };
    assert!(error.contains("invalid type: sequence"), "{array}: {error}");
}

#[test]
fn an_array_is_no_message() {
    let nonce = "00".repeat(16);
    let hash = "ab".repeat(32);
    refuses::<OrderRequested>(&format!(
        r#"[1,"381265920001048577","{nonce}","alice","17",0,[4,5],2500,5000,"k-1","{hash}",1795000000000,null]"#
    ));
    refuses::<ApiCall>(&format!(
        r#"[1,"{nonce}",1795000000000,"GET","/orders","/orders?wait=2",200,1834,"curl","alice","192.0.2.7",null,"i"]"#
    ));
    for empty in ["[]", "[[]]"] {
        refuses::<OrderRequested>(empty);
        refuses::<ApiCall>(empty);
        refuses::<StreamEntry>(empty);
    }
}
