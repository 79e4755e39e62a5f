//! Encrypted brokers: logins, client certificates and tokens, and the errors of wrong ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use base64_simd::URL_SAFE_NO_PAD;
use kafka_producer::{
    BrokerAccess, Login, LoginSource, Mechanism, Security, SourceError, TlsIdentity, TlsMaterial,
    Token, TokenSource,
};
use shared::access::Access;
use storefront::kafka::{BrokerError, KafkaOrders, PublishOrders, Published, broker_security};
use testkit::aws::SecretsServer;
use testkit::eventually_within;
use testkit::kafka::PrivateKafka;
use testkit::tls::{Authority, TlsServer};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::support::settings;
use crate::topics::create_topic;

const TOPIC: &str = "orders";
const DELIVERY: Duration = Duration::from_secs(10);
/// A refusal is reported within this time.
const REPORTED: Duration = Duration::from_secs(5);

struct Cluster {
    kafka: PrivateKafka,
    login: String,
    mutual: String,
}

impl Cluster {
    async fn start() -> Self {
        let kafka = PrivateKafka::secured();
        let [login, mutual] = kafka.secured_brokers();
        create_topic(&kafka.brokers(), TOPIC).await;
        Self {
            kafka,
            login,
            mutual,
        }
    }

    /// Trusts the cluster's authority.
    fn tls(&self) -> TlsMaterial {
        TlsMaterial {
            authorities: Some(self.kafka.pem("ca.pem")),
            identity: None,
        }
    }

    fn with_password(&self, mechanism: Mechanism, password: &str) -> Security {
        self.with_source(mechanism, Arc::new(alice(password)))
    }

    fn with_source(&self, mechanism: Mechanism, source: Arc<dyn LoginSource>) -> Security {
        Security::Login {
            tls: self.tls(),
            mechanism,
            source,
        }
    }

    fn with_certificate(&self) -> Security {
        Security::Tls(TlsMaterial {
            identity: Some(TlsIdentity {
                certificate: self.kafka.pem("alice.pem"),
                key: self.kafka.pem("alice.key"),
            }),
            ..self.tls()
        })
    }
}

fn alice(password: &str) -> Login {
    Login {
        username: "alice".to_owned(),
        password: password.to_owned(),
    }
}

async fn open(servers: &str, security: Security) -> KafkaOrders {
    let access = BrokerAccess::open(servers, security)
        .await
        .expect("a login");
    tokio::spawn(access.clone().renew_login());
    KafkaOrders::open(access, TOPIC, DELIVERY, Duration::ZERO).expect("valid settings")
}

async fn publish(orders: &KafkaOrders) -> Published {
    orders.put_back(TOPIC, None, Some(b"a record")).await
}

