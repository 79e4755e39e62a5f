//! Secrets are read from a server that verifies signatures as AWS does.

mod certificates;
mod failures;
mod reading;

use aws_access::{Access, Credentials, Endpoints, SecretArn};
use testkit::aws::{KEY_ID, SECRET_KEY, SESSION_TOKEN, SecretsServer};

const SECRET: &str = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:database-AbCdEf";
const PARAMETER: &str = "arn:aws:ssm:us-east-1:111122223333:parameter/usher/key";

fn arn(text: &str) -> SecretArn {
    text.parse().expect("an ARN")
}

fn endpoints(url: &str) -> Endpoints {
    Endpoints {
        secrets_manager: Some(url.to_owned()),
        ssm: Some(url.to_owned()),
    }
}

fn access(server: &SecretsServer) -> Access {
    let credentials = Credentials::new(KEY_ID, SECRET_KEY, Some(SESSION_TOKEN.to_owned()));
    Access::new("eu-central-1", credentials, endpoints(&server.url()))
}
