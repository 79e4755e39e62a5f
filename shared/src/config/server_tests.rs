//! Logins: one place for a password, and never printed.

use super::*;

const SECRET: &str = "arn:aws:secretsmanager:eu-central-1:1:secret:login-AbCdEf";
const GROUP: &str = "arn:aws:elasticache:eu-central-1:1:replicationgroup:gate";

fn read(variables: &[(&str, &str)]) -> Result<Server, String> {
    let reader = Reader::new(variables.iter().copied());
    let server = reader.finish(|| match variables[0].0 {
        "DATABASE_URL" => reader.postgres("DATABASE"),
        _ => reader.redis("REDIS_GATE"),
    });
    server.map_err(|problems| problems.to_string())
}

const DATABASE: (&str, &str) = ("DATABASE_URL", "postgres://db/usher");
const GATE: (&str, &str) = ("REDIS_GATE_URL", "redis://gate");

#[test]
fn a_login_comes_from_one_of_four_places() {
    assert_eq!(
        read(&[DATABASE]).expect("valid").login,
        LoginSetting::Address
    );
    // Any printable ASCII, blanks at the ends included.
    let password = " #?%@:/\"'\\ ~";
    let fixed = read(&[
        DATABASE,
        ("DATABASE_USER", "usher"),
        ("DATABASE_PASSWORD", password),
    ]);
    assert_eq!(
        fixed.expect("valid").login,
        LoginSetting::Fixed {
            user: Some("usher".into()),
            password: Some(Secret::new(password)),
        }
    );
    let secret = read(&[GATE, ("REDIS_GATE_SECRET_ARN", SECRET)])
        .expect("valid")
        .login;
    assert!(secret.is_of_aws() && matches!(secret, LoginSetting::Secret { user: None, .. }));
    let token = read(&[
        ("REDIS_GATE_URL", "rediss://gate"),
        ("REDIS_GATE_AUTH", "iam"),
        ("REDIS_GATE_USER", "usher"),
        ("REDIS_GATE_ARN", GROUP),
    ]);
    let token = token.expect("valid").login;
    assert!(
        matches!(
            token,
            LoginSetting::Iam {
                target: TokenTarget::Redis(_),
                ..
            }
        ),
        "{token:?}"
    );
}

#[test]
fn contradictions_are_problems_and_show_no_password() {
    let plain = ("REDIS_GATE_PASSWORD", "hunter2");
    let cases: [(&[(&str, &str)], &str); 9] = [
        (
            &[GATE, plain, ("REDIS_GATE_SECRET_ARN", SECRET)],
            "REDIS_GATE_PASSWORD is given",
        ),
        (
            &[
                ("REDIS_GATE_URL", "redis://u:hunter2@gate"),
                ("REDIS_GATE_SECRET_ARN", SECRET),
            ],
            "REDIS_GATE_URL contains a password (not shown)",
        ),
        (
            &[GATE, ("REDIS_GATE_USER", "usher")],
            "REDIS_GATE_PASSWORD is missing",
        ),
        (
            &[GATE, ("REDIS_GATE_AUTH", "iam"), plain],
            "REDIS_GATE_PASSWORD is given",
        ),
        (
            &[GATE, ("REDIS_GATE_AUTH", "iam")],
            "REDIS_GATE_ARN is missing",
        ),
        (
            &[GATE, ("REDIS_GATE_AUTH", "iam")],
            "REDIS_GATE_URL is not rediss://",
        ),
        (
            &[GATE, ("REDIS_GATE_SECRET_ARN", "gate")],
            "REDIS_GATE_SECRET_ARN is \"gate\"",
        ),
        (
            &[DATABASE, ("DATABASE_PASSWORD", "hunter2")],
            "DATABASE_USER is missing",
        ),
        (
            &[DATABASE, ("DATABASE_AUTH", "kerberos")],
            "it must be password or iam",
        ),
    ];
    for (variables, problem) in cases {
        let refused = read(variables).expect_err(problem);
        assert!(refused.contains(problem), "{refused}");
        assert!(!refused.contains("hunter2"), "{refused}");
    }
}

#[test]
fn a_user_without_password_may_show_a_certificate_to_postgres() {
    let login = read(&[DATABASE, ("DATABASE_USER", "usher")])
        .expect("valid")
        .login;
    assert!(matches!(login, LoginSetting::Fixed { password: None, .. }));
}
