//! Settings that all Kafka clients of this crate share.

use rdkafka::config::ClientConfig;

use crate::settings::KafkaSecurity;

/// Base settings of a client: addresses, encryption and authentication.
pub(crate) fn client_config(brokers: &str, security: &KafkaSecurity, client: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers)
        .set("client.id", client)
        .set("socket.keepalive.enable", "true")
        .set("socket.nagle.disable", "true")
        .set("reconnect.backoff.max.ms", "1000")
        // Metadata of other topics is not needed.
        .set("topic.metadata.refresh.sparse", "true");
    match security {
        KafkaSecurity::Plaintext => {}
        KafkaSecurity::SaslSsl {
            mechanism,
            username,
            password,
        } => {
            config
                .set("security.protocol", "sasl_ssl")
                .set("sasl.mechanisms", mechanism)
                .set("sasl.username", username)
                .set("sasl.password", password.expose());
        }
    }
    config
}