/// The text of the error that the brokers, or their certificate, are refused with.
async fn refusal(servers: &str, security: Security) -> String {
    let shown = format!("{servers} refuses {security:?}");
    let orders = open(servers, security).await;
    eventually_within(REPORTED, &shown, async || match orders.ready().await {
        Err(error @ BrokerError::Refused(_)) => Some(error.to_string()),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn every_authentication_publishes_or_is_refused_by_name() {
    let cluster = Cluster::start().await;
    let logins = Mechanism::ALL.map(|mechanism| {
        let security = cluster.with_password(mechanism, "alice-secret");
        (&cluster.login, security)
    });
    let token = Security::Token {
        tls: cluster.tls(),
        source: Arc::new(UnsignedTokens),
    };
    let others = [
        (&cluster.login, token),
        (&cluster.mutual, cluster.with_certificate()),
    ];
    for (servers, security) in logins.into_iter().chain(others) {
        let shown = format!("{security:?}");
        let orders = open(servers, security).await;
        let published = publish(&orders).await;
        assert!(
            matches!(published, Published::Acknowledged { .. }),
            "{shown}: {published:?}"
        );
        orders.ready().await.expect("they answer");
    }

    for mechanism in Mechanism::ALL {
        let why = refusal(&cluster.login, cluster.with_password(mechanism, "a guess")).await;
        assert!(
            why.contains("KAFKA_PASSWORD") && !why.contains("a guess"),
            "{why}"
        );
    }
    let tokens = Security::Token {
        tls: cluster.tls(),
        source: Arc::new(NoTokens),
    };
    let why = refusal(&cluster.login, tokens).await;
    assert!(
        why.contains("the role may not sign") && why.contains("iam"),
        "{why}"
    );

    // Only the system's authorities, which did not issue the certificate.
    let why = refusal(&cluster.login, Security::Tls(TlsMaterial::default())).await;
    assert!(why.contains("TLS_CA_FILE"), "{why}");
    let stranger = TlsMaterial {
        authorities: Some(cluster.kafka.pem("alice.pem")),
        identity: None,
    };
    let why = refusal(&cluster.login, Security::Tls(stranger)).await;
    assert!(why.contains("TLS_CA_FILE"), "{why}");
    let other_name = at_another_address(&cluster.login).await;
    let why = refusal(
        &other_name,
        cluster.with_password(Mechanism::Plain, "alice-secret"),
    )
    .await;
    assert!(why.contains("KAFKA_BROKERS"), "{why}");
    let why = refusal(&cluster.mutual, Security::Tls(cluster.tls())).await;
    assert!(why.contains("TLS_CERTIFICATE_FILE"), "{why}");
}

#[tokio::test]
async fn an_expired_certificate_is_refused_by_name() {
    let authority = Authority::new();
    let server = TlsServer::start(&authority.expired_server()).await;
    let trusting = TlsMaterial {
        authorities: Some(String::from_utf8(authority.pem()).expect("PEM is text")),
        identity: None,
    };
    let servers = format!("127.0.0.1:{}", server.port());
    let why = refusal(&servers, Security::Tls(trusting)).await;
    // librdkafka reports that the certificate is refused, and not why. So the text names each cause.
    for part in [&servers, "valid today", "TLS_CA_FILE", "KAFKA_BROKERS"] {
        assert!(why.contains(part), "{part} is missing: {why}");
    }
}

#[tokio::test]
async fn a_rotated_login_keeps_the_orders_that_wait() {
    let cluster = Cluster::start().await;
    let source = Arc::new(Rotated::default());
    let security = cluster.with_source(Mechanism::ScramSha512, source.clone());
    let orders = open(&cluster.login, security).await;
    // Queued while the login is refused, and sent with the next one.
    let published = publish(&orders).await;
    assert!(
        matches!(published, Published::Acknowledged { .. }),
        "{published:?}"
    );
    assert!(source.refused.load(Ordering::SeqCst));
    orders.ready().await.expect("they answer");
}

#[tokio::test]
async fn a_rotated_secret_keeps_the_orders_that_wait() {
    const LOGIN: &str = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:kafka-AbCdEf";
    const CA: &str = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:ca-AbCdEf";
    let cluster = Cluster::start().await;
    let secrets = SecretsServer::start().await;
    let login = |password: &str| format!(r#"{{"username":"alice","password":"{password}"}}"#);
    secrets.put(LOGIN, &login("an old one"));
    secrets.put(CA, &cluster.kafka.pem("ca.pem"));
    let variables = secrets.variables();
    let given = [
        ("KAFKA_BROKERS", cluster.login.as_str()),
        ("KAFKA_SECURITY", "sasl_ssl"),
        ("KAFKA_SECRET_ARN", LOGIN),
        ("TLS_CA_SECRET_ARN", CA),
    ];
    let aws = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let settings = settings(&aws.chain(given).collect::<Vec<_>>());
    let access = Access::open(&settings.access).await.expect("both secrets");
    let security = broker_security(&settings.security, &access).expect("a login");
    let orders = open(&settings.brokers, security).await;
    let publishing = publish(&orders);
    secrets.put(LOGIN, &login("alice-secret"));
    let published = publishing.await;
    assert!(
        matches!(published, Published::Acknowledged { .. }),
        "{published:?}"
    );
    let of_login = |(arn, _): &&(String, String)| arn == LOGIN;
    assert!(secrets.reads().iter().filter(of_login).count() >= 2);
}

/// Returns an old password until it is called for a refused login.
#[derive(Debug, Default)]
struct Rotated {
    refused: AtomicBool,
}

#[async_trait::async_trait]
impl LoginSource for Rotated {
    async fn login(&self, refused: bool) -> Result<Login, SourceError> {
        self.refused.fetch_or(refused, Ordering::SeqCst);
        Ok(alice(if refused {
            "alice-secret"
        } else {
            "an old one"
        }))
    }
}

/// Tokens as Kafka's own validator for tests accepts them.
#[derive(Debug)]
struct UnsignedTokens;

#[async_trait::async_trait]
impl TokenSource for UnsignedTokens {
    async fn token(&self) -> Result<Token, SourceError> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        let (issued, expires) = (now.as_secs(), now.as_secs() + 600);
        let claims = format!(r#"{{"sub":"alice","iat":{issued},"exp":{expires}}}"#);
        let [header, claims] =
            [r#"{"alg":"none"}"#, &claims].map(|part| URL_SAFE_NO_PAD.encode_to_string(part));
        Ok(Token {
            value: format!("{header}.{claims}."),
            principal: "alice".to_owned(),
            expires_ms: expires as i64 * 1000,
        })
    }
}

#[derive(Debug)]
struct NoTokens;

#[async_trait::async_trait]
impl TokenSource for NoTokens {
    async fn token(&self) -> Result<Token, SourceError> {
        Err("the role may not sign".into())
    }
}

/// An address that the certificate of these servers does not name.
async fn at_another_address(servers: &str) -> String {
    let servers = servers.to_owned();
    let listener = TcpListener::bind("127.0.0.2:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = TcpStream::connect(&servers).await.expect("the broker runs");
            tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
        }
    });
    address
}
