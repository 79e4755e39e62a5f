//! When the source of a login is asked again, and what its clients get.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use rdkafka::types::RDKafkaErrorCode as Code;

use super::*;

/// A source with a login that changes with each refusal, until it has no other.
#[derive(Debug, Default)]
struct Rotated {
    refused: AtomicUsize,
    last: usize,
}

fn password(number: usize) -> Login {
    Login {
        username: "alice".to_owned(),
        password: format!("password {number}"),
    }
}

#[async_trait]
impl LoginSource for Rotated {
    async fn login(&self, refused: bool) -> Result<Login, SourceError> {
        let refusals = self.refused.fetch_add(refused.into(), Ordering::SeqCst);
        Ok(password((refusals + usize::from(refused)).min(self.last)))
    }
}

async fn access(source: Arc<Rotated>) -> Arc<BrokerAccess> {
    let security = Security::Login {
        tls: TlsMaterial::default(),
        mechanism: Mechanism::ScramSha512,
        source,
    };
    let opened = BrokerAccess::open("127.0.0.1:9", security).await;
    opened.expect("a login")
}

fn refuse(access: &BrokerAccess) -> Option<Refusal> {
    access.failed(&KafkaError::Global(Code::Authentication), "bad password")
}

#[tokio::test]
async fn a_refused_login_is_replaced_in_every_client() {
    let source = Arc::new(Rotated {
        last: 1,
        ..Rotated::default()
    });
    let access = access(source.clone()).await;
    let (sender, receiver) = std::sync::mpsc::channel();
    for client in ["one", "two"] {
        let sender = sender.clone();
        access.on_login(move |login| {
            sender
                .send((client, login.clone()))
                .expect("the test waits");
        });
    }
    assert_eq!(access.config("a").get("sasl.password"), Some("password 0"));
    let renewing = tokio::spawn(access.clone().renew_login());
    assert!(refuse(&access).is_some());
    assert_eq!(refuse(&access), None, "known");
    let mut states = access.refusal.subscribe();
    states.wait_for(Option::is_none).await.expect("it lives");
    let replaced: Vec<_> = receiver.try_iter().collect();
    assert_eq!(replaced, [("one", password(1)), ("two", password(1))]);
    assert_eq!(access.config("a").get("sasl.password"), Some("password 1"));
    assert_eq!(source.refused.load(Ordering::SeqCst), 1, "asked once");
    renewing.abort();
}

#[tokio::test]
async fn a_source_without_another_login_changes_nothing() {
    let access = access(Arc::default()).await;
    access.on_login(|login| panic!("{login:?} is the refused one"));
    assert!(!access.replace_login(&password(0)));
    let pauses: Vec<_> = std::iter::successors(Some(MIN_PAUSE), |pause| Some(next_pause(*pause)))
        .map(|pause| pause.as_secs())
        .take(7)
        .collect();
    assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60]);
}

#[tokio::test]
async fn other_errors_and_fixed_security_ask_no_source() {
    let access = BrokerAccess::plaintext("127.0.0.1:9");
    access.clone().renew_login().await;
    let down = KafkaError::Global(Code::AllBrokersDown);
    assert_eq!(access.failed(&down, "1/1 brokers are down"), None);
    assert_eq!(access.refusal(), None);
    assert!(access.token().is_err());
}

#[tokio::test]
async fn a_success_forgets_the_refusal() {
    let access = BrokerAccess::plaintext("127.0.0.1:9");
    assert!(refuse(&access).is_some());
    assert_eq!(
        access.refusal().map(|refusal| refusal.kind),
        Some(RefusalKind::Login)
    );
    access.succeeded();
    assert_eq!(access.refusal(), None);
    assert!(refuse(&access).is_some(), "another one");
}
