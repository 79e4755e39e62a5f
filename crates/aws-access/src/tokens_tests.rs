//! Tokens are compared with those of botocore, which has a signer of its own.

use super::*;

const VECTORS: &str = include_str!("fixtures/botocore-tokens.txt");

/// 2026-11-30T12:00:00Z.
fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_796_040_000)
}

fn credentials(
    session: Option<&str>,
    expiry: Option<SystemTime>,
) -> aws_credential_types::Credentials {
    aws_credential_types::Credentials::new(
        "AKIDEXAMPLE",
        "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
        session.map(str::to_owned),
        expiry,
        "test",
    )
}

/// The parameters of a URL, sorted: their order differs between signers, and has no meaning.
fn parts(url: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = url.split(['?', '&']).collect();
    parts[1..].sort_unstable();
    parts
}

#[test]
fn tokens_equal_those_of_botocore() {
    let mut compared = 0;
    for line in VECTORS.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split(' ').collect();
        let [service, session, url, signed] = fields[..] else {
            panic!("four fields: {line}");
        };
        let scope = Scope {
            region: "eu-central-1",
            service,
            time: noon(),
        };
        let session = (session != "-").then_some(session);
        let made = presigned(scope, credentials(session, None), url).expect("signed");
        assert_eq!(parts(&made.url), parts(signed));
        assert_eq!(made.expires, noon() + VALID);
        compared += 1;
    }
    assert_eq!(compared, 10);
}

#[test]
fn a_token_ends_with_its_credentials() {
    let scope = Scope {
        region: "eu-central-1",
        service: "rds-db",
        time: noon(),
    };
    let end = noon() + Duration::from_secs(60);
    let made = presigned(
        scope,
        credentials(None, Some(end)),
        "https://db:5432/?Action=connect",
    );
    assert_eq!(made.expect("signed").expires, end);
}
