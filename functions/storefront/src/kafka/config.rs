//! How the clients of this crate reach the brokers, and what to do when they are refused.

use std::sync::Arc;

use kafka_producer::{
    BrokerAccess, Login, Mechanism, PolledProducer, Refusal, RefusalKind, Security, TlsMaterial,
};
use rdkafka::producer::{Partitioner, ProducerContext};

use crate::settings::KafkaSecurity;

/// From the settings. `tls`: authorities that are trusted beside those of the system, and the
/// client's certificate.
pub fn broker_security(settings: &KafkaSecurity, tls: TlsMaterial) -> Security {
    match settings {
        KafkaSecurity::Plaintext => Security::Plaintext,
        KafkaSecurity::Ssl => Security::Tls(tls),
        KafkaSecurity::SaslSsl {
            mechanism,
            username,
            password,
        } => Security::Login {
            tls,
            mechanism: *mechanism,
            source: Arc::new(Login {
                username: username.clone(),
                password: password.expose().to_owned(),
            }),
        },
    }
}

/// Passes each further login to a producer, as long as the producer lives.
pub(crate) fn follow_logins<C, P>(access: &BrokerAccess, producer: &Arc<PolledProducer<C, P>>)
where
    C: ProducerContext<P> + Clone + 'static,
    P: Partitioner + Send + Sync + 'static,
{
    let producer = Arc::downgrade(producer);
    access.on_login(move |login| {
        let Some(producer) = producer.upgrade() else {
            return;
        };
        if let Err(error) = producer.set_login(login) {
            tracing::error!(%error, "the new login of the brokers cannot be used");
        }
    });
}

/// What to check after a refusal.
pub(super) fn hint(refusal: &Refusal) -> &'static str {
    match refusal.kind {
        RefusalKind::Login => {
            "check KAFKA_SECURITY, KAFKA_SASL_MECHANISM, KAFKA_USERNAME and KAFKA_PASSWORD, or the \
             secret of KAFKA_SECRET_ARN; for iam, the permissions of the function's role"
        }
        RefusalKind::Certificate => {
            "the brokers' certificate must be valid today, be issued by an authority of the system \
             or of TLS_CA_FILE, and have the host of KAFKA_BROKERS as a name; brokers that verify \
             clients need TLS_CERTIFICATE_FILE and TLS_KEY_FILE"
        }
    }
}

/// The mechanism of a setting.
pub(crate) fn mechanism(text: &str) -> Option<Mechanism> {
    Mechanism::ALL
        .into_iter()
        .find(|mechanism| mechanism.name() == text)
}
