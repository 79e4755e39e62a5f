//! TLS: what is trusted, what is refused, and how the refusal is explained.

use std::time::{Duration, Instant};

use redis_link::{
    ClientCertificate, Link, LinkError, LinkOptions, Refusal, RefusalReason, SettingNames,
    TlsMaterial,
};
use testkit::redis::PrivateRedis;
use testkit::tls::{Authority, Identity};

use crate::TIMEOUT;
use crate::counter::Counter;

const NAMES: SettingNames = SettingNames {
    url: "REDIS_URL",
    login: "REDIS_PASSWORD",
    authorities: "TLS_CA_FILE",
    client_certificate: "TLS_CERTIFICATE_FILE",
};

pub(crate) fn options(authorities: Vec<u8>, client: Option<&Identity>) -> LinkOptions {
    LinkOptions {
        tls: TlsMaterial {
            authorities,
            client: client.map(|identity| ClientCertificate {
                chain: identity.certificate_pem(),
                key: identity.key_pem(),
            }),
        },
        names: NAMES,
        ..LinkOptions::default()
    }
}

fn link(scheme: &str, port: u16, options: LinkOptions) -> Link {
    let url = format!("{scheme}://127.0.0.1:{port}");
    Link::open_with(&url, TIMEOUT, options).expect("a usable address")
}

/// The refusal of a call, which must come well before the timeout.
pub(crate) async fn refusal(link: &Link) -> Refusal {
    let began = Instant::now();
    let refused = Counter::new(link, "key").add().await;
    let took = began.elapsed();
    match refused {
        Err(LinkError::Refused(refusal)) if took < TIMEOUT => refusal,
        other => panic!("no refusal but {other:?} after {took:?}"),
    }
}

#[tokio::test]
async fn a_private_authority_is_trusted() {
    let authority = Authority::new();
    let (_server, port) = PrivateRedis::start_with_tls(&authority.server(), &[]);
    let link = link("rediss", port, options(authority.pem(), None));
    assert_eq!(Counter::new(&link, "key").add().await, Ok(1));
    // Blocking reads and subscriptions have connections of their own.
    let mut wait = redis::cmd("BLPOP");
    wait.arg("list").arg("0.01");
    let (answer, _) = link
        .blocking()
        .run(wait, Duration::from_millis(10), None)
        .await
        .expect("answers");
    assert_eq!(answer, redis::Value::Nil);
    link.subscribe(&["channel".into()])
        .await
        .expect("subscribes");
}

#[tokio::test]
async fn a_certificate_is_refused_for_what_is_wrong() {
    let authority = Authority::new();
    for (identity, authorities, reason, setting) in [
        (
            authority.server(),
            Authority::new().pem(),
            RefusalReason::UnknownAuthority,
            "TLS_CA_FILE",
        ),
        (
            authority.server(),
            Vec::new(),
            RefusalReason::UnknownAuthority,
            "TLS_CA_FILE",
        ),
        (
            authority.server_with_other_name(),
            authority.pem(),
            RefusalReason::OtherName,
            "REDIS_URL",
        ),
        (
            authority.expired_server(),
            authority.pem(),
            RefusalReason::Expired,
            "the server's certificate",
        ),
    ] {
        let (_server, port) = PrivateRedis::start_with_tls(&identity, &[]);
        let link = link("rediss", port, options(authorities, None));
        let refusal = refusal(&link).await;
        let server = format!("127.0.0.1:{port}");
        assert_eq!(
            refusal,
            Refusal {
                server: server.clone(),
                reason,
                setting
            }
        );
        let text = LinkError::from(refusal).to_string();
        assert!(text.contains(&server) && text.contains(setting), "{text}");
    }
}

#[tokio::test]
async fn a_client_certificate_is_shown_and_demanded() {
    let authority = Authority::new();
    let file = authority.file();
    let file = file.to_str().expect("a path in UTF-8");
    let demanding = ["--tls-auth-clients", "yes", "--tls-ca-cert-file", file];
    let (_server, port) = PrivateRedis::start_with_tls(&authority.server(), &demanding);

    let client = authority.client("usher");
    let accepted = link("rediss", port, options(authority.pem(), Some(&client)));
    assert_eq!(Counter::new(&accepted, "key").add().await, Ok(1));

    let other = Authority::new();
    let stranger = other.client("usher");
    for shown in [None, Some(&stranger)] {
        let refusal = refusal(&link("rediss", port, options(authority.pem(), shown))).await;
        assert!(
            matches!(refusal.reason, RefusalReason::ClientCertificate(_)),
            "{refusal}"
        );
        assert_eq!(refusal.setting, "TLS_CERTIFICATE_FILE");
    }
}

#[tokio::test]
async fn the_wrong_kind_of_port_is_recognised() {
    let authority = Authority::new();
    let (server, port) = PrivateRedis::start_with_tls(&authority.server(), &[]);
    let secured = link("rediss", server.port(), options(authority.pem(), None));
    let plain = refusal(&secured).await;
    assert_eq!(
        (plain.reason, plain.setting),
        (RefusalReason::PlainServer, "REDIS_URL")
    );

    let tls = refusal(&link("redis", port, options(Vec::new(), None))).await;
    assert_eq!(
        (tls.reason, tls.setting),
        (RefusalReason::TlsServer, "REDIS_URL")
    );
}

#[test]
fn material_that_is_no_pem_is_refused_at_once() {
    let authority = Authority::new();
    let broken_key = ClientCertificate {
        chain: authority.server().certificate_pem(),
        key: b"no key".to_vec(),
    };
    for (authorities, client, setting) in [
        (b"no certificate".to_vec(), None, "TLS_CA_FILE"),
        (authority.pem(), Some(broken_key), "TLS_CERTIFICATE_FILE"),
    ] {
        let options = LinkOptions {
            tls: TlsMaterial {
                authorities,
                client,
            },
            names: NAMES,
            ..LinkOptions::default()
        };
        let refused = Link::open_with("rediss://localhost", TIMEOUT, options).map(drop);
        assert!(
            matches!(&refused, Err(LinkError::Protocol(text)) if text.contains(setting)),
            "{refused:?}"
        );
    }
}
