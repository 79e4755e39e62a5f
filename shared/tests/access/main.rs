//! Logins, certificates and keys from secrets that are rotated.

mod certificates;
mod logins;
mod rotation;
mod servers;

use shared::access::{Access, AccessSettings, Needed, ServerLogin, SourceError};
use shared::config::{Reader, Server};
use testkit::aws::SecretsServer;

/// The ARN of a secret.
const LOGIN: &str = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:login-AbCdEf";

/// The settings of a Redis whose login is in the secret [`LOGIN`], with these variables as well.
fn reader(server: &SecretsServer, more: &[(&str, &str)]) -> Reader {
    let given = [
        ("REDIS_GATE_URL", "redis://gate"),
        ("REDIS_GATE_SECRET_ARN", LOGIN),
    ];
    let given = given.iter().chain(more);
    let given = given.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Reader::new(server.variables().into_iter().chain(given))
}

fn settings(reader: &Reader) -> (Server, AccessSettings) {
    let read = reader.finish(|| {
        let server = reader.redis("REDIS_GATE");
        let needed = Needed {
            logins: vec![server.login.clone()],
            ..Needed::default()
        };
        (server, AccessSettings::read(reader, needed))
    });
    read.expect("valid settings")
}

/// The login of the Redis of these settings, after the start of a process.
async fn opened(reader: &Reader) -> Result<ServerLogin, SourceError> {
    let (redis, settings) = settings(reader);
    let access = Access::open(&settings).await?;
    Ok(access.login(&redis.login)?.expect("it has a login"))
}

fn login(user: &str, password: &str) -> String {
    format!(r#"{{"username":{user:?},"password":{password:?},"host":"ignored"}}"#)
}
