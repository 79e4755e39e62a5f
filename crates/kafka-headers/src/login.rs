//! The login of a client that runs.

use std::ffi::CString;

use rdkafka::ClientContext;
use rdkafka::bindings::{
    rd_kafka_error_code, rd_kafka_error_destroy, rd_kafka_sasl_set_credentials,
};
use rdkafka::client::Client;
use rdkafka::error::RDKafkaErrorCode;

/// Sets the user name and password that a client uses from its next authentication on (PLAIN and
/// SCRAM). Existing connections are kept; queued records and requests stay queued. librdkafka
/// attempts to connect again at once where the earlier login was refused.
///
/// # Errors
/// A text contains a NUL byte, or the client uses another mechanism.
#[allow(
    unsafe_code,
    reason = "rdkafka has no API for the login of a client that runs"
)]
pub fn set_login<C: ClientContext>(
    client: &Client<C>,
    username: &str,
    password: &str,
) -> Result<(), RDKafkaErrorCode> {
    let text = |text| CString::new(text).map_err(|_| RDKafkaErrorCode::InvalidArgument);
    let (username, password) = (text(username)?, text(password)?);
    // SAFETY: the handle is live while `client` is borrowed, and thread-safe. librdkafka copies both
    // NUL-terminated strings before it returns.
    let error = unsafe {
        rd_kafka_sasl_set_credentials(client.native_ptr(), username.as_ptr(), password.as_ptr())
    };
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: `error` is not null, belongs to this function, and is not used after it is destroyed.
    unsafe {
        let code = rd_kafka_error_code(error);
        rd_kafka_error_destroy(error);
        Err(code.into())
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::ClientConfig;
    use rdkafka::consumer::{BaseConsumer, Consumer};

    use super::*;

    #[test]
    fn only_texts_that_c_can_hold_are_set() {
        let consumer: BaseConsumer = ClientConfig::new().create().expect("a client");
        let client = consumer.client();
        assert_eq!(set_login(client, "alice", "any text: #?% \""), Ok(()));
        let refused = Err(RDKafkaErrorCode::InvalidArgument);
        assert_eq!(set_login(client, "al\0ice", "secret"), refused);
        assert_eq!(set_login(client, "alice", "sec\0ret"), refused);
    }
}
