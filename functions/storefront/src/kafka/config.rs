//! How the clients of this crate reach the brokers, and what to do when they are refused.

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use kafka_producer::{
    AccessError, BrokerAccess, Login, LoginSource, Mechanism, PolledProducer, Refusal, RefusalKind,
    Security, SourceError, TlsIdentity, TlsMaterial, Token, TokenSource,
};
use rdkafka::producer::{Partitioner, ProducerContext};
use shared::access::{self, Access, Certificates};

use crate::settings::KafkaSecurity;

/// From the settings, with the certificates, logins and tokens of `access`.
pub fn broker_security(settings: &KafkaSecurity, access: &Access) -> Result<Security, AccessError> {
    let unopened = || AccessError::Login(Box::new(access::SourceError::Unopened));
    Ok(match settings {
        KafkaSecurity::Plaintext => Security::Plaintext,
        KafkaSecurity::Ssl => Security::Tls(tls(access.certificates())),
        KafkaSecurity::SaslSsl { mechanism, login } => Security::Login {
            tls: tls(access.certificates()),
            mechanism: *mechanism,
            source: Arc::new(BrokerLogin(
                access.login(login).ok().flatten().ok_or_else(unopened)?,
            )),
        },
        KafkaSecurity::Iam => Security::Token {
            tls: tls(access.certificates()),
            source: Arc::new(BrokerTokens(access.kafka_tokens().ok_or_else(unopened)?)),
        },
    })
}

/// PEM is text; other bytes are an error of librdkafka, which names its setting.
fn tls(certificates: &Certificates) -> TlsMaterial {
    let text = |pem: &[u8]| String::from_utf8_lossy(pem).into_owned();
    let authorities = &certificates.authorities;
    TlsMaterial {
        authorities: (!authorities.is_empty()).then(|| text(authorities)),
        identity: certificates.identity.as_ref().map(|own| TlsIdentity {
            certificate: text(&own.certificate),
            key: text(&own.key),
        }),
    }
}

#[derive(Debug)]
struct BrokerLogin(access::ServerLogin);

#[async_trait]
impl LoginSource for BrokerLogin {
    async fn login(&self, refused: bool) -> Result<Login, SourceError> {
        let login = self.0.login(refused).await?;
        let (Some(username), Some(password)) = (login.user, login.password) else {
            return Err("the login of the brokers needs a user name and a password".into());
        };
        let password = password.expose().to_owned();
        Ok(Login { username, password })
    }
}

#[derive(Debug)]
struct BrokerTokens(access::KafkaTokens);

#[async_trait]
impl TokenSource for BrokerTokens {
    async fn token(&self) -> Result<Token, SourceError> {
        let (token, expires) = self.0.token().await?;
        let expires = expires.duration_since(SystemTime::UNIX_EPOCH)?;
        Ok(Token {
            value: token.expose().to_owned(),
            principal: "usher".to_owned(),
            expires_ms: i64::try_from(expires.as_millis())?,
        })
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
